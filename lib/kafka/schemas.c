/* Which schema has which id: see schemas.h. */
#include "kafka/schemas.h"

#include <assert.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "avro/call_command.h"
#include "avro/call_event.h"
#include "avro/config_entry.h"
#include "avro/dead_letter.h"
#include "avro/media_batch.h"
#include "avro/playback_batch.h"
#include "avro/presence.h"
#include "avro/telephony_state.h"
#include "base/time.h"
#include "codec/codec.h"
#include "kafka/schemas_internal.h"
#include "net/timer.h"

#define BACKOFF_FIRST_MS 200
#define BACKOFF_MAX_MS 5000
#define UNKNOWN_AGAIN_MS 10000 /* an id that the registry does not know is asked for again then */
#define SUBJECT_MAX 300
#define KNOWN_MAX 4096 /* ids; so many come only from records that are no records */

static const struct own_type {
    const char *topic;
    const struct tl_avro_type *type;
} OWN[TL_RECORD_TYPES] = {
    [TL_RECORD_CALL_EVENT] = {"calls.v1", &tl_call_event_type},
    [TL_RECORD_CALL_COMMAND] = {"commands.v1", &tl_call_command_type},
    [TL_RECORD_CONFIG_ENTRY] = {"config.v1", &tl_config_entry_type},
    [TL_RECORD_DEAD_LETTER] = {"dead-letters.v1", &tl_dead_letter_type},
    [TL_RECORD_MEDIA_BATCH] = {"media.v1", &tl_media_batch_type},
    [TL_RECORD_PLAYBACK_BATCH] = {"playback.v1", &tl_playback_batch_type},
    [TL_RECORD_PRESENCE] = {"presence.v1", &tl_presence_type},
    [TL_RECORD_TELEPHONY_STATE] = {"state.telephony.v1", &tl_telephony_state_type},
};

/* A schema that was learnt or is being asked for. */
struct known {
    struct known *next;
    struct tl_schema_set *set;
    int32_t id;
    struct tl_avro_writer *writer; /* NULL: not learnt yet */
    bool wanted;                   /* a record waits for it */
    bool asking;
    bool absent;          /* the registry said that there is no such id */
    int64_t ask_after_ms; /* of tl_mono_ms; then it may be asked about an absent one again */
};

struct own {
    struct tl_schema_set *set;
    int32_t id; /* -1: not known yet */
    json_t *json;
    bool asking;
};

struct watcher {
    struct watcher *next;
    tl_schema_set_fn fn; /* NULL: unwatched while they were being told */
    void *arg;
};

struct tl_schema_set {
    uv_loop_t *loop;
    const struct tl_log *log;
    char *prefix;
    const struct tl_registry_driver *registry;
    struct own own[TL_RECORD_TYPES];
    struct known *known;
    size_t known_len;
    struct watcher *watchers;
    bool telling;
    bool resolving;        /* own ids are asked for */
    struct tl_timer timer; /* asks again for what is missing */
    int64_t backoff_ms;
};

const char *tl_record_topic(enum tl_record_type type)
{
    assert(type < TL_RECORD_TYPES);
    return OWN[type].topic;
}

const char *tl_record_schema(enum tl_record_type type)
{
    assert(type < TL_RECORD_TYPES);
    return OWN[type].type->schema;
}

enum tl_status tl_schema_set_create(const struct tl_schema_set_options *options,
                                    struct tl_schema_set **ret_set, struct tl_error *err)
{
    struct tl_schema_set *set = calloc(1, sizeof(*set));

    (void)err;
    if (!set)
        abort();
    set->loop = options->loop;
    set->log = options->log;
    set->prefix = strdup(options->topic_prefix);
    set->registry = options->registry;
    set->backoff_ms = BACKOFF_FIRST_MS;
    for (int i = 0; i < TL_RECORD_TYPES; i++) {
        set->own[i] = (struct own){.set = set, .id = -1};
        set->own[i].json = json_loads(OWN[i].type->schema, 0, NULL);
        assert(set->own[i].json); /* the generator read it too */
    }
    *ret_set = set;
    return TL_OK;
}

void tl_schema_set_destroy(struct tl_schema_set *set)
{
    if (!set)
        return;
    for (int i = 0; i < TL_RECORD_TYPES; i++)
        json_decref(set->own[i].json);
    while (set->known) {
        struct known *k = set->known;
        set->known = k->next;
        tl_avro_writer_destroy(k->writer);
        free(k);
    }
    while (set->watchers) {
        struct watcher *w = set->watchers;
        set->watchers = w->next;
        free(w);
    }
    tl_timer_finish(&set->timer);
    free(set->prefix);
    free(set);
}

void tl_schema_set_watch(struct tl_schema_set *set, tl_schema_set_fn fn, void *arg)
{
    struct watcher *w = calloc(1, sizeof(*w));

    if (!w)
        abort();
    *w = (struct watcher){set->watchers, fn, arg};
    set->watchers = w;
}

