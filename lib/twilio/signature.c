/* X-Twilio-Signature: see signature.h. */
#include "twilio/signature.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/base64.h"
#include "crypto/hash.h"
#include "crypto/hex.h"

#define SIGNED_BYTES_MAX (2u << 20)
#define URL_BYTES_MAX 8192

static int compare_fields(const void *a, const void *b)
{
    const struct tl_form_field *x = a, *y = b;
    int c = strcmp(x->name, y->name);

    return c ? c : strcmp(x->value, y->value);
}

/* Every field in byte order of its name, name then value; of a repeated name each value once. */
static void add_fields(struct tl_buf *s, const struct tl_form *form)
{
    size_t n = form->fields_n;
    struct tl_form_field *sorted = calloc(n ? n : 1, sizeof(*sorted));

    if (!sorted)
        abort();
    if (n)
        memcpy(sorted, form->fields, n * sizeof(*sorted));
    qsort(sorted, n, sizeof(*sorted), compare_fields);
    for (size_t i = 0; i < n; i++) {
        if (i && compare_fields(&sorted[i - 1], &sorted[i]) == 0)
            continue;
        tl_buf_add_str(s, sorted[i].name);
        tl_buf_add_str(s, sorted[i].value);
    }
    free(sorted);
}

static void sign_url(const char *auth_token, const char *url, const struct tl_form *form,
                     char ret_signature[TL_TWILIO_SIGNATURE_SIZE])
{
    struct tl_buf s;
    uint8_t mac[TL_SHA1_BYTES];

    tl_buf_init(&s, SIGNED_BYTES_MAX);
    tl_buf_add_str(&s, url);
    if (form)
        add_fields(&s, form);
    tl_hmac_sha1(auth_token, strlen(auth_token), s.data, s.len, mac);
    (void)tl_base64_encode(mac, sizeof(mac), ret_signature); /* 28 characters */
    tl_buf_finish(&s);
}

void tl_twilio_sign(const char *auth_token, const struct tl_twilio_signed *what,
                    char ret_signature[TL_TWILIO_SIGNATURE_SIZE])
{
    sign_url(auth_token, what->url, what->form, ret_signature);
}

static bool signed_by(const char *auth_token, const char *url, const struct tl_form *form,
                      const char *signature)
{
    char expected[TL_TWILIO_SIGNATURE_SIZE];

    sign_url(auth_token, url, form, expected);
    return strlen(signature) == strlen(expected) &&
           tl_secret_equal(expected, signature, strlen(expected));
}

/* The value of bodySHA256 in the query, or NULL. */
static const char *body_hash_of(const char *url)
{
    const char *q = strchr(url, '?');

    while (q) {
        if (strncmp(q + 1, "bodySHA256=", 11) == 0)
            return q + 12;
        q = strchr(q + 1, '&');
    }
    return NULL;
}

static bool body_matches(const char *hash, struct tl_bytes body)
{
    uint8_t digest[TL_SHA256_BYTES];
    char hex[2 * TL_SHA256_BYTES + 1];

    tl_sha256(body.data, body.len, digest);
    tl_hex_encode(digest, sizeof(digest), hex);
    return strcspn(hash, "&") == strlen(hex) && tl_secret_equal(hex, hash, strlen(hex));
}

/* The URL with another port: "" takes it away, ":443" puts one in. False when it has no host. */
static bool with_port(const char *url, const char *port, char *ret, size_t size)
{
    const char *host = strstr(url, "://");
    if (!host)
        return false;
    host += 3;
    size_t host_len = strcspn(host, "/?");
    const char *rest = host + host_len;
    const char *colon = memrchr(host, ':', host_len);
    const char *bracket = memrchr(host, ']', host_len); /* IPv6 */
    if (colon && (!bracket || colon > bracket))
        host_len = (size_t)(colon - host);
    int n = snprintf(ret, size, "%.*s%s%s", (int)(host + host_len - url), url, port, rest);
    return n > 0 && (size_t)n < size;
}

bool tl_twilio_verify(const char *auth_token, const struct tl_twilio_signed *what,
                      const char *signature)
{
    char other[URL_BYTES_MAX];
    const char *url = what->url;
    const char *hash = body_hash_of(url);
    const struct tl_form *form = hash ? NULL : what->form;
    bool is_wss = strncmp(url, "wss:", 4) == 0 || strncmp(url, "ws:", 3) == 0;
    size_t len = strlen(url);

    if (!signature || !*auth_token || strlen(signature) >= TL_TWILIO_SIGNATURE_SIZE)
        return false;
    if (hash && !body_matches(hash, what->body))
        return false;
    if (signed_by(auth_token, url, form, signature))
        return true;
    if (is_wss) { /* with a slash more or less */
        if (len < 2 || len + 2 > sizeof(other))
            return false;
        memcpy(other, url, len + 1);
        if (other[len - 1] == '/')
            other[len - 1] = '\0';
        else
            memcpy(other + len, "/", 2);
        return signed_by(auth_token, other, form, signature);
    }
    const char *standard = strncmp(url, "https:", 6) == 0 ? ":443" : ":80";
    return (with_port(url, "", other, sizeof(other)) &&
            signed_by(auth_token, other, form, signature)) ||
           (with_port(url, standard, other, sizeof(other)) &&
            signed_by(auth_token, other, form, signature));
}
