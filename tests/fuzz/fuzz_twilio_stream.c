/* Messages of the telephone network's socket: what can be read has the members of its event, and
 * the answers that are made of it are messages too. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "twilio/stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void assert_text(const char *text, size_t size)
{
    assert(memchr(text, '\0', size));
}

/* Our own message with those texts is JSON of the event that we mean. */
static void answer(const struct tl_stream_message *m)
{
    TL_CLEANUP(tl_buf_finish) struct tl_buf out;
    static struct tl_stream_message back;
    struct tl_error err;

    tl_buf_init(&out, 1u << 20);
    tl_stream_mark(&out, m->stream_sid, m->text);
    enum tl_status st = tl_stream_parse(tl_buf_str(&out), out.len, &back, &err);
    assert(st == TL_OK && back.event == TL_STREAM_MARK);
    assert(strlen(back.stream_sid) <= strlen(m->stream_sid));
    tl_buf_reset(&out);
    tl_stream_clear(&out, m->stream_sid);
    st = tl_stream_parse(tl_buf_str(&out), out.len, &back, &err);
    assert(st == TL_NOT_FOUND); /* an event of ours, none of theirs */
    tl_buf_reset(&out);
    tl_stream_media(&out, m->stream_sid, (struct tl_bytes){m->audio, m->audio_len});
    assert(!out.full);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct tl_stream_message m;
    struct tl_error err;

    memset(&m, 0x5a, sizeof(m));
    enum tl_status st = tl_stream_parse((const char *)data, size, &m, &err);
    if (st != TL_OK) {
        assert(st == TL_INVALID || st == TL_NOT_FOUND);
        assert(err.status == st && err.msg[0]);
        return 0;
    }
    assert_text(m.stream_sid, sizeof(m.stream_sid));
    assert_text(m.call_sid, sizeof(m.call_sid));
    assert_text(m.text, sizeof(m.text));
    assert(m.audio_len <= TL_STREAM_AUDIO_MAX);
    if (m.event == TL_STREAM_START)
        assert_text(m.account_sid, sizeof(m.account_sid));
    if (m.event == TL_STREAM_MEDIA)
        assert(m.timestamp_ms >= 0);
    if (m.event == TL_STREAM_DTMF)
        assert(strlen(m.text) == 1);
    answer(&m);
    return 0;
}