static void sweep_watchers(struct tl_schema_set *set)
{
    for (struct watcher **at = &set->watchers; *at;) {
        struct watcher *w = *at;

        if (w->fn) {
            at = &w->next;
            continue;
        }
        *at = w->next;
        free(w);
    }
}

void tl_schema_set_unwatch(struct tl_schema_set *set, tl_schema_set_fn fn, void *arg)
{
    for (struct watcher *w = set->watchers; w; w = w->next) {
        if (w->fn == fn && w->arg == arg)
            w->fn = NULL;
    }
    if (!set->telling)
        sweep_watchers(set);
}

static void tell_watchers(struct tl_schema_set *set)
{
    if (set->telling)
        return; /* a watcher taught us something: the others hear of it in this round or the next */
    set->telling = true;
    for (struct watcher *w = set->watchers; w; w = w->next) {
        if (w->fn)
            w->fn(w->arg);
    }
    set->telling = false;
    sweep_watchers(set);
}

static struct known *find_known(const struct tl_schema_set *set, int32_t id)
{
    for (struct known *k = set->known; k; k = k->next) {
        if (k->id == id)
            return k;
    }
    return NULL;
}

static struct known *make_known(struct tl_schema_set *set, int32_t id)
{
    struct known *k = find_known(set, id);

    if (k)
        return k;
    k = calloc(1, sizeof(*k));
    if (!k)
        abort();
    k->set = set;
    k->id = id;
    k->next = set->known;
    set->known = k;
    set->known_len++;
    return k;
}

static bool is_own_id(const struct tl_schema_set *set, int32_t id)
{
    for (int i = 0; i < TL_RECORD_TYPES; i++) {
        if (set->own[i].id == id)
            return true;
    }
    return false;
}

bool tl_schema_set_knows(const struct tl_schema_set *set, int32_t id)
{
    const struct known *k = find_known(set, id);

    return is_own_id(set, id) || (k && k->writer);
}

/* Compared as JSON: registries give texts back compacted, and their fields in any order. */
static void match_own(struct tl_schema_set *set, int32_t id, const char *text)
{
    json_t *json = json_loads(text, 0, NULL);

    for (int i = 0; json && i < TL_RECORD_TYPES; i++) {
        if (json_equal(json, set->own[i].json))
            set->own[i].id = id;
    }
    json_decref(json);
}

enum tl_status tl_schema_set_learn(struct tl_schema_set *set, const char *subject, int32_t id,
                                   const char *text, struct tl_error *err)
{
    struct tl_avro_writer *writer = NULL;
    struct known *k = find_known(set, id);

    if (k && k->writer)
        return TL_OK; /* ids never change their meaning */
    if (tl_avro_writer_create(text, strlen(text), &writer, err) != TL_OK)
        return tl_fail_prefix(err, "schema %" PRId32 " of %s", id, subject);
    k = make_known(set, id);
    k->writer = writer;
    k->absent = false;
    set->backoff_ms = BACKOFF_FIRST_MS;
    match_own(set, id, text);
    tell_watchers(set);
    return TL_OK;
}

int32_t tl_schema_set_id(const struct tl_schema_set *set, enum tl_record_type type)
{
    return set->own[type].id;
}

bool tl_schema_set_is_ready(const struct tl_schema_set *set, const enum tl_record_type *types)
{
    if (types) {
        for (; *types != TL_RECORD_TYPES; types++) {
            if (set->own[*types].id < 0)
                return false;
        }
        return true;
    }
    for (int i = 0; i < TL_RECORD_TYPES; i++) {
        if (set->own[i].id < 0)
            return false;
    }
    return true;
}

static void ask_for_missing(void *arg);

static void ask_again_later(struct tl_schema_set *set)
{
    if (tl_timer_is_running(&set->timer))
        return;
    tl_timer_start(&set->timer, set->loop, (uint64_t)set->backoff_ms, ask_for_missing, set);
    set->backoff_ms = set->backoff_ms * 2 > BACKOFF_MAX_MS ? BACKOFF_MAX_MS : set->backoff_ms * 2;
}

static void on_own_id(void *arg, const struct tl_registry_answer *answer)
{
    struct own *own = arg;

    own->asking = false;
    if (answer->status == TL_OK) {
        own->id = answer->id;
        tell_watchers(own->set);
        return;
    }
    tl_log_debug(own->set->log, "kafka.schema_lookup_failed",
                 TL_STR("status", tl_status_name(answer->status)), TL_STR("error", answer->error));
    ask_again_later(own->set); /* also when it does not know it: somebody may be registering */
}

