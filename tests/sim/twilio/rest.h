#ifndef TL_TEL_REST_H
#define TL_TEL_REST_H

#include <jansson.h>

#include "form.h"
#include "net/http_server.h"
#include "tel.h"

/** Requests of the REST API (2010-04-01); `arg` is the struct tl_tel. */
void tl_tel_rest_request(void *arg, struct tl_http_exchange *x);

/** A request that may be carried out: authorised, and its parameters read. */
struct tl_tel_rest {
    struct tl_tel *tel;
    struct tl_http_exchange *x;
    const char *method;
    char *path;              /* behind the account: "/Calls/CA….json" */
    char *target;            /* as asked, for page URIs */
    struct tl_tel_form form; /* of the query, or of the body of a POST */
    struct tl_timer timer;
};

void tl_tel_rest_json(struct tl_tel_rest *rest, int status, json_t *body); /* takes body */

/** {"code", "message", "more_info", "status"}. */
void tl_tel_rest_error(struct tl_tel_rest *rest, int status, int code, const char *message);

/* Calls.json and Calls/{CA}.json */
void tl_tel_rest_calls(struct tl_tel_rest *rest);
void tl_tel_rest_call(struct tl_tel_rest *rest, const char *sid);

/* IncomingPhoneNumbers.json and IncomingPhoneNumbers/{PN}.json */
void tl_tel_rest_numbers(struct tl_tel_rest *rest);
void tl_tel_rest_number(struct tl_tel_rest *rest, const char *sid);

/** "…" in RFC 2822, or null for 0. */
json_t *tl_tel_rest_time(int64_t at_ms);

/** The members of a page around its list; `next_token` NULL: the last page. */
json_t *tl_tel_rest_page(struct tl_tel_rest *rest, const char *name, json_t *items, long page,
                         long page_size, const char *next_token);

/** PageSize (50, 1..1000) of the request. */
long tl_tel_rest_page_size(const struct tl_tel_rest *rest);

#endif
