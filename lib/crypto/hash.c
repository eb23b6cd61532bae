/* Digests, MACs and randomness by OpenSSL and the kernel: see hash.h. */
#include "crypto/hash.h"

#include <errno.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <sys/random.h>

void tl_sha256(const void *data, size_t n, uint8_t ret_digest[TL_SHA256_BYTES])
{
    if (!EVP_Digest(data, n, ret_digest, NULL, EVP_sha256(), NULL))
        abort();
}

static void hmac(const EVP_MD *md, const void *key, size_t key_len, const void *data, size_t n,
                 uint8_t *ret_mac)
{
    static const char none[1]; /* HMAC() takes a NULL key for "the last one" */

    if (key_len > INT_MAX || !HMAC(md, key_len ? key : none, (int)key_len, data, n, ret_mac, NULL))
        abort();
}

void tl_hmac_sha1(const void *key, size_t key_len, const void *data, size_t n,
                  uint8_t ret_mac[TL_SHA1_BYTES])
{
    hmac(EVP_sha1(), key, key_len, data, n, ret_mac);
}

void tl_hmac_sha256(const void *key, size_t key_len, const void *data, size_t n,
                    uint8_t ret_mac[TL_SHA256_BYTES])
{
    hmac(EVP_sha256(), key, key_len, data, n, ret_mac);
}

bool tl_secret_equal(const void *a, const void *b, size_t n)
{
    return CRYPTO_memcmp(a, b, n) == 0;
}

void tl_random_bytes(void *ret_data, size_t n)
{
    uint8_t *to = ret_data;

    while (n > 0) {
        ssize_t got = getrandom(to, n, 0);
        if (got < 0 && errno != EINTR)
            abort();
        if (got > 0) {
            to += got;
            n -= (size_t)got;
        }
    }
}
