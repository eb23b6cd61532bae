/* What the network knows: numbers, destinations, faults. */
#include "tel.h"

#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"

void tl_tel_stop_when_done(struct tl_tel *tel)
{
    if (tel->options.call_from && tel->calls_active == 0 && tel->pending == 0)
        uv_stop(&tel->loop);
}

void tl_tel_sid_make(const char *letters, size_t index, char ret_sid[TL_TEL_SID_SIZE])
{
    unsigned char raw[16];

    if (RAND_bytes(raw, sizeof(raw)) != 1)
        abort();
    (void)snprintf(ret_sid, 3, "%s", letters);
    for (size_t i = 0; i < sizeof(raw); i++)
        (void)snprintf(ret_sid + 2 + 2 * i, 3, "%02x", raw[i]);
    if (index != SIZE_MAX)
        (void)snprintf(ret_sid + 2 + 24, 9, "%08zx", index & 0xffffffff);
}

struct tl_tel_number *tl_tel_number_find(struct tl_tel *tel, const char *number)
{
    for (size_t i = 0; i < tel->numbers; i++)
        if (strcmp(tel->number[i].number, number) == 0)
            return &tel->number[i];
    return NULL;
}

static char *copy(const char *text, size_t len)
{
    char *out = strndup(text, len);

    if (!out)
        abort();
    return out;
}

/* The piece of a comma list that *list points at; moves *list behind it. */
static char *next_item(const char **list)
{
    size_t n = strcspn(*list, ",");
    char *item = copy(*list, n);

    *list += n + ((*list)[n] == ',');
    return item;
}

enum tl_status tl_tel_number_add(struct tl_tel *tel, const char *text, struct tl_error *err)
{
    const char *equals = strchr(text, '=');

    if (text[0] != '+' || !equals)
        return tl_fail(err, TL_INVALID, "--number +1555…=https://…, not \"%s\"", text);
    tel->number = realloc(tel->number, (tel->numbers + 1) * sizeof(*tel->number));
    if (!tel->number)
        abort();
    struct tl_tel_number *n = &tel->number[tel->numbers++];
    const char *urls = equals + 1;
    *n = (struct tl_tel_number){.number = copy(text, (size_t)(equals - text))};
    tl_tel_sid_make("PN", SIZE_MAX, n->sid);
    n->voice_url = next_item(&urls);
    n->status_url = next_item(&urls);
    n->fallback_url = next_item(&urls);
    n->voice_method = copy("POST", 4);
    n->status_method = copy("POST", 4);
    n->fallback_method = copy("POST", 4);
    n->friendly_name = copy(n->number, strlen(n->number));
    n->application_sid = copy("", 0);
    n->trunk_sid = copy("", 0);
    n->created_at = n->updated_at = tl_now_ms();
    return TL_OK;
}

void tl_tel_numbers_finish(struct tl_tel *tel)
{
    for (size_t i = 0; i < tel->numbers; i++) {
        struct tl_tel_number *n = &tel->number[i];
        char *owned[] = {n->number,          n->voice_url,  n->voice_method,  n->fallback_url,
                         n->fallback_method, n->status_url, n->status_method, n->friendly_name,
                         n->application_sid, n->trunk_sid};
        for (size_t k = 0; k < TL_ARRAY_LEN(owned); k++)
            free(owned[k]);
    }
    free(tel->number);
    tel->number = NULL;
    tel->numbers = 0;
}

struct tl_tel_destination *tl_tel_destination_find(struct tl_tel *tel, const char *number)
{
    for (size_t i = 0; i < tel->destinations; i++)
        if (strcmp(tel->destination[i].number, number) == 0)
            return &tel->destination[i];
    return NULL;
}

static struct tl_tel_destination *destination_of(struct tl_tel *tel, const char *number)
{
    struct tl_tel_destination *d = tl_tel_destination_find(tel, number);

    if (d) {
        free(d->outcome);
        json_decref(d->script);
        *d = (struct tl_tel_destination){.number = d->number};
        return d;
    }
    tel->destination =
        realloc(tel->destination, (tel->destinations + 1) * sizeof(*tel->destination));
    if (!tel->destination)
        abort();
    d = &tel->destination[tel->destinations++];
    *d = (struct tl_tel_destination){.number = copy(number, strlen(number))};
    return d;
}

enum tl_status tl_tel_destination_set(struct tl_tel *tel, const json_t *body, struct tl_error *err)
{
    static const char *const OUTCOMES[] = {"answer", "busy", "no-answer", "failed"};
    const char *number = json_string_value(json_object_get(body, "number"));
    const char *outcome = json_string_value(json_object_get(body, "outcome"));
    const json_t *ring_ms = json_object_get(body, "ring_ms");
    json_t *script = json_object_get(body, "script");
    bool known = !outcome;

    for (size_t i = 0; i < TL_ARRAY_LEN(OUTCOMES) && !known; i++)
        known = strcmp(OUTCOMES[i], outcome) == 0;
    if (!number || !known || (script && !json_is_array(script)))
        return tl_fail(err, TL_INVALID,
                       "a destination has a number, an outcome (answer, busy, no-answer, failed), "
                       "ring_ms and a script");
    struct tl_tel_destination *d = destination_of(tel, number);
    d->outcome = copy(outcome ? outcome : "answer", outcome ? strlen(outcome) : 6);
    d->ring_ms = ring_ms ? json_integer_value(ring_ms) : tel->options.ring_ms;
    d->script = json_incref(script);
    return TL_OK;
}

void tl_tel_destinations_finish(struct tl_tel *tel)
{
    for (size_t i = 0; i < tel->destinations; i++) {
        free(tel->destination[i].number);
        free(tel->destination[i].outcome);
        json_decref(tel->destination[i].script);
    }
    free(tel->destination);
}
