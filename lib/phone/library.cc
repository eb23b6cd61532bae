// The one place where C++ libraries are called: see library.h.
#include <climits>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <list>
#include <string>

#include <absl/time/time.h>
#include <phonenumbers/phonenumberutil.h>
#include <phonenumbers/shortnumberinfo.h>

extern "C" {
#include "phone/library.h"
}

namespace
{

using i18n::phonenumbers::PhoneNumber;
using i18n::phonenumbers::PhoneNumberUtil;
using i18n::phonenumbers::ShortNumberInfo;

const ShortNumberInfo &short_numbers()
{
    static const ShortNumberInfo info; // it parses its tables when it is made
    return info;
}

enum tl_phone_kind kind_of(PhoneNumberUtil::PhoneNumberType type)
{
    switch (type) {
    case PhoneNumberUtil::FIXED_LINE:
        return TL_PHONE_FIXED;
    case PhoneNumberUtil::MOBILE:
        return TL_PHONE_MOBILE;
    case PhoneNumberUtil::FIXED_LINE_OR_MOBILE:
        return TL_PHONE_FIXED_OR_MOBILE;
    case PhoneNumberUtil::TOLL_FREE:
        return TL_PHONE_TOLL_FREE;
    case PhoneNumberUtil::PREMIUM_RATE:
        return TL_PHONE_PREMIUM;
    case PhoneNumberUtil::SHARED_COST:
        return TL_PHONE_SHARED_COST;
    case PhoneNumberUtil::VOIP:
        return TL_PHONE_VOIP;
    case PhoneNumberUtil::PERSONAL_NUMBER:
        return TL_PHONE_PERSONAL;
    case PhoneNumberUtil::PAGER:
        return TL_PHONE_PAGER;
    case PhoneNumberUtil::UAN:
        return TL_PHONE_COMPANY;
    case PhoneNumberUtil::VOICEMAIL:
        return TL_PHONE_VOICEMAIL;
    case PhoneNumberUtil::UNKNOWN:
        break;
    }
    return TL_PHONE_UNKNOWN;
}

const char *complaint(PhoneNumberUtil::ErrorType error)
{
    switch (error) {
    case PhoneNumberUtil::INVALID_COUNTRY_CODE_ERROR:
        return "no country has this code";
    case PhoneNumberUtil::TOO_SHORT_AFTER_IDD:
    case PhoneNumberUtil::TOO_SHORT_NSN:
        return "too short";
    case PhoneNumberUtil::TOO_LONG_NSN:
        return "too long";
    default:
        return "not a number";
    }
}

// Of all countries that share the code: "+1 911" is nobody's subscriber.
bool is_emergency(const PhoneNumber &number)
{
    const PhoneNumberUtil &util = *PhoneNumberUtil::GetInstance();
    std::list<std::string> regions;
    std::string national;

    util.GetNationalSignificantNumber(number, &national);
    util.GetRegionCodesForCountryCallingCode(number.country_code(), &regions);
    for (const std::string &region : regions)
        if (short_numbers().IsEmergencyNumber(national, region))
            return true;
    return false;
}

enum tl_status describe(const PhoneNumber &number, struct tl_phone *ret_phone, struct tl_error *err)
{
    const PhoneNumberUtil &util = *PhoneNumberUtil::GetInstance();
    struct tl_phone phone = {};
    std::string e164, region;

