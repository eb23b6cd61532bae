#ifndef TL_NET_HTTP_CLIENT_H
#define TL_NET_HTTP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/error.h"
#include "net/http_server.h"

struct tl_net;

/** A request under way. Loop thread only; gone when its callback has returned or after cancel. */
struct tl_http_call;

struct tl_http_answer {
    int status;                      /* HTTP status; 0: no answer came, see `error` */
    const char *error;               /* why none came; "" otherwise; borrowed */
    bool timed_out;                  /* none came in time */
    bool too_large;                  /* the body was longer than max_body_bytes */
    bool not_sent;                   /* no connection was made: safe to repeat any request */
    struct tl_bytes body;            /* followed by a NUL; borrowed */
    const struct tl_http_call *call; /* for tl_http_answer_header */
};

typedef void (*tl_http_answer_fn)(void *arg, const struct tl_http_answer *answer);

struct tl_http_call_options {
    const char *method;                   /* "GET", "POST", … */
    const char *url;                      /* http:// or https:// */
    const struct tl_http_header *headers; /* NULL: none */
    const void *body;
    size_t body_len;
    const char *content_type;    /* NULL: none */
    const char *user, *password; /* Basic; NULL: none */
    unsigned timeout_ms;         /* whole request; 0: 10 s */
    unsigned connect_timeout_ms; /* 0: as timeout_ms */
    const char *ca_file;         /* NULL: the client_ca_file of the tl_net */
    size_t max_body_bytes;       /* of the answer; 0: 1 MiB */
    bool once; /* on a new connection: libcurl sends a request again by itself, POST or not, when a kept one
                  turns out to be dead */
    tl_http_answer_fn on_answer;
    void *arg;
};

/** Starts a request; connections are kept and reused; redirects are not followed. on_answer comes
 *  exactly once, from the loop, never from within this call, unless cancelled. Everything is
 *  copied. TL_INVALID: URL or method; nothing was started. `ret_call` may be NULL. */
TL_MUST_CHECK enum tl_status tl_http_call_start(struct tl_net *net,
                                                const struct tl_http_call_options *options,
                                                struct tl_http_call **ret_call,
                                                struct tl_error *err);

/** Drops a request under way; on_answer will not come. Accepts NULL. Not from its own on_answer. */
void tl_http_call_cancel(struct tl_http_call *call);

/** Value of a header of the answer, name in any case; NULL when absent; borrowed until on_answer
 *  returns. */
const char *tl_http_answer_header(const struct tl_http_answer *answer, const char *name);

#endif
