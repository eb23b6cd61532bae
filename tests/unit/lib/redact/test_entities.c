/* Every entity: said, written, and things that only look like it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "talk_script.h"

#define ALL (~(tl_entity_set)0 >> (64 - TL_ENTITY_TYPES))

struct example {
    const char *talk;
    const char *last; /* the last final, masked; NULL: nothing in it may be masked */
};

static int run_examples(const struct example *x, size_t n, tl_entity_set on)
{
    static struct tl_script s;
    int wrong = 0;
    for (size_t i = 0; i < n; i++) {
        tl_script_run(&s, on, x[i].talk);
        const char *got = s.text[s.n - 1];
        bool right = x[i].last != NULL ? strcmp(got, x[i].last) == 0 : strchr(got, '[') == NULL;
        if (right)
            continue;
        wrong++;
        print_error("%s\n  got      %s\n  expected %s\n", x[i].talk, got,
                    x[i].last != NULL ? x[i].last : "no mask");
    }
    return wrong;
}

#define EXAMPLES(on, ...)                                                                          \
    do {                                                                                           \
        const struct example list[] = {__VA_ARGS__};                                               \
        assert_int_equal(run_examples(list, TL_ARRAY_LEN(list), on), 0);                           \
    } while (0)

static tl_entity_set defaults(void)
{
    return tl_entity_default_set(false, false);
}

static void card(void **state)
{
    (void)state;
    EXAMPLES(defaults(), {"it's 4111-1111-1111-1111 okay?", "it's [CARD_1] okay?"},
             {"4111.1111.1111.1111 twice: 4111111111111111", "[CARD_1] twice: [CARD_1]"},
             {"visa 4111111111111111 and amex 378282246310005", "visa [CARD_1] and amex [CARD_2]"},
             {"order 4111 1111 1111 1111 is late my friend", "order [CARD_1] is late my friend"},
             {"four one one one no sorry four two four two four two four two four two four two "
              "four two four two",
              "[DIGITS_1] no sorry [CARD_1]"},
             {"４１１１ １１１１ １１１１ １１１１", "[CARD_1]"},
             {"٤١١١ ١١١١ ١١١١ ١١١١", "[CARD_1]"},
             {"4111 1111 1111 1111 oh four twenty seven seven three seven",
              "[CARD_1] [CARD_EXPIRY_1] [CARD_CVV_1]"},
             {"0000 0000 0000 0000 it was all zeros", NULL},
             {"it was 1763907000123 in milliseconds somewhere", NULL});
}

/* Homophones, zeros by themselves, and a group taken back. */
static void card_as_recognition_writes_it(void **state)
{
    (void)state;
    EXAMPLES(defaults(),
             {"four five three nine five seven eight seven six three six too one for ate six",
              "[CARD_1]"},
             {"C: four | C: oh | C: one two eight eight eight eight eight eight eight eight one "
              "eight eight one",
              "[CARD_1]"},
             {"4539 5787 6363 scratch that 6362 1486", "[CARD_1]"});
}

static double card_confidence(const char *talk)
{
    static struct tl_script s;
    tl_script_run(&s, 0, talk);
    return tl_script_confidence(&s, TL_ENTITY_CARD);
}

static void card_confidence_depends_on_the_words_around(void **state)
{
    (void)state;
    assert_true(card_confidence("4111 1111 1111 1111") == 0.70);
    assert_true(card_confidence("my visa 4111 1111 1111 1111") == 0.95);
    assert_true(card_confidence("A: and your card? | C: 4111 1111 1111 1111") == 0.95);
    assert_true(card_confidence("order 4111 1111 1111 1111") == 0.40);
    assert_true(card_confidence("order number 4111 1111 1111 1111") == 0.40);
    assert_true(card_confidence("order 4111 1111 1111 1111 by visa") == 0.95);
    assert_true(card_confidence("4222 2222 2222 2") == 0.55);
    assert_true(card_confidence("77 4111 1111 1111 1111") == 0.55);
}

static void card_expiry(void **state)
{
    (void)state;
    EXAMPLES(defaults(),
             {"A: What's the expiry date? | C: oh four twenty seven", "[CARD_EXPIRY_1]"},
             {"my card expires 04/27", "my card expires [CARD_EXPIRY_1]"},
             {"A: expiry? | C: April twenty seven", "[CARD_EXPIRY_1]"},
             {"my visa runs out in August 2029", "my visa runs out in [CARD_EXPIRY_1]"},
             {"A: expiry date? | C: 13/27 is not a month, right?", NULL},
             {"we moved here in August 2029 my friend", NULL});
}

