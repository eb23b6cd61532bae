#ifndef TL_KAFKA_SCHEMAS_H
#define TL_KAFKA_SCHEMAS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/log.h"

/** Our own record types; the C struct of each is generated ("avro/call_event.h"). */
enum tl_record_type {
    TL_RECORD_CALL_EVENT,      /* calls.v1, struct tl_call_event */
    TL_RECORD_CALL_COMMAND,    /* commands.v1 */
    TL_RECORD_CONFIG_ENTRY,    /* config.v1 */
    TL_RECORD_DEAD_LETTER,     /* dead-letters.v1 */
    TL_RECORD_MEDIA_BATCH,     /* media.v1 */
    TL_RECORD_PLAYBACK_BATCH,  /* playback.v1 */
    TL_RECORD_PRESENCE,        /* presence.v1 */
    TL_RECORD_TELEPHONY_STATE, /* state.telephony.v1 */
    TL_RECORD_TYPES,
};

const char *tl_record_topic(enum tl_record_type type);  /* "calls.v1" */
const char *tl_record_schema(enum tl_record_type type); /* text of the .avsc, as registered */

#define TL_RECORD_FRAME_BYTES 5 /* 0, then the id, big endian (Confluent wire format) */

/** Which id our own schemas have in the registry, and the writer's schema of every other id.
 *  Learns from config.v1 (tl_config_table feeds it), and asks the registry only for what is not
 *  there. Loop thread only. */
struct tl_schema_set;

/** How to ask a registry; kafka/registry.h has the one over HTTP, tests have their own. */
struct tl_registry_answer {
    enum tl_status status; /* TL_OK; TL_NOT_FOUND: it does not know; TL_RETRY: it is away */
    int32_t id;            /* lookup */
    const char *text;      /* fetch: the schema; borrowed */
    const char *error;
};
typedef void (*tl_registry_answer_fn)(void *arg, const struct tl_registry_answer *answer);

struct tl_registry_driver {
    /** The id of this text under this subject. on_answer comes exactly once, never from within. */
    void (*lookup)(void *self, const char *subject, const char *text,
                   tl_registry_answer_fn on_answer, void *arg);
    /** The text of this id. */
    void (*fetch)(void *self, int32_t id, tl_registry_answer_fn on_answer, void *arg);
    void *self;
};

struct tl_schema_set_options {
    uv_loop_t *loop;
    const struct tl_log *log;
    const char *topic_prefix;
    const struct tl_registry_driver *registry; /* NULL: config.v1 only; borrowed */
};

TL_MUST_CHECK enum tl_status tl_schema_set_create(const struct tl_schema_set_options *options,
                                                  struct tl_schema_set **ret_set,
                                                  struct tl_error *err);
/** Destroy the registry driver's requests first: its answers must not come any more. Accepts NULL.
 */
void tl_schema_set_destroy(struct tl_schema_set *set);

/** A schema as config.v1 has it. Text equal to our own (as JSON) names our id. TL_INVALID: not a
 *  schema. */
TL_MUST_CHECK enum tl_status tl_schema_set_learn(struct tl_schema_set *set, const char *subject,
                                                 int32_t id, const char *text,
                                                 struct tl_error *err);

/** config.v1 has been read: ask the registry for the own ids that are missing, again and again with
 *  backoff until all are there. */
void tl_schema_set_resolve(struct tl_schema_set *set);

/** Id of an own schema, -1 while not known. */
int32_t tl_schema_set_id(const struct tl_schema_set *set, enum tl_record_type type);
/** All of these ids are known: records can be written. `types` ends with TL_RECORD_TYPES; NULL:
 *  every type. */
bool tl_schema_set_is_ready(const struct tl_schema_set *set, const enum tl_record_type *types);

/** fn(arg) after each schema or own id that was learnt: try again what TL_RETRY put off. Listeners
 *  are few and end with tl_schema_set_unwatch. */
typedef void (*tl_schema_set_fn)(void *arg);
void tl_schema_set_watch(struct tl_schema_set *set, tl_schema_set_fn fn, void *arg);
void tl_schema_set_unwatch(struct tl_schema_set *set, tl_schema_set_fn fn, void *arg);

/** Appends frame and Avro of `record` (the struct of that type) to `out`.
 *  TL_RETRY: the id is not known yet; TL_INVALID: it does not fit or is no valid record; `out` is
 *  then as it was. */
TL_MUST_CHECK enum tl_status tl_record_encode(const struct tl_schema_set *set,
                                              enum tl_record_type type, const void *record,
                                              struct tl_buf *out, struct tl_error *err);

/** Decodes a framed value into `ret_record` (the struct of that type, filled whole); its strings
 * lie in the arena or in `value`, so they live as long as both. Our own id is the fast path; a
 *  record of another one is decoded with its writer's schema and taken over by name.
 *  TL_INVALID: no frame, broken, or of another type: dead letter. TL_RETRY: the writer's schema is
 * not known; it is being fetched: pause the partition, try again when tl_schema_set_watch says so.
 */
TL_MUST_CHECK enum tl_status tl_record_decode(struct tl_schema_set *set, enum tl_record_type type,
                                              struct tl_bytes value, struct tl_arena *arena,
                                              void *ret_record, struct tl_error *err);

/** Id in the frame. TL_INVALID: no frame. */
TL_MUST_CHECK enum tl_status tl_record_schema_id(struct tl_bytes value, int32_t *ret_id,
                                                 struct tl_error *err);

#endif
