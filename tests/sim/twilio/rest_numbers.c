/* REST: the account's numbers and where their calls go. */
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "rest.h"

static json_t *number_json(struct tl_tel_rest *rest, const struct tl_tel_number *n)
{
    json_t *out =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:s}",
                  "sid", n->sid, "account_sid", rest->tel->options.account_sid, "phone_number",
                  n->number, "friendly_name", n->friendly_name, "voice_url", n->voice_url,
                  "voice_method", n->voice_method, "voice_fallback_url", n->fallback_url,
                  "voice_fallback_method", n->fallback_method, "status_callback", n->status_url,
                  "status_callback_method", n->status_method, "voice_application_sid",
                  n->application_sid, "trunk_sid", n->trunk_sid, "api_version", "2010-04-01",
                  "voice_caller_id_lookup", n->caller_id_lookup, "origin", "twilio");

    json_object_set_new(
        out, "capabilities",
        json_pack("{s:b, s:b, s:b, s:b}", "voice", 1, "sms", 0, "mms", 0, "fax", 0));
    json_object_set_new(out, "date_created", tl_tel_rest_time(n->created_at));
    json_object_set_new(out, "date_updated", tl_tel_rest_time(n->updated_at));
    json_object_set_new(out, "uri",
                        json_sprintf("/2010-04-01/Accounts/%s/IncomingPhoneNumbers/%s.json",
                                     rest->tel->options.account_sid, n->sid));
    return out;
}

void tl_tel_rest_numbers(struct tl_tel_rest *rest)
{
    const char *wanted = tl_tel_form_text(&rest->form, "PhoneNumber");
    json_t *items = json_array();

    if (strcmp(rest->method, "GET") != 0) {
        json_decref(items);
        tl_tel_rest_error(rest, 405, 20004, "Method not allowed");
        return;
    }
    for (size_t i = 0; i < rest->tel->numbers; i++)
        if (!wanted || strstr(rest->tel->number[i].number, wanted))
            json_array_append_new(items, number_json(rest, &rest->tel->number[i]));
    tl_tel_rest_json(rest, 200,
                     tl_tel_rest_page(rest, "incoming_phone_numbers", items, 0,
                                      tl_tel_rest_page_size(rest), NULL));
}

/* A parameter that is there replaces the value, also when empty. */
static void update_text(const struct tl_tel_rest *rest, const char *name, char **value)
{
    const char *text = tl_tel_form_get(&rest->form, name);

    if (!text)
        return;
    free(*value);
    *value = strdup(text);
}

static void update(struct tl_tel_rest *rest, struct tl_tel_number *n)
{
    const char *url = tl_tel_form_get(&rest->form, "VoiceUrl");
    const char *lookup = tl_tel_form_text(&rest->form, "VoiceCallerIdLookup");

    if (tl_tel_form_text(&rest->form, "VoiceFallbackUrl") && !*(url ? url : n->voice_url)) {
        tl_tel_rest_error(rest, 400, 21405, "A fallback URL needs a primary URL");
        return;
    }
    update_text(rest, "VoiceUrl", &n->voice_url);
    update_text(rest, "VoiceMethod", &n->voice_method);
    update_text(rest, "VoiceFallbackUrl", &n->fallback_url);
    update_text(rest, "VoiceFallbackMethod", &n->fallback_method);
    update_text(rest, "StatusCallback", &n->status_url);
    update_text(rest, "StatusCallbackMethod", &n->status_method);
    update_text(rest, "FriendlyName", &n->friendly_name);
    update_text(rest, "VoiceApplicationSid", &n->application_sid);
    update_text(rest, "TrunkSid", &n->trunk_sid);
    if (lookup)
        n->caller_id_lookup = strcmp(lookup, "true") == 0;
    n->updated_at = tl_now_ms();
    tl_tel_rest_json(rest, 200, number_json(rest, n));
}

void tl_tel_rest_number(struct tl_tel_rest *rest, const char *sid)
{
    struct tl_tel_number *n = NULL;

    for (size_t i = 0; i < rest->tel->numbers; i++)
        if (strcmp(rest->tel->number[i].sid, sid) == 0)
            n = &rest->tel->number[i];
    if (!n)
        tl_tel_rest_error(rest, 404, 20404, "The requested resource was not found");
    else if (strcmp(rest->method, "POST") == 0)
        update(rest, n);
    else if (strcmp(rest->method, "GET") == 0)
        tl_tel_rest_json(rest, 200, number_json(rest, n));
    else
        tl_tel_rest_error(rest, 405, 20004, "Method not allowed");
}