static void ask_for_own(struct tl_schema_set *set)
{
    char subject[SUBJECT_MAX];

    for (int i = 0; i < TL_RECORD_TYPES; i++) {
        struct own *own = &set->own[i];

        if (own->id >= 0 || own->asking)
            continue;
        own->asking = true;
        (void)snprintf(subject, sizeof(subject), "%s%s-value", set->prefix, OWN[i].topic);
        set->registry->lookup(set->registry->self, subject, OWN[i].type->schema, on_own_id, own);
    }
}

void tl_schema_set_resolve(struct tl_schema_set *set)
{
    set->resolving = true;
    if (set->registry)
        ask_for_own(set);
}

static void on_text(void *arg, const struct tl_registry_answer *answer)
{
    struct known *k = arg;
    struct tl_schema_set *set = k->set;
    struct tl_error err;

    k->asking = false;
    if (k->writer)
        return; /* config.v1 was faster */
    if (answer->status == TL_OK) {
        if (tl_schema_set_learn(set, "the registry", k->id, answer->text, &err) == TL_OK)
            return;
        tl_log_debug(set->log, "kafka.schema_unusable", TL_STR("error", err.msg));
    }
    k->absent = answer->status != TL_RETRY;
    if (!k->absent) {
        ask_again_later(set);
        return;
    }
    k->wanted = false;
    k->ask_after_ms = tl_mono_ms() + UNKNOWN_AGAIN_MS;
    tell_watchers(set); /* who waits for it learns that it is in vain */
}

/* One request in flight for an id; after a failure the timer asks again. */
static void ask_for_text(struct tl_schema_set *set, struct known *k)
{
    if (!set->registry || k->asking)
        return;
    k->asking = true;
    set->registry->fetch(set->registry->self, k->id, on_text, k);
}

static void ask_for_missing(void *arg)
{
    struct tl_schema_set *set = arg;

    if (set->resolving)
        ask_for_own(set);
    for (struct known *k = set->known; k; k = k->next) {
        if (k->wanted && !k->writer)
            ask_for_text(set, k);
    }
}

/* A record waits for the schema of this id. */
static void want(struct tl_schema_set *set, struct known *k)
{
    if (k->wanted || tl_mono_ms() < k->ask_after_ms)
        return;
    k->wanted = true;
    k->absent = false;
    ask_for_text(set, k);
}

enum tl_status tl_record_encode(const struct tl_schema_set *set, enum tl_record_type type,
                                const void *record, struct tl_buf *out, struct tl_error *err)
{
    size_t before = out->len;

    if (set->own[type].id < 0)
        return tl_fail(err, TL_RETRY, "the id of schema %s is not known yet", OWN[type].type->name);
    tl_avro_frame_begin(out, set->own[type].id);
    if (out->full)
        return tl_fail(err, TL_INVALID, "%s: no room", OWN[type].type->name);
    enum tl_status st = tl_avro_encode(OWN[type].type, record, out, err);
    if (st != TL_OK)
        out->len = before;
    return st;
}

enum tl_status tl_record_schema_id(struct tl_bytes value, int32_t *ret_id, struct tl_error *err)
{
    struct tl_bytes datum;

    return tl_avro_frame_parse(value, ret_id, &datum, err);
}

enum tl_status tl_record_decode_as_own(enum tl_record_type type, struct tl_bytes value,
                                       struct tl_arena *arena, void *ret_record,
                                       struct tl_error *err)
{
    struct tl_bytes datum;
    int32_t id;
    enum tl_status st = tl_avro_frame_parse(value, &id, &datum, err);

    return st == TL_OK ? tl_avro_decode(OWN[type].type, datum, arena, ret_record, err) : st;
}

enum tl_status tl_record_decode(struct tl_schema_set *set, enum tl_record_type type,
                                struct tl_bytes value, struct tl_arena *arena, void *ret_record,
                                struct tl_error *err)
{
    struct tl_bytes datum;
    int32_t id;
    enum tl_status st;

    if (!value.data)
        return tl_fail(err, TL_INVALID, "%s: a tombstone", OWN[type].type->name);
    st = tl_avro_frame_parse(value, &id, &datum, err);
    if (st != TL_OK)
        return st;
    if (id == set->own[type].id)
        return tl_avro_decode(OWN[type].type, datum, arena, ret_record, err);
    struct known *k = find_known(set, id);
    if (!k && set->known_len >= KNOWN_MAX)
        return tl_fail(err, TL_INVALID, "schema id %" PRId32 ": too many unknown ids", id);
    if (!k)
        k = make_known(set, id);
    if (k->writer)
        return tl_avro_decode_resolved(OWN[type].type, k->writer, datum, arena, ret_record, err);
    want(set, k);
    if (k->absent)
        return tl_fail(err, TL_INVALID, "schema id %" PRId32 ": the registry does not know it", id);
    return tl_fail(err, TL_RETRY, "schema id %" PRId32 " is not known yet", id);
}
