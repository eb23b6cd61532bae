/* Signed fields for URLs: see token.h. */
#include "crypto/token.h"

#include <string.h>

#include "crypto/base64.h"
#include "crypto/hash.h"

#define MAC_BYTES 16
#define MAC_TEXT_LEN 22
#define PURPOSE_BYTES_MAX 32

/* HMAC over purpose, NUL, payload: no payload can be read as another purpose's. */
static void make_mac(const struct tl_bytes *key, const char *purpose, const uint8_t *payload,
                     size_t n, uint8_t ret_mac[TL_SHA256_BYTES])
{
    uint8_t text[PURPOSE_BYTES_MAX + 1 + TL_TOKEN_PAYLOAD_BYTES_MAX];
    size_t purpose_len = strnlen(purpose, PURPOSE_BYTES_MAX);

    memcpy(text, purpose, purpose_len);
    text[purpose_len] = 0;
    memcpy(text + purpose_len + 1, payload, n);
    tl_hmac_sha256(key->data, key->len, text, purpose_len + 1 + n, ret_mac);
}

static enum tl_status check_use(const struct tl_token_keys *keys, const char *purpose,
                                struct tl_error *err)
{
    if (keys->current.len < TL_TOKEN_KEY_BYTES_MIN)
        return tl_fail(err, TL_INVALID, "a key of %zu bytes signs nothing; %d are needed",
                       keys->current.len, TL_TOKEN_KEY_BYTES_MIN);
    if (strnlen(purpose, PURPOSE_BYTES_MAX + 1) > PURPOSE_BYTES_MAX)
        return tl_fail(err, TL_INVALID, "the purpose of a token has %d bytes at most",
                       PURPOSE_BYTES_MAX);
    return TL_OK;
}

static enum tl_status pack(const char *const *field, size_t len, uint8_t *payload, size_t *ret_n,
                           struct tl_error *err)
{
    size_t n = 0;

    if (len > TL_TOKEN_FIELDS_MAX)
        return tl_fail(err, TL_INVALID, "a token of %zu fields, %d at most", len,
                       TL_TOKEN_FIELDS_MAX);
    for (size_t i = 0; i < len; i++) {
        size_t field_len = strlen(field[i]);
        if (field_len > TL_TOKEN_FIELD_BYTES_MAX || n + 1 + field_len > TL_TOKEN_PAYLOAD_BYTES_MAX)
            return tl_fail(err, TL_INVALID, "field %zu of a token is too long", i);
        payload[n++] = (uint8_t)field_len;
        memcpy(payload + n, field[i], field_len);
        n += field_len;
    }
    *ret_n = n;
    return TL_OK;
}

enum tl_status tl_token_sign(const struct tl_token_keys *keys, const char *purpose,
                             const char *const *field, size_t len,
                             char ret_text[TL_TOKEN_TEXT_SIZE], struct tl_error *err)
{
    uint8_t payload[TL_TOKEN_PAYLOAD_BYTES_MAX], mac[TL_SHA256_BYTES];
    size_t n = 0;

    enum tl_status st = check_use(keys, purpose, err);
    if (st == TL_OK)
        st = pack(field, len, payload, &n, err);
    if (st != TL_OK)
        return st;
    make_mac(&keys->current, purpose, payload, n, mac);
    size_t text_len = tl_base64url_encode(payload, n, ret_text);
    ret_text[text_len++] = '.';
    (void)tl_base64url_encode(mac, MAC_BYTES, ret_text + text_len); /* always MAC_TEXT_LEN */
    return TL_OK;
}

static enum tl_status unpack(const uint8_t *payload, size_t n, struct tl_token *ret_token,
                             struct tl_error *err)
{
    char *to = ret_token->bytes;

    ret_token->len = 0;
    for (size_t at = 0; at < n;) {
        size_t field_len = payload[at++];
        if (field_len > n - at || ret_token->len == TL_TOKEN_FIELDS_MAX ||
            memchr(payload + at, 0, field_len))
            return tl_fail(err, TL_INVALID, "token with a broken field");
        memcpy(to, payload + at, field_len);
        to[field_len] = 0;
        ret_token->field[ret_token->len++] = to;
        to += field_len + 1;
        at += field_len;
    }
    return TL_OK;
}

static bool is_signed_by(const struct tl_bytes *key, const char *purpose, const uint8_t *payload,
                         size_t n, const uint8_t *mac)
{
    uint8_t expected[TL_SHA256_BYTES];

    if (key->len < TL_TOKEN_KEY_BYTES_MIN)
        return false;
    make_mac(key, purpose, payload, n, expected);
    return tl_secret_equal(expected, mac, MAC_BYTES);
}

enum tl_status tl_token_verify(const struct tl_token_keys *keys, const char *purpose,
                               const char *text, size_t text_len, struct tl_token *ret_token,
                               struct tl_error *err)
{
    uint8_t payload[TL_TOKEN_TEXT_SIZE], mac[MAC_TEXT_LEN];
    size_t n, mac_len;

    enum tl_status st = check_use(keys, purpose, err);
    if (st != TL_OK)
        return st;
    if (text_len <= MAC_TEXT_LEN || text_len >= TL_TOKEN_TEXT_SIZE ||
        text[text_len - MAC_TEXT_LEN - 1] != '.')
        return tl_fail(err, TL_INVALID, "not a token");
    if (tl_base64url_decode(text + text_len - MAC_TEXT_LEN, MAC_TEXT_LEN, mac, &mac_len, err) !=
            TL_OK ||
        tl_base64url_decode(text, text_len - MAC_TEXT_LEN - 1, payload, &n, err) != TL_OK ||
        n > TL_TOKEN_PAYLOAD_BYTES_MAX)
        return tl_fail(err, TL_INVALID, "not a token");
    if (!is_signed_by(&keys->current, purpose, payload, n, mac) &&
        !is_signed_by(&keys->previous, purpose, payload, n, mac))
        return tl_fail(err, TL_DENIED, "token with a wrong signature");
    return unpack(payload, n, ret_token, err);
}
