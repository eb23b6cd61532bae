/* The phrases that say what a number near them is, sorted by bytes for binary search (a unit test
 * watches that). English, and the few German and French ones that stand before post codes. */
#include "redact/cue.h"

#include <string.h>

#include "base/error.h"

struct phrase {
    const char *text; /* one to TL_CUE_WORDS_MAX words */
    uint64_t cues;
};

#define CUE(name) TL_CUE_BIT(TL_CUE_##name)

/* clang-format off */
static const struct phrase phrases[] = {
    {"16 digit", CUE(CARD)},
    {"16 digits", CUE(CARD)},
    {"3 digit", CUE(CODE)},
    {"3 digit code", CUE(CODE)},
    {"3 digits", CUE(CODE)},
    {"4 digits on the front", CUE(CODE)},
    {"aba", CUE(ABA)},
    {"aba number", CUE(ABA)},
    {"account no", CUE(BANK)},
    {"account number", CUE(BANK)},
    {"acct", CUE(BANK)},
    {"acct number", CUE(BANK)},
    {"age", CUE(AGE)},
    {"age is", CUE(AGE)},
    {"aged", CUE(AGE)},
    {"american express", CUE(CARD)},
    {"amex", CUE(CARD)},
    {"apartment", CUE(OTHERWISE)},
    {"apt", CUE(OTHERWISE)},
    {"auth code", CUE(OTP)},
    {"authentication code", CUE(OTP)},
    {"back of my card", CUE(CODE)},
    {"back of the card", CUE(CODE)},
    {"back of your card", CUE(CODE)},
    {"bank account", CUE(BANK)},
    {"bank details", CUE(BANK)},
    {"batch", CUE(OTHERWISE)},
    {"beneficiary number", CUE(PLAN)},
    {"bic", CUE(SWIFT)},
    {"bic code", CUE(SWIFT)},
    {"birth", CUE(DOB)},
    {"birth date", CUE(DOB)},
    {"birthdate", CUE(DOB)},
    {"birthday", CUE(DOB)},
    {"birthday is", CUE(DOB)},
    {"booking", CUE(OTHERWISE)},
    {"born", CUE(DOB)},
    {"born on", CUE(DOB)},
    {"call back", CUE(PHONE)},
    {"call me", CUE(PHONE)},
    {"call me at", CUE(PHONE)},
    {"call me back", CUE(PHONE)},
    {"call me on", CUE(PHONE)},
    {"callback", CUE(PHONE)},
    {"card", CUE(CARD)},
    {"card number", CUE(CARD)},
    {"cards", CUE(CARD)},
    {"case", CUE(OTHERWISE)},
    {"case number", CUE(OTHERWISE)},
    {"cell", CUE(PHONE)},
    {"cell number", CUE(PHONE)},
    {"cell phone", CUE(PHONE)},
    {"cellphone", CUE(PHONE)},
    {"chart number", CUE(MRN)},
    {"chassis number", CUE(VIN)},
    {"checking account", CUE(BANK)},
    {"cid", CUE(CODE)},
    {"code i got", CUE(OTP)},
    {"code i received", CUE(OTP)},
    {"code on the back", CUE(CODE)},
    {"code postal", CUE(POSTCODE)},
    {"code they sent", CUE(OTP)},
    {"code we just sent", CUE(OTP)},
    {"code we sent", CUE(OTP)},
    {"code we texted", CUE(OTP)},
    {"code you just sent", CUE(OTP)},
    {"code you sent", CUE(OTP)},
    {"code you texted", CUE(OTP)},
    {"confirmation number", CUE(OTHERWISE)},
    {"contact number", CUE(PHONE)},
    {"credit", CUE(CARD)},
    {"csc", CUE(CODE)},
    {"current account", CUE(BANK)},
    {"cvc", CUE(CODE)},
    {"cvv", CUE(CODE)},
    {"date of birth", CUE(DOB)},
    {"debit", CUE(CARD)},
    {"direct debit", CUE(BANK)},
    {"discover card", CUE(CARD)},
    {"dl number", CUE(LICENCE)},
    {"dob", CUE(DOB)},
    {"dr", CUE(NAME)},
    {"driver licence", CUE(LICENCE)},
    {"driver license", CUE(LICENCE)},
    {"drivers licence", CUE(LICENCE)},
    {"drivers license", CUE(LICENCE)},
    {"drivers license number", CUE(LICENCE)},
    {"driving licence", CUE(LICENCE)},
    {"driving licence number", CUE(LICENCE)},
    {"driving license", CUE(LICENCE)},
    {"ending", CUE(LAST4)},
    {"ending in", CUE(LAST4)},
    {"ending with", CUE(LAST4)},
    {"ends in", CUE(LAST4)},
    {"ends with", CUE(LAST4)},
    {"exp", CUE(EXPIRY)},
    {"exp date", CUE(EXPIRY)},
    {"expiration", CUE(CARD_WEAK) | CUE(EXPIRY)},
    {"expiration date", CUE(EXPIRY)},
    {"expire", CUE(EXPIRY)},
    {"expires", CUE(CARD_WEAK) | CUE(EXPIRY)},
    {"expiry", CUE(CARD_WEAK) | CUE(EXPIRY)},
    {"expiry date", CUE(EXPIRY)},
    {"ext", CUE(OTHERWISE)},
    {"extension", CUE(OTHERWISE)},
    {"fax", CUE(PHONE)},
    {"final four", CUE(LAST4)},
    {"first name", CUE(NAME)},
    {"first name is", CUE(NAME)},
    {"flat", CUE(OTHERWISE)},
    {"flat number", CUE(OTHERWISE)},
    {"flight", CUE(OTHERWISE)},
    {"four digit on the front", CUE(CODE)},
    {"four digits on the front", CUE(CODE)},
    {"full name is", CUE(NAME)},
    {"gate", CUE(OTHERWISE)},
    {"good through", CUE(EXPIRY)},
    {"good thru", CUE(EXPIRY)},
    {"group number", CUE(PLAN)},
    {"health insurance", CUE(PLAN)},
    {"health plan", CUE(PLAN)},
    {"hospital number", CUE(MRN)},
    {"house number", CUE(OTHERWISE)},
    {"i am called", CUE(NAME)},
    {"iban", CUE(IBAN)},
    {"imei", CUE(OTHERWISE)},
    {"in stock", CUE(OTHERWISE)},
    {"insurance id", CUE(PLAN)},
    {"insurance number", CUE(PLAN)},
    {"international bank account", CUE(IBAN)},
    {"invoice", CUE(OTHERWISE)},
    {"invoice number", CUE(OTHERWISE)},
    {"itin", CUE(SSN)},
    {"landline", CUE(PHONE)},
    {"last 4", CUE(LAST4)},
    {"last 4 digits", CUE(LAST4)},
    {"last four", CUE(LAST4)},
    {"last four digits", CUE(LAST4)},
    {"last name", CUE(NAME)},
    {"last name is", CUE(NAME)},
    {"licence number", CUE(LICENCE)},
    {"licence plate", CUE(PLATE)},
    {"license number", CUE(LICENCE)},
    {"license plate", CUE(PLATE)},
    {"long number", CUE(CARD)},
    {"maestro", CUE(CARD)},
    {"master card", CUE(CARD)},
    {"mastercard", CUE(CARD)},
    {"medicaid", CUE(PLAN)},
    {"medicaid number", CUE(PLAN)},
    {"medical record", CUE(MRN)},
    {"medical record number", CUE(MRN)},
    {"medicare", CUE(PLAN)},
    {"medicare number", CUE(PLAN)},
    {"member i d", CUE(MEMBER)},
    {"member id", CUE(MEMBER)},
    {"member number", CUE(MEMBER)},
    {"membership id", CUE(MEMBER)},
    {"membership number", CUE(MEMBER)},
    {"memorable word", CUE(PASSWORD)},
    {"meter", CUE(OTHERWISE)},
    {"miss", CUE(NAME)},
    {"mobile", CUE(PHONE)},
    {"mobile number", CUE(PHONE)},
    {"model", CUE(OTHERWISE)},
    {"mr", CUE(NAME)},
    {"mrn", CUE(MRN)},
    {"mrs", CUE(NAME)},
    {"ms", CUE(NAME)},
    {"my age", CUE(AGE)},
    {"my age is", CUE(AGE)},
    {"my name is", CUE(NAME)},
    {"my names", CUE(NAME)},
    {"my number", CUE(PHONE)},
    {"name is", CUE(NAME)},
    {"national insurance", CUE(NINO)},
    {"national insurance number", CUE(NINO)},
    {"nhs", CUE(NHS)},
    {"nhs number", CUE(NHS)},
    {"ni number", CUE(NINO)},
    {"nino", CUE(NINO)},
    {"number", CUE(CARD_WEAK)},
    {"number on the back", CUE(CODE)},
    {"number on the front", CUE(CARD)},
    {"number plate", CUE(PLATE)},
    {"on the back", CUE(CODE)},
    {"one time code", CUE(OTP)},
    {"one time passcode", CUE(OTP)},
    {"one time password", CUE(OTP)},
    {"one time pin", CUE(OTP)},
    {"order", CUE(OTHERWISE)},
    {"order number", CUE(OTHERWISE)},
    {"orders", CUE(OTHERWISE)},
    {"otp", CUE(OTP)},
    {"part number", CUE(OTHERWISE)},
    {"pass code", CUE(PASSWORD)},
    {"pass phrase", CUE(PASSWORD)},
    {"pass word", CUE(PASSWORD)},
    {"passcode", CUE(PASSWORD)},
    {"passphrase", CUE(PASSWORD)},
    {"passport", CUE(PASSPORT)},
    {"passport number", CUE(PASSPORT)},
    {"password", CUE(PASSWORD)},
    {"passwords", CUE(PASSWORD)},
    {"patient id", CUE(MRN)},
    {"patient number", CUE(MRN)},
    {"pay", CUE(CARD_WEAK)},
    {"paying", CUE(CARD_WEAK)},
    {"payment", CUE(CARD_WEAK)},
    {"phone", CUE(PHONE)},
    {"phone number", CUE(PHONE)},
    {"pin", CUE(PIN)},
    {"pin code", CUE(PIN)},
    {"pin number", CUE(PIN)},
    {"pins", CUE(PIN)},
    {"plan number", CUE(PLAN)},
    {"plate", CUE(PLATE)},
    {"plate number", CUE(PLATE)},
    {"plz", CUE(POSTCODE)},
    {"policy number", CUE(PLAN)},
    {"post code", CUE(POSTCODE)},
    {"postal code", CUE(POSTCODE)},
    {"postcode", CUE(POSTCODE)},
    {"postleitzahl", CUE(POSTCODE)},
    {"reach me", CUE(PHONE)},
    {"reach me at", CUE(PHONE)},
    {"reach me on", CUE(PHONE)},
    {"ref", CUE(OTHERWISE)},
    {"reference", CUE(OTHERWISE)},
    {"reference number", CUE(OTHERWISE)},
    {"reg number", CUE(PLATE)},
    {"registration", CUE(PLATE)},
    {"registration number", CUE(PLATE)},
    {"ring me", CUE(PHONE)},
    {"room", CUE(OTHERWISE)},
    {"routing", CUE(ABA)},
    {"routing number", CUE(ABA)},
    {"routing transit", CUE(ABA)},
    {"savings account", CUE(BANK)},
    {"secret word", CUE(PASSWORD)},
    {"security answer", CUE(PASSWORD)},
    {"security code", CUE(CODE)},
    {"security number", CUE(CODE)},
    {"security passcode", CUE(OTP)},
    {"serial", CUE(OTHERWISE)},
    {"serial number", CUE(OTHERWISE)},
    {"sin", CUE(SIN)},
    {"sin number", CUE(SIN)},
    {"sixteen digit", CUE(CARD)},
    {"sixteen digits", CUE(CARD)},
    {"sku", CUE(OTHERWISE)},
    {"soc", CUE(SSN)},
    {"social", CUE(SSN)},
    {"social insurance", CUE(SIN)},
    {"social insurance number", CUE(SIN)},
    {"social security", CUE(SSN)},
    {"social security number", CUE(SSN)},
    {"sort code", CUE(SORT)},
    {"sort codes", CUE(SORT)},
    {"sorting code", CUE(SORT)},
    {"speaking to", CUE(NAME)},
    {"speaking with", CUE(NAME)},
    {"ssn", CUE(SSN)},
    {"subscriber id", CUE(MEMBER)},
    {"subscriber number", CUE(MEMBER)},
    {"suite", CUE(OTHERWISE)},
    {"surname", CUE(NAME)},
    {"surname is", CUE(NAME)},
    {"swift", CUE(SWIFT)},
    {"swift code", CUE(SWIFT)},
    {"tag number", CUE(PLATE)},
    {"tax id", CUE(SSN)},
    {"tax id number", CUE(SSN)},
    {"taxpayer id", CUE(SSN)},
    {"taxpayer identification", CUE(SSN)},
    {"telephone", CUE(PHONE)},
    {"telephone number", CUE(PHONE)},
    {"text me", CUE(PHONE)},
    {"texted code", CUE(OTP)},
    {"the name is", CUE(NAME)},
    {"this is", CUE(NAME)},
    {"three digit", CUE(CODE)},
    {"three digit code", CUE(CODE)},
    {"three digit number", CUE(CODE)},
    {"three digits", CUE(CODE)},
    {"three number", CUE(CODE)},
    {"three numbers", CUE(CODE)},
    {"ticket", CUE(OTHERWISE)},
    {"ticket number", CUE(OTHERWISE)},
    {"timestamp", CUE(OTHERWISE)},
    {"tin", CUE(SSN)},
    {"tracking", CUE(OTHERWISE)},
    {"tracking number", CUE(OTHERWISE)},
    {"transit number", CUE(ABA)},
    {"two factor code", CUE(OTP)},
    {"valid through", CUE(EXPIRY)},
    {"valid thru", CUE(EXPIRY)},
    {"valid until", CUE(EXPIRY)},
    {"vehicle identification", CUE(VIN)},
    {"vehicle identification number", CUE(VIN)},
    {"verification code", CUE(OTP)},
    {"verification value", CUE(CODE)},
    {"verify code", CUE(OTP)},
    {"vin", CUE(VIN)},
    {"vin number", CUE(VIN)},
    {"visa", CUE(CARD)},
    {"you can call me", CUE(NAME)},
    {"zip", CUE(POSTCODE)},
    {"zip code", CUE(POSTCODE)},
    {"zip plus four", CUE(POSTCODE)},
    {"zipcode", CUE(POSTCODE)},
};
/* clang-format on */

