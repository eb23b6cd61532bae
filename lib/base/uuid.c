/* UUIDs of versions 4 and 5: RFC 9562 sections 5.4 and 5.5. */
#include "base/uuid.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define SHA1_BYTES 20

/* Drawn once at random (version 4), written down for good. */
/* da4fea8e-9f15-483d-83cc-8089accbc5e3 */
const struct tl_uuid tl_uuid_ns_call = {{0xda, 0x4f, 0xea, 0x8e, 0x9f, 0x15, 0x48, 0x3d, 0x83, 0xcc,
                                         0x80, 0x89, 0xac, 0xcb, 0xc5, 0xe3}};
/* 0faf7147-7415-4147-a1e9-0617a89d504f */
const struct tl_uuid tl_uuid_ns_event = {{0x0f, 0xaf, 0x71, 0x47, 0x74, 0x15, 0x41, 0x47, 0xa1,
                                          0xe9, 0x06, 0x17, 0xa8, 0x9d, 0x50, 0x4f}};

static void stamp(struct tl_uuid *uuid, int version)
{
    uuid->byte[6] = (uint8_t)((uuid->byte[6] & 0x0f) | version << 4);
    uuid->byte[8] = (uint8_t)((uuid->byte[8] & 0x3f) | 0x80);
}

struct tl_uuid tl_uuid_v4(void)
{
    struct tl_uuid uuid;

    /* Up to 256 bytes come whole and uninterrupted: getrandom(2). */
    if (getrandom(uuid.byte, sizeof(uuid.byte), 0) != (ssize_t)sizeof(uuid.byte))
        abort();
    stamp(&uuid, 4);
    return uuid;
}

struct tl_uuid tl_uuid_v5(const struct tl_uuid *ns, const void *name, size_t len)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    struct tl_uuid uuid;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();

    if (!ctx || !EVP_DigestInit_ex(ctx, EVP_sha1(), NULL) ||
        !EVP_DigestUpdate(ctx, ns->byte, sizeof(ns->byte)) || !EVP_DigestUpdate(ctx, name, len) ||
        !EVP_DigestFinal_ex(ctx, digest, NULL))
        abort(); /* no memory, or a library without SHA-1 */
    EVP_MD_CTX_free(ctx);
    memcpy(uuid.byte, digest, sizeof(uuid.byte));
    stamp(&uuid, 5);
    return uuid;
}

static bool is_dash_at(size_t i)
{
    return i == 8 || i == 13 || i == 18 || i == 23;
}

void tl_uuid_format(const struct tl_uuid *uuid, char *ret_text)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *from = uuid->byte;

    for (size_t i = 0; i < TL_UUID_TEXT_LEN;) {
        if (is_dash_at(i)) {
            ret_text[i++] = '-';
            continue;
        }
        ret_text[i++] = digits[*from >> 4];
        ret_text[i++] = digits[*from++ & 15];
    }
    ret_text[TL_UUID_TEXT_LEN] = 0;
}

static int nibble(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

enum tl_status tl_uuid_parse(const char *text, size_t len, struct tl_uuid *ret_uuid,
                             struct tl_error *err)
{
    struct tl_uuid uuid;
    uint8_t *to = uuid.byte;

    if (len != TL_UUID_TEXT_LEN)
        return tl_fail(err, TL_INVALID, "uuid of %zu characters instead of %d", len,
                       TL_UUID_TEXT_LEN);
    for (size_t i = 0; i < TL_UUID_TEXT_LEN;) {
        if (is_dash_at(i)) {
            if (text[i++] != '-')
                return tl_fail(err, TL_INVALID, "uuid without a dash at %zu", i);
            continue;
        }
        int high = nibble(text[i]), low = nibble(text[i + 1]);
        if (high < 0 || low < 0)
            return tl_fail(err, TL_INVALID, "uuid with a wrong digit at %zu", i + 1);
        *to++ = (uint8_t)(high << 4 | low);
        i += 2;
    }
    *ret_uuid = uuid;
    return TL_OK;
}

bool tl_uuid_equal(const struct tl_uuid *a, const struct tl_uuid *b)
{
    return memcmp(a->byte, b->byte, sizeof(a->byte)) == 0;
}
