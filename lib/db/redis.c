/* Redis on the loop: hiredis, asynchronous. */
#include "db/redis.h"

#include <assert.h>
#include <hiredis/adapters/libuv.h>
#include <hiredis/async.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/timer.h"

#define COMMAND_TIMEOUT_MS 10000
#define BACKOFF_MIN_MS 100
#define BACKOFF_MAX_MS 5000
#define SHA_TEXT_SIZE 48

/* A command under way. */
struct command {
    struct tl_redis *redis;
    tl_redis_done_fn on_done;
    void *arg;
};

struct tl_redis {
    struct tl_redis_options o;
    struct tl_redis_address address;
    redisAsyncContext *context; /* frees itself: NULL from then on */
    struct tl_timer timer;      /* backoff */
    struct tl_timer watch;      /* of the oldest answer that is awaited */
    size_t in_flight;
    bool is_up, is_closing, said_why;
    size_t greetings; /* answers awaited before it is up: AUTH, SELECT, SCRIPT LOAD */
    int64_t backoff_ms;
    char sha[TL_REDIS_SCRIPTS_MAX][SHA_TEXT_SIZE];
    char why[256];
};

static void connect_now(void *arg);

enum tl_status tl_redis_classify(const char *error)
{
    static const struct {
        const char *prefix;
        enum tl_status status;
    } table[] = {
        {"CONFLICT", TL_CONFLICT}, {"NOSCRIPT", TL_RETRY},   {"LOADING", TL_RETRY},
        {"BUSY", TL_RETRY},        {"READONLY", TL_RETRY},   {"MASTERDOWN", TL_RETRY},
        {"CLUSTERDOWN", TL_RETRY}, {"TRYAGAIN", TL_RETRY},   {"OOM", TL_RETRY},
        {"MISCONF", TL_RETRY},     {"NOREPLICAS", TL_RETRY}, {"NOAUTH", TL_DENIED},
        {"WRONGPASS", TL_DENIED},  {"NOPERM", TL_DENIED},
    };

    for (size_t i = 0; i < TL_ARRAY_LEN(table); i++)
        if (strncmp(error, table[i].prefix, strlen(table[i].prefix)) == 0)
            return table[i].status;
    return TL_INVALID;
}

/* ---- connection ---- */

/* The context is gone, or about to be; its commands have had, or will have, their callbacks. */
static void fall(struct tl_redis *redis, const char *why)
{
    (void)snprintf(redis->why, sizeof(redis->why), "%s", why && *why ? why : "connection closed");
    redis->is_up = false;
    redis->context = NULL;
    tl_timer_stop(&redis->watch);
    if (redis->is_closing)
        return;
    if (!redis->said_why)
        tl_log_warn(redis->o.log, "redis.away", TL_STR("error", redis->why));
    redis->said_why = true;
    tl_timer_start(&redis->timer, redis->o.loop, (uint64_t)redis->backoff_ms, connect_now, redis);
    redis->backoff_ms =
        redis->backoff_ms * 2 > BACKOFF_MAX_MS ? BACKOFF_MAX_MS : redis->backoff_ms * 2;
}

/* Ends the connection ourselves: commands get their callbacks with no reply. */
static void drop(struct tl_redis *redis, const char *why)
{
    redisAsyncContext *context = redis->context;
    char copy[256];

    (void)snprintf(copy, sizeof(copy), "%s", why);
    fall(redis, copy);
    if (context) {
        context->data = NULL; /* its callbacks of connection do not concern us any more */
        redisAsyncFree(context);
    }
}

static void on_silence(void *arg)
{
    drop(arg, "no answer in time");
}

static void await_answer(struct tl_redis *redis)
{
    int64_t ms = redis->o.command_timeout_ms ? redis->o.command_timeout_ms : COMMAND_TIMEOUT_MS;

    tl_timer_start(&redis->watch, redis->o.loop, (uint64_t)ms, on_silence, redis);
}

static void on_connect(const redisAsyncContext *context, int status)
{
    struct tl_redis *redis = context->data;

    if (redis && status != REDIS_OK) /* hiredis frees the context after this */
        fall(redis, context->errstr);
}

