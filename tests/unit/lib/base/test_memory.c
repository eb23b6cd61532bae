/* buf.h, arena.h and error.h: maxima hold, and nothing is half done. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <stdbool.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"

static void an_append_that_does_not_fit_adds_nothing_and_is_remembered(void **state)
{
    struct tl_buf b;
    (void)state;
    tl_buf_init(&b, 10);
    tl_buf_add_str(&b, "12345678");
    tl_buf_add_str(&b, "abc");
    assert_true(b.full);
    assert_string_equal(tl_buf_str(&b), "12345678");
    tl_buf_add_str(&b, "90"); /* what fits may still follow */
    assert_int_equal(b.len, 10);
    assert_true(b.full);
    tl_buf_reset(&b);
    assert_false(b.full);
    assert_string_equal(tl_buf_str(&b), "");
    assert_null(tl_buf_reserve(&b, (size_t)-1));
    tl_buf_finish(&b);
}

static void buf_printf_takes_long_text_and_keeps_the_nul(void **state)
{
    struct tl_buf b;
    char longer[1000];
    (void)state;
    memset(longer, 'x', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = 0;
    tl_buf_init(&b, 1999);
    tl_buf_printf(&b, "%d-%s", 7, longer);
    assert_int_equal(b.len, 1001);
    assert_int_equal(b.data[b.len], 0);
    tl_buf_printf(&b, "%s", longer);
    assert_true(b.full);
    assert_int_equal(b.len, 1001);
    tl_buf_finish(&b);
    tl_buf_finish(&b); /* twice does no harm */
}

static void an_empty_buf_is_an_empty_string(void **state)
{
    struct tl_buf b = {0};
    (void)state;
    assert_string_equal(tl_buf_str(&b), "");
    tl_buf_finish(&b);
}

static void an_arena_keeps_to_its_maximum(void **state)
{
    struct tl_arena a = {.max_bytes = 64};
    (void)state;
    assert_non_null(tl_arena_alloc(&a, 32));
    assert_non_null(tl_arena_alloc(&a, 32));
    assert_null(tl_arena_alloc(&a, 1));
    assert_null(tl_arena_alloc(&a, (size_t)-1));
    assert_null(tl_arena_strdup(&a, "x"));
    tl_arena_reset(&a);
    assert_non_null(tl_arena_alloc(&a, 64));
    tl_arena_finish(&a);
    assert_int_equal(a.max_bytes, 64);
}

static void arena_memory_is_zeroed_aligned_and_stays(void **state)
{
    struct tl_arena a = {0};
    char *kept = tl_arena_strdup(&a, "kept");
    (void)state;
    for (size_t n = 1; n < 9000; n += 97) { /* past the size of a block */
        unsigned char *p = tl_arena_alloc(&a, n);
        assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
        for (size_t i = 0; i < n; i++)
            assert_int_equal(p[i], 0);
        memset(p, 0xff, n);
    }
    assert_string_equal(kept, "kept");
    tl_arena_reset(&a);
    unsigned char *again = tl_arena_alloc(&a, 4000); /* memory used before is zeroed anew */
    for (size_t i = 0; i < 4000; i++)
        assert_int_equal(again[i], 0);
    tl_arena_finish(&a);
}

static void arena_texts_are_copies(void **state)
{
    struct tl_arena a = {0};
    (void)state;
    assert_null(tl_arena_strdup(&a, NULL));
    assert_string_equal(tl_arena_strndup(&a, "abcdef", 3), "abc");
    assert_string_equal(tl_arena_strndup(&a, NULL, 0), "");
    assert_string_equal(tl_arena_printf(&a, "%s-%d", "x", 5), "x-5");
    tl_arena_finish(&a);
}

static void fail_stores_what_it_returns_and_cuts_long_stories(void **state)
{
    struct tl_error err;
    char longer[1000];
    (void)state;
    assert_int_equal(tl_fail(&err, TL_CONFLICT, "call %d", 7), TL_CONFLICT);
    assert_int_equal(err.status, TL_CONFLICT);
    assert_string_equal(err.msg, "call 7");
    assert_int_equal(tl_fail_prefix(&err, "load %s", "x"), TL_CONFLICT);
    assert_string_equal(err.msg, "load x: call 7");
    memset(longer, 'x', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = 0;
    (void)tl_fail(&err, TL_RETRY, "%s", longer); /* the cut is what is tested */
    assert_int_equal(strlen(err.msg), sizeof(err.msg) - 1);
    (void)tl_fail_prefix(&err, "front");
    assert_int_equal(strlen(err.msg), sizeof(err.msg) - 1);
    assert_memory_equal(err.msg, "front: xxx", 10);
    (void)tl_fail_prefix(&err, "%s", longer);
    assert_int_equal(strlen(err.msg), sizeof(err.msg) - 1);
    assert_string_equal(tl_status_name(TL_RETRY), "retry");
}

static int finished;

static void finish_int(int **p)
{
    if (*p)
        finished++;
    free(*p);
}

static int *make_or_not(bool keep)
{
    TL_CLEANUP(finish_int) int *made = malloc(sizeof(*made));

    return keep ? TL_TAKE(made) : NULL;
}

static void take_moves_ownership_out_of_a_cleanup(void **state)
{
    (void)state;
    int *kept = make_or_not(true);
    assert_non_null(kept);
    assert_int_equal(finished, 0);
    free(kept);
    assert_null(make_or_not(false));
    assert_int_equal(finished, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_append_that_does_not_fit_adds_nothing_and_is_remembered),
        cmocka_unit_test(buf_printf_takes_long_text_and_keeps_the_nul),
        cmocka_unit_test(an_empty_buf_is_an_empty_string),
        cmocka_unit_test(an_arena_keeps_to_its_maximum),
        cmocka_unit_test(arena_memory_is_zeroed_aligned_and_stays),
        cmocka_unit_test(arena_texts_are_copies),
        cmocka_unit_test(fail_stores_what_it_returns_and_cuts_long_stories),
        cmocka_unit_test(take_moves_ownership_out_of_a_cleanup),
    };
    return cmocka_run_group_tests_name("memory", tests, NULL, NULL);
}
