#ifndef TL_BASE_LOG_H
#define TL_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

enum tl_log_level {
    TL_LOG_DEBUG,
    TL_LOG_INFO,
    TL_LOG_WARN,
    TL_LOG_ERROR,
};

/** Where a process's lines go: one JSON object a line,
 *  {"at":"2026-11-23T14:00:00.123Z","level":"info","event":"call.started","process":"ingest-0",…}.
 *  Any thread; a line is one write. */
struct tl_log {
    int fd;                  /* 2 unless a test says otherwise */
    enum tl_log_level level; /* lines below are dropped before they are formatted */
    const char *process;     /* e.g. "ingest-0"; borrowed */
};

enum tl_field_kind {
    TL_FIELD_END,
    TL_FIELD_STR,
    TL_FIELD_INT,
    TL_FIELD_NUM,
    TL_FIELD_BOOL,
};

struct tl_field {
    enum tl_field_kind kind;
    const char *name;
    union {
        const char *s; /* NULL becomes null */
        int64_t i;
        double n;
        bool b;
    };
};

#define TL_STR(field_name, v) ((struct tl_field){.kind = TL_FIELD_STR, .name = (field_name), .s = (v)})
#define TL_INT(field_name, v)                                                                      \
    ((struct tl_field){.kind = TL_FIELD_INT, .name = (field_name), .i = (int64_t)(v)})
#define TL_NUM(field_name, v) ((struct tl_field){.kind = TL_FIELD_NUM, .name = (field_name), .n = (v)})
#define TL_BOOL(field_name, v)                                                                     \
    ((struct tl_field){.kind = TL_FIELD_BOOL, .name = (field_name), .b = (v)})

/** Writes a line: an event name ("area.what_happened") and fields, ended by kind END. Never keys,
 *  tokens, audio or whole transcripts. Use the macros below:
 *  tl_log_warn(log, "call.state_refused", TL_STR("call_id", id), TL_INT("sequence", n)); */
void tl_log_write(const struct tl_log *log, enum tl_log_level level, const char *event,
                  const struct tl_field *fields);

#define TL_LOG_AT(log, lvl, event, ...)                                                            \
    do {                                                                                           \
        if ((log)->level <= (lvl))                                                                 \
            tl_log_write((log), (lvl), (event),                                                    \
                         (const struct tl_field[]){__VA_ARGS__ __VA_OPT__(, ){.kind = TL_FIELD_END}}); \
    } while (0)
#define tl_log_debug(log, event, ...) TL_LOG_AT(log, TL_LOG_DEBUG, event, __VA_ARGS__)
#define tl_log_info(log, event, ...) TL_LOG_AT(log, TL_LOG_INFO, event, __VA_ARGS__)
#define tl_log_warn(log, event, ...) TL_LOG_AT(log, TL_LOG_WARN, event, __VA_ARGS__)
#define tl_log_error(log, event, ...) TL_LOG_AT(log, TL_LOG_ERROR, event, __VA_ARGS__)

/** "debug", "info", "warn", "error" to a level; false for anything else. */
bool tl_log_level_parse(const char *text, enum tl_log_level *ret_level);

#endif
