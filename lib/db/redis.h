#ifndef TL_DB_REDIS_H
#define TL_DB_REDIS_H

#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "base/error.h"
#include "base/log.h"

/** One connection to Redis on the loop. It connects by itself, again and again with backoff. Loop
 *  thread only, callbacks included. (hiredis looks up names of hosts blocking: give it an address
 *  where the name server may be slow.) */
struct tl_redis;

struct tl_redis_options {
    uv_loop_t *loop;            /* borrowed */
    const struct tl_log *log;   /* borrowed */
    const char *url;            /* redis://[[user]:password@]host[:port][/n]; copied */
    const char *const *scripts; /* Lua, NULL at the end, or NULL; borrowed; loaded when connected */
    int64_t command_timeout_ms; /* without any answer for so long: connect anew; 0: 10 s */
    void (*on_up)(void *arg);   /* connected, scripts loaded; may be NULL */
    void *arg;
};

#define TL_REDIS_SCRIPTS_MAX 8

/** TL_INVALID: the URL. Whether the server is there shows later. */
TL_MUST_CHECK enum tl_status tl_redis_create(const struct tl_redis_options *options,
                                             struct tl_redis **ret_redis, struct tl_error *err);
/** Ends commands with TL_RETRY, closes. Accepts NULL; not from a callback of this connection. */
void tl_redis_destroy(struct tl_redis *redis);

/** Connected. Else `reason` says why not. */
bool tl_redis_is_up(const struct tl_redis *redis, char *reason, size_t size);

/** TL_OK, with a reply that is no error. `reply` is NULL otherwise. TL_RETRY: away, busy, loading,
 * a replica; a command under way may have been carried out all the same. TL_CONFLICT: a script
 *  answered an error that begins with CONFLICT. TL_DENIED. TL_INVALID: any other error. */
typedef void (*tl_redis_done_fn)(void *arg, enum tl_status status, const redisReply *reply,
                                 const struct tl_error *err);

/** A command and its arguments; all copied. on_done comes exactly once, never from within this
 *  call, if and only if this returns TL_OK. TL_RETRY: not connected. */
TL_MUST_CHECK enum tl_status tl_redis_command(struct tl_redis *redis, const char *const *argv,
                                              size_t argc, tl_redis_done_fn on_done, void *arg,
                                              struct tl_error *err);

/** Runs script number `script` of the options by its SHA; one that the server forgot (SCRIPT FLUSH)
 *  is TL_RETRY and loaded again. argv: the keys, then the arguments. */
TL_MUST_CHECK enum tl_status tl_redis_eval(struct tl_redis *redis, size_t script,
                                           const char *const *argv, size_t argc, size_t keys_n,
                                           tl_redis_done_fn on_done, void *arg,
                                           struct tl_error *err);

/** What an error reply means ("NOSCRIPT …"). */
enum tl_status tl_redis_classify(const char *error);

/** The parts of a URL, for tests. Empty strings where there is none. */
struct tl_redis_address {
    char host[256];
    int port;
    char user[128], password[256];
    int database;
};
TL_MUST_CHECK enum tl_status tl_redis_parse_url(const char *url, struct tl_redis_address *ret,
                                                struct tl_error *err);

#endif
