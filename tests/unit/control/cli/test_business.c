/* business.h: a business from YAML, every mistake with its place, and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "control/cli/business.h"

#define SHORTEST "business: {id: b1, name: Lamps, numbers: ['+15550100']}\n"

static struct tl_business_file file;
static struct tl_error err;

static enum tl_status read_text(const char *yaml)
{
    tl_business_file_finish(&file);
    return tl_business_file_read(&file, "b.yaml", yaml, strlen(yaml), &err);
}

static int finish(void **state)
{
    (void)state;
    tl_business_file_finish(&file);
    return 0;
}

static void three_values_make_a_business(void **state)
{
    const struct tl_business *b = &file.business;
    (void)state;
    assert_int_equal(read_text(SHORTEST), TL_OK);
    assert_string_equal(file.id, "b1");
    assert_string_equal(b->name, "Lamps");
    assert_int_equal(b->numbers_n, 1);
    assert_string_equal(b->numbers[0], "+15550100");
    assert_true(b->active);
    assert_string_equal(b->language, "en-US");
    assert_string_equal(b->voice, "marin");
    assert_false(b->temperature.set);
    assert_string_equal(b->turn_detection, "server_vad");
    assert_int_equal(b->history_turns, 100);
    assert_int_equal(b->history_characters, 10000);
    assert_int_equal(b->silence_end_s, 60);
    assert_string_equal(b->tools[0], "end_call");
    assert_true(strlen(b->unavailable_sentence) > 10);
}

static void every_value_arrives(void **state)
{
    const struct tl_business *b = &file.business;
    (void)state;
    assert_int_equal(
        read_text(
            "business: {id: b_2-x, name: \"M\\u00fcller\", numbers: [+4930123456, '+15550100'], "
            "active: false, language: de, timezone: Europe/Berlin, template: sales, "
            "fallback_number: '+4930999999'}\n"
            "ai: {voice: voice_abc, model: m, dialect: beta, temperature: 0.7, "
            "transcription_model: t, response_delay: 250ms, instructions: i, brand_voice: v, "
            "guidelines: ['a, b', c], greeting: g, tools: [], history_turns: 7, "
            "history_characters: 900}\n"
            "turns: {detection: semantic_vad, threshold: 0.25, prefix: 100ms, silence: 1s, "
            "eagerness: high}\n"
            "sentences: {unavailable: u, busy: bu, closed: c}\n"
            "silence: {prompt: 5s, end: 2m}\n"
            "redaction: {off: [EMAIL], on: [SWIFT, PHONE]}\n"),
        TL_OK);
    assert_string_equal(b->name, "M\xc3\xbcller");
    assert_int_equal(b->numbers_n, 2);
    assert_string_equal(b->numbers[0], "+4930123456");
    assert_false(b->active);
    assert_string_equal(b->template, "sales");
    assert_string_equal(b->fallback_number, "+4930999999");
    assert_true(b->temperature.set && b->temperature.value == 0.7);
    assert_int_equal(b->response_delay_ms, 250);
    assert_int_equal(b->guidelines_n, 2);
    assert_string_equal(b->guidelines[0], "a, b");
    assert_int_equal(b->tools_n, 0);
    assert_true(b->vad_threshold == 0.25);
    assert_int_equal(b->vad_prefix_ms, 100);
    assert_int_equal(b->vad_silence_ms, 1000);
    assert_string_equal(b->eagerness, "high");
    assert_string_equal(b->closed_sentence, "c");
    assert_int_equal(b->silence_prompt_s, 5);
    assert_int_equal(b->silence_end_s, 120);
    assert_string_equal(b->redaction_off[0], "EMAIL");
    assert_int_equal(b->redaction_on_n, 2);
}

static void mistakes_are_named_with_file_and_line(void **state)
{
    static const struct {
        const char *yaml, *message;
    } cases[] = {
        {"business: {name: x, numbers: ['+15550100']}\n", "b.yaml: business.id: is required"},
        {"business: {id: x, name: x}\n", "b.yaml: business.numbers: is required"},
        {SHORTEST "ai:\n  voise: x\n",
         "b.yaml:3: ai.voise: no such setting (did you mean ai.voice?)"},
        {SHORTEST "ia:\n  voice: x\n", "b.yaml:2: ia: no such section (did you mean ai?)"},
        {"business: {id: a b, name: x, numbers: ['+15550100']}",
         "b.yaml:1: business.id: \"a b\" has other characters than letters, digits, - and _"},
        {"business: {id: a, name: x, numbers: ['+15550100', '15550100']}",
         "b.yaml:1: business.numbers: \"15550100\" is not a telephone number such as +15550100"},
        {"business: {id: a, name: x, numbers: ['+05550100']}",
         "b.yaml:1: business.numbers: \"+05550100\" is not a telephone number such as +15550100"},
        {"business: {id: a, name: x, numbers: ['+1555010055501005']}",
         "b.yaml:1: business.numbers: \"+1555010055501005\" is not a telephone number such as "
         "+15550100"},
        {SHORTEST "ai: {voice: bob}",
         "b.yaml:2: ai.voice: \"bob\" is neither alloy, ash, ballad, "
         "cedar, coral, echo, marin, sage, shimmer, verse nor one's own "
         "(voice_…)"},
        {SHORTEST "ai: {temperature: 0.5}",
         "b.yaml:2: ai.temperature: \"0.5\" is not within 0.6..1.2"},
        {SHORTEST "ai: {temperature: 0.8}",
         "b.yaml: ai.temperature: goes with ai.dialect beta only"},
        {SHORTEST "ai: {history_turns: 101}",
         "b.yaml:2: ai.history_turns: \"101\" is not within 1..100"},
        {SHORTEST "ai: {tools: [end_call, fly]}",
         "b.yaml:2: ai.tools: \"fly\" is none of end_call"},
        {SHORTEST "turns: {detection: vad}",
         "b.yaml:2: turns.detection: \"vad\" is none of server_vad,semantic_vad"},
        {SHORTEST "silence: {prompt: 60s, end: 60s}",
         "b.yaml: silence.end: must be longer than silence.prompt"},
        {SHORTEST "silence: {prompt: 1500ms}",
         "b.yaml: silence.prompt and silence.end: whole seconds are expected"},
        {SHORTEST "redaction: {off: [CARD]}", "b.yaml:2: redaction.off: \"CARD\" is always masked"},
        {SHORTEST "redaction: {off: [DOG]}",
         "b.yaml:2: redaction.off: \"DOG\" is no entity that can be masked"},
        {SHORTEST "redaction: {on: [DOG]}",
         "b.yaml:2: redaction.on: \"DOG\" is no entity that can be masked"},
    };
    (void)state;
    for (size_t i = 0; i < TL_ARRAY_LEN(cases); i++) {
        assert_int_equal(read_text(cases[i].yaml), TL_INVALID);
        assert_string_equal(err.msg, cases[i].message);
    }
}

static void languages_and_zones_have_their_shape(void **state)
{
    static const struct {
        const char *language, *zone;
        bool good;
    } cases[] = {
        {"en", "UTC", true},
        {"zh-Hant-TW", "America/Port-au-Prince", true},
        {"de-1996", "Etc/GMT+5", true},
        {"e", "UTC", false},
        {"en-", "UTC", false},
        {"en_US", "UTC", false},
        {"english9x", "UTC", false},
        {"12", "UTC", false},
        {"en", "/etc/passwd", false},
        {"en", "Europe//Berlin", false},
        {"en", "Europe Berlin", false},
    };
    (void)state;
    for (size_t i = 0; i < TL_ARRAY_LEN(cases); i++) {
        char yaml[256];
        (void)snprintf(
            yaml, sizeof(yaml),
            "business: {id: b, name: n, numbers: ['+15550100'], language: %s, timezone: %s}",
            cases[i].language, cases[i].zone);
        if ((read_text(yaml) == TL_OK) != cases[i].good)
            fail_msg("%s %s", cases[i].language, cases[i].zone);
    }
}

/* Prints what was read, reads that, and compares. */
static void assert_round_trip(void)
{
    struct tl_buf text;
    json_t *before = tl_avro_to_json(&tl_business_type, &file.business);

    tl_buf_init(&text, 1 << 16);
    tl_business_print_yaml(file.id, &file.business, &text);
    assert_false(text.full);
    if (read_text(tl_buf_str(&text)) != TL_OK)
        fail_msg("%s\n%s", err.msg, tl_buf_str(&text));
    json_t *after = tl_avro_to_json(&tl_business_type, &file.business);
    assert_true(json_equal(before, after));
    json_decref(before);
    json_decref(after);
    tl_buf_finish(&text);
}

static void what_is_printed_reads_back_the_same(void **state)
{
    (void)state;
    assert_int_equal(read_text(SHORTEST), TL_OK);
    assert_round_trip();
    assert_int_equal(
        read_text("business: {id: b, name: \"a\\\"b\\\\c\\nd\\te: #x\\x7f \\u00e9\", numbers: "
                  "['+15550100']}\n"
                  "ai: {guidelines: ['a, b', '- c', \"d\\n\"], instructions: \"  x\\n\\n y \", "
                  "response_delay: 1250ms, dialect: beta, temperature: 1.1}\n"
                  "turns: {threshold: 0.1}\n"
                  "silence: {prompt: 0, end: 0}\n"
                  "redaction: {off: [EMAIL, DOB]}\n"),
        TL_OK);
    assert_round_trip();
    assert_string_equal(file.business.guidelines[2], "d\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(three_values_make_a_business),
        cmocka_unit_test(every_value_arrives),
        cmocka_unit_test(mistakes_are_named_with_file_and_line),
        cmocka_unit_test(languages_and_zones_have_their_shape),
        cmocka_unit_test(what_is_printed_reads_back_the_same),
    };
    return cmocka_run_group_tests_name("cli_business", tests, NULL, finish);
}
