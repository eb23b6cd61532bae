/* cost.h: usage times prices (CONV-8). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "processors/conversation/cost.h"

static const char *const rows[] = {
    "gpt-realtime-mini=0.6,10,0.06,0.3,2.4,20,0",
    "gpt-realtime=4,32,0.4,0.4,16,64,0",
    "gpt-realtime-whisper=0,0,0,0,0,0,0.006",
    "broken=1,2,3",
};
static const struct tl_list prices = {.item = rows, .len = TL_ARRAY_LEN(rows)};

static int64_t cost(const char *model, struct tl_usage usage)
{
    usage.model = model;
    return tl_cost_microusd(&prices, &usage);
}

static void every_kind_of_token_has_its_price(void **state)
{
    (void)state;
    assert_int_equal(cost("gpt-realtime", (struct tl_usage){.input_text_tokens = 100}), 400);
    assert_int_equal(cost("gpt-realtime", (struct tl_usage){.input_audio_tokens = 100}), 3200);
    assert_int_equal(cost("gpt-realtime", (struct tl_usage){.output_text_tokens = 100}), 1600);
    assert_int_equal(cost("gpt-realtime", (struct tl_usage){.output_audio_tokens = 100}), 6400);
    assert_int_equal(cost("gpt-realtime-whisper", (struct tl_usage){.transcription_seconds = 90}),
                     9000); /* 1.5 minutes of $0.006 */
}

static void cached_tokens_cost_their_own_price_alone(void **state)
{
    (void)state;
    assert_int_equal(
        cost("gpt-realtime", (struct tl_usage){.input_text_tokens = 100, .cached_text_tokens = 60}),
        40 * 4 + 24);
    assert_int_equal(cost("gpt-realtime",
                          (struct tl_usage){.input_audio_tokens = 100, .cached_audio_tokens = 100}),
                     40);
}

static void all_kinds_are_added(void **state)
{
    const struct tl_usage usage = {.input_text_tokens = 119,
                                   .input_audio_tokens = 13,
                                   .cached_text_tokens = 60,
                                   .cached_audio_tokens = 4,
                                   .output_text_tokens = 30,
                                   .output_audio_tokens = 91};
    (void)state;
    /* 59*4 + 9*32 + 60*0.4 + 4*0.4 + 30*16 + 91*64 */
    assert_int_equal(cost("gpt-realtime", usage), 6854);
}

static void cost_is_rounded_to_the_nearest(void **state)
{
    (void)state;
    assert_int_equal(cost("gpt-realtime-mini", (struct tl_usage){.input_text_tokens = 1}), 1);
    assert_int_equal(cost("gpt-realtime-mini", (struct tl_usage){.input_text_tokens = 2}), 1);
    assert_int_equal(
        cost("gpt-realtime", (struct tl_usage){.cached_text_tokens = 1, .input_text_tokens = 1}),
        0);
    assert_int_equal(cost("gpt-realtime", (struct tl_usage){0}), 0);
}

static void longest_row_that_begins_the_model_counts(void **state)
{
    const struct tl_usage usage = {.output_audio_tokens = 1};
    (void)state;
    assert_int_equal(cost("gpt-realtime-2.1", usage), 64);
    assert_int_equal(cost("gpt-realtime-mini-2025-10-06", usage), 20);
}

static void model_without_a_row_costs_nothing(void **state)
{
    const struct tl_usage usage = {.output_audio_tokens = 1000};
    const struct tl_list none = {0};
    struct tl_usage named = usage;
    (void)state;
    assert_int_equal(cost("gpt-4o-realtime", usage), 0);
    assert_int_equal(cost("gpt-realtim", usage), 0);
    assert_int_equal(cost("", usage), 0);
    assert_int_equal(cost("broken", usage), 0);
    named.model = "gpt-realtime";
    assert_int_equal(tl_cost_microusd(&none, &named), 0);
}

static void rows_are_checked(void **state)
{
    static const char *const good[] = {"m=0,0,0,0,0,0,0", "m=1.5,2,3e1,0.25,4,5,0.006",
                                       "gpt-realtime-2.1=4,32,0.4,0.4,24,64,0"};
    static const char *const bad[] = {"",
                                      "m",
                                      "m=",
                                      "m=1,2,3,4,5,6",
                                      "m=1,2,3,4,5,6,7,8",
                                      "m=1,2,3,4,5,6,7 ",
                                      "m=1,2,,4,5,6,7",
                                      "m=1,2,x,4,5,6,7",
                                      "m=1;2;3;4;5;6;7",
                                      "m=-1,2,3,4,5,6,7",
                                      "m=nan,2,3,4,5,6,7",
                                      "m=inf,2,3,4,5,6,7",
                                      "m=1e999,2,3,4,5,6,7",
                                      "=1,2,3,4,5,6,7"};
    (void)state;
    for (size_t i = 0; i < TL_ARRAY_LEN(good); i++)
        assert_true(tl_cost_row_is_valid(good[i]));
    for (size_t i = 0; i < TL_ARRAY_LEN(bad); i++)
        if (tl_cost_row_is_valid(bad[i]))
            fail_msg("\"%s\" is valid", bad[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_token_has_its_price),
        cmocka_unit_test(cached_tokens_cost_their_own_price_alone),
        cmocka_unit_test(all_kinds_are_added),
        cmocka_unit_test(cost_is_rounded_to_the_nearest),
        cmocka_unit_test(longest_row_that_begins_the_model_counts),
        cmocka_unit_test(model_without_a_row_costs_nothing),
        cmocka_unit_test(rows_are_checked),
    };
    return cmocka_run_group_tests_name("conversation_cost", tests, NULL, NULL);
}
