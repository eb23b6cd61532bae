#ifndef TL_BASE_CONFIG_H
#define TL_BASE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"

/** What a setting's text becomes in the C field at its offset. */
enum tl_setting_type {
    TL_SETTING_STRING,   /* const char *, never NULL; min..max count bytes */
    TL_SETTING_INT,      /* int64_t */
    TL_SETTING_NUMBER,   /* double, finite */
    TL_SETTING_BOOL,     /* bool: true, false */
    TL_SETTING_DURATION, /* int64_t, milliseconds; text "250ms", "1.5s", "10m", "2h", "7d", "0" */
    TL_SETTING_LIST, /* struct tl_list: a YAML sequence, or text with commas; min..max count items
                      */
};

/** The value of a TL_SETTING_LIST; owned by the config that loaded it. */
struct tl_list {
    const char *const *item;
    size_t len;
};

/** One setting. A part of a program (a library, a role) has a table of them, ended by a row whose
 *  name is NULL, and a struct that they are loaded into. Use the macros below:
 *
 *      const struct tl_setting tl_ingest_settings[] = {
 *          TL_SET_STRING(struct tl_ingest_settings, listen, "ingest.listen", "127.0.0.1:8080",
 *                        "Address and port of the public listener."),
 *          TL_SET_INT(struct tl_ingest_settings, calls_max, "ingest.calls_max", "1000", 1, 100000,
 *                     "Calls held at once; more are refused with a sentence."),
 *          {0},
 *      };
 */
struct tl_setting {
    const char *name; /* "section.name", lower case; also its place in the YAML file */
    enum tl_setting_type type;
    size_t offset;        /* of the field in the part's struct */
    const char *fallback; /* the default, as text; NULL is "" */
    double min, max;      /* both 0: no limit; durations: milliseconds */
    const char *env;      /* a variable beside TRUNKLINE_<SECTION>_<NAME>, e.g. "KAFKA_BROKERS" */
    const char *choices;  /* the only texts allowed, "debug,info,warn,error", or NULL */
    /** Why a text (or a list's item) that is not empty is wrong, "is not a URL", or NULL. Of
     *  TL_SETTING_STRING and TL_SETTING_LIST. */
    const char *(*check)(const char *text);
    bool secret;     /* its value is never printed */
    bool required;   /* must not be empty in a program that loads it */
    const char *doc; /* a sentence */
};

/* The trailing arguments are designated initialisers: .env = "REDIS_URL", .secret = true. */
#define TL_SET_STRING(type_, field_, name_, fallback_, doc_, ...)                                  \
    TL_SET_(TL_SETTING_STRING, type_, field_, name_, fallback_, doc_ __VA_OPT__(, ) __VA_ARGS__)
#define TL_SET_LIST(type_, field_, name_, fallback_, doc_, ...)                                    \
    TL_SET_(TL_SETTING_LIST, type_, field_, name_, fallback_, doc_ __VA_OPT__(, ) __VA_ARGS__)
#define TL_SET_BOOL(type_, field_, name_, fallback_, doc_, ...)                                    \
    TL_SET_(TL_SETTING_BOOL, type_, field_, name_, fallback_, doc_ __VA_OPT__(, ) __VA_ARGS__)
#define TL_SET_INT(type_, field_, name_, fallback_, min_, max_, doc_, ...)                         \
    TL_SET_(TL_SETTING_INT, type_, field_, name_, fallback_, doc_, .min = (min_),                  \
            .max = (max_)__VA_OPT__(, ) __VA_ARGS__)
#define TL_SET_NUMBER(type_, field_, name_, fallback_, min_, max_, doc_, ...)                      \
    TL_SET_(TL_SETTING_NUMBER, type_, field_, name_, fallback_, doc_, .min = (min_),               \
            .max = (max_)__VA_OPT__(, ) __VA_ARGS__)
#define TL_SET_DURATION(type_, field_, name_, fallback_, min_ms_, max_ms_, doc_, ...)              \
    TL_SET_(TL_SETTING_DURATION, type_, field_, name_, fallback_, doc_, .min = (min_ms_),          \
            .max = (max_ms_)__VA_OPT__(, ) __VA_ARGS__)
