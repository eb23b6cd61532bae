/* Numbers as people write them, made E.164 and told apart: see phone.h. */
#include "phone/phone.h"

#include <stdlib.h>
#include <string.h>

#include "phone/library.h"
#include "phone/tables.h"

static const char *const KINDS[TL_PHONE_KINDS] = {
    [TL_PHONE_UNKNOWN] = "unknown",         [TL_PHONE_FIXED] = "fixed",
    [TL_PHONE_MOBILE] = "mobile",           [TL_PHONE_FIXED_OR_MOBILE] = "fixed_or_mobile",
    [TL_PHONE_TOLL_FREE] = "toll_free",     [TL_PHONE_PREMIUM] = "premium",
    [TL_PHONE_SHARED_COST] = "shared_cost", [TL_PHONE_VOIP] = "voip",
    [TL_PHONE_PERSONAL] = "personal",       [TL_PHONE_PAGER] = "pager",
    [TL_PHONE_COMPANY] = "company",         [TL_PHONE_VOICEMAIL] = "voicemail",
    [TL_PHONE_SATELLITE] = "satellite"};

const char *tl_phone_kind_name(enum tl_phone_kind kind)
{
    return KINDS[kind];
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* libphonenumber finds numbers in prose, takes letters for keys and cuts extensions off. Whoever
 * dials wants to be told instead. */
static enum tl_status check_text(const char *text, struct tl_error *err)
{
    size_t len = strnlen(text, TL_PHONE_TEXT_MAX + 1), digits = 0;

    if (len > TL_PHONE_TEXT_MAX)
        return tl_fail(err, TL_INVALID, "telephone number: more than %d bytes", TL_PHONE_TEXT_MAX);
    for (size_t i = 0; i < len; i++) {
        if (is_digit(text[i]))
            digits++;
        else if (text[i] == '+' ? i > 0 : !strchr(" ()-./", text[i]))
            return tl_fail(err, TL_INVALID,
                           "telephone number: byte 0x%02x at %zu is no part of one",
                           (unsigned char)text[i], i);
    }
    if (digits == 0)
        return tl_fail(err, TL_INVALID, "telephone number: no digits");
    return TL_OK;
}

static enum tl_status check_region(const char *text, const char *region, struct tl_error *err)
{
    if (!region)
        return text[0] == '+' ? TL_OK
                              : tl_fail(err, TL_INVALID, "telephone number: no + and country code");
    if (strnlen(region, 3) != 2) /* libphonenumber knows which there are */
        return tl_fail(err, TL_INVALID, "telephone number: a region is two letters, as US");
    return TL_OK;
}

/* What the tables do not say, or say otherwise. */
static enum tl_phone_kind correct_kind(const struct tl_phone *phone)
{
    switch (phone->country_code) {
    case 870: /* Inmarsat */
    case 881: /* Iridium, Globalstar */
    case 882: /* "international networks", Thuraya among them */
    case 883:
        return TL_PHONE_SATELLITE;
    case 878:
        return TL_PHONE_PERSONAL; /* universal personal telecommunication (ITU-T E.168) */
    case 979:
        return TL_PHONE_PREMIUM; /* international premium rate (ITU-T E.169.2) */
    case 1:
        /* +1 NPA 976 xxxx: pay per call in any area code, a plain number to the tables. And +1 900,
         * also where the rest is not valid. */
        if (strlen(phone->e164) == 12 &&
            (strncmp(phone->e164 + 5, "976", 3) == 0 || strncmp(phone->e164 + 2, "900", 3) == 0))
            return TL_PHONE_PREMIUM;
        return phone->kind;
    default:
        return phone->kind;
    }
}

static int compare_state(const void *key, const void *row)
{
    uint32_t a = *(const uint32_t *)key, b = ((const struct tl_phone_state_row *)row)->prefix;

    return (a > b) - (a < b);
}

static void find_state(struct tl_phone *phone)
{
    uint32_t prefix = 0;

    if (strcmp(phone->region, "US") != 0)
        return;
    for (int i = 1; i <= 4; i++)
        prefix = prefix * 10 + (uint32_t)(phone->e164[i] - '0');
    const struct tl_phone_state_row *row =
        bsearch(&prefix, tl_phone_state_rows, tl_phone_state_rows_n, sizeof(*row), compare_state);
    if (row)
        memcpy(phone->state, row->state, sizeof(phone->state));
}

enum tl_status tl_phone_parse(const char *text, const char *default_region,
                              struct tl_phone *ret_phone, struct tl_error *err)
{
    struct tl_phone phone;
    enum tl_status st = check_text(text, err);

    if (st != TL_OK || (st = check_region(text, default_region, err)) != TL_OK)
        return st;
    st = tl_phone_library_read(text, default_region ? default_region : "", &phone, err);
    if (st != TL_OK)
        return st;
    phone.kind = correct_kind(&phone);
    find_state(&phone);
    *ret_phone = phone;
    return TL_OK;
}
