/* Check digits and forms by their published examples, and the order of the word tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "redact/numbers.h"
#include "redact/validate.h"
#include "redact/words.h"

static size_t digits(const char *text, uint8_t *d)
{
    size_t n = 0;
    for (; *text != '\0'; text++)
        d[n++] = (uint8_t)(*text - '0');
    return n;
}

static bool is_card(const char *text)
{
    uint8_t d[32];
    bool usual;
    size_t n = digits(text, d);
    return tl_valid_card(d, n, &usual);
}

static void card_needs_prefix_length_and_luhn(void **state)
{
    (void)state;
    static const char *const yes[] = {
        "4222222222222",    "4111111111111111", "5555555555554444", "2223003122003222",
        "378282246310005",  "6011111111111117", "30569309025904",   "38520000023237",
        "3530111333300000", "6200000000000005", "6759649826438453", "4000000000000000006",
    };
    static const char *const no[] = {
        "4111111111111112", "0000000000000000", "4444444444444444",
        "1234567812345670", "41111111111111",   "9999999999999995",
        "411111111111",     "2220000000000000", "40000000000000000002",
    };
    for (size_t i = 0; i < TL_ARRAY_LEN(yes); i++)
        if (!is_card(yes[i]))
            fail_msg("%s is a card", yes[i]);
    for (size_t i = 0; i < TL_ARRAY_LEN(no); i++)
        if (is_card(no[i]))
            fail_msg("%s is no card", no[i]);
}

static void numbers_of_persons(void **state)
{
    (void)state;
    uint8_t d[16];
    digits("219099998", d);
    assert_true(tl_valid_ssn(d));
    static const char *const no_ssn[] = {"000123456", "666456789", "900123456", "219009998",
                                         "219090000", "078051120", "219099999"};
    for (size_t i = 0; i < TL_ARRAY_LEN(no_ssn); i++) {
        digits(no_ssn[i], d);
        assert_false(tl_valid_ssn(d));
    }
    digits("912701234", d);
    assert_true(tl_valid_itin(d));
    digits("912661234", d);
    assert_false(tl_valid_itin(d));
    digits("046454286", d);
    assert_true(tl_valid_sin(d));
    digits("9434765919", d);
    assert_true(tl_valid_nhs(d));
    digits("9434765918", d);
    assert_false(tl_valid_nhs(d));
    assert_true(tl_valid_nino("AB123456C", 9));
    assert_false(tl_valid_nino("QQ123456C", 9));
    assert_false(tl_valid_nino("GB123456C", 9));
    assert_false(tl_valid_nino("AB123456E", 9));
    assert_false(tl_valid_nino("AO123456A", 9));
}

static void numbers_of_banks(void **state)
{
    (void)state;
    uint8_t d[16];
    digits("021000021", d);
    assert_true(tl_valid_aba(d));
    digits("021000022", d);
    assert_false(tl_valid_aba(d));
    assert_true(tl_valid_iban("GB29NWBK60161331926819", 22));
    assert_true(tl_valid_iban("NO9386011117947", 15));
    assert_false(tl_valid_iban("GB29NWBK60161331926818", 22));
    assert_false(tl_valid_iban("GB29NWBK6016133192681", 21));
    assert_true(tl_valid_swift("DEUTDEFF500", 11));
    assert_false(tl_valid_swift("DEUTQQFF", 8));
}

static void dates_and_cars(void **state)
{
    (void)state;
    uint8_t d[16];
    assert_true(tl_valid_date(2024, 2, 29));
    assert_false(tl_valid_date(2023, 2, 29));
    assert_true(tl_valid_expiry(d, digits("0427", d), 2026));
    assert_true(tl_valid_expiry(d, digits("042046", d), 2026));
    assert_false(tl_valid_expiry(d, digits("042047", d), 2026));
    assert_false(tl_valid_expiry(d, digits("1327", d), 2026));
    assert_true(tl_valid_vin("1M8GDM9AXKP042788", 17));
    assert_true(tl_valid_vin("11111111111111111", 17) == false); /* no letters: a run of digits */
    assert_false(tl_valid_vin("1M8GDM9AXKP042789", 17));
}

/* The key and the first outputs of the vectors that the paper's authors publish. */
static void siphash_vectors(void **state)
{
    (void)state;
    uint8_t key[16], in[16];
    for (unsigned i = 0; i < 16; i++)
        key[i] = in[i] = (uint8_t)i;
    assert_true(tl_siphash(key, in, 0) == 0x726fdb47dd0e0e31u);
    assert_true(tl_siphash(key, in, 15) == 0xa129ca6149be45e5u);
}

static void every_word_of_the_tables_is_found(void **state)
{
    (void)state;
    size_t n = tl_vocabulary_size();
    assert_true(n > 500);
    for (size_t i = 0; i < n; i++) {
        const char *word = tl_vocabulary_word(i);
        const struct tl_vocabulary *row = tl_vocabulary_find(word, strlen(word));
        if (row == NULL || strcmp(row->word, word) != 0)
            fail_msg("%s is not found: the table is out of order", word);
    }
    for (size_t i = 0; i < tl_cue_phrases(); i++) {
        struct tl_words w;
        uint64_t cues = 0;
        const char *phrase = tl_cue_phrase(i);
        tl_words_init(&w, phrase, strlen(phrase));
        if (tl_words_cue(&w, 0, &cues) != w.n || cues == 0)
            fail_msg("%s is not found: the table is out of order", phrase);
        tl_words_finish(&w);
    }
}

static void words_map_back_to_the_original(void **state)
{
    (void)state;
    struct tl_words w;
    static const char text[] = "Don\xe2\x80\x99t caf\xc3\xa9, \xef\xbc\x94\xef\xbc\x92x";
    tl_words_init(&w, text, strlen(text));
    assert_int_equal(w.n, 4);
    assert_true(tl_word_is(&w, 0, "dont"));
    assert_int_equal(w.word[0].end, 7);
    assert_true(tl_word_is(&w, 1, "cafe"));
    assert_int_equal(w.word[1].start, 8);
    assert_int_equal(w.word[1].end, 13);
    assert_true(tl_word_is(&w, 2, "42") && w.word[2].digits);
    assert_int_equal(w.word[2].gap, TL_GAP_COMMA | TL_GAP_SPACE);
    assert_int_equal(w.word[3].gap, 0);
    tl_words_finish(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(card_needs_prefix_length_and_luhn),
        cmocka_unit_test(numbers_of_persons),
        cmocka_unit_test(numbers_of_banks),
        cmocka_unit_test(dates_and_cars),
        cmocka_unit_test(siphash_vectors),
        cmocka_unit_test(every_word_of_the_tables_is_found),
        cmocka_unit_test(words_map_back_to_the_original),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
