#ifndef TL_REDACT_VALIDATE_H
#define TL_REDACT_VALIDATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Forms and check digits. `d` are digit values 0..9, `s` is text of the length given. Pure. */

#define TL_CARD_DIGITS_MIN 13
#define TL_CARD_DIGITS_MAX 19

bool tl_valid_luhn(const uint8_t *d, size_t n);

/** Prefix and length of a brand, Luhn, not one digit repeated. `ret_usual`: the length that the
 *  brand issues today (a match of another length is rarer than chance). */
bool tl_valid_card(const uint8_t *d, size_t n, bool *ret_usual);

bool tl_valid_ssn(const uint8_t *d);  /* 9 digits: area, group, serial, no sample number */
bool tl_valid_itin(const uint8_t *d); /* 9 digits */
bool tl_valid_sin(const uint8_t *d);  /* 9 digits, Luhn */
bool tl_valid_nhs(const uint8_t *d);  /* 10 digits, mod 11 */
bool tl_valid_aba(const uint8_t *d);  /* 9 digits, weights 3-7-1 */
bool tl_valid_nanp(const uint8_t *d); /* 10 digits, area and exchange start 2-9 */

/** E.164 without the plus, 8..15 digits: country code known, its length rule where we have one. */
bool tl_valid_e164(const uint8_t *d, size_t n);

/** National number with its trunk zero (UK, DE, FR …), or NANP with or without the 1. */
bool tl_valid_national_phone(const uint8_t *d, size_t n);

/** MMYY, MYY, MMYYYY or MYYYY; month 1-12, year within 20 of `year` (0: any). */
bool tl_valid_expiry(const uint8_t *d, size_t n, int year);

bool tl_valid_date(int year, int month, int day);      /* a real day, 1900..2100 */
bool tl_valid_date_digits(const uint8_t *d, size_t n); /* 6 or 8 digits, any usual order */

bool tl_valid_nino(const char *s, size_t n);  /* 9 characters, upper case */
bool tl_valid_iban(const char *s, size_t n);  /* upper case, no spaces; length by country, mod 97 */
bool tl_valid_swift(const char *s, size_t n); /* 8 or 11, upper case, country code */
bool tl_valid_vin(const char *s, size_t n);   /* 17, upper case, check digit */
bool tl_valid_tld(const char *s, size_t n);   /* lower case; two letters: a country */

#endif
