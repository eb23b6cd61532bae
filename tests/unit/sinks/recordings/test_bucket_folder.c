/* Objects in a folder, and the names of objects: sinks/recordings/store.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/time.h"
#include "sinks/recordings/store.h"

struct site {
    char folder[64];
    struct tl_bucket *bucket;
};

static int setup(void **state)
{
    struct site *site = calloc(1, sizeof(*site));
    struct tl_error err;

    assert_non_null(site);
    (void)snprintf(site->folder, sizeof(site->folder), "/tmp/tl-bucket-XXXXXX");
    assert_non_null(mkdtemp(site->folder));
    const struct tl_store_options options = {.folder = site->folder};
    assert_int_equal(tl_bucket_open(&options, &site->bucket, &err), TL_OK);
    *state = site;
    return 0;
}

static int forget(const char *path, const struct stat *st, int what, struct FTW *ftw)
{
    (void)st;
    (void)what;
    (void)ftw;
    return remove(path);
}

static int teardown(void **state)
{
    struct site *site = *state;

    tl_bucket_close(site->bucket);
    assert_int_equal(nftw(site->folder, forget, 8, FTW_DEPTH | FTW_PHYS), 0);
    free(site);
    return 0;
}

static void put(struct site *site, const char *name, const char *text)
{
    struct tl_error err;

    if (tl_bucket_put(site->bucket, name, (struct tl_bytes){(const uint8_t *)text, strlen(text)},
                      &err) != TL_OK)
        fail_msg("%s", err.msg);
}

static void check(struct site *site, const char *name, int64_t from, size_t len, const char *text)
{
    TL_CLEANUP(tl_buf_finish) struct tl_buf out;
    struct tl_error err;

    tl_buf_init(&out, 1u << 20);
    if (tl_bucket_get(site->bucket, name, from, len, &out, &err) != TL_OK)
        fail_msg("%s", err.msg);
    assert_string_equal(tl_buf_str(&out), text);
}

static void names_that_lead_elsewhere_are_none(void **state)
{
    static const char *const bad[] = {"",         ".",    "..",  "/a",  "a/",   "a//b", "a/../b",
                                      "../a",     "a/.b", ".a",  "a b", "a\nb", "a\\b", "a%2fb",
                                      "\xc3\xa4", "a/..", "a?b", "a:b", "a*"};
    static const char *const good[] = {"a", "a.wav", "a/b/c-1_2.wav", "A..b", "1/2"};
    char name[TL_STORE_NAME_MAX + 2];
    struct site *site = *state;
    struct tl_error err;

    for (size_t i = 0; i < TL_ARRAY_LEN(bad); i++) {
        if (tl_store_is_name(bad[i]))
            fail_msg("taken: %s", bad[i]);
        assert_int_equal(tl_bucket_put(site->bucket, bad[i], (struct tl_bytes){0}, &err),
                         TL_INVALID);
        assert_int_equal(tl_bucket_delete(site->bucket, bad[i], &err), TL_INVALID);
    }
    for (size_t i = 0; i < TL_ARRAY_LEN(good); i++)
        if (!tl_store_is_name(good[i]))
            fail_msg("refused: %s", good[i]);
    memset(name, 'a', sizeof(name));
    name[TL_STORE_NAME_MAX + 1] = '\0';
    assert_false(tl_store_is_name(name));
    name[TL_STORE_NAME_MAX] = '\0';
    assert_true(tl_store_is_name(name));
}

static void what_was_put_is_got_in_parts(void **state)
{
    struct site *site = *state;
    TL_CLEANUP(tl_buf_finish) struct tl_buf out;
    struct tl_error err;

    put(site, "a/b/c", "0123456789");
    check(site, "a/b/c", 0, 100, "0123456789");
    check(site, "a/b/c", 3, 4, "3456");
    check(site, "a/b/c", 8, 4, "89");
    check(site, "a/b/c", 10, 4, "");
    put(site, "a/b/c", "new"); /* instead of the old */
    check(site, "a/b/c", 0, 100, "new");
    put(site, "empty", "");
    check(site, "empty", 0, 1, "");
    tl_buf_init(&out, 2);
    assert_int_equal(tl_bucket_get(site->bucket, "a/b/c", 0, 9, &out, &err), TL_INVALID);
    assert_int_equal(tl_bucket_get(site->bucket, "a/b/x", 0, 9, &out, &err), TL_NOT_FOUND);
    assert_int_equal(tl_bucket_get(site->bucket, "a/b", 0, 9, &out, &err), TL_NOT_FOUND);
}

static void a_file_is_put_whole(void **state)
{
    struct site *site = *state;
    char path[128], *text = malloc(200001);
    struct tl_error err;

    assert_non_null(text);
    for (int i = 0; i < 200000; i++)
        text[i] = (char)('a' + i % 23);
    text[200000] = '\0';
    (void)snprintf(path, sizeof(path), "%s/.source", site->folder);
    FILE *file = fopen(path, "wbe");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, 200000, file), 200000);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(tl_bucket_put_file(site->bucket, "x/y.wav", path, &err), TL_OK);
    check(site, "x/y.wav", 0, 300000, text);
    assert_int_equal(tl_bucket_put_file(site->bucket, "x/z", "/nowhere", &err), TL_NOT_FOUND);
    free(text);
}