#undef CUE

/* The first phrase that is not before `word` as a prefix. */
static size_t lower_bound(const char *word, size_t len)
{
    size_t low = 0, high = TL_ARRAY_LEN(phrases);
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (strncmp(phrases[mid].text, word, len) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

/* How many of the words spell the phrase; 0 when they do not. */
static size_t phrase_length(const char *phrase, const struct tl_phrase_word *words, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (strncmp(phrase, words[i].text, words[i].len) != 0)
            return 0;
        phrase += words[i].len;
        if (*phrase == '\0')
            return i + 1;
        if (*phrase++ != ' ')
            return 0;
    }
    return 0;
}

size_t tl_cue_match(const struct tl_phrase_word *words, size_t n, uint64_t *ret_cues)
{
    size_t best = 0;
    if (n == 0 || words[0].len == 0)
        return 0;
    for (size_t i = lower_bound(words[0].text, words[0].len); i < TL_ARRAY_LEN(phrases); i++) {
        if (strncmp(phrases[i].text, words[0].text, words[0].len) != 0)
            break;
        size_t len = phrase_length(phrases[i].text, words, n);
        if (len > best) {
            best = len;
            *ret_cues = phrases[i].cues;
        }
    }
    return best;
}

size_t tl_cue_phrases(void)
{
    return TL_ARRAY_LEN(phrases);
}

const char *tl_cue_phrase(size_t i)
{
    return phrases[i].text;
}
