/* REST: calls are created, read, changed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "call.h"
#include "rest.h"
#include "run.h"
#include "url.h"

#define TWIML_MAX 4000

/* ---- a call as JSON ---- */

static json_t *text_or_null(const char *text)
{
    return text && *text ? json_string(text) : json_null();
}

static json_t *duration(const struct tl_tel_call *call)
{
    if (!tl_tel_status_is_final(call->status))
        return json_null();
    int64_t us = call->answered_us ? call->ended_us - call->answered_us : 0;
    return json_sprintf("%lld", (long long)((us + 500000) / 1000000));
}

static json_t *call_json(struct tl_tel_rest *rest, const struct tl_tel_call *call)
{
    const char *account = rest->tel->options.account_sid;
    const struct tl_tel_number *number =
        tl_tel_number_find(rest->tel, call->direction == TL_TEL_INBOUND ? call->to : call->from);
    json_t *out = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "sid", call->sid,
                            "account_sid", account, "status", tl_tel_status_name(call->status),
                            "direction", tl_tel_direction_name(call->direction), "api_version",
                            "2010-04-01", "to", call->to, "from", call->from, "to_formatted",
                            call->to, "from_formatted", call->from);
    static const char *const NULLS[] = {"answered_by", "annotation", "group_sid", "trunk_sid",
                                        "price"};

    for (size_t i = 0; i < TL_ARRAY_LEN(NULLS); i++)
        json_object_set_new(out, NULLS[i], json_null());
    json_object_set_new(out, "parent_call_sid",
                        text_or_null(call->parent ? call->parent->sid : ""));
    json_object_set_new(out, "phone_number_sid", text_or_null(number ? number->sid : NULL));
    json_object_set_new(out, "forwarded_from", text_or_null(call->forwarded_from));
    json_object_set_new(out, "caller_name", text_or_null(call->caller_name));
    json_object_set_new(out, "date_created", tl_tel_rest_time(call->created_at));
    json_object_set_new(out, "date_updated", tl_tel_rest_time(call->updated_at));
    json_object_set_new(out, "start_time", tl_tel_rest_time(call->start_at));
    json_object_set_new(out, "end_time", tl_tel_rest_time(call->end_at));
    json_object_set_new(out, "duration", duration(call));
    json_object_set_new(out, "price_unit", json_string("USD"));
    json_object_set_new(out, "queue_time", json_sprintf("%lld", (long long)call->queue_ms));
    json_object_set_new(out, "uri",
                        json_sprintf("/2010-04-01/Accounts/%s/Calls/%s.json", account, call->sid));
    json_object_set_new(out, "subresource_uris",
                        json_pack("{s:o}", "streams",
                                  json_sprintf("/2010-04-01/Accounts/%s/Calls/%s/Streams.json",
                                               account, call->sid)));
    return out;
}

/* ---- list ---- */

/* A day or an instant; false: neither. */
static bool read_time(const char *text, int64_t *ret_at_ms)
{
    char day[40];
    struct tl_error err;

    if (tl_time_parse_iso(text, ret_at_ms, &err) == TL_OK)
        return true;
    (void)snprintf(day, sizeof(day), "%sT00:00:00Z", text);
    return strlen(text) == 10 && tl_time_parse_iso(day, ret_at_ms, &err) == TL_OK;
}

/* Filters "StartTime>=…" arrive as a field "StartTime>". */
static bool time_fits(const struct tl_tel_rest *rest, int64_t at_ms)
{
    const char *after = tl_tel_form_text(&rest->form, "StartTime>");
    const char *before = tl_tel_form_text(&rest->form, "StartTime<");
    const char *on = tl_tel_form_text(&rest->form, "StartTime");
    int64_t limit_ms;

    if (after && read_time(after, &limit_ms) && at_ms / 1000 < limit_ms / 1000)
        return false;
    if (before && read_time(before, &limit_ms) && at_ms > limit_ms)
        return false;
    return !on || !read_time(on, &limit_ms) || at_ms / 86400000 == limit_ms / 86400000;
}

static bool text_fits(const struct tl_tel_rest *rest, const char *name, const char *value)
{
    const char *wanted = tl_tel_form_text(&rest->form, name);

    return !wanted || strcmp(wanted, value) == 0;
}

