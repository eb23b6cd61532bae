/* Which value has which number in a call, without keeping the values. */
#include "redact/numbers.h"

#include <string.h>

static uint64_t rotl(uint64_t x, unsigned b)
{
    return (x << b) | (x >> (64 - b));
}

static void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[2] += v[3];
    v[1] = rotl(v[1], 13) ^ v[0];
    v[3] = rotl(v[3], 16) ^ v[2];
    v[0] = rotl(v[0], 32);
    v[2] += v[1];
    v[0] += v[3];
    v[1] = rotl(v[1], 17) ^ v[2];
    v[3] = rotl(v[3], 21) ^ v[0];
    v[2] = rotl(v[2], 32);
}

static uint64_t little_endian(const uint8_t *p, size_t n)
{
    uint64_t v = 0;
    for (size_t i = 0; i < n; i++)
        v |= (uint64_t)p[i] << (8 * i);
    return v;
}

uint64_t tl_siphash(const uint8_t key[16], const void *data, size_t len)
{
    const uint8_t *p = data;
    uint64_t k0 = little_endian(key, 8), k1 = little_endian(key + 8, 8);
    uint64_t v[4] = {k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d, k0 ^ 0x6c7967656e657261,
                     k1 ^ 0x7465646279746573};
    size_t whole = len / 8 * 8;
    for (size_t i = 0; i <= whole; i += 8) {
        uint64_t m = i < whole ? little_endian(p + i, 8)
                               : little_endian(p + i, len - whole) | (uint64_t)len << 56;
        v[3] ^= m;
        sip_round(v);
        sip_round(v);
        v[0] ^= m;
    }
    v[2] ^= 0xff;
    for (int i = 0; i < 4; i++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* Sensitive authentication data is not kept after its use, in any form (PCI DSS 3.3.1). */
static bool forgotten(enum tl_entity_type type)
{
    return type == TL_ENTITY_CARD_CVV || type == TL_ENTITY_CARD_PIN || type == TL_ENTITY_PASSWORD ||
           type == TL_ENTITY_OTP;
}

unsigned tl_numbers_get(struct tl_numbers *nums, enum tl_entity_type type, const void *value,
                        size_t len)
{
    if (forgotten(type))
        return ++nums->count[type];
    uint64_t hash = tl_siphash(nums->key, value, len);
    for (size_t i = 0; i < nums->seen_n; i++)
        if (nums->seen[i].hash == hash && nums->seen[i].type == type)
            return nums->seen[i].n;
    unsigned n = ++nums->count[type];
    nums->seen[nums->seen_next].hash = hash;
    nums->seen[nums->seen_next].n = (uint16_t)n;
    nums->seen[nums->seen_next].type = (uint8_t)type;
    nums->seen_next = (nums->seen_next + 1) % TL_NUMBERS_VALUES;
    if (nums->seen_n < TL_NUMBERS_VALUES)
        nums->seen_n++;
    return n;
}

static unsigned part_number(const struct tl_numbers *nums, uint64_t hash)
{
    for (size_t i = 0; i < nums->part_n; i++)
        if (nums->part[i].hash == hash)
            return nums->part[i].n;
    return 0;
}

void tl_numbers_add_card(struct tl_numbers *nums, const uint8_t *digits, size_t n, unsigned number)
{
    for (size_t i = 0; i + TL_NUMBERS_PART <= n; i++) {
        uint64_t hash = tl_siphash(nums->key, digits + i, TL_NUMBERS_PART);
        if (part_number(nums, hash) != 0)
            continue;
        nums->part[nums->part_next].hash = hash;
        nums->part[nums->part_next].n = (uint16_t)number;
        nums->part_next = (nums->part_next + 1) % TL_NUMBERS_PARTS;
        if (nums->part_n < TL_NUMBERS_PARTS)
            nums->part_n++;
    }
}

unsigned tl_numbers_card_part(const struct tl_numbers *nums, const uint8_t *digits, size_t n)
{
    for (size_t i = 0; nums->part_n > 0 && i + TL_NUMBERS_PART <= n; i++) {
        unsigned number = part_number(nums, tl_siphash(nums->key, digits + i, TL_NUMBERS_PART));
        if (number != 0)
            return number;
    }
    return 0;
}

void tl_numbers_raise(struct tl_numbers *nums, enum tl_entity_type type, unsigned n)
{
    if (n > nums->count[type] && n <= UINT16_MAX)
        nums->count[type] = (uint16_t)n;
}