static void pin_password_code(void **state)
{
    (void)state;
    EXAMPLES(defaults(), {"my pin is 4821", "my pin is [CARD_PIN_1]"},
             {"A: Please tell me the PIN. | C: four eight two one", "[CARD_PIN_1]"},
             {"my password is hunter two, thanks", "my password is [PASSWORD_1], thanks"},
             {"Password: Tr0ub4dor&3", "Password: [PASSWORD_1]"},
             {"A: What's your password? | C: correct horse battery", "[PASSWORD_1]"},
             {"A: What's your password? | C: No, I won't tell you", NULL},
             {"my password is wrong", NULL}, {"my password is not working any more", NULL},
             {"the verification code is 493021", "the verification code is [OTP_1]"},
             {"A: Read me the code we just sent. | C: four nine three zero two one", "[OTP_1]"},
             {"is that pin board still for sale", NULL});
}

static void national_numbers(void **state)
{
    (void)state;
    EXAMPLES(defaults(), {"tax id 912-70-1234", "tax id [ITIN_1]"},
             {"my social insurance number is 046 454 286", "my social insurance number is [SIN_1]"},
             {"my social insurance number is 046 454 287 I think so", NULL},
             {"it's AB 12 34 56 C", "it's [NINO_1]"},
             {"a b one two three four five six c", "[NINO_1]"},
             {"a for apple b for bravo one two three four five six c for charlie", "[NINO_1]"},
             {"it's QQ 12 34 56 C as printed", NULL},
             {"my nhs number is 943 476 5919", "my nhs number is [NHS_1]"},
             {"my nhs number is 943 476 5918 as you see", NULL},
             {"078-05-1120 stood in the wallet", NULL});
}

static void bank(void **state)
{
    (void)state;
    EXAMPLES(
        defaults(), {"my account number is 12345678", "my account number is [BANK_ACCOUNT_1]"},
        {"sort code 12-34-56", "sort code [SORT_CODE_1]"},
        {"sort code 12-34-56 12345678", "sort code [SORT_CODE_1] [BANK_ACCOUNT_1]"},
        {"the routing number is 021000021", "the routing number is [ABA_ROUTING_1]"},
        {"the routing number is 021000022 or so", NULL},
        {"it's DE95411111111111111100 here", "it's [IBAN_1] here"}, /* a card inside */
        {"it's DE89 3704 0044 0532 0130 00", "it's [IBAN_1]"},
        {"GB29NWBK60161331926819 please", "[IBAN_1] please"},
        {"g b two nine n w b k six zero one six one three three one nine two six eight one nine",
         "[IBAN_1]"},
        {"my swift code is DEUTDEFF you know", NULL});
    EXAMPLES(ALL, {"my swift code is DEUTDEFF", "my swift code is [SWIFT_1]"},
             {"my swift code is DEUTXXFF", NULL});
}

static void phone(void **state)
{
    (void)state;
    EXAMPLES(ALL,
             {"call me on plus one four one five five five five zero one double zero",
              "call me on plus [PHONE_1]"},
             {"my phone number is 020 7946 0958", "my phone number is [PHONE_1]"},
             {"it's (415) 555-2671, yes", "it's ([PHONE_1], yes"}, {"+49 30 901820", "+[PHONE_1]"},
             {"you called from 415 555 0199 right now", NULL},
             {"you called 020 7946 0000 right now", NULL});
    EXAMPLES(defaults(), {"my phone number is 020 7946 0958", NULL});
}

static void email(void **state)
{
    (void)state;
    EXAMPLES(defaults(), {"it's john.smith@example.com.", "it's [EMAIL_1]."},
             {"my email is john dot smith at gmail dot com", "my email is [EMAIL_1]"},
             {"j o h n underscore 42 at acme dot co dot uk", "[EMAIL_1]"},
             {"john smith at gmail dot com thanks", "[EMAIL_1] thanks"},
             {"meet me at the dot", NULL}, {"user@nowhere is no address", NULL});
}

static void name(void **state)
{
    (void)state;
    EXAMPLES(ALL,
             {"my name is Anna Schmidt and I'm calling", "my name is [NAME_1] and I'm calling"},
             {"this is Sarah from Acme Energy", "this is [NAME_1] from Acme Energy"},
             {"my name is anna", "my name is [NAME_1]"},
             {"this is ridiculous, I want a refund", NULL}, {"This is not my name", NULL});
    EXAMPLES(defaults(), {"my name is Anna Schmidt", NULL});
}

static void address(void **state)
{
    (void)state;
    EXAMPLES(
        defaults(), {"I live at 12 Oak Street", "I live at [ADDRESS_1]"},
        {"send it to 1600 Pennsylvania Avenue, Washington DC 20500.", "send it to [ADDRESS_1]."},
        {"forty two west side road", "[ADDRESS_1]"},
        {"Hauptstrasse 12 in Bonn", "[ADDRESS_1] in Bonn"}, {"12 rue de la Paix", "[ADDRESS_1]"},
        {"my postcode is SW1A 2AA", "my postcode is [ADDRESS_1]"},
        {"K1A 0B1 is the code", "[ADDRESS_1] is the code"},
        {"zip code nine four one oh seven", "zip code [ADDRESS_1]"},
        {"zip plus four is 12345-6789", "zip plus four is [ADDRESS_1]"},
        {"postleitzahl 53111", "postleitzahl [ADDRESS_1]"}, {"I have two in the right place", NULL},
        {"one of you can drive", NULL});
}

