/* The table of what can be masked: names and defaults, one row each. */
#include "redact/entity.h"

#include <string.h>

enum when {
    OFF,
    ALWAYS,        /* no switch */
    ON,            /* unless switched off */
    EXPORTS,       /* off in the transcript, on in exports */
    HIPAA,         /* on where the business is bound by HIPAA */
    HIPAA_EXPORTS, /* the same, in exports only */
};

struct row {
    const char *name;
    enum when when;
};

static const struct row rows[TL_ENTITY_TYPES] = {
    [TL_ENTITY_CARD] = {"CARD", ALWAYS},
    [TL_ENTITY_CARD_CVV] = {"CARD_CVV", ALWAYS},
    [TL_ENTITY_CARD_EXPIRY] = {"CARD_EXPIRY", ALWAYS},
    [TL_ENTITY_CARD_PIN] = {"CARD_PIN", ALWAYS},
    [TL_ENTITY_PASSWORD] = {"PASSWORD", ALWAYS},
    [TL_ENTITY_OTP] = {"OTP", ALWAYS},
    [TL_ENTITY_SSN] = {"SSN", ON},
    [TL_ENTITY_ITIN] = {"ITIN", ON},
    [TL_ENTITY_SIN] = {"SIN", ON},
    [TL_ENTITY_NINO] = {"NINO", ON},
    [TL_ENTITY_NHS] = {"NHS", ON},
    [TL_ENTITY_BANK_ACCOUNT] = {"BANK_ACCOUNT", ON},
    [TL_ENTITY_SORT_CODE] = {"SORT_CODE", ON},
    [TL_ENTITY_ABA_ROUTING] = {"ABA_ROUTING", ON},
    [TL_ENTITY_IBAN] = {"IBAN", ON},
    [TL_ENTITY_SWIFT] = {"SWIFT", OFF},
    [TL_ENTITY_PHONE] = {"PHONE", EXPORTS},
    [TL_ENTITY_EMAIL] = {"EMAIL", ON},
    [TL_ENTITY_NAME] = {"NAME", EXPORTS},
    [TL_ENTITY_ADDRESS] = {"ADDRESS", ON},
    [TL_ENTITY_DOB] = {"DOB", ON},
    [TL_ENTITY_AGE] = {"AGE", ON},
    [TL_ENTITY_MRN] = {"MRN", HIPAA},
    [TL_ENTITY_HEALTH_PLAN] = {"HEALTH_PLAN", HIPAA},
    [TL_ENTITY_MEMBER_ID] = {"MEMBER_ID", HIPAA},
    [TL_ENTITY_CONDITION] = {"CONDITION", HIPAA_EXPORTS},
    [TL_ENTITY_DRUG] = {"DRUG", HIPAA_EXPORTS},
    [TL_ENTITY_PROCEDURE] = {"PROCEDURE", HIPAA_EXPORTS},
    [TL_ENTITY_PASSPORT] = {"PASSPORT", ON},
    [TL_ENTITY_DRIVER_LICENCE] = {"DRIVER_LICENCE", ON},
    [TL_ENTITY_IP] = {"IP", ON},
    [TL_ENTITY_MAC] = {"MAC", OFF},
    [TL_ENTITY_URL] = {"URL", ON},
    [TL_ENTITY_VIN] = {"VIN", ON},
    [TL_ENTITY_PLATE] = {"PLATE", OFF},
    [TL_ENTITY_CREDENTIAL] = {"CREDENTIAL", ALWAYS},
    [TL_ENTITY_DIGITS] = {"DIGITS", ALWAYS},
};

const char *tl_entity_name(enum tl_entity_type type)
{
    return (unsigned)type < TL_ENTITY_TYPES ? rows[type].name : "?";
}

bool tl_entity_parse(const char *name, enum tl_entity_type *ret_type)
{
    for (int t = 0; t < TL_ENTITY_TYPES; t++) {
        if (strcmp(rows[t].name, name) == 0) {
            *ret_type = (enum tl_entity_type)t;
            return true;
        }
    }
    return false;
}

size_t tl_entity_mask_at(const char *text, size_t len, size_t at, enum tl_entity_type *ret_type,
                         unsigned *ret_n)
{
    if (text[at] != '[')
        return 0;
    for (int t = 0; t < TL_ENTITY_TYPES; t++) {
        size_t k = strlen(rows[t].name);
        if (len - at < k + 4 || memcmp(text + at + 1, rows[t].name, k) != 0 ||
            text[at + 1 + k] != '_')
            continue;
        size_t i = at + 2 + k;
        unsigned n = 0;
        while (i < len && i < at + k + 8 && text[i] >= '0' && text[i] <= '9')
            n = n * 10 + (unsigned)(text[i++] - '0');
        if (i == at + 2 + k || i >= len || text[i] != ']')
            continue;
        *ret_type = (enum tl_entity_type)t;
        *ret_n = n;
        return i + 1 - at;
    }
    return 0;
}

static bool is_on(enum when when, bool hipaa, bool exports)
{
    switch (when) {
    case ALWAYS:
    case ON:
        return true;
    case EXPORTS:
        return exports;
    case HIPAA:
        return hipaa;
    case HIPAA_EXPORTS:
        return hipaa && exports;
    case OFF:
        break;
    }
    return false;
}

tl_entity_set tl_entity_default_set(bool hipaa, bool exports)
{
    tl_entity_set set = 0;
    for (int t = 0; t < TL_ENTITY_TYPES; t++)
        if (is_on(rows[t].when, hipaa, exports))
            set |= TL_ENTITY_BIT(t);
    return set;
}

tl_entity_set tl_entity_always_set(void)
{
    tl_entity_set set = 0;
    for (int t = 0; t < TL_ENTITY_TYPES; t++)
        if (rows[t].when == ALWAYS)
            set |= TL_ENTITY_BIT(t);
    return set;
}
