/* URLs of webhooks: what goes on the wire, what is signed, and the retry table in the fragment. */
#include "url.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

static const struct tl_tel_overrides DEFAULTS = {
    .connect_ms = 5000,
    .read_ms = 15000,
    .total_ms = 15000,
    .retries = 1,
    .retry_on = TL_TEL_RETRY_CONNECT,
};

static enum tl_status parse_policy(const char *list, unsigned *ret_bits, struct tl_error *err)
{
    static const struct {
        const char *name;
        unsigned bits;
    } WORDS[] = {
        {"4xx", TL_TEL_RETRY_4XX},
        {"5xx", TL_TEL_RETRY_5XX},
        {"ct", TL_TEL_RETRY_CONNECT},
        {"rt", TL_TEL_RETRY_READ},
        {"all", TL_TEL_RETRY_4XX | TL_TEL_RETRY_5XX | TL_TEL_RETRY_CONNECT | TL_TEL_RETRY_READ},
    };
    unsigned bits = 0;

    while (*list) {
        size_t n = strcspn(list, ","), i;
        for (i = 0; i < TL_ARRAY_LEN(WORDS); i++)
            if (strlen(WORDS[i].name) == n && strncmp(list, WORDS[i].name, n) == 0)
                break;
        if (i == TL_ARRAY_LEN(WORDS))
            return tl_fail(err, TL_INVALID, "retry policy \"%s\"", list);
        bits |= WORDS[i].bits;
        list += n + (list[n] == ',');
    }
    *ret_bits = bits;
    return TL_OK;
}

static enum tl_status parse_number(const char *key, const char *text, unsigned min, unsigned max,
                                   unsigned *ret_value, struct tl_error *err)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);

    if (*text < '0' || *text > '9' || *end || value < min || value > max)
        return tl_fail(err, TL_INVALID, "override %s=%s is not %u..%u", key, text, min, max);
    *ret_value = (unsigned)value;
    return TL_OK;
}

static enum tl_status parse_override(const char *key, const char *value, struct tl_tel_overrides *o,
                                     struct tl_error *err)
{
    if (strcmp(key, "ct") == 0)
        return parse_number(key, value, 100, 10000, &o->connect_ms, err);
    if (strcmp(key, "rt") == 0)
        return parse_number(key, value, 100, 15000, &o->read_ms, err);
    if (strcmp(key, "tt") == 0)
        return parse_number(key, value, 100, 15000, &o->total_ms, err);
    if (strcmp(key, "rc") == 0)
        return parse_number(key, value, 0, 5, &o->retries, err);
    if (strcmp(key, "rp") == 0)
        return parse_policy(value, &o->retry_on, err);
    if (strcmp(key, "sni") == 0 && (strcmp(value, "y") == 0 || strcmp(value, "n") == 0))
        return TL_OK;
    if (strcmp(key, "e") == 0)
        return TL_OK; /* an edge: there is but this one */
    return tl_fail(err, TL_INVALID, "unknown override %s=%s", key, value);
}

static enum tl_status parse_overrides(const char *fragment, struct tl_tel_overrides *o,
                                      struct tl_error *err)
{
    while (*fragment) {
        char item[128];
        size_t n = strcspn(fragment, "&");
        if (n >= sizeof(item))
            return tl_fail(err, TL_INVALID, "override too long");
        memcpy(item, fragment, n);
        item[n] = '\0';
        char *equals = strchr(item, '=');
        if (!equals)
            return tl_fail(err, TL_INVALID, "override \"%s\" has no value", item);
        *equals = '\0';
        enum tl_status st = parse_override(item, equals + 1, o, err);
        if (st != TL_OK)
            return st;
        fragment += n + (fragment[n] == '&');
    }
    return TL_OK;
}

static char *copy(const char *start, size_t len)
{
    char *text = strndup(start, len);

    if (!text)
        abort();
    return text;
}

/* Cuts "user:password@" out of url->wire. */
static void take_user(struct tl_tel_url *url, char *authority, size_t *authority_len)
{
    char *at = memchr(authority, '@', *authority_len);

    if (!at)
        return;
    size_t n = (size_t)(at - authority);
    char *colon = memchr(authority, ':', n);
    url->user = copy(authority, colon ? (size_t)(colon - authority) : n);
    url->password = colon ? copy(colon + 1, (size_t)(at - colon - 1)) : copy("", 0);
    memmove(authority, at + 1, strlen(at + 1) + 1);
    *authority_len -= n + 1;
}

static char *without_port(const char *wire, const char *authority, size_t authority_len)
{
    size_t host_len = authority_len;
    char *text = NULL;

    while (host_len > 0 && authority[host_len - 1] >= '0' && authority[host_len - 1] <= '9')
        host_len--;
    if (host_len == 0 || authority[host_len - 1] != ':')
        return copy(wire, strlen(wire));
    if (asprintf(&text, "%.*s%s", (int)(authority - wire + (long)host_len - 1), wire,
                 authority + authority_len) < 0)
        abort();
    return text;
}

enum tl_status tl_tel_url_parse(const char *text, bool sign_port, struct tl_tel_url *ret_url,
                                struct tl_error *err)
{
    struct tl_tel_url url = {.overrides = DEFAULTS};
    bool https = strncmp(text, "https://", 8) == 0;
    const char *fragment = strchr(text, '#');

    if (!https && strncmp(text, "http://", 7) != 0)
        return tl_fail(err, TL_INVALID, "not an http or https URL: %.200s", text);
    if (fragment) {
        enum tl_status st = parse_overrides(fragment + 1, &url.overrides, err);
        if (st != TL_OK)
            return st;
    }
    url.wire = copy(text, fragment ? (size_t)(fragment - text) : strlen(text));
    char *authority = url.wire + (https ? 8 : 7);
    size_t authority_len = strcspn(authority, "/?");
    take_user(&url, authority, &authority_len);
    if (authority_len == 0 || memchr(authority, '_', authority_len)) {
        tl_tel_url_finish(&url);
        return tl_fail(err, TL_INVALID, "host of %.200s is missing or has an underscore", text);
    }
    url.signed_as = https && !sign_port ? without_port(url.wire, authority, authority_len)
                                        : copy(url.wire, strlen(url.wire));
    *ret_url = url;
    return TL_OK;
}

void tl_tel_url_finish(struct tl_tel_url *url)
{
    free(url->wire);
    free(url->signed_as);
    free(url->user);
    free(url->password);
    *url = (struct tl_tel_url){0};
}

char *tl_tel_url_resolve(const char *base, const char *ref)
{
    char *text = NULL, *owned = NULL;

    if (strncmp(ref, "http://", 7) == 0 || strncmp(ref, "https://", 8) == 0 || !base)
        return strdup(ref);
    CURLU *handle = curl_url();
    if (handle && curl_url_set(handle, CURLUPART_URL, base, 0) == CURLUE_OK &&
        curl_url_set(handle, CURLUPART_URL, ref, 0) == CURLUE_OK &&
        curl_url_get(handle, CURLUPART_URL, &text, 0) == CURLUE_OK)
        owned = strdup(text);
    curl_free(text);
    curl_url_cleanup(handle);
    return owned;
}