    util.Format(number, PhoneNumberUtil::E164, &e164);
    if (e164.size() >= sizeof(phone.e164))
        return tl_fail(err, TL_INVALID, "telephone number: too long");
    std::memcpy(phone.e164, e164.c_str(), e164.size() + 1);
    phone.country_code = number.country_code();
    phone.is_valid = util.IsValidNumber(number);
    if (phone.is_valid) {
        const PhoneNumberUtil::PhoneNumberType type = util.GetNumberType(number);
        phone.kind = kind_of(type);
        phone.is_geographic = util.IsNumberGeographical(type, number.country_code());
        util.GetRegionCodeForNumber(number, &region);
        (void)std::snprintf(phone.region, sizeof(phone.region), "%.3s",
                            region.c_str()); // two or three
    }
    *ret_phone = phone;
    return TL_OK;
}

// Some plans take a prefix off that may stand there twice (Mexico's 044 and 1): what is handed out
// is what its own E.164 text is read as.
bool settle(PhoneNumber *number)
{
    const PhoneNumberUtil &util = *PhoneNumberUtil::GetInstance();

    for (int i = 0; i < 4; i++) {
        std::string e164, again_e164;
        PhoneNumber again;
        util.Format(*number, PhoneNumberUtil::E164, &e164);
        if (util.Parse(e164, "", &again) != PhoneNumberUtil::NO_PARSING_ERROR)
            return false;
        util.Format(again, PhoneNumberUtil::E164, &again_e164);
        if (e164 == again_e164)
            return true;
        *number = again;
    }
    return false;
}

enum tl_status read(const std::string &text, const std::string &region, struct tl_phone *ret_phone,
                    struct tl_error *err) noexcept
{
    const PhoneNumberUtil &util = *PhoneNumberUtil::GetInstance();
    PhoneNumber number;

    if (!region.empty() && util.GetCountryCodeForRegion(region) == 0)
        return tl_fail(err, TL_INVALID, "telephone number: no region is called %s", region.c_str());
    PhoneNumberUtil::ErrorType error = util.Parse(text, region, &number);
    if (error != PhoneNumberUtil::NO_PARSING_ERROR)
        return tl_fail(err, TL_INVALID, "telephone number: %s", complaint(error));
    if (!settle(&number))
        return tl_fail(err, TL_INVALID, "telephone number: ambiguous");
    if (is_emergency(number))
        return tl_fail(err, TL_DENIED, "telephone number: an emergency number is never dialled");
    // Small countries have whole numbers of four digits: those are valid, and not short.
    if (!util.IsValidNumber(number) && short_numbers().IsPossibleShortNumber(number))
        return tl_fail(err, TL_DENIED, "telephone number: a short number is never dialled");
    return describe(number, ret_phone, err);
}

int32_t offset_at(const absl::TimeZone &zone, absl::Time at)
{
    return zone.At(at).offset;
}

// Transitions that change only the name of the time are passed over.
void find_change(const absl::TimeZone &zone, absl::Time at, struct tl_phone_local *local)
{
    absl::TimeZone::CivilTransition change;

    local->change_at = INT64_MAX;
    local->next_offset_s = local->offset_s;
    while (zone.NextTransition(at, &change)) {
        at = zone.At(change.to).trans;
        if (change.from != change.to) {
            local->change_at = absl::ToUnixMillis(at);
            local->next_offset_s = offset_at(zone, at);
            return;
        }
    }
}

bool local_time(const std::string &name, int64_t at_ms, struct tl_phone_local *ret_local) noexcept
{
    absl::TimeZone zone;

    if (!absl::LoadTimeZone(name, &zone))
        return false;
    const absl::Time at = absl::FromUnixMillis(at_ms);
    const absl::TimeZone::CivilInfo info = zone.At(at);
    ret_local->year = (int32_t)info.cs.year();
    ret_local->month = (int8_t)info.cs.month();
    ret_local->day = (int8_t)info.cs.day();
    ret_local->weekday = (int8_t)absl::GetWeekday(info.cs); // its enum begins with Monday, at 0
    ret_local->hour = (int8_t)info.cs.hour();
    ret_local->minute = (int8_t)info.cs.minute();
    ret_local->second = (int8_t)info.cs.second();
    ret_local->offset_s = info.offset;
    find_change(zone, at, ret_local);
    return true;
}

} // namespace

extern "C" enum tl_status tl_phone_library_read(const char *text, const char *region,
                                                struct tl_phone *ret_phone, struct tl_error *err)
{
    return read(text, region, ret_phone, err);
}

extern "C" bool tl_phone_library_local(const char *zone, int64_t at_ms,
                                       struct tl_phone_local *ret_local)
{
    return local_time(zone, at_ms, ret_local);
}