static void birth_and_age(void **state)
{
    (void)state;
    EXAMPLES(defaults(), {"I was born on April 12 1985", "I was born on [DOB_1]"},
             {"A: date of birth? | C: the twelfth of april nineteen eighty five", "the [DOB_1]"},
             {"A: date of birth? | C: 04/12/1985", "[DOB_1]"},
             {"A: date of birth? | C: oh four twelve nineteen eighty five", "[DOB_1]"},
             {"dob 1985-04-12", "dob [DOB_1]"}, {"dob 31/02/1985 as they wrote", NULL},
             {"I'm forty two years old", "I'm [AGE_1]"}, {"a 42-year-old man", "a [AGE_1] man"},
             {"it is two years since then", NULL}, {"on April 12 2026 we spoke", NULL});
}

static void health(void **state)
{
    (void)state;
    EXAMPLES(tl_entity_default_set(true, true),
             {"medical record number A 1 2 3 4 5", "medical record number [MRN_1]"},
             {"my member id is XYZ123456", "my member id is [MEMBER_ID_1]"},
             {"policy number 88172634", "policy number [HEALTH_PLAN_1]"},
             {"I have diabetes and take metformin since the biopsy",
              "I have [CONDITION_1] and take [DRUG_1] since the [PROCEDURE_1]"});
    EXAMPLES(defaults(), {"I have diabetes and take metformin since the biopsy", NULL},
             {"my member id is XYZ123456 and here I am", NULL});
}

static void documents_and_cars(void **state)
{
    (void)state;
    EXAMPLES(defaults(), {"passport number C01X00T47", "passport number [PASSPORT_1]"},
             {"my passport is 533380006", "my passport is [PASSPORT_1]"},
             {"my driver's license is D1234567", "my driver's license is [DRIVER_LICENCE_1]"},
             {"VIN 1M8GDM9AXKP042788", "VIN [VIN_1]"},
             {"1M8GDM9AXKP042789 has a wrong check digit", NULL},
             {"number plate AB12 CDE parked", NULL});
    EXAMPLES(ALL, {"number plate AB12 CDE", "number plate [PLATE_1]"});
}

static void machines(void **state)
{
    (void)state;
    EXAMPLES(defaults(), {"from 192.168.1.20 it works", "from [IP_1] it works"},
             {"2001:db8::ff00:42:8329 answered", "[IP_1] answered"},
             {"version 1.2.3.4.5 or 300.1.1.1 is none of that", NULL},
             {"https://example.com/reset?token=abcdef", "[URL_1]"},
             {"https://example.com/help?page=about", NULL},
             {"00:1A:2B:3C:4D:5E is its address", NULL});
    EXAMPLES(ALL, {"00:1A:2B:3C:4D:5E", "[MAC_1]"});
}

static void credentials(void **state)
{
    (void)state;
    EXAMPLES(0, {"key sk-proj-abcDEF123456 it is", "key [CREDENTIAL_1] it is"},
             {"sid AC0123456789abcdef0123456789abcdef", "sid [CREDENTIAL_1]"},
             {"AKIAIOSFODNN7EXAMPLE", "[CREDENTIAL_1]"},
             {"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc_DEF-123", "[CREDENTIAL_1]"},
             {"Authorization: Bearer abcdef1234567890", "Authorization: Bearer [CREDENTIAL_1]"},
             {"bearer of bad news", NULL}, {"the ACME task-force", NULL});
}

/* Words that are numbers only by their looks. */
static void ordinary_talk_is_left_alone(void **state)
{
    (void)state;
    EXAMPLES(defaults(), {"I would like that one", NULL}, {"no one told me", NULL},
             {"it costs forty two dollars", NULL}, {"I paid $42", NULL}, {"it fell by 50%", NULL},
             {"come at five pm", NULL}, {"the card ending in 1111", NULL},
             {"Oh, I see, thank you", NULL}, {"wait for me to come too", NULL},
             {"I need three tickets for the second row", NULL}, {"C:", NULL});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(card),
        cmocka_unit_test(card_as_recognition_writes_it),
        cmocka_unit_test(card_confidence_depends_on_the_words_around),
        cmocka_unit_test(card_expiry),
        cmocka_unit_test(pin_password_code),
        cmocka_unit_test(national_numbers),
        cmocka_unit_test(bank),
        cmocka_unit_test(phone),
        cmocka_unit_test(email),
        cmocka_unit_test(name),
        cmocka_unit_test(address),
        cmocka_unit_test(birth_and_age),
        cmocka_unit_test(health),
        cmocka_unit_test(documents_and_cars),
        cmocka_unit_test(machines),
        cmocka_unit_test(credentials),
        cmocka_unit_test(ordinary_talk_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
