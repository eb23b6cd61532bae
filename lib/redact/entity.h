#ifndef TL_REDACT_ENTITY_H
#define TL_REDACT_ENTITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TL_ENTITY_MASK 0.40 /* confidence from which a value is masked */
#define TL_ENTITY_FLAG 0.70 /* confidence from which a mask is a finding */

/** What can be masked. The mask is [NAME_n]; the names are those of tl_entity_name. */
enum tl_entity_type {
    TL_ENTITY_CARD,
    TL_ENTITY_CARD_CVV,
    TL_ENTITY_CARD_EXPIRY,
    TL_ENTITY_CARD_PIN,
    TL_ENTITY_PASSWORD,
    TL_ENTITY_OTP,
    TL_ENTITY_SSN,
    TL_ENTITY_ITIN,
    TL_ENTITY_SIN,
    TL_ENTITY_NINO,
    TL_ENTITY_NHS,
    TL_ENTITY_BANK_ACCOUNT,
    TL_ENTITY_SORT_CODE,
    TL_ENTITY_ABA_ROUTING,
    TL_ENTITY_IBAN,
    TL_ENTITY_SWIFT,
    TL_ENTITY_PHONE,
    TL_ENTITY_EMAIL,
    TL_ENTITY_NAME,
    TL_ENTITY_ADDRESS,
    TL_ENTITY_DOB,
    TL_ENTITY_AGE,
    TL_ENTITY_MRN,
    TL_ENTITY_HEALTH_PLAN,
    TL_ENTITY_MEMBER_ID,
    TL_ENTITY_CONDITION,
    TL_ENTITY_DRUG,
    TL_ENTITY_PROCEDURE,
    TL_ENTITY_PASSPORT,
    TL_ENTITY_DRIVER_LICENCE,
    TL_ENTITY_IP,
    TL_ENTITY_MAC,
    TL_ENTITY_URL,
    TL_ENTITY_VIN,
    TL_ENTITY_PLATE,
    TL_ENTITY_CREDENTIAL,
    TL_ENTITY_DIGITS, /* a run that nobody could decide in time */
    TL_ENTITY_TYPES,
};

/** A bit per type. */
typedef uint64_t tl_entity_set;
#define TL_ENTITY_BIT(type) ((tl_entity_set)1 << (type))

/** "CARD", "CARD_CVV", …; "?" for anything else. */
const char *tl_entity_name(enum tl_entity_type type);

/** The type named so, case as in tl_entity_name; false for anything else. */
bool tl_entity_parse(const char *name, enum tl_entity_type *ret_type);

/** Length of the mask "[NAME_n]" that starts at text[at], 0 for none. */
size_t tl_entity_mask_at(const char *text, size_t len, size_t at, enum tl_entity_type *ret_type,
                         unsigned *ret_n);

/** What is masked when a business says nothing. `exports`: for files and mails that leave the
 *  house, where names and telephone numbers go too. */
tl_entity_set tl_entity_default_set(bool hipaa, bool exports);

/** Types that no setting switches off. */
tl_entity_set tl_entity_always_set(void);

#endif
