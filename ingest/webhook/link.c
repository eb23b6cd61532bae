/* Signed parameters of our URLs: see link.h. */
#include "ingest/webhook/link.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NUMBERS 9
#define FIELDS (4 + NUMBERS)
#define FIELDS_MIN 12 /* of the first version: calls outlive an upgrade, either way */

enum tl_status tl_link_sign(const struct tl_token_keys *keys, const char *purpose,
                            const struct tl_link *l, char ret_text[TL_TOKEN_TEXT_SIZE],
                            struct tl_error *err)
{
    char numbers[NUMBERS][24];
    const int64_t values[NUMBERS] = {
        l->business_version, l->number,         l->direction,       l->started_at_ms,
        l->start_offset,     l->hint,           l->window_start_s,  l->window_attempts,
        l->given_at_ms};
    const char *fields[FIELDS] = {l->call_sid, l->business_id, l->from_number, l->to_number};
    for (size_t i = 0; i < NUMBERS; i++) {
        (void)snprintf(numbers[i], sizeof(numbers[i]), "%" PRId64, values[i]);
        fields[4 + i] = numbers[i];
    }
    return tl_token_sign(keys, purpose, fields, FIELDS, ret_text, err);
}

enum tl_status tl_link_verify(const struct tl_token_keys *keys, const char *purpose,
                              const char *text, struct tl_link *ret_link, struct tl_error *err)
{
    struct tl_token token;
    struct tl_link l = {0};
    int64_t v[NUMBERS] = {0};
    enum tl_status st = tl_token_verify(keys, purpose, text, strlen(text), &token, err);

    if (st != TL_OK)
        return st;
    if (token.len < FIELDS_MIN)
        return tl_fail(err, TL_INVALID, "link: %zu fields", token.len);
    const struct {
        char *to;
        size_t size;
    } texts[4] = {{l.call_sid, sizeof(l.call_sid)},
                  {l.business_id, sizeof(l.business_id)},
                  {l.from_number, sizeof(l.from_number)},
                  {l.to_number, sizeof(l.to_number)}};
    for (size_t i = 0; i < 4; i++)
        if (snprintf(texts[i].to, texts[i].size, "%s", token.field[i]) >= (int)texts[i].size)
            return tl_fail(err, TL_INVALID, "link: field %zu is too long", i);
    for (size_t i = 0; i < NUMBERS && 4 + i < token.len; i++)
        v[i] = strtoll(token.field[4 + i], NULL, 10); /* signed by us: always a number */
    l.business_version = (int)v[0];
    l.number = (int)v[1];
    l.direction = (enum tl_direction)v[2];
    l.started_at_ms = v[3];
    l.start_offset = v[4];
    l.hint = (int)v[5];
    l.window_start_s = v[6];
    l.window_attempts = (int)v[7];
    l.given_at_ms = v[8];
    *ret_link = l;
    return TL_OK;
}

bool tl_link_next(struct tl_link *link, int64_t now_s, int per_minute)
{
    if (now_s - link->window_start_s >= 60) {
        link->window_start_s = now_s;
        link->window_attempts = 0;
    }
    if (link->window_attempts >= per_minute)
        return false;
    link->window_attempts++;
    link->number++;
    return true;
}
