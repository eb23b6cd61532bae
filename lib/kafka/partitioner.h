#ifndef TL_KAFKA_PARTITIONER_H
#define TL_KAFKA_PARTITIONER_H

#include <stddef.h>
#include <stdint.h>

/** MurmurHash2, 32 bit, seed 0x9747b28c, as the Java client's Utils.murmur2. Any thread. */
uint32_t tl_murmur2(const void *key, size_t len);

/** The partition that the Java client and murmur2_random choose for a key:
 *  (hash & 0x7fffffff) mod count. count: 1 or more. Any thread. */
int32_t tl_partition_of_key(const void *key, size_t len, int32_t count);

#endif
