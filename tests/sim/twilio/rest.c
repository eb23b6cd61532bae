/* The REST API as its clients see it: authorisation, errors, pages, the account. */
#include "rest.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "net/timer.h"

#define ROOT "/2010-04-01/Accounts/"

void tl_tel_rest_json(struct tl_tel_rest *rest, int status, json_t *body)
{
    static const struct tl_http_header headers[] = {{"Twilio-Request-Duration", "0.010"},
                                                    {NULL, NULL}};
    char *text = json_dumps(body, JSON_COMPACT);

    if (!text)
        abort();
    tl_http_respond(rest->x, status, "application/json;charset=utf-8", text, strlen(text), headers);
    free(text);
    json_decref(body);
}

static void respond_error(struct tl_http_exchange *x, int status, int code, const char *message)
{
    static const struct tl_http_header challenge[] = {
        {"WWW-Authenticate", "Basic realm=\"Twilio API\""}, {NULL, NULL}};
    char info[64];

    (void)snprintf(info, sizeof(info), "https://www.twilio.com/docs/errors/%d", code);
    json_t *body = json_pack("{s:i, s:s, s:s, s:i}", "code", code, "message", message, "more_info",
                             info, "status", status);
    char *text = json_dumps(body, JSON_COMPACT);
    if (!text)
        abort();
    tl_http_respond(x, status, "application/json;charset=utf-8", text, strlen(text),
                    status == 401 ? challenge : NULL);
    free(text);
    json_decref(body);
}

void tl_tel_rest_error(struct tl_tel_rest *rest, int status, int code, const char *message)
{
    respond_error(rest->x, status, code, message);
}

json_t *tl_tel_rest_time(int64_t at_ms)
{
    char text[TL_TIME_RFC2822_SIZE];

    if (!at_ms)
        return json_null();
    tl_time_format_rfc2822(at_ms, text);
    return json_string(text);
}

/* ---- pages ---- */

long tl_tel_rest_page_size(const struct tl_tel_rest *rest)
{
    const char *text = tl_tel_form_text(&rest->form, "PageSize");
    long size = text ? strtol(text, NULL, 10) : 50;

    return size < 1 ? 1 : size > 1000 ? 1000 : size;
}

/* The target of another page: the same filters. */
static char *page_uri(struct tl_tel_rest *rest, long page, long page_size, const char *token)
{
    struct tl_tel_form query = {0};
    struct tl_buf uri;

    tl_buf_init(&uri, 1 << 16);
    tl_buf_printf(&uri, "%.*s?", (int)strcspn(rest->target, "?"), rest->target);
    for (size_t i = 0; i < rest->form.len; i++)
        if (strncmp(rest->form.field[i].name, "Page", 4) != 0)
            tl_tel_form_add(&query, rest->form.field[i].name, rest->form.field[i].value);
    tl_tel_form_addf(&query, "PageSize", "%ld", page_size);
    tl_tel_form_addf(&query, "Page", "%ld", page);
    if (token)
        tl_tel_form_add(&query, "PageToken", token);
    tl_tel_form_encode(&query, &uri);
    tl_tel_form_finish(&query);
    char *out = strdup(tl_buf_str(&uri));
    tl_buf_finish(&uri);
    return out;
}

json_t *tl_tel_rest_page(struct tl_tel_rest *rest, const char *name, json_t *items, long page,
                         long page_size, const char *next_token)
{
    long start = page * page_size;
    char *first = page_uri(rest, 0, page_size, NULL);
    char *next = next_token ? page_uri(rest, page + 1, page_size, next_token) : NULL;
    json_t *out = json_pack("{s:o, s:i, s:i, s:i, s:i, s:s, s:s, s:s?, s:n}", name, items, "page",
                            (int)page, "page_size", (int)page_size, "start", (int)start, "end",
                            (int)(start + (long)json_array_size(items)) - 1, "uri", rest->target,
                            "first_page_uri", first, "next_page_uri", next, "previous_page_uri");

    free(first);
    free(next);
    return out;
}

/* ---- who asks ---- */

static bool is_pair(const char *text, const char *user, const char *password)
{
    size_t n = user ? strlen(user) : 0;

    return user && password && strncmp(text, user, n) == 0 && text[n] == ':' &&
           strcmp(text + n + 1, password) == 0;
}

static bool is_authorised(const struct tl_tel *tel, const struct tl_http_request *r)
{
    const char *header = tl_http_request_header(r, "Authorization");
    unsigned char text[512];
    size_t len = header && strncmp(header, "Basic ", 6) == 0 ? strlen(header + 6) : 0;

    if (len == 0 || len % 4 || len / 4 * 3 >= sizeof(text))
        return false;
    int n = EVP_DecodeBlock(text, (const unsigned char *)header + 6, (int)len);
    if (n < 0)
        return false;
    text[n] = '\0';
    return is_pair((char *)text, tel->options.account_sid, tel->options.auth_token) ||
           is_pair((char *)text, tel->options.key_sid, tel->options.key_secret);
}

/* ---- routing ---- */

