#ifndef TL_BASE_TIME_H
#define TL_BASE_TIME_H

#include <stdint.h>
#include <time.h>

#include "base/error.h"

/** Milliseconds since 1970-01-01T00:00:00Z; may jump. For records and people. */
static inline int64_t tl_now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/** Microseconds of a clock that never jumps. For timeouts and measuring. */
static inline int64_t tl_mono_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static inline int64_t tl_mono_ms(void)
{
    return tl_mono_us() / 1000;
}

#define TL_TIME_ISO_SIZE 32
#define TL_TIME_RFC2822_SIZE 32

/** "2026-11-23T14:00:00.123Z" of years 0..9999; others are printed as the nearest of these. */
void tl_time_format_iso(int64_t at_ms, char ret_text[TL_TIME_ISO_SIZE]);

/** RFC 3339: "2026-11-23T14:00:00Z", with up to 9 digits of a second (cut to milliseconds) and Z or
 *  an offset. TL_INVALID: anything else, or a day or time that does not exist. */
TL_MUST_CHECK enum tl_status tl_time_parse_iso(const char *text, int64_t *ret_at_ms,
                                               struct tl_error *err);

/** "Mon, 23 Nov 2026 14:00:00 +0000", as Twilio writes times. Whole seconds. */
void tl_time_format_rfc2822(int64_t at_ms, char ret_text[TL_TIME_RFC2822_SIZE]);

/** Reads the same, with any numeric offset, "GMT" or "UT"; the day of the week may be missing but
 * must not be wrong. TL_INVALID: anything else. */
TL_MUST_CHECK enum tl_status tl_time_parse_rfc2822(const char *text, int64_t *ret_at_ms,
                                                   struct tl_error *err);

#endif
