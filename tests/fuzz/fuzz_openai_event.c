/* Events of the AI service: whatever comes, every string can be read and the sound lies in its
 * buffer. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "openai/event.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_call(void *arg, const char *item_id, const char *call_id, const char *name,
                    const char *arguments)
{
    size_t *sum = arg;
    *sum += strlen(item_id) + strlen(call_id) + strlen(name) + strlen(arguments);
}

static void read_strings(const struct tl_openai_event *e, size_t size)
{
    const char *const strings[] = {e->type,
                                   e->item_id,
                                   e->previous_item_id,
                                   e->response_id,
                                   e->text,
                                   e->item_type,
                                   e->role,
                                   e->call_id,
                                   e->name,
                                   e->arguments,
                                   e->output_text,
                                   e->voice,
                                   e->input_format,
                                   e->metadata_request,
                                   e->status_reason,
                                   e->error_type,
                                   e->error_code,
                                   e->error_message,
                                   e->error_event_id,
                                   e->output_format};
    for (size_t i = 0; i < TL_ARRAY_LEN(strings); i++)
        assert(strlen(strings[i]) <= size + sizeof("audio/pcmu"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    TL_CLEANUP(tl_buf_finish) struct tl_buf audio;
    struct tl_openai_event e;
    struct tl_error err;
    size_t sum = 0;

    tl_buf_init(&audio, 1u << 16);
    enum tl_status st = tl_openai_event_parse((const char *)data, size, &audio, &e, &err);
    if (st != TL_OK) {
        assert(st == TL_INVALID && err.msg[0]);
        return 0;
    }
    read_strings(&e, size);
    tl_openai_event_calls(&e, on_call, &sum);
    assert(sum <= size);
    assert(e.audio.len <= size);
    assert(!e.audio.len || (e.audio.data == audio.data && e.audio.len == audio.len));
    (void)tl_openai_error_severity(e.error_type, e.error_code);
    tl_openai_event_finish(&e);
    return 0;
}
