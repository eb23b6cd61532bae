#ifndef TL_CRYPTO_HASH_H
#define TL_CRYPTO_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TL_SHA1_BYTES 20
#define TL_SHA256_BYTES 32

/* OpenSSL does the work; a failure there (no memory) aborts. Any thread. */

void tl_sha256(const void *data, size_t n, uint8_t ret_digest[TL_SHA256_BYTES]);

/** RFC 2104. Keys of any length, also none. */
void tl_hmac_sha1(const void *key, size_t key_len, const void *data, size_t n,
                  uint8_t ret_mac[TL_SHA1_BYTES]);
void tl_hmac_sha256(const void *key, size_t key_len, const void *data, size_t n,
                    uint8_t ret_mac[TL_SHA256_BYTES]);

/** Compares n bytes in a time that does not tell where they differ. For MACs and secrets. */
bool tl_secret_equal(const void *a, const void *b, size_t n);

/** Unpredictable bytes from the kernel; aborts when it has none. */
void tl_random_bytes(void *ret_data, size_t n);

#endif