static void on_disconnect(const redisAsyncContext *context, int status)
{
    struct tl_redis *redis = context->data;

    (void)status;
    if (redis)
        fall(redis, context->errstr);
}

/* ---- commands ---- */

static void on_reply(redisAsyncContext *context, void *reply, void *privdata)
{
    struct command command = *(struct command *)privdata;
    struct tl_redis *redis = command.redis;
    const redisReply *r = reply;
    struct tl_error err = {0};
    enum tl_status st = TL_OK;

    (void)context;
    free(privdata);
    if (--redis->in_flight > 0 && reply)
        await_answer(redis);
    else
        tl_timer_stop(&redis->watch);
    if (!r)
        st = tl_fail(&err, TL_RETRY, "Redis: connection lost");
    else if (r->type == REDIS_REPLY_ERROR)
        st = tl_fail(&err, tl_redis_classify(r->str), "Redis: %s", r->str);
    bool forgot = r && r->type == REDIS_REPLY_ERROR && strncmp(r->str, "NOSCRIPT", 8) == 0;
    command.on_done(command.arg, st, st == TL_OK ? r : NULL, &err);
    if (forgot && redis->context)
        drop(redis, "scripts were flushed"); /* they are loaded with the next connection */
}

static enum tl_status send_command(struct tl_redis *redis, const char *const *argv, size_t argc,
                                   tl_redis_done_fn on_done, void *arg, struct tl_error *err)
{
    struct command *command = malloc(sizeof(*command));
    const char **copy =
        malloc(argc * sizeof(*copy)); /* hiredis wants pointers that it may change */

    if (!command || !copy)
        abort();
    *command = (struct command){.redis = redis, .on_done = on_done, .arg = arg};
    for (size_t i = 0; i < argc; i++)
        copy[i] = argv[i];
    int code = redisAsyncCommandArgv(redis->context, on_reply, command, (int)argc, copy, NULL);
    free(copy);
    if (code != REDIS_OK) {
        free(command);
        return tl_fail(err, TL_RETRY, "Redis: closing");
    }
    if (redis->in_flight++ == 0)
        await_answer(redis);
    return TL_OK;
}

enum tl_status tl_redis_command(struct tl_redis *redis, const char *const *argv, size_t argc,
                                tl_redis_done_fn on_done, void *arg, struct tl_error *err)
{
    if (!redis->is_up)
        return tl_fail(err, TL_RETRY, "Redis: %s", redis->why);
    return send_command(redis, argv, argc, on_done, arg, err);
}

/* ---- greeting: AUTH, SELECT, SCRIPT LOAD … ---- */

struct loading {
    struct tl_redis *redis;
    size_t script;
};

static void on_greeted(struct tl_redis *redis, enum tl_status status, const struct tl_error *err)
{
    if (!redis->context)
        return; /* fallen */
    if (status != TL_OK) {
        drop(redis, err->msg);
        return;
    }
    if (--redis->greetings > 0)
        return;
    redis->is_up = true;
    redis->backoff_ms = BACKOFF_MIN_MS;
    if (redis->said_why)
        tl_log_info(redis->o.log, "redis.back");
    redis->said_why = false;
    if (redis->o.on_up)
        redis->o.on_up(redis->o.arg);
}

static void on_greeting(void *arg, enum tl_status status, const redisReply *reply,
                        const struct tl_error *err)
{
    (void)reply;
    on_greeted(arg, status, err);
}

static void on_script_loaded(void *arg, enum tl_status status, const redisReply *reply,
                             const struct tl_error *err)
{
    struct loading loading = *(struct loading *)arg;

    free(arg);
    if (status == TL_OK && reply->str)
        (void)snprintf(loading.redis->sha[loading.script], SHA_TEXT_SIZE, "%s", reply->str);
    on_greeted(loading.redis, status, err);
}