static void a_link_is_not_followed(void **state)
{
    struct site *site = *state;
    TL_CLEANUP(tl_buf_finish) struct tl_buf out;
    char path[128];
    struct tl_error err;

    (void)snprintf(path, sizeof(path), "%s/link", site->folder);
    assert_int_equal(symlink("/etc/passwd", path), 0);
    tl_buf_init(&out, 4096);
    assert_int_not_equal(tl_bucket_get(site->bucket, "link", 0, 100, &out, &err), TL_OK);
    assert_int_equal(out.len, 0);
}

static size_t list(struct site *site, const char *prefix, const char *after, size_t max,
                   struct tl_store_object *objects)
{
    struct tl_error err;
    size_t n;

    if (tl_bucket_list(site->bucket, prefix, after, max, objects, &n, &err) != TL_OK)
        fail_msg("%s", err.msg);
    return n;
}

static void lists_are_in_order_and_go_on(void **state)
{
    struct site *site = *state;
    static struct tl_store_object o[10];

    put(site, "b/2", "22");
    put(site, "b/10", "1");
    put(site, "b-1", "333");
    put(site, "a", "");
    put(site, "c/d/e", "");
    assert_int_equal(list(site, "", "", 10, o), 5);
    assert_string_equal(o[0].name, "a");
    assert_string_equal(o[1].name, "b-1"); /* '-' comes before '/' */
    assert_string_equal(o[2].name, "b/10");
    assert_string_equal(o[3].name, "b/2");
    assert_string_equal(o[4].name, "c/d/e");
    assert_int_equal(o[3].bytes, 2);
    assert_in_range(o[3].changed_at, tl_now_ms() - 60000, tl_now_ms() + 1000);
    assert_int_equal(list(site, "b/", "", 10, o), 2);
    assert_int_equal(list(site, "b", "", 2, o), 2);
    assert_string_equal(o[1].name, "b/10");
    assert_int_equal(list(site, "b", "b/10", 2, o), 1);
    assert_string_equal(o[0].name, "b/2");
    assert_int_equal(list(site, "nothing/", "", 10, o), 0);
}

static void set_age(struct site *site, const char *name, int64_t age_ms)
{
    int64_t at = tl_now_ms() - age_ms;
    const struct timespec times[2] = {{at / 1000, 0}, {at / 1000, 0}};
    char path[128];

    (void)snprintf(path, sizeof(path), "%s/%s", site->folder, name);
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static void what_is_old_expires(void **state)
{
    struct site *site = *state;
    static struct tl_store_object o[10];
    char name[96];
    struct tl_error err;
    size_t n;

    for (int i = 0; i < 250; i++) { /* more than are looked at once */
        (void)snprintf(name, sizeof(name), "calls/%03d/x", i);
        put(site, name, "x");
        set_age(site, name, i == 7 ? 0 : 100000000);
    }
    put(site, "other/x", "x");
    set_age(site, "other/x", 100000000);
    assert_int_equal(tl_bucket_expire(site->bucket, "calls/", tl_now_ms() - 50000000, &n, &err),
                     TL_OK);
    assert_int_equal(n, 249);
    assert_int_equal(list(site, "", "", 10, o), 2);
    assert_string_equal(o[0].name, "calls/007/x");
    (void)snprintf(name, sizeof(name), "%s/calls/003", site->folder);
    assert_int_not_equal(access(name, F_OK), 0); /* nor are empty folders left */
}

static void what_a_dead_process_left_is_not_listed_and_goes(void **state)
{
    struct site *site = *state;
    static struct tl_store_object o[10];
    const char *left = ".00000000-0000-4000-8000-000000000000";
    char path[128];

    (void)snprintf(path, sizeof(path), "%s/%s", site->folder, left);
    FILE *file = fopen(path, "wbe");
    assert_non_null(file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(list(site, "", "", 10, o), 0);
    assert_int_equal(access(path, F_OK), 0); /* perhaps it is being written */
    set_age(site, left, 200000000);
    assert_int_equal(list(site, "", "", 10, o), 0);
    assert_int_not_equal(access(path, F_OK), 0);
}

static void deleting_what_is_not_there_is_done(void **state)
{
    struct site *site = *state;
    struct tl_error err;

    put(site, "a/b", "x");
    assert_int_equal(tl_bucket_delete(site->bucket, "a/b", &err), TL_OK);
    assert_int_equal(tl_bucket_delete(site->bucket, "a/b", &err), TL_OK);
}

static void no_folder_no_bucket(void **state)
{
    const struct tl_store_options options = {.folder = "/nowhere/at/all"};
    struct tl_bucket *bucket;
    struct tl_error err;

    (void)state;
    assert_int_equal(tl_bucket_open(&options, &bucket, &err), TL_INVALID);
    assert_non_null(strstr(err.msg, "/nowhere/at/all"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(names_that_lead_elsewhere_are_none, setup, teardown),
        cmocka_unit_test_setup_teardown(what_was_put_is_got_in_parts, setup, teardown),
        cmocka_unit_test_setup_teardown(a_file_is_put_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(a_link_is_not_followed, setup, teardown),
        cmocka_unit_test_setup_teardown(lists_are_in_order_and_go_on, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_old_expires, setup, teardown),
        cmocka_unit_test_setup_teardown(what_a_dead_process_left_is_not_listed_and_goes, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(deleting_what_is_not_there_is_done, setup, teardown),
        cmocka_unit_test(no_folder_no_bucket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
