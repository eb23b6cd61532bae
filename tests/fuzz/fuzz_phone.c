/* Telephone numbers: "RR" or "--", then a number within that region or none. What is read has its
 * form, is read again as itself, and has a time in every zone that it may be in. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "phone/phone.h"
#include "phone/zones.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_form(const struct tl_phone *phone)
{
    size_t len = strlen(phone->e164);

    assert(phone->e164[0] == '+' && len >= 3 && len < TL_PHONE_E164_SIZE);
    assert(strspn(phone->e164 + 1, "0123456789") == len - 1 && phone->e164[1] != '0');
    assert(phone->country_code >= 1 && phone->country_code <= 999);
    assert(phone->kind >= TL_PHONE_UNKNOWN && phone->kind < TL_PHONE_KINDS);
    assert(phone->is_valid || (!phone->is_geographic && !phone->region[0] && !phone->state[0]));
    assert(!phone->is_valid || phone->region[0]);
}

static void read_again(const struct tl_phone *phone)
{
    struct tl_phone again;
    struct tl_error err;

    enum tl_status st = tl_phone_parse(phone->e164, NULL, &again, &err);
    assert(st == TL_OK);
    assert(strcmp(again.e164, phone->e164) == 0 && strcmp(again.region, phone->region) == 0);
    assert(again.kind == phone->kind);
}

static void look_at_clocks(const struct tl_phone *phone)
{
    struct tl_phone_local locals[TL_PHONE_ZONES_MAX];
    struct tl_phone_zone_set zones;
    struct tl_error err;

    tl_phone_zones(phone, &zones);
    assert(zones.n <= TL_PHONE_ZONES_MAX);
    enum tl_status st = tl_phone_local_times(&zones, INT64_C(1795000000000), locals, &err);
    assert(st == TL_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tl_phone phone;
    struct tl_error err;
    char region[3] = {0};
    char text[64];

    if (size < 2 || size - 2 >= sizeof(text))
        return 0;
    memcpy(region, data, 2);
    memcpy(text, data + 2, size - 2);
    text[size - 2] = '\0';
    enum tl_status st =
        tl_phone_parse(text, strcmp(region, "--") == 0 ? NULL : region, &phone, &err);
    if (st != TL_OK) {
        assert((st == TL_INVALID || st == TL_DENIED) && err.status == st && err.msg[0]);
        return 0;
    }
    check_form(&phone);
    read_again(&phone);
    look_at_clocks(&phone);
    return 0;
}
