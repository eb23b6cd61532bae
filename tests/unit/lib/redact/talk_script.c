/* Plays written talks through a redactor. */
#include "talk_script.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct tl_redactor *tl_script_redactor(tl_entity_set on)
{
    struct tl_redact_options options = {
        .key = "0123456789abcde", .on = on, .year = 2026, .own = {"+14155550199", "+442079460000"}};
    return tl_redactor_create(&options);
}

static void keep(struct tl_script *s, const struct tl_redacted *red)
{
    assert_int_equal(red->tag, s->n);
    (void)snprintf(s->text[s->n++], sizeof(s->text[0]), "%s",
                   red->text.len > 0 ? (const char *)red->text.data : "");
    for (size_t i = 0; i < red->n_entities; i++) {
        assert_true(s->n_entities < TL_ARRAY_LEN(s->entities));
        s->entities[s->n_entities++] = red->entities[i];
    }
}

static void pop_all(struct tl_script *s, struct tl_redactor *r, int64_t now_ms)
{
    struct tl_redacted red;
    tl_redacted_init(&red);
    while (tl_redactor_pop(r, now_ms, &red))
        keep(s, &red);
    tl_redacted_finish(&red);
}

static void say(struct tl_script *s, struct tl_redactor *r, size_t turn, const char *text,
                size_t len)
{
    struct tl_error err;
    struct tl_redact_utterance u = {.side = TL_REDACT_CUSTOMER,
                                    .text = text,
                                    .len = len,
                                    .start_ms = 1000 * (int64_t)turn,
                                    .end_ms = 1000 * (int64_t)turn + 800,
                                    .tag = turn};
    if (len >= 2 && (text[0] == 'A' || text[0] == 'C') && text[1] == ':') {
        u.side = text[0] == 'A' ? TL_REDACT_AGENT : TL_REDACT_CUSTOMER;
        u.text += 2;
        u.len -= 2;
    }
    while (u.len > 0 && *u.text == ' ') {
        u.text++;
        u.len--;
    }
    struct tl_redacted red;
    tl_redacted_init(&red);
    assert_int_equal(tl_redactor_draft(r, &u, &red, &err), TL_OK);
    (void)snprintf(s->draft[turn], sizeof(s->draft[turn]), "%s", tl_buf_str(&red.text));
    tl_redacted_finish(&red);
    pop_all(s, r, u.end_ms);
    assert_int_equal(tl_redactor_final(r, &u, u.end_ms, &err), TL_OK);
    pop_all(s, r, u.end_ms);
}

void tl_script_play(struct tl_script *s, struct tl_redactor *r, const char *talk)
{
    size_t turn = 0;
    s->n = s->n_entities = 0;
    while (*talk != '\0') {
        const char *bar = strstr(talk, " | ");
        size_t len = bar != NULL ? (size_t)(bar - talk) : strlen(talk);
        say(s, r, turn++, talk, len);
        talk = bar != NULL ? bar + 3 : talk + len;
    }
    pop_all(s, r, 1000 * (int64_t)turn + TL_REDACT_HOLD_MS);
    assert_int_equal(s->n, turn);
}

void tl_script_run(struct tl_script *s, tl_entity_set on, const char *talk)
{
    struct tl_redactor *r = tl_script_redactor(on);
    tl_script_play(s, r, talk);
    tl_redactor_destroy(r);
}

double tl_script_confidence(const struct tl_script *s, enum tl_entity_type type)
{
    double best = 0;
    for (size_t i = 0; i < s->n_entities; i++)
        if (s->entities[i].type == type && s->entities[i].confidence > best)
            best = s->entities[i].confidence;
    return best;
}
