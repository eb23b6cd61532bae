/* Stored segments: what can be read is within its bounds, stands in whole blocks, and is found at
 * the places that its entries say. The CRCs are set right first: a fuzzer finds none, and it is
 * what stands behind them that is to be tried. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "sinks/recordings/segment.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void mend(uint8_t *data, size_t size)
{
    uint32_t head = size < TL_SEGMENT_FIXED
                        ? 0
                        : (uint32_t)data[52] << 24 | data[53] << 16 | data[54] << 8 | data[55];
    if (head < 4 || head > size)
        return;
    uint32_t crc = (uint32_t)crc32(0, data, (uInt)head - 4);
    for (int i = 0; i < 4; i++)
        data[head - 4 + (uint32_t)i] = (uint8_t)(crc >> (24 - 8 * i));
}

static void walk(const struct tl_segment *s)
{
    struct tl_segment_cursor cursor = {0};
    struct tl_segment_entry e;
    uint32_t n = 0, sound = 0;

    while (tl_segment_next(s, &cursor, &e)) {
        assert(e.sound == sound && e.n_last >= e.n && strlen(e.text) <= TL_SEGMENT_TEXT_MAX);
        sound += e.len;
        n++;
    }
    assert(n == s->entries_n && sound == s->sound_bytes);
}

static void try_one(const uint8_t *data, size_t size)
{
    struct tl_segment s, whole;
    struct tl_error err;

    if (tl_segment_decode_head((struct tl_bytes){data, size}, &s, &err) != TL_OK) {
        assert(err.status == TL_INVALID && err.msg[0]);
        return;
    }
    assert(s.head_bytes <= size && s.sound_bytes <= TL_SEGMENT_SOUND_MAX);
    walk(&s);
    if (tl_segment_decode((struct tl_bytes){data, size}, &whole, &err) == TL_OK)
        assert(size == (size_t)s.head_bytes + s.sound_bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *mended = malloc(size ? size : 1);

    if (!mended)
        abort();
    try_one(data, size);
    memcpy(mended, data, size);
    mend(mended, size);
    try_one(mended, size);
    free(mended);
    return 0;
}
