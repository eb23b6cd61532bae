#ifndef TL_REDACT_NUMBERS_H
#define TL_REDACT_NUMBERS_H

#include <stddef.h>
#include <stdint.h>

#include "redact/entity.h"

#define TL_NUMBERS_VALUES 128 /* remembered; the oldest is forgotten and would get a new number */
#define TL_NUMBERS_PARTS 64   /* hashes of six digits of the last cards */
#define TL_NUMBERS_PART 6     /* digits */

/** The n of [TYPE_n] of one call. Knows values as keyed hashes only, and security codes, PINs,
 *  passwords and one-time codes not at all. Plain data: copy it to try something. */
struct tl_numbers {
    uint8_t key[16];
    uint16_t count[TL_ENTITY_TYPES]; /* highest n given */
    struct {
        uint64_t hash;
        uint16_t n;
        uint8_t type;
    } seen[TL_NUMBERS_VALUES];
    size_t seen_n;
    size_t seen_next;
    struct {
        uint64_t hash;
        uint16_t n;
    } part[TL_NUMBERS_PARTS];
    size_t part_n;
    size_t part_next;
};

/** The number of a value: the one it has, or the next. */
unsigned tl_numbers_get(struct tl_numbers *nums, enum tl_entity_type type, const void *value,
                        size_t len);

/** Remembers the parts of a card number, so that one read back in pieces is known. */
void tl_numbers_add_card(struct tl_numbers *nums, const uint8_t *digits, size_t n, unsigned number);

/** The number of the card that shares six digits in a row with these; 0 for none. */
unsigned tl_numbers_card_part(const struct tl_numbers *nums, const uint8_t *digits, size_t n);

/** A predecessor gave this number. */
void tl_numbers_raise(struct tl_numbers *nums, enum tl_entity_type type, unsigned n);

/** SipHash-2-4 (Aumasson, Bernstein 2012). */
uint64_t tl_siphash(const uint8_t key[16], const void *data, size_t len);

#endif
