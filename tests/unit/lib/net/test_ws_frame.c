/* Frames of the sending side, RFC 6455 section 5.7's examples first: net/ws_frame.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "net/ws_frame.h"

static void the_examples_of_the_rfc_come_out(void **state)
{
    static const uint8_t mask[] = {0x37, 0xfa, 0x21, 0x3d};
    uint8_t to[32];

    (void)state;
    assert_int_equal(tl_ws_frame_write(to, TL_WS_TEXT, NULL, "Hello", 5), 7);
    assert_memory_equal(to, "\x81\x05Hello", 7);
    assert_int_equal(tl_ws_frame_write(to, TL_WS_TEXT, mask, "Hello", 5), 11);
    assert_memory_equal(to, "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", 11);
    assert_int_equal(tl_ws_frame_write(to, TL_WS_PING, NULL, "Hello", 5), 7);
    assert_memory_equal(to, "\x89\x05Hello", 7);
}

static void lengths_take_the_shortest_form(void **state)
{
    static const struct {
        size_t len, size;
        const char *head;
    } cases[] = {
        {0, 2, "\x82\x00"},
        {125, 127, "\x82\x7d"},
        {126, 130, "\x82\x7e\x00\x7e"},
        {65535, 65539, "\x82\x7e\xff\xff"},
        {65536, 65546, "\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00"},
    };
    static uint8_t to[70000], from[70000];
    static const uint8_t mask[] = {9, 8, 7, 6};

    (void)state;
    for (size_t i = 0; i < sizeof(from); i++)
        from[i] = (uint8_t)(i * 7);
    for (size_t i = 0; i < TL_ARRAY_LEN(cases); i++) {
        size_t head = cases[i].size - cases[i].len;
        assert_int_equal(tl_ws_frame_size(cases[i].len, 0), cases[i].size);
        assert_int_equal(tl_ws_frame_write(to, TL_WS_BINARY, NULL, from, cases[i].len),
                         cases[i].size);
        assert_memory_equal(to, cases[i].head, head);
        assert_memory_equal(to + head, from, cases[i].len);
        assert_int_equal(tl_ws_frame_measure(to), cases[i].size);

        assert_int_equal(tl_ws_frame_write(to, TL_WS_BINARY, mask, from, cases[i].len),
                         cases[i].size + 4);
        assert_int_equal(tl_ws_frame_measure(to), cases[i].size + 4);
        for (size_t k = 0; k < cases[i].len; k++)
            assert_int_equal(to[head + 4 + k], from[k] ^ mask[k & 3]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_examples_of_the_rfc_come_out),
        cmocka_unit_test(lengths_take_the_shortest_form),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
