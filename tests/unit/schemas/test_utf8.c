/* The edges of UTF-8 (RFC 3629), at every place within and behind the eight-byte steps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "codec/utf8.h"

/* The verdict on a character with 0..20 plain letters before and behind it. */
static void check(const char *character, size_t len, bool want)
{
    for (size_t before = 0; before <= 20; before++) {
        for (size_t behind = 0; behind <= 20; behind += 5) {
            size_t n = before + len + behind;
            uint8_t *text = malloc(n ? n : 1); /* exactly, so that ASan sees a step too far */
            memset(text, 'x', n);
            memcpy(text + before, character, len);
            if (tl_utf8_is_text(text, n) != want)
                fail_msg("first byte %02x, %zu before, %zu behind", (uint8_t)character[0], before,
                         behind);
            free(text);
        }
    }
}

static void characters_are_taken(void **state)
{
    (void)state;
    static const char *const good[] = {
        "\x01",
        "\x7f",
        "\xc2\x80",
        "\xdf\xbf",
        "\xe0\xa0\x80",
        "\xed\x9f\xbf",
        "\xee\x80\x80",
        "\xef\xbf\xbf",
        "\xe1\x80\xbf",
        "\xe2\x82\xac",
        "\xf0\x90\x80\x80",
        "\xf4\x8f\xbf\xbf",
        "\xf1\x80\x80\xbf",
    };
    for (size_t i = 0; i < TL_ARRAY_LEN(good); i++)
        check(good[i], strlen(good[i]), true);
    assert_true(tl_utf8_is_text(NULL, 0));
}

static void what_is_none_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
    } bad[] = {
#define BAD(text) {text, sizeof(text) - 1}
        BAD("\0"), /* ends a string in C */
        BAD("\x80"),
        BAD("\xbf"), /* nothing to continue */
        BAD("\xc0\xaf"),
        BAD("\xc1\xbf"), /* overlong */
        BAD("\xe0\x9f\xbf"),
        BAD("\xf0\x8f\xbf\xbf"), /* overlong */
        BAD("\xed\xa0\x80"),
        BAD("\xed\xbf\xbf"), /* surrogates */
        BAD("\xf4\x90\x80\x80"),
        BAD("\xf5\x80\x80\x80"), /* above U+10FFFF */
        BAD("\xff"),
        BAD("\xfe"), /* never */
        BAD("\xc3"),
        BAD("\xe2\x82"), /* cut */
        BAD("\xf0\x9f\x93"),
        BAD("\xc3(\xa9"), /* cut by a letter */
        BAD("\xe2\x82("),
        BAD("\xe2(\xac"), /* cut by a letter */
        BAD("\xf0\x9f\x93("),
        BAD("\xf0\x9f(\x9e"), /* cut by a letter */
        BAD("\xe2\x82\xc2"),
        BAD("\xf0\x9f\x93\xff"), /* a head where a tail should be */
#undef BAD
    };
    for (size_t i = 0; i < TL_ARRAY_LEN(bad); i++)
        check(bad[i].bytes, bad[i].len, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(characters_are_taken),
        cmocka_unit_test(what_is_none_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
