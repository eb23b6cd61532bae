/* Any text through every verb of the redactor: no crash, UTF-8 stays UTF-8, and no card number that
 * is written in figures comes out, together or over the turns. The first bytes choose how the text
 * is cut into turns. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "redact/redact.h"
#include "redact/validate.h"

static bool is_utf8(const char *text, size_t len)
{
    utf8proc_int32_t cp;
    while (len > 0) {
        utf8proc_ssize_t n =
            utf8proc_iterate((const utf8proc_uint8_t *)text, (utf8proc_ssize_t)len, &cp);
        if (n <= 0)
            return false;
        text += n;
        len -= (size_t)n;
    }
    return true;
}

/* A card number in figures with at most blanks, dashes or dots in between. */
static bool holds_card(const char *text, size_t len)
{
    uint8_t run[4096];
    size_t n = 0;
    for (size_t i = 0; i <= len; i++) {
        char c = i < len ? text[i] : 'x';
        if (c >= '0' && c <= '9' && n < sizeof(run)) {
            run[n++] = (uint8_t)(c - '0');
        } else if (c != ' ' && c != '-' && c != '.') {
            for (size_t at = 0; at + TL_CARD_DIGITS_MIN <= n; at++) {
                for (size_t k = TL_CARD_DIGITS_MIN; k <= TL_CARD_DIGITS_MAX && at + k <= n; k++) {
                    bool usual;
                    if (tl_valid_card(run + at, k, &usual))
                        return true;
                }
            }
            n = 0;
        }
    }
    return false;
}

static void check(const struct tl_redacted *red, bool utf8)
{
    const char *text = (const char *)red->text.data;
    if (red->text.full || (red->text.len > 0 && holds_card(text, red->text.len)))
        abort();
    if (utf8 && red->text.len > 0 && !is_utf8(text, red->text.len))
        abort();
    for (size_t i = 0; i < red->n_entities; i++)
        if (red->entities[i].start + red->entities[i].len > red->text.len)
            abort();
}

static void texts(struct tl_redactor *r, const char *text, size_t len, struct tl_redacted *red)
{
    struct tl_error err;
    bool utf8 = is_utf8(text, len);
    for (int kind = TL_REDACT_PROSE; kind <= TL_REDACT_JSON; kind++)
        if (tl_redactor_text(r, (enum tl_redact_text_kind)kind, text, len, red, &err) == TL_OK)
            check(red, utf8);

    struct tl_buf log;
    tl_buf_init(&log, 1 << 20);
    (void)tl_redact_credentials(text, len, &log);
    tl_buf_finish(&log);
}

static void turns(struct tl_redactor *r, const uint8_t *cuts, const char *text, size_t len,
                  struct tl_redacted *red)
{
    struct tl_error err;
    int64_t now_ms = 0;
    size_t at = 0;
    for (unsigned turn = 0; at < len; turn++) {
        uint8_t cut = cuts[turn % 4];
        size_t n = turn < 64 ? (size_t)cut + 1 : len;
        n = n > len - at ? len - at : n;
        struct tl_redact_utterance u = {.side = cut % 5 == 0 ? TL_REDACT_AGENT : TL_REDACT_CUSTOMER,
                                        .text = text + at,
                                        .len = n,
                                        .start_ms = now_ms,
                                        .end_ms = now_ms + 300};
        bool utf8 = is_utf8(u.text, u.len);
        if (tl_redactor_draft(r, &u, red, &err) == TL_OK)
            check(red, utf8);
        if (tl_redactor_final(r, &u, u.end_ms, &err) != TL_OK)
            break;
        now_ms += 300 + cut * 20;
        while (tl_redactor_pop(r, now_ms, red))
            check(red, false);
        at += n;
    }
    tl_redactor_flush(r);
    while (tl_redactor_pop(r, now_ms, red))
        check(red, false);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 4)
        return 0;
    struct tl_redact_options options = {.on = tl_entity_default_set(true, data[0] & 1),
                                        .year = 2026,
                                        .own = {"+14155550199", NULL},
                                        .keep_short = (data[0] & 2) != 0};
    struct tl_redactor *r = tl_redactor_create(&options);
    struct tl_redacted red;
    tl_redacted_init(&red);
    texts(r, (const char *)data + 4, size - 4, &red);
    turns(r, data, (const char *)data + 4, size - 4, &red);
    struct tl_redact_utterance u = {.text = (const char *)data + 4, .len = size - 4};
    tl_redactor_resume(r, &u);
    tl_redacted_finish(&red);
    tl_redactor_destroy(r);
    return 0;
}