static bool fits(const struct tl_tel_rest *rest, const struct tl_tel_call *call)
{
    return call->status != TL_TEL_PLANNED && !call->is_deleted && text_fits(rest, "To", call->to) &&
           text_fits(rest, "From", call->from) &&
           text_fits(rest, "Status", tl_tel_status_name(call->status)) &&
           text_fits(rest, "ParentCallSid", call->parent ? call->parent->sid : "") &&
           time_fits(rest, call->start_at ? call->start_at : call->created_at);
}

/* Newest first. A page's token names the call behind which it begins. */
static void list_calls(struct tl_tel_rest *rest)
{
    const char *token = tl_tel_form_text(&rest->form, "PageToken");
    const char *page_text = tl_tel_form_text(&rest->form, "Page");
    long page = page_text ? strtol(page_text, NULL, 10) : 0;
    long size = tl_tel_rest_page_size(rest);
    const struct tl_tel_call *last =
        token && strncmp(token, "PA", 2) == 0 ? tl_tel_call_find(rest->tel, token + 2) : NULL;

    if ((page > 0) != (last != NULL)) {
        tl_tel_rest_error(rest, 400, 20006, "Page token is missing or not valid");
        return;
    }
    json_t *items = json_array();
    char next[TL_TEL_SID_SIZE + 2] = "";
    size_t i = last ? last->index : rest->tel->calls;
    while (i-- > 0) {
        const struct tl_tel_call *call = rest->tel->call[i];
        if (!fits(rest, call))
            continue;
        if ((long)json_array_size(items) == size) {
            const char *sid =
                json_string_value(json_object_get(json_array_get(items, (size_t)size - 1), "sid"));
            (void)snprintf(next, sizeof(next), "PA%s", sid);
            break;
        }
        json_array_append_new(items, call_json(rest, call));
    }
    tl_tel_rest_json(rest, 200,
                     tl_tel_rest_page(rest, "calls", items, page, size, *next ? next : NULL));
}

/* ---- create ---- */

static bool is_e164(const char *text)
{
    size_t n = text[0] == '+' ? strspn(text + 1, "0123456789") : 0;

    return n >= 8 && n <= 15 && text[n + 1] == '\0' && text[1] != '0';
}

struct refusal {
    int code;
    const char *message;
};

static struct refusal check_to(const char *to)
{
    static const struct {
        const char *to;
        struct refusal refusal;
    } MAGIC[] = {
        {"+15005550001", {21217, "Phone number does not appear to be valid"}},
        {"+15005550002", {21214, "'To' phone number cannot be reached"}},
        {"+15005550003", {21215, "Geographic permissions do not allow this call"}},
        {"+15005550004", {21216, "Number is blocked"}},
    };

    if (!to)
        return (struct refusal){21201, "No 'To' number is specified"};
    for (size_t i = 0; i < TL_ARRAY_LEN(MAGIC); i++)
        if (strcmp(MAGIC[i].to, to) == 0)
            return MAGIC[i].refusal;
    if (!is_e164(to))
        return (struct refusal){21211, "Invalid 'To' phone number"};
    return (struct refusal){0};
}

static struct refusal check_from(struct tl_tel *tel, const char *from)
{
    if (!from)
        return (struct refusal){21213, "'From' phone number is required"};
    if (!is_e164(from))
        return (struct refusal){21212, "Invalid 'From' phone number"};
    if (!tl_tel_number_find(tel, from))
        return (struct refusal){21210, "'From' phone number not verified"};
    return (struct refusal){0};
}

static bool is_url(struct tl_tel *tel, const char *text)
{
    struct tl_tel_url url;
    struct tl_error err;

    if (tl_tel_url_parse(text, tel->options.sign_port, &url, &err) != TL_OK)
        return false;
    tl_tel_url_finish(&url);
    return true;
}

static struct refusal check_document(struct tl_tel_rest *rest)
{
    const char *url = tl_tel_form_text(&rest->form, "Url");
    const char *twiml = tl_tel_form_text(&rest->form, "Twiml");
    const char *callback = tl_tel_form_text(&rest->form, "StatusCallback");

