/* Where a key goes: MurmurHash2 as the Java client has it (org.apache.kafka.common.utils.Utils). */
#include "kafka/partitioner.h"

#include <assert.h>

#define MURMUR2_SEED 0x9747b28cu
#define MURMUR2_M 0x5bd1e995u

static uint32_t load_le32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

uint32_t tl_murmur2(const void *key, size_t len)
{
    const uint8_t *p = key;
    uint32_t h = MURMUR2_SEED ^ (uint32_t)len;

    for (; len >= 4; p += 4, len -= 4) {
        uint32_t k = load_le32(p) * MURMUR2_M;

        k ^= k >> 24;
        h = h * MURMUR2_M ^ k * MURMUR2_M;
    }
    if (len > 2)
        h ^= (uint32_t)p[2] << 16;
    if (len > 1)
        h ^= (uint32_t)p[1] << 8;
    if (len > 0)
        h = (h ^ p[0]) * MURMUR2_M;
    h = (h ^ h >> 13) * MURMUR2_M;
    return h ^ h >> 15;
}

int32_t tl_partition_of_key(const void *key, size_t len, int32_t count)
{
    assert(count > 0);
    return (int32_t)((tl_murmur2(key, len) & 0x7fffffffu) % (uint32_t)count);
}
