/* replies.h: a repeated webhook gets the document that it got. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "ingest/webhook/replies.h"

static int set_up(void **state)
{
    *state = tl_replies_create();
    return 0;
}

static int tear_down(void **state)
{
    tl_replies_destroy(*state);
    return 0;
}

static void put(struct tl_replies *r, const char *key, const char *text)
{
    tl_replies_put(r, key, text, strlen(text));
}

static bool is(struct tl_replies *r, const char *key, const char *text)
{
    struct tl_bytes bytes;
    return tl_replies_get(r, key, &bytes) && bytes.len == strlen(text) &&
           memcmp(bytes.data, text, bytes.len) == 0;
}

static void get_gives_what_was_put(void **state)
{
    struct tl_bytes bytes;
    assert_false(tl_replies_get(*state, "a", &bytes));
    assert_false(tl_replies_get(*state, "", &bytes));
    put(*state, "a", "<Response/>");
    put(*state, "b", "");
    assert_true(is(*state, "a", "<Response/>"));
    assert_true(is(*state, "b", "")); /* empty is an answer too */
    assert_false(tl_replies_get(*state, "c", &bytes));
}

static void put_copies(void **state)
{
    char text[] = "first", key[] = "a";
    put(*state, key, text);
    memset(text, 'x', 5);
    key[0] = 'z';
    assert_true(is(*state, "a", "first"));
}

static void oldest_falls_out(void **state)
{
    char key[32];
    struct tl_bytes bytes;
    for (int i = 0; i < TL_REPLIES_MAX + 3; i++) {
        (void)snprintf(key, sizeof(key), "key-%d", i);
        put(*state, key, key);
    }
    for (int i = 0; i < TL_REPLIES_MAX + 3; i++) {
        (void)snprintf(key, sizeof(key), "key-%d", i);
        if (i < 3)
            assert_false(tl_replies_get(*state, key, &bytes));
        else
            assert_true(is(*state, key, key));
    }
}

/* Of two keys that are alike up to the room neither gets the other one's document. */
static void long_keys_are_never_mistaken(void **state)
{
    char a[400], b[400];
    struct tl_bytes bytes;
    memset(a, 'k', sizeof(a));
    memset(b, 'k', sizeof(b));
    a[398] = 'a';
    b[398] = 'b';
    a[399] = b[399] = '\0';
    put(*state, a, "of a");
    assert_false(tl_replies_get(*state, b, &bytes));
}

static void destroy_accepts_nothing(void **state)
{
    (void)state;
    tl_replies_destroy(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(get_gives_what_was_put),
        TEST(put_copies),
        TEST(oldest_falls_out),
        TEST(long_keys_are_never_mistaken),
        cmocka_unit_test(destroy_accepts_nothing),
    };
    return cmocka_run_group_tests_name("replies", tests, NULL, NULL);
}