    if (url && !is_url(rest->tel, url))
        return (struct refusal){21205, "Url is not a valid URL"};
    if (!url && twiml && strlen(twiml) > TWIML_MAX)
        return (struct refusal){32018, "Twiml is too long"};
    if (!url && tl_tel_form_text(&rest->form, "FallbackUrl"))
        return (struct refusal){21405, "A fallback URL needs a primary URL"};
    if (callback && !is_url(rest->tel, callback))
        return (struct refusal){21609, "Invalid 'StatusCallback' URL"};
    return (struct refusal){0};
}

static struct refusal check_create(struct tl_tel_rest *rest)
{
    struct refusal refusal = check_to(tl_tel_form_text(&rest->form, "To"));

    if (!refusal.code)
        refusal = check_from(rest->tel, tl_tel_form_text(&rest->form, "From"));
    if (!refusal.code)
        refusal = check_document(rest);
    if (!refusal.code && !tl_tel_form_text(&rest->form, "Url") &&
        !tl_tel_form_text(&rest->form, "Twiml"))
        refusal = (struct refusal){21205, "Url, Twiml or ApplicationSid is required"};
    return refusal;
}

/* Each event is a field of its own; words joined in one are no event (and no error). */
static unsigned wanted_events(const struct tl_tel_form *form)
{
    static const char *const NAMES[] = {"initiated", "ringing", "answered", "completed"};
    unsigned bits = 0;
    bool any = false;

    for (size_t i = 0; i < form->len; i++) {
        if (strcmp(form->field[i].name, "StatusCallbackEvent") != 0)
            continue;
        any = true;
        for (size_t k = 0; k < TL_ARRAY_LEN(NAMES); k++)
            if (strcmp(form->field[i].value, NAMES[k]) == 0)
                bits |= 1u << k;
    }
    return any ? bits : TL_TEL_ON_COMPLETED;
}

static int64_t seconds_of(const struct tl_tel_form *form, const char *name, int64_t fallback)
{
    const char *text = tl_tel_form_text(form, name);

    return text ? strtol(text, NULL, 10) : fallback;
}

static void set_destination(struct tl_tel_call *call)
{
    const struct tl_tel_destination *d = tl_tel_destination_find(call->tel, call->to);
    struct tl_error err;

    call->ring_ms = d ? d->ring_ms : call->tel->options.ring_ms;
    call->outcome = d ? strdup(d->outcome) : NULL;
    if (d && d->script &&
        tl_tel_script_parse(call->tel->voices, d->script, 0, &call->mouth.script, &err) != TL_OK)
        tl_tel_call_error(call, 0, "script of %s: %s", call->to, err.msg);
}

static struct tl_tel_call *create_call(struct tl_tel_rest *rest)
{
    const struct tl_tel_form *form = &rest->form;
    const char *twiml = tl_tel_form_text(form, "Twiml");
    struct tl_tel_call *call =
        tl_tel_call_create(rest->tel, TL_TEL_OUTBOUND_API, tl_tel_form_text(form, "From"),
                           tl_tel_form_text(form, "To"));

    tl_tel_target_set(&call->voice, tl_tel_form_text(form, "Url"),
                      tl_tel_form_text(form, "Method"));
    tl_tel_target_set(&call->fallback, tl_tel_form_text(form, "FallbackUrl"),
                      tl_tel_form_text(form, "FallbackMethod"));
    tl_tel_target_set(&call->status_callback, tl_tel_form_text(form, "StatusCallback"),
                      tl_tel_form_text(form, "StatusCallbackMethod"));
    call->status_events = wanted_events(form);
    call->twiml = twiml ? strdup(twiml) : NULL;
    int64_t timeout = seconds_of(form, "Timeout", 60);
    call->ring_timeout_ms = 1000 * (timeout < 600 ? timeout : 600);
    call->time_limit_ms = 1000 * seconds_of(form, "TimeLimit", 14400);
    set_destination(call);
    return call;
}

static void post_calls(struct tl_tel_rest *rest)
{
    struct refusal refusal = check_create(rest);

    if (refusal.code) {
        tl_tel_rest_error(rest, 400, refusal.code, refusal.message);
        return;
    }
    struct tl_tel_call *call = create_call(rest);
    tl_tel_call_place(call);
    if (tl_tel_fault_take(&rest->tel->faults.create_5xx_after))
        tl_tel_rest_error(rest, 500, 20500, "An internal server error has occurred");
    else
        tl_tel_rest_json(rest, 201, call_json(rest, call));
}

