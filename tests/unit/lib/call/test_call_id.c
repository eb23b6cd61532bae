/* call_id.h and claim.h: ids that everybody derives alike, and the order of claims. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "call/call_id.h"
#include "call/claim.h"

static const char *text_of(struct tl_uuid id)
{
    static char text[TL_UUID_TEXT_LEN + 1];
    tl_uuid_format(&id, text);
    return text;
}

static void call_id_is_the_same_for_the_same_sid(void **state)
{
    (void)state;
    struct tl_uuid a = tl_call_id_of_sid("CA00000000000000000000000000000001");
    struct tl_uuid b = tl_call_id_of_sid("CA00000000000000000000000000000001");
    struct tl_uuid c = tl_call_id_of_sid("CA00000000000000000000000000000002");
    assert_memory_equal(&a, &b, sizeof(a));
    assert_memory_not_equal(&a, &c, sizeof(a));
    assert_int_equal(text_of(a)[14], '5'); /* version */
}

static void event_id_changes_with_every_part(void **state)
{
    (void)state;
    const struct tl_uuid ids[] = {
        tl_event_id_derive("e1", "records", "calls.v1", 0),
        tl_event_id_derive("e2", "records", "calls.v1", 0),
        tl_event_id_derive("e1", "live", "calls.v1", 0),
        tl_event_id_derive("e1", "records", "quality.v1", 0),
        tl_event_id_derive("e1", "records", "calls.v1", 1),
    };
    struct tl_uuid again = tl_event_id_derive("e1", "records", "calls.v1", 0);
    assert_memory_equal(&again, &ids[0], sizeof(again));
    for (size_t i = 0; i < TL_ARRAY_LEN(ids); i++)
        for (size_t k = 0; k < i; k++)
            assert_memory_not_equal(&ids[i], &ids[k], sizeof(ids[i]));
}

static void event_id_takes_names_longer_than_its_room(void **state)
{
    char source[400];
    (void)state;
    memset(source, 'x', sizeof(source) - 1);
    source[sizeof(source) - 1] = '\0';
    struct tl_uuid a = tl_event_id_derive(source, "records", "calls.v1", 0);
    struct tl_uuid b = tl_event_id_derive(source, "records", "calls.v1", 0);
    assert_memory_equal(&a, &b, sizeof(a));
}

/* Number before offset before session: each row is below the next. */
static const struct tl_claim rising[] = {
    {.number = -1, .offset = -1, .session = 0}, {.number = 1, .offset = -1, .session = 0},
    {.number = 1, .offset = 5, .session = 0},   {.number = 1, .offset = 5, .session = 9},
    {.number = 1, .offset = 6, .session = 1},   {.number = 1, .offset = 5000000000, .session = 0},
    {.number = 2, .offset = 0, .session = 0},   {.number = 2, .offset = 0, .session = 1},
    {.number = 10, .offset = 0, .session = 0},
};

static int sign(int n)
{
    return (n > 0) - (n < 0);
}

static void claims_are_compared_number_offset_session(void **state)
{
    (void)state;
    for (size_t i = 0; i < TL_ARRAY_LEN(rising); i++)
        for (size_t k = 0; k < TL_ARRAY_LEN(rising); k++)
            assert_int_equal(sign(tl_claim_compare(&rising[i], &rising[k])), (i > k) - (i < k));
}

static void attachments_are_compared_without_the_session(void **state)
{
    (void)state;
    assert_int_equal(tl_attachment_compare(&rising[2], &rising[3]), 0);
    assert_true(tl_attachment_compare(&rising[3], &rising[4]) < 0);
    assert_true(tl_attachment_compare(&rising[6], &rising[5]) > 0);
}

static void positions_are_compared_number_offset_n(void **state)
{
    static const struct tl_position p[] = {{1, 5, 0}, {1, 5, 1}, {1, 5, 5000000000},
                                           {1, 6, 0}, {2, 0, 0}, {2, 0, 7}};
    (void)state;
    for (size_t i = 0; i < TL_ARRAY_LEN(p); i++)
        for (size_t k = 0; k < TL_ARRAY_LEN(p); k++)
            assert_int_equal(sign(tl_position_compare(&p[i], &p[k])), (i > k) - (i < k));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(call_id_is_the_same_for_the_same_sid),
        cmocka_unit_test(event_id_changes_with_every_part),
        cmocka_unit_test(event_id_takes_names_longer_than_its_room),
        cmocka_unit_test(claims_are_compared_number_offset_session),
        cmocka_unit_test(attachments_are_compared_without_the_session),
        cmocka_unit_test(positions_are_compared_number_offset_n),
    };
    return cmocka_run_group_tests_name("call_id", tests, NULL, NULL);
}
