/* Check digits and forms, each by its public rule: ISO 7812 and the brands' prefix tables, SSA and
 * IRS on SSN and ITIN, HMRC on NINO, ISO 13616, 9362, 3779, E.164, NANP. */
#include "redact/validate.h"

#include <string.h>

#include "base/error.h"

bool tl_valid_luhn(const uint8_t *d, size_t n)
{
    unsigned sum = 0;
    for (size_t i = 0; i < n; i++) {
        unsigned v = d[n - 1 - i];
        if (i % 2 == 1)
            v = v * 2 > 9 ? v * 2 - 9 : v * 2;
        sum += v;
    }
    return n > 0 && sum % 10 == 0;
}

struct brand {
    unsigned low; /* of the first four digits */
    unsigned high;
    uint8_t min;
    uint8_t max;
    uint8_t usual;
};

/* The first four digits decide; a shorter prefix is its range of four. */
static const struct brand brands[] = {
    {4000, 4999, 13, 19, 16},                           /* Visa: 13, 16, 19 only, below */
    {5100, 5599, 16, 16, 16},                           /* Mastercard */
    {2221, 2720, 16, 16, 16}, {3400, 3499, 15, 15, 15}, /* American Express */
    {3700, 3799, 15, 15, 15}, {6011, 6011, 16, 19, 16}, /* Discover */
    {6440, 6599, 16, 19, 16}, {3000, 3059, 14, 19, 14}, /* Diners */
    {3600, 3699, 14, 19, 14}, {3800, 3999, 14, 19, 14}, {3528, 3589, 16, 19, 16}, /* JCB */
    {6200, 6299, 16, 19, 16},                                                     /* UnionPay */
    {5000, 5099, 13, 19, 16},                                                     /* Maestro */
    {5600, 5899, 13, 19, 16}, {6300, 6399, 13, 19, 16}, {6700, 6799, 13, 19, 16},
};

static const struct brand *brand_of(const uint8_t *d, size_t n)
{
    unsigned head = d[0] * 1000u + d[1] * 100u + d[2] * 10u + d[3];
    for (size_t i = 0; i < TL_ARRAY_LEN(brands); i++) {
        const struct brand *b = &brands[i];
        if (head < b->low || head > b->high || n < b->min || n > b->max)
            continue;
        if (b->low == 4000 && n != 13 && n != 16 && n != 19)
            continue;
        return b;
    }
    return NULL;
}

bool tl_valid_card(const uint8_t *d, size_t n, bool *ret_usual)
{
    if (n < TL_CARD_DIGITS_MIN || n > TL_CARD_DIGITS_MAX)
        return false;
    const struct brand *b = brand_of(d, n);
    if (b == NULL || !tl_valid_luhn(d, n))
        return false;
    size_t same = 1;
    while (same < n && d[same] == d[0])
        same++;
    if (same == n)
        return false;
    *ret_usual = n == b->usual;
    return true;
}

static int number(const uint8_t *d, size_t n)
{
    int v = 0;
    for (size_t i = 0; i < n; i++)
        v = v * 10 + d[i];
    return v;
}

bool tl_valid_ssn(const uint8_t *d)
{
    /* Printed in advertisements and sample forms, so never anybody's. */
    static const int samples[] = {78051120, 219099999, 123456789, 457555462};
    int all = number(d, 9);
    for (size_t i = 0; i < TL_ARRAY_LEN(samples); i++)
        if (all == samples[i])
            return false;
    int area = number(d, 3);
    return area != 0 && area != 666 && area < 900 && number(d + 3, 2) != 0 && number(d + 5, 4) != 0;
}

bool tl_valid_itin(const uint8_t *d)
{
    int group = number(d + 3, 2);
    return d[0] == 9 && ((group >= 50 && group <= 65) || (group >= 70 && group <= 88) ||
                         (group >= 90 && group <= 92) || (group >= 94 && group <= 99));
}

bool tl_valid_sin(const uint8_t *d)
{
    return tl_valid_luhn(d, 9);
}

bool tl_valid_nhs(const uint8_t *d)
{
    unsigned sum = 0;
    for (unsigned i = 0; i < 9; i++)
        sum += d[i] * (10 - i);
    unsigned check = 11 - sum % 11;
    return check != 10 && d[9] == check % 11;
}

bool tl_valid_aba(const uint8_t *d)
{
    static const uint8_t weights[9] = {3, 7, 1, 3, 7, 1, 3, 7, 1};
    unsigned sum = 0;
    for (unsigned i = 0; i < 9; i++)
        sum += d[i] * weights[i];
    int head = number(d, 2);
    bool district =
        head <= 12 || (head >= 21 && head <= 32) || (head >= 61 && head <= 72) || head == 80;
    return sum != 0 && sum % 10 == 0 && district;
}

bool tl_valid_nanp(const uint8_t *d)
{
    return d[0] >= 2 && d[3] >= 2;
}

