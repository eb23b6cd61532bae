/* Statuses and their stories: see error.h. */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum tl_status tl_fail(struct tl_error *err, enum tl_status status, const char *fmt, ...)
{
    va_list ap;

    err->status = status;
    va_start(ap, fmt);
    (void)vsnprintf(err->msg, sizeof(err->msg), fmt, ap); /* cut when longer: for people only */
    va_end(ap);
    return status;
}

enum tl_status tl_fail_prefix(struct tl_error *err, const char *fmt, ...)
{
    char old[sizeof(err->msg)];
    va_list ap;

    memcpy(old, err->msg, sizeof(old));
    va_start(ap, fmt);
    int n = vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
    va_end(ap);
    int room = (int)sizeof(err->msg) - n - 3; /* the colon, the blank, the NUL */
    if (n >= 0 && room > 0)
        (void)snprintf(err->msg + n, (size_t)room + 3, ": %.*s", room, old);
    return err->status;
}

const char *tl_status_name(enum tl_status status)
{
    switch (status) {
    case TL_OK:
        return "ok";
    case TL_INVALID:
        return "invalid";
    case TL_NOT_FOUND:
        return "not_found";
    case TL_DENIED:
        return "denied";
    case TL_CONFLICT:
        return "conflict";
    case TL_RETRY:
        return "retry";
    case TL_FATAL:
        return "fatal";
    }
    return "unknown";
}
