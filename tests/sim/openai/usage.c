/* Numbers of the right shape and size. */
#include "openai/usage.h"

#include <string.h>

#include "openai/response.h"
#include "openai/wire.h"

#define TEXT_TOKENS(bytes) (((json_int_t)(bytes) + 3) / 4)
#define CALLER_BYTES_A_TOKEN 800
#define MODEL_BYTES_A_TOKEN 400
#define TOKENS_A_MINUTE 4000000

struct totals {
    json_int_t text, audio;
};

static struct totals count_input(const struct tl_ai_session *session)
{
    TL_CLEANUP(tl_buf_finish) struct tl_buf text;
    struct totals sum = {.text = TEXT_TOKENS(strlen(tl_ai_config_instructions(&session->config)))};
    struct tl_ai_item *item;

    tl_buf_init(&text, 1024 * 1024);
    TAILQ_FOREACH(item, &session->items, link)
    {
        tl_buf_reset(&text);
        if (item->audio.len == 0 && item->generated_bytes == 0)
            tl_ai_item_text(item, &text);
        sum.text += TEXT_TOKENS(text.len);
        sum.audio += (json_int_t)(item->audio.len / CALLER_BYTES_A_TOKEN +
                                  item->generated_bytes / MODEL_BYTES_A_TOKEN);
    }
    return sum;
}

json_t *tl_ai_usage_json(const struct tl_ai_response *response)
{
    struct totals in = count_input(response->session);
    json_int_t out_audio = (json_int_t)(response->total_bytes / MODEL_BYTES_A_TOKEN);
    json_int_t out_text = TEXT_TOKENS(response->total_text);
    json_int_t cached = in.text / 2 / 64 * 64; /* the service caches in steps of 64 */

    return json_pack("{s:I, s:I, s:I, s:{s:I, s:I, s:i, s:I, s:{s:I, s:i, s:i}}, s:{s:I, s:I}}",
                     "total_tokens", in.text + in.audio + out_audio + out_text, "input_tokens",
                     in.text + in.audio, "output_tokens", out_audio + out_text,
                     "input_token_details", "text_tokens", in.text, "audio_tokens", in.audio,
                     "image_tokens", 0, "cached_tokens", cached, "cached_tokens_details",
                     "text_tokens", cached, "audio_tokens", 0, "image_tokens", 0,
                     "output_token_details", "text_tokens", out_text, "audio_tokens", out_audio);
}

void tl_ai_usage_send_limits(struct tl_ai_session *session)
{
    tl_ai_emit(session, "rate_limits.updated", "{s:[{s:s, s:i, s:i, s:f}, {s:s, s:i, s:i, s:f}]}",
               "rate_limits", "name", "requests", "limit", 20000, "remaining", 19999,
               "reset_seconds", 0.003, "name", "tokens", "limit", TOKENS_A_MINUTE, "remaining",
               TOKENS_A_MINUTE - 4500, "reset_seconds", 0.068);
}
