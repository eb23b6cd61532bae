/* The examples of the rules in the compliance catalogue that name a detector. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "talk_script.h"

static double confidence(const char *talk, enum tl_entity_type type)
{
    static struct tl_script s;
    tl_script_run(&s, tl_entity_default_set(false, false), talk);
    double c = tl_script_confidence(&s, type);
    for (size_t i = 0; i < s.n; i++)
        print_message("    %s\n", s.text[i]);
    return c;
}

static void expect_flagged(const char *const *talks, size_t n, enum tl_entity_type type)
{
    for (size_t i = 0; i < n; i++) {
        print_message("  + %s\n", talks[i]);
        assert_true(confidence(talks[i], type) >= TL_ENTITY_FLAG);
    }
}

static void expect_clear(const char *const *talks, size_t n, enum tl_entity_type type)
{
    for (size_t i = 0; i < n; i++) {
        print_message("  - %s\n", talks[i]);
        assert_true(confidence(talks[i], type) == 0);
    }
}

/* PCI-PAN-001 */
static void card_examples(void **state)
{
    (void)state;
    static const char *const yes[] = {
        "My card is 4111 1111 1111 1111.",
        "four one one one one one one one one one one one one one one one",
        "it's fifty five fifty five, triple five five, quadruple five, and then forty four forty "
        "four",
        "C: three seven eight two eight two | A: mm hmm | C: two four six three one | A: go on | "
        "C: oh oh oh five",
        "six oh one one, one one one one, uh, double one double one, then one one one seven",
        "5555-5555-5555-4444 is the number",
        "twenty two twenty three oh oh three one two two oh oh three two two two",
    };
    static const char *const no[] = {
        "My order number is 4111 1111 1111 1112.",
        "The card ending in 1111.",
        "My phone number is 020 7946 0958.",
        "It costs four thousand one hundred and eleven pounds.",
        "The tracking number is 1Z 999 AA1 01 2345 6784.",
        "I have four children and one dog, one of them is eleven.",
        "Call me on plus one four one five five five five zero one double zero.",
    };
    expect_flagged(yes, TL_ARRAY_LEN(yes), TL_ENTITY_CARD);
    expect_clear(no, TL_ARRAY_LEN(no), TL_ENTITY_CARD);
}

/* PCI-CVV-001 */
static void security_code_examples(void **state)
{
    (void)state;
    static const char *const yes[] = {
        "A: And the three digits on the back? | C: seven three seven",
        "C: the security code is 737",
        "A: What's the CVV? | C: it is one two oh",
        "A: the number on the back please | C: double nine two",
        "C: cvc four four one",
        "A: and the four digits on the front | C: one two three four",
    };
    static const char *const no[] = {
        "C: I have 737 of them in stock",  "A: Flip to the back of the card | C: okay I have it",
        "C: my flat is number 120",        "A: I never need the three digits on the back | C: good",
        "C: it's extension four four one",
    };
    expect_flagged(yes, TL_ARRAY_LEN(yes), TL_ENTITY_CARD_CVV);
    expect_clear(no, TL_ARRAY_LEN(no), TL_ENTITY_CARD_CVV);
}

static double national_id(const char *talk)
{
    static const enum tl_entity_type types[] = {TL_ENTITY_SSN, TL_ENTITY_ITIN, TL_ENTITY_SIN,
                                                TL_ENTITY_NINO, TL_ENTITY_NHS};
    double best = 0;
    for (size_t i = 0; i < TL_ARRAY_LEN(types); i++) {
        double c = confidence(talk, types[i]);
        best = c > best ? c : best;
    }
    return best;
}

/* PII-SSN-001 */
static void national_id_examples(void **state)
{
    (void)state;
    static const char *const yes[] = {
        "C: my social is two one nine zero nine nine nine nine eight",
        "C: ssn 219-09-9998",
        "A: your social security number please | C: two nineteen, oh nine, ninety nine ninety "
        "eight",
        "C: it's 219 09 9998",
        "C: my tax id is 9 digits 219099998",
    };
    static const char *const no[] = {
        "C: the last four of my social are 9998",
        "C: 000-12-3456",
        "C: 666-45-6789",
        "C: zip plus four is 12345-6789",
        "C: order 219099998 arrived broken",
    };
    for (size_t i = 0; i < TL_ARRAY_LEN(yes); i++) {
        print_message("  + %s\n", yes[i]);
        assert_true(national_id(yes[i]) >= TL_ENTITY_FLAG);
    }
    for (size_t i = 0; i < TL_ARRAY_LEN(no); i++) {
        print_message("  - %s\n", no[i]);
        assert_true(national_id(no[i]) == 0);
    }
}

/* The conversation case of the catalogue's test chapter. */
static void card_and_code_in_turns(void **state)
{
    (void)state;
    static struct tl_script s;
    tl_script_run(&s, tl_entity_default_set(false, false),
                  "A: What's your card number? | C: four one one one | A: mm hmm | "
                  "C: one one one one, eleven eleven, double one double one | "
                  "A: and the security code? | C: seven three seven");
    assert_string_equal(s.text[1], "[CARD_1]");
    assert_string_equal(s.text[2], "mm hmm");
    assert_string_equal(s.text[3], "[CARD_1]");
    assert_string_equal(s.text[4], "and the security code?");
    assert_string_equal(s.text[5], "[CARD_CVV_1]");
    assert_true(tl_script_confidence(&s, TL_ENTITY_CARD) == 0.95);
    assert_string_equal(s.entities[0].last4, "1111");
    assert_string_equal(s.draft[1], "[DIGITS_1]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(card_examples),
        cmocka_unit_test(security_code_examples),
        cmocka_unit_test(national_id_examples),
        cmocka_unit_test(card_and_code_in_turns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