void tl_tel_rest_calls(struct tl_tel_rest *rest)
{
    if (strcmp(rest->method, "POST") == 0)
        post_calls(rest);
    else if (strcmp(rest->method, "GET") == 0)
        list_calls(rest);
    else
        tl_tel_rest_error(rest, 405, 20004, "Method not allowed");
}

/* ---- one call ---- */

static struct refusal check_update(struct tl_tel_rest *rest, const struct tl_tel_call *call)
{
    static const struct refusal not_in_progress = {21220,
                                                   "Call is not in-progress. Cannot redirect."};
    const char *status = tl_tel_form_text(&rest->form, "Status");
    bool redirects = tl_tel_form_text(&rest->form, "Url") || tl_tel_form_text(&rest->form, "Twiml");

    if (tl_tel_status_is_final(call->status))
        return not_in_progress;
    if (status && strcmp(status, "completed") != 0 && strcmp(status, "canceled") != 0)
        return (struct refusal){20001, "Status is neither completed nor canceled"};
    if (status && strcmp(status, "canceled") == 0 && call->status == TL_TEL_IN_PROGRESS)
        return not_in_progress;
    if (redirects && call->status != TL_TEL_IN_PROGRESS)
        return not_in_progress;
    return redirects ? check_document(rest) : (struct refusal){0};
}

/* The members that may change at any time. */
static void update_settings(struct tl_tel_rest *rest, struct tl_tel_call *call)
{
    const struct tl_tel_form *form = &rest->form;

    if (tl_tel_form_text(form, "FallbackUrl"))
        tl_tel_target_set(&call->fallback, tl_tel_form_text(form, "FallbackUrl"),
                          tl_tel_form_text(form, "FallbackMethod"));
    if (tl_tel_form_text(form, "StatusCallback"))
        tl_tel_target_set(&call->status_callback, tl_tel_form_text(form, "StatusCallback"),
                          tl_tel_form_text(form, "StatusCallbackMethod"));
    call->updated_at = tl_now_ms();
}

static void post_call(struct tl_tel_rest *rest, struct tl_tel_call *call)
{
    const struct tl_tel_form *form = &rest->form;
    const char *status = tl_tel_form_text(form, "Status");
    const char *url = tl_tel_form_text(form, "Url"), *twiml = tl_tel_form_text(form, "Twiml");
    struct refusal refusal = check_update(rest, call);

    if (refusal.code) {
        tl_tel_rest_error(rest, 400, refusal.code, refusal.message);
        return;
    }
    tl_tel_call_event(
        call, "rest.update",
        json_pack("{s:s?, s:s?, s:b}", "status", status, "url", url, "twiml", twiml != NULL));
    update_settings(rest, call);
    call->on_fallback = false; /* what comes now is not the fallback's answer */
    if (status)
        tl_tel_call_end(call,
                        call->status == TL_TEL_IN_PROGRESS ? TL_TEL_COMPLETED : TL_TEL_CANCELED);
    else if (url)
        tl_tel_run_url(call, url, tl_tel_form_text(form, "Method"), NULL);
    else if (twiml)
        tl_tel_run_text(call, twiml);
    tl_tel_rest_json(rest, 200, call_json(rest, call));
}

void tl_tel_rest_call(struct tl_tel_rest *rest, const char *sid)
{
    struct tl_tel_call *call = tl_tel_call_find(rest->tel, sid);

    if (!call || call->status == TL_TEL_PLANNED || call->is_deleted) {
        tl_tel_rest_error(rest, 404, 20404, "The requested resource was not found");
    } else if (strcmp(rest->method, "GET") == 0) {
        tl_tel_rest_json(rest, 200, call_json(rest, call));
    } else if (strcmp(rest->method, "POST") == 0) {
        post_call(rest, call);
    } else if (strcmp(rest->method, "DELETE") == 0 && tl_tel_status_is_final(call->status)) {
        call->is_deleted = true;
        tl_http_respond(rest->x, 204, NULL, NULL, 0, NULL);
    } else {
        tl_tel_rest_error(rest, 405, 20004, "Method not allowed");
    }
}