bool tl_valid_e164(const uint8_t *d, size_t n)
{
    if (n < 8 || n > 15 || d[0] == 0)
        return false;
    if (d[0] == 1)
        return n == 11 && tl_valid_nanp(d + 1);
    int two = number(d, 2);
    switch (two) {
    case 44:
    case 33:
        return n == (two == 44 ? 12u : 11u);
    case 49:
    case 39:
        return n >= 9;
    case 34:
    case 61:
        return n == 11;
    default:
        return true;
    }
}

bool tl_valid_national_phone(const uint8_t *d, size_t n)
{
    if (n == 10 && d[0] != 0)
        return tl_valid_nanp(d);
    if (n == 11 && d[0] == 1)
        return tl_valid_nanp(d + 1);
    return n >= 9 && n <= 12 && d[0] == 0 && d[1] != 0;
}

bool tl_valid_expiry(const uint8_t *d, size_t n, int year)
{
    if (n < 3 || n > 6)
        return false;
    size_t month_digits = n % 2 == 0 ? 2 : 1;
    int month = number(d, month_digits);
    int y = number(d + month_digits, n - month_digits);
    if (n - month_digits == 2)
        y += 2000;
    if (n - month_digits == 3 || month < 1 || month > 12)
        return false;
    if (year == 0)
        return y >= 2000 && y <= 2099;
    return y >= year - 20 && y <= year + 20;
}

bool tl_valid_date(int year, int month, int day)
{
    static const uint8_t days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (year < 1900 || year > 2100 || month < 1 || month > 12 || day < 1 || day > days[month - 1])
        return false;
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month != 2 || day != 29 || leap;
}

bool tl_valid_date_digits(const uint8_t *d, size_t n)
{
    if (n == 8) {
        int a = number(d, 2), b = number(d + 2, 2), y = number(d + 4, 4);
        return tl_valid_date(y, a, b) || tl_valid_date(y, b, a) ||
               tl_valid_date(number(d, 4), number(d + 4, 2), number(d + 6, 2));
    }
    if (n == 7 || n == 5) { /* a month or a day of one digit: 4 12 1985, 12 4 85 */
        size_t yd = n == 7 ? 4 : 2;
        int y = number(d + 3, yd) + (yd == 2 ? 1900 : 0);
        int a = number(d, 1), b = number(d + 1, 2), c = number(d, 2), e = number(d + 2, 1);
        return tl_valid_date(y, a, b) || tl_valid_date(y, b, a) || tl_valid_date(y, c, e) ||
               tl_valid_date(y, e, c);
    }
    if (n != 6)
        return false;
    int a = number(d, 2), b = number(d + 2, 2), y = 1900 + number(d + 4, 2);
    return tl_valid_date(y, a, b) || tl_valid_date(y, b, a) ||
           tl_valid_date(number(d + 2, 4), number(d, 1), number(d + 1, 1));
}

static bool in(char c, const char *set)
{
    return c != '\0' && strchr(set, c) != NULL;
}

static bool upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

static bool digit(char c)
{
    return c >= '0' && c <= '9';
}

bool tl_valid_nino(const char *s, size_t n)
{
    if (n != 9 || !upper(s[0]) || !upper(s[1]) || !in(s[8], "ABCD"))
        return false;
    for (size_t i = 2; i < 8; i++)
        if (!digit(s[i]))
            return false;
    if (in(s[0], "DFIQUV") || in(s[1], "DFIOQUV"))
        return false;
    static const char unused[][3] = {"BG", "GB", "NK", "KN", "TN", "NT", "ZZ"};
    for (size_t i = 0; i < TL_ARRAY_LEN(unused); i++)
        if (memcmp(unused[i], s, 2) == 0)
            return false;
    return true;
}

struct iban_country {
    char code[3];
    uint8_t len;
};

/* SWIFT's IBAN registry. */
static const struct iban_country iban_countries[] = {
    {"AD", 24}, {"AE", 23}, {"AL", 28}, {"AT", 20}, {"AZ", 28}, {"BA", 20}, {"BE", 16}, {"BG", 22},
    {"BH", 22}, {"BR", 29}, {"BY", 28}, {"CH", 21}, {"CR", 22}, {"CY", 28}, {"CZ", 24}, {"DE", 22},
    {"DK", 18}, {"DO", 28}, {"EE", 20}, {"EG", 29}, {"ES", 24}, {"FI", 18}, {"FO", 18}, {"FR", 27},
    {"GB", 22}, {"GE", 22}, {"GI", 23}, {"GL", 18}, {"GR", 27}, {"GT", 28}, {"HR", 21}, {"HU", 28},
    {"IE", 22}, {"IL", 23}, {"IQ", 23}, {"IS", 26}, {"IT", 27}, {"JO", 30}, {"KW", 30}, {"KZ", 20},
    {"LB", 28}, {"LC", 32}, {"LI", 21}, {"LT", 20}, {"LU", 20}, {"LV", 21}, {"LY", 25}, {"MC", 27},
    {"MD", 24}, {"ME", 22}, {"MK", 19}, {"MR", 27}, {"MT", 31}, {"MU", 30}, {"NL", 18}, {"NO", 15},
    {"PK", 24}, {"PL", 28}, {"PS", 29}, {"PT", 25}, {"QA", 29}, {"RO", 24}, {"RS", 22}, {"SA", 24},
    {"SC", 31}, {"SE", 24}, {"SI", 19}, {"SK", 24}, {"SM", 27}, {"ST", 25}, {"SV", 28}, {"TL", 23},
    {"TN", 24}, {"TR", 26}, {"UA", 29}, {"VA", 22}, {"VG", 24}, {"XK", 20},
};