static void get_account(struct tl_tel_rest *rest)
{
    struct tl_tel *tel = rest->tel;
    const char *sid = tel->options.account_sid;
    json_t *body = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "sid", sid, "friendly_name",
                             "Simulated account", "status", "active", "type", "Full", "auth_token",
                             tel->options.auth_token, "owner_account_sid", sid);

    json_object_set_new(body, "date_created", tl_tel_rest_time(tel->created_at));
    json_object_set_new(body, "date_updated", tl_tel_rest_time(tel->created_at));
    json_object_set_new(body, "uri", json_sprintf(ROOT "%s.json", sid));
    json_object_set_new(body, "subresource_uris",
                        json_pack("{s:o, s:o}", "calls", json_sprintf(ROOT "%s/Calls.json", sid),
                                  "incoming_phone_numbers",
                                  json_sprintf(ROOT "%s/IncomingPhoneNumbers.json", sid)));
    tl_tel_rest_json(rest, 200, body);
}

/* "…/{sid}.json" → sid. */
static bool read_sid(const char *text, const char *letters, char ret_sid[TL_TEL_SID_SIZE])
{
    if (strlen(text) != TL_TEL_SID_SIZE - 1 + 5 || strncmp(text, letters, 2) != 0 ||
        strcmp(text + TL_TEL_SID_SIZE - 1, ".json") != 0)
        return false;
    (void)snprintf(ret_sid, TL_TEL_SID_SIZE, "%s", text);
    return true;
}

static void route(struct tl_tel_rest *rest)
{
    char sid[TL_TEL_SID_SIZE];
    const char *path = rest->path;

    if (strcmp(path, ".json") == 0 && strcmp(rest->method, "GET") == 0)
        get_account(rest);
    else if (strcmp(path, "/Calls.json") == 0)
        tl_tel_rest_calls(rest);
    else if (strncmp(path, "/Calls/", 7) == 0 && read_sid(path + 7, "CA", sid))
        tl_tel_rest_call(rest, sid);
    else if (strcmp(path, "/IncomingPhoneNumbers.json") == 0)
        tl_tel_rest_numbers(rest);
    else if (strncmp(path, "/IncomingPhoneNumbers/", 22) == 0 && read_sid(path + 22, "PN", sid))
        tl_tel_rest_number(rest, sid);
    else
        tl_tel_rest_error(rest, 404, 20404, "The requested resource was not found");
}

static void carry_out(void *arg)
{
    struct tl_tel_rest *rest = arg;
    struct tl_tel *tel = rest->tel;

    if (tel->is_stopping) /* the exchange is gone */
        ;
    else if (tl_tel_fault_take(&tel->faults.rest_429))
        tl_tel_rest_error(rest, 429, 20429, "Too Many Requests");
    else if (tl_tel_fault_take(&tel->faults.rest_500))
        tl_tel_rest_error(rest, 500, 20500, "An internal server error has occurred");
    else
        route(rest);
    tl_tel_form_finish(&rest->form);
    tl_timer_finish(&rest->timer);
    free(rest->path);
    free(rest->target);
    free(rest);
}

static enum tl_status read_form(struct tl_tel_rest *rest, const struct tl_http_request *r,
                                struct tl_error *err)
{
    struct tl_bytes body = tl_http_request_body(r);
    const char *query = tl_http_request_query(r);

    if (strcmp(rest->method, "POST") == 0)
        return tl_tel_form_decode(&rest->form, (const char *)body.data, body.len, err);
    return tl_tel_form_decode(&rest->form, query, strlen(query), err);
}

static void start(struct tl_tel *tel, struct tl_http_exchange *x, const char *path)
{
    const struct tl_http_request *r = tl_http_exchange_request(x);
    struct tl_tel_rest *rest = calloc(1, sizeof(*rest));
    struct tl_error err;

    if (!rest)
        abort();
    *rest = (struct tl_tel_rest){.tel = tel, .x = x, .method = tl_http_request_method(r)};
    rest->path = strdup(path);
    rest->target = strdup(tl_http_request_target(r));
    if (read_form(rest, r, &err) != TL_OK) {
        respond_error(x, 400, 20001, err.msg);
        tl_tel_form_finish(&rest->form);
        free(rest->path);
        free(rest->target);
        free(rest);
        return;
    }
    if (tel->faults.rest_delay_ms > 0)
        tl_timer_start(&rest->timer, &tel->loop, (uint64_t)tel->faults.rest_delay_ms, carry_out,
                       rest);
    else
        carry_out(rest);
}

void tl_tel_rest_request(void *arg, struct tl_http_exchange *x)
{
    struct tl_tel *tel = arg;
    const struct tl_http_request *r = tl_http_exchange_request(x);
    const char *path = tl_http_request_path(r);
    const char *sid = tel->options.account_sid;
    size_t root = strlen(ROOT), n = strlen(sid);

    if (!is_authorised(tel, r)) {
        respond_error(x, 401, 20003, "Authenticate");
        return;
    }
    if (strncmp(path, ROOT, root) != 0 || strncmp(path + root, sid, n) != 0) {
        respond_error(x, 404, 20404, "The requested resource was not found");
        return;
    }
    start(tel, x, path + root + n);
}
