/* Vectors made with kafka-clients 4.3.1. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "kafka/partitioner.h"

static const struct {
    const char *key;
    int32_t hash, of_12, of_48;
} VECTORS[] = {
    {"a", -1563381124, 4, 28},
    {"call-1", -120123562, 10, 22},
    {"00000000-0000-5000-8000-000000000001", -1021929076, 4, 28},
    {"3f2504e0-4f89-51d3-9a0c-0305e82c3301", 292449382, 10, 22},
    {"9b2c7a54-1d1e-5c1a-b8f3-6d2a1c0e4f77", -1955184242, 6, 30},
    {"\xc3\xbcmlaut", -104298453, 11, 11},
};

static void partition_is_the_java_clients(void **state)
{
    (void)state;
    for (size_t i = 0; i < TL_ARRAY_LEN(VECTORS); i++) {
        size_t len = strlen(VECTORS[i].key);

        assert_int_equal((int32_t)tl_murmur2(VECTORS[i].key, len), VECTORS[i].hash);
        assert_int_equal(tl_partition_of_key(VECTORS[i].key, len, 12), VECTORS[i].of_12);
        assert_int_equal(tl_partition_of_key(VECTORS[i].key, len, 48), VECTORS[i].of_48);
    }
}

/* Of every length of a tail (len mod 4); values of the Java client's own unit test. */
static void hash_takes_every_length_of_tail(void **state)
{
    (void)state;
    assert_int_equal((int32_t)tl_murmur2("21", 2), -973932308);
    assert_int_equal((int32_t)tl_murmur2("foobar", 6), -790332482);
    assert_int_equal((int32_t)tl_murmur2("a-little-bit-long-string", 24), -985981536);
    assert_int_equal((int32_t)tl_murmur2("a-little-bit-longer-string", 26), -1486304829);
    assert_int_equal((int32_t)tl_murmur2("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", 48),
                     -58897971);
    assert_int_equal((int32_t)tl_murmur2("abc", 3), 479470107);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(partition_is_the_java_clients),
        cmocka_unit_test(hash_takes_every_length_of_tail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