static void greet(struct tl_redis *redis, const char *const *argv, size_t argc,
                  tl_redis_done_fn on_done, void *arg)
{
    struct tl_error err;

    if (send_command(redis, argv, argc, on_done, arg, &err) == TL_OK)
        redis->greetings++;
    else if (arg != redis)
        free(arg);
}

static void greet_all(struct tl_redis *redis)
{
    const struct tl_redis_address *a = &redis->address;
    char database[16];

    redis->greetings = 0;
    if (*a->password && *a->user)
        greet(redis, (const char *const[]){"AUTH", a->user, a->password}, 3, on_greeting, redis);
    else if (*a->password)
        greet(redis, (const char *const[]){"AUTH", a->password}, 2, on_greeting, redis);
    (void)snprintf(database, sizeof(database), "%d", a->database);
    greet(redis, (const char *const[]){"SELECT", database}, 2, on_greeting, redis);
    for (size_t i = 0; redis->o.scripts && redis->o.scripts[i]; i++) {
        struct loading *loading = malloc(sizeof(*loading));

        if (!loading)
            abort();
        *loading = (struct loading){.redis = redis, .script = i};
        greet(redis, (const char *const[]){"SCRIPT", "LOAD", redis->o.scripts[i]}, 3,
              on_script_loaded, loading);
    }
}

static void connect_now(void *arg)
{
    struct tl_redis *redis = arg;
    redisAsyncContext *context = redisAsyncConnect(redis->address.host, redis->address.port);

    if (!context)
        abort();
    if (context->err) {
        char why[160];

        (void)snprintf(why, sizeof(why), "%s", context->errstr);
        redisAsyncFree(context);
        fall(redis, why);
        return;
    }
    context->data = redis;
    redis->context = context;
    if (redisLibuvAttach(context, redis->o.loop) != REDIS_OK)
        abort();
    (void)redisAsyncSetConnectCallback(context, on_connect);
    (void)redisAsyncSetDisconnectCallback(context, on_disconnect);
    greet_all(redis);
}

/* ---- scripts ---- */

enum tl_status tl_redis_eval(struct tl_redis *redis, size_t script, const char *const *argv,
                             size_t argc, size_t keys_n, tl_redis_done_fn on_done, void *arg,
                             struct tl_error *err)
{
    char keys[24];

    if (!redis->is_up)
        return tl_fail(err, TL_RETRY, "Redis: %s", redis->why);
    const char **all = malloc((argc + 3) * sizeof(*all));
    if (!all)
        abort();
    (void)snprintf(keys, sizeof(keys), "%zu", keys_n);
    all[0] = "EVALSHA";
    all[1] = redis->sha[script];
    all[2] = keys;
    for (size_t i = 0; i < argc; i++)
        all[i + 3] = argv[i];
    enum tl_status st = send_command(redis, all, argc + 3, on_done, arg, err);
    free(all);
    return st;
}

/* ---- life ---- */

bool tl_redis_is_up(const struct tl_redis *redis, char *reason, size_t size)
{
    (void)snprintf(reason, size, "%s%s",
                   redis->is_up ? "" : "Redis: ", redis->is_up ? "" : redis->why);
    return redis->is_up;
}

enum tl_status tl_redis_create(const struct tl_redis_options *options, struct tl_redis **ret_redis,
                               struct tl_error *err)
{
    struct tl_redis_address address;
    enum tl_status st = tl_redis_parse_url(options->url, &address, err);

    if (st != TL_OK)
        return st;
    struct tl_redis *redis = calloc(1, sizeof(*redis));
    if (!redis)
        abort();
    redis->o = *options;
    redis->address = address;
    redis->backoff_ms = BACKOFF_MIN_MS;
    (void)snprintf(redis->why, sizeof(redis->why), "connecting");
    tl_timer_start(&redis->timer, options->loop, 0, connect_now, redis);
    *ret_redis = redis;
    return TL_OK;
}

void tl_redis_destroy(struct tl_redis *redis)
{
    if (!redis)
        return;
    redis->is_closing = true;
    if (redis->context)
        drop(redis, "closed");
    tl_timer_finish(&redis->timer);
    tl_timer_finish(&redis->watch);
    free(redis);
}
