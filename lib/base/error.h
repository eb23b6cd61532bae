#ifndef TL_BASE_ERROR_H
#define TL_BASE_ERROR_H

#include <stddef.h>

/** What becomes of the work, so that nobody parses text. */
enum tl_status {
    TL_OK = 0,
    TL_INVALID,   /* bad input: dead letter, HTTP 400 */
    TL_NOT_FOUND, /* HTTP 404 */
    TL_DENIED,    /* HTTP 403 */
    TL_CONFLICT,  /* HTTP 409 */
    TL_RETRY,     /* a dependency is away or something is full: back off, HTTP 503 */
    TL_FATAL,     /* stop the process; nothing is stored */
};

/** The story behind a status. The caller's, fixed size, never NULL. */
struct tl_error {
    enum tl_status status;
    char msg[512];
};

#define TL_MUST_CHECK __attribute__((warn_unused_result))
#define TL_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

/** Runs fn(&variable) when the variable's scope ends; fn accepts NULL in it. */
#define TL_CLEANUP(fn) __attribute__((cleanup(fn)))

/** Yields the pointer p and leaves NULL in it: ownership moves. */
#define TL_TAKE(p)                                                                                 \
    ({                                                                                             \
        __typeof__(p) *tl_take_ = &(p);                                                            \
        __typeof__(p) tl_taken_ = *tl_take_;                                                       \
        *tl_take_ = NULL;                                                                          \
        tl_taken_;                                                                                 \
    })

#define TL_ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/** Stores status and message and returns the status, so that a failure is one statement. */
enum tl_status tl_fail(struct tl_error *err, enum tl_status status, const char *fmt, ...)
    TL_PRINTF(3, 4);

/** Puts "prefix: " before the message that stands in err; returns err->status. */
enum tl_status tl_fail_prefix(struct tl_error *err, const char *fmt, ...) TL_PRINTF(2, 3);

/** "ok", "invalid", "not_found", "denied", "conflict", "retry", "fatal". */
const char *tl_status_name(enum tl_status status);

#endif