static unsigned iban_length(const char *s)
{
    for (size_t i = 0; i < TL_ARRAY_LEN(iban_countries); i++)
        if (memcmp(iban_countries[i].code, s, 2) == 0)
            return iban_countries[i].len;
    return 0;
}

bool tl_valid_iban(const char *s, size_t n)
{
    if (n < 15 || n != iban_length(s) || !digit(s[2]) || !digit(s[3]))
        return false;
    unsigned rest = 0;
    for (size_t i = 0; i < n; i++) {
        char c = s[(i + 4) % n];
        if (digit(c))
            rest = (rest * 10 + (unsigned)(c - '0')) % 97;
        else if (upper(c))
            rest = (rest * 100 + (unsigned)(c - 'A') + 10) % 97;
        else
            return false;
    }
    return rest == 1;
}

/* ISO 3166 codes in use, in pairs. */
static const char countries[] =
    "ADAEAFAGAIALAMAOARASATAUAWAXAZBABBBDBEBFBGBHBIBJBLBMBNBOBQBRBSBTBWBYBZCACCCDCFCGCHCICKCLCMCN"
    "COCRCUCVCWCXCYCZDEDJDKDMDODZECEEEGERESETEUFIFJFKFMFOFRGAGBGDGEGFGGGHGIGLGMGNGPGQGRGTGUGWGYHK"
    "HNHRHTHUIDIEILIMINIOIQIRISITJEJMJOJPKEKGKHKIKMKNKPKRKWKYKZLALBLCLILKLRLSLTLULVLYMAMCMDMEMFMG"
    "MHMKMLMMMNMOMPMQMRMSMTMUMVMWMXMYMZNANCNENFNGNINLNONPNRNUNZOMPAPEPFPGPHPKPLPMPRPSPTPWPYQARERO"
    "RSRURWSASBSCSDSESGSHSISJSKSLSMSNSOSRSSSTSVSXSYSZTCTDTGTHTJTKTLTMTNTOTRTTTVTWTZUAUGUKUSUYUZVA"
    "VCVEVGVIVNVUWFWSXKYEYTZAZMZW";

static bool country(char a, char b)
{
    for (size_t i = 0; i + 1 < sizeof(countries) - 1; i += 2)
        if (countries[i] == a && countries[i + 1] == b)
            return true;
    return false;
}

bool tl_valid_swift(const char *s, size_t n)
{
    if (n != 8 && n != 11)
        return false;
    for (size_t i = 0; i < n; i++)
        if (!upper(s[i]) && (i < 6 || !digit(s[i])))
            return false;
    return country(s[4], s[5]);
}

bool tl_valid_vin(const char *s, size_t n)
{
    static const char values[] = "0123456789.ABCDEFGH..JKLMN.P.R..STUVWXYZ"; /* index mod 10 */
    static const uint8_t weights[17] = {8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2};
    if (n != 17)
        return false;
    unsigned sum = 0;
    unsigned letters = 0;
    for (size_t i = 0; i < n; i++) {
        const char *at = digit(s[i]) || upper(s[i]) ? strchr(values, s[i]) : NULL;
        if (at == NULL)
            return false;
        letters += upper(s[i]);
        sum += (unsigned)((at - values) % 10) * weights[i];
    }
    char check = sum % 11 == 10 ? 'X' : (char)('0' + sum % 11);
    return letters > 0 && s[8] == check;
}

bool tl_valid_tld(const char *s, size_t n)
{
    static const char *const generic[] = {
        "com",       "org",      "net",     "edu",      "gov",   "mil",    "int",    "info",
        "biz",       "name",     "pro",     "app",      "dev",   "xyz",    "online", "site",
        "store",     "shop",     "tech",    "cloud",    "email", "health", "care",   "bank",
        "law",       "legal",    "agency",  "company",  "group", "london", "berlin", "paris",
        "swiss",     "museum",   "coop",    "aero",     "jobs",  "mobi",   "travel", "arpa",
        "example",   "test",     "local",   "internal", "world", "live",   "life",   "club",
        "solutions", "services", "support",
    };
    if (n == 2)
        return country((char)(s[0] - 32), (char)(s[1] - 32));
    for (size_t i = 0; i < TL_ARRAY_LEN(generic); i++)
        if (strlen(generic[i]) == n && memcmp(generic[i], s, n) == 0)
            return true;
    return false;
}
