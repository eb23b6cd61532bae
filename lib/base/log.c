/* Structured log lines: see log.h. */
#include "base/log.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"

#define LINE_BYTES_MAX 16384

static const char *const level_names[] = {"debug", "info", "warn", "error"};

static void add_json_string(struct tl_buf *b, const char *s)
{
    tl_buf_add_char(b, '"');
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        if (c == '"' || c == '\\')
            tl_buf_printf(b, "\\%c", c);
        else if (c < 0x20)
            tl_buf_printf(b, "\\u%04x", c);
        else
            tl_buf_add_char(b, (char)c);
    }
    tl_buf_add_char(b, '"');
}

static void add_field(struct tl_buf *b, const struct tl_field *f)
{
    tl_buf_add_char(b, ',');
    add_json_string(b, f->name);
    tl_buf_add_char(b, ':');
    switch (f->kind) {
    case TL_FIELD_STR:
        if (f->s)
            add_json_string(b, f->s);
        else
            tl_buf_add_str(b, "null");
        break;
    case TL_FIELD_INT:
        tl_buf_printf(b, "%" PRId64, f->i);
        break;
    case TL_FIELD_NUM:
        if (isfinite(f->n))
            tl_buf_printf(b, "%.9g", f->n);
        else
            tl_buf_add_str(b, "null");
        break;
    case TL_FIELD_BOOL:
        tl_buf_add_str(b, f->b ? "true" : "false");
        break;
    case TL_FIELD_END:
        break;
    }
}

void tl_log_write(const struct tl_log *log, enum tl_log_level level, const char *event,
                  const struct tl_field *fields)
{
    struct tl_buf b;
    struct timespec now;
    struct tm tm;
    char at[32];

    if (level < log->level)
        return;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &tm);
    (void)strftime(at, sizeof(at), "%Y-%m-%dT%H:%M:%S", &tm); /* 19 bytes, always fits */

    tl_buf_init(&b, LINE_BYTES_MAX);
    tl_buf_printf(&b, "{\"at\":\"%s.%03ldZ\",\"level\":\"%s\",\"event\":", at, now.tv_nsec / 1000000,
                  level_names[level]);
    add_json_string(&b, event);
    if (log->process) {
        tl_buf_add_str(&b, ",\"process\":");
        add_json_string(&b, log->process);
    }
    for (; fields->kind != TL_FIELD_END; fields++)
        add_field(&b, fields);
    if (b.full) { /* a cut line would not be JSON */
        tl_buf_reset(&b);
        tl_buf_printf(&b, "{\"at\":\"%s.%03ldZ\",\"level\":\"%s\",\"event\":\"log.line_too_long\"", at,
                      now.tv_nsec / 1000000, level_names[level]);
    }
    tl_buf_add_str(&b, "}\n");
    (void)!write(log->fd, b.data, b.len); /* a full disk must not stop a call */
    tl_buf_finish(&b);
}

bool tl_log_level_parse(const char *text, enum tl_log_level *ret_level)
{
    for (size_t i = 0; i < TL_ARRAY_LEN(level_names); i++)
        if (strcmp(text, level_names[i]) == 0) {
            *ret_level = (enum tl_log_level)i;
            return true;
        }
    return false;
}
