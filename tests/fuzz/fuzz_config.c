/* YAML bytes into settings: whatever stands in the file, the answer is settings or problems. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/config.h"

struct demo {
    const char *text;
    int64_t count;
    double ratio;
    bool flag;
    int64_t wait_ms;
    struct tl_list names;
};

static const struct tl_setting settings[] = {
    TL_SET_STRING(struct demo, text, "kafka.brokers", "localhost", "Text.", .max = 100),
    TL_SET_INT(struct demo, count, "kafka.linger", "5", 0, 1000, "Count."),
    TL_SET_NUMBER(struct demo, ratio, "demo.ratio", "0.5", 0, 1, "Ratio."),
    TL_SET_BOOL(struct demo, flag, "demo.flag", "false", "Flag."),
    TL_SET_DURATION(struct demo, wait_ms, "demo.wait", "1s", 0, 60000, "Wait."),
    TL_SET_LIST(struct demo, names, "demo.deep.names", "a,b", "Names.", .max = 8),
    {0},
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct demo demo;
    const struct tl_config_part parts[] = {{settings, &demo}, {0}};
    struct tl_config config;
    struct tl_error err;

    enum tl_status st =
        tl_config_load_text(&config, parts, NULL, "f", (const char *)data, size, NULL, &err);
    assert((st == TL_OK) == (config.problems_len == 0));
    assert(demo.count >= 0 && demo.count <= 1000); /* also when it was refused */
    assert(demo.ratio >= 0 && demo.ratio <= 1);
    assert(demo.wait_ms >= 0 && demo.wait_ms <= 60000);
    assert(strlen(demo.text) <= 100 && demo.names.len <= 8);
    tl_config_finish(&config);
    return 0;
}