#define TL_SET_(kind_, type_, field_, name_, fallback_, doc_, ...)                                 \
    {                                                                                              \
        .name = (name_), .type = (kind_), .offset = offsetof(type_, field_),                       \
        .fallback = (fallback_), .doc = (doc_)__VA_OPT__(, ) __VA_ARGS__                           \
    }

/** A table that this program loads, and where to. A list of them ends with a zeroed one. */
struct tl_config_part {
    const struct tl_setting *settings;
    void *into;
};

/** Every table of the project, ended by NULL. The build makes it from tl_add_settings() (library
 *  tl_all_settings), so that each program knows the sections of all others: one YAML file serves
 *  them all, and a typing error is found in any of them. */
extern const struct tl_setting *const tl_all_settings[];

/** Where values come from, in rising order: defaults, `file`, its overlay
 *  <folder of file>/<TRUNKLINE_ENV>.yaml, the environment, `instance`. */
struct tl_config_source {
    const char *file;       /* YAML; NULL: no file, no overlay */
    const char *instance;   /* text of --instance for setting instance.number; NULL: not given */
    char *const *variables; /* "NAME=value" …, NULL at the end; NULL: the environment */
};

#define TL_CONFIG_FILE                                                                             \
    "deploy/config/trunkline.yaml" /* when neither --config nor TRUNKLINE_CONFIG */
#define TL_CONFIG_FILE_BYTES_MAX (256 * 1024)
#define TL_CONFIG_PROBLEMS_MAX 20
#define TL_SETTING_ENV_SIZE 96

/** A loaded configuration; owns every string and list in the parts' structs. */
struct tl_config {
    struct tl_arena arena;
    struct tl_buf problems; /* one a line, "file:line: what is wrong" */
    size_t problems_len;    /* how many there were, also those that `problems` has no room for */
};

/** Fills the structs of `parts`. `known` are the other tables (tl_all_settings), whose sections are
 *  checked just as strictly but stored nowhere; NULL when there are none.
 *  TL_INVALID: wrong settings; err has the first, config->problems up to TL_CONFIG_PROBLEMS_MAX:
 *      deploy/config/trunkline.yaml:12: kafka.brokrs: no such setting (did you mean kafka.brokers?)
 *      TRUNKLINE_KAFKA_LINGER_MS: kafka.linger_ms: 7000 is not within 0..1000
 *  TL_NOT_FOUND: the file is not there. Whatever it returns, call tl_config_finish when the
 *  strings are no longer used. Values of secrets are in no message. */
TL_MUST_CHECK enum tl_status tl_config_load(struct tl_config *config,
                                            const struct tl_config_part *parts,
                                            const struct tl_setting *const *known,
                                            const struct tl_config_source *source,
                                            struct tl_error *err);
void tl_config_finish(struct tl_config *config); /* accepts a zeroed struct */

/** The same of YAML that is already in memory; `name` stands in messages. No overlay;
 *  variables only when not NULL. For tests. */
TL_MUST_CHECK enum tl_status tl_config_load_text(struct tl_config *config,
                                                 const struct tl_config_part *parts,
                                                 const struct tl_setting *const *known,
                                                 const char *name, const char *yaml, size_t len,
                                                 char *const *variables, struct tl_error *err);

/** Text to a value of the setting's type, checked against its range and choices, written to
 *  `ret_value` (the type that enum tl_setting_type names). Strings are copied to the arena. */
TL_MUST_CHECK enum tl_status tl_setting_parse(const struct tl_setting *setting, const char *text,
                                              struct tl_arena *arena, void *ret_value,
                                              struct tl_error *err);

/** "TRUNKLINE_KAFKA_BROKERS" for "kafka.brokers". */
void tl_setting_env_name(const struct tl_setting *setting, char ret_name[TL_SETTING_ENV_SIZE]);

/** The reference page: a Markdown table a section, in order of name. */
void tl_settings_print_markdown(const struct tl_setting *const *tables, struct tl_buf *out);

/** Settings of every process. */
struct tl_process_settings {
    int64_t instance_number;  /* its mailbox; 0.. */
    const char *admin_listen; /* "127.0.0.1:9101"; port 0: any; "": none */
    const char *log_level;    /* for tl_log_level_parse */
    int64_t turn_ms;          /* of a busy loop, net/pace.h */
    const char *ca_file;      /* PEM trusted by clients; "": the system's */
};
extern const struct tl_setting tl_process_settings[];

#endif
