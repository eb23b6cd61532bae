/* TwiML documents (Twilio, "TwiML for Programmable Voice"): see twiml.h. */
#include "twilio/twiml.h"

#include <string.h>

#define HEADER "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response>"
#define FOOTER "</Response>"

/* U+FFFE and U+FFFF: UTF-8, but no characters of XML. */
static bool is_noncharacter(const char *s)
{
    return strncmp(s, "\xef\xbf\xbe", 3) == 0 || strncmp(s, "\xef\xbf\xbf", 3) == 0;
}

static void add_text(struct tl_buf *out, const char *s)
{
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        if (is_noncharacter(s)) {
            tl_buf_add_char(out, '?');
            s += 2;
            continue;
        }
        switch (c) {
        case '&':
            tl_buf_add_str(out, "&amp;");
            break;
        case '<':
            tl_buf_add_str(out, "&lt;");
            break;
        case '>':
            tl_buf_add_str(out, "&gt;");
            break;
        case '"':
            tl_buf_add_str(out, "&quot;");
            break;
        default:
            tl_buf_add_char(out, c < 0x20 && c != '\t' && c != '\n' && c != '\r' ? '?' : (char)c);
        }
    }
}

static void add_attribute(struct tl_buf *out, const char *name, const char *value)
{
    if (!value || !*value)
        return;
    tl_buf_printf(out, " %s=\"", name);
    add_text(out, value);
    tl_buf_add_char(out, '"');
}

static void add_say(struct tl_buf *out, const char *language, const char *sentence)
{
    tl_buf_add_str(out, "<Say");
    add_attribute(out, "language", language);
    tl_buf_add_char(out, '>');
    add_text(out, sentence);
    tl_buf_add_str(out, "</Say>");
}

void tl_twiml_connect_stream(struct tl_buf *out, const char *action_url, const char *stream_url,
                             const char *status_url, const struct tl_twiml_parameter *parameters,
                             size_t parameters_n)
{
    tl_buf_add_str(out, HEADER "<Connect");
    add_attribute(out, "action", action_url);
    tl_buf_add_str(out, "><Stream");
    add_attribute(out, "url", stream_url);
    add_attribute(out, "statusCallback", status_url);
    tl_buf_add_char(out, '>');
    for (size_t i = 0; i < parameters_n; i++) {
        tl_buf_add_str(out, "<Parameter");
        add_attribute(out, "name", parameters[i].name);
        add_attribute(out, "value", parameters[i].value);
        tl_buf_add_str(out, "/>");
    }
    tl_buf_add_str(out, "</Stream></Connect>" FOOTER);
}

void tl_twiml_say(struct tl_buf *out, const char *language, const char *sentence,
                  const char *dial_number)
{
    tl_buf_add_str(out, HEADER);
    if (sentence && *sentence)
        add_say(out, language, sentence);
    if (dial_number && *dial_number) {
        tl_buf_add_str(out, "<Dial>");
        add_text(out, dial_number);
        tl_buf_add_str(out, "</Dial>");
    } else {
        tl_buf_add_str(out, "<Hangup/>");
    }
    tl_buf_add_str(out, FOOTER);
}

void tl_twiml_say_redirect(struct tl_buf *out, const char *language, const char *sentence,
                           int pause_s, const char *url)
{
    tl_buf_add_str(out, HEADER);
    add_say(out, language, sentence);
    tl_buf_printf(out, "<Pause length=\"%d\"/><Redirect method=\"POST\">", pause_s);
    add_text(out, url);
    tl_buf_add_str(out, "</Redirect>" FOOTER);
}

void tl_twiml_reject(struct tl_buf *out, const char *reason)
{
    tl_buf_add_str(out, HEADER "<Reject");
    add_attribute(out, "reason", reason);
    tl_buf_add_str(out, "/>" FOOTER);
}

void tl_twiml_empty(struct tl_buf *out)
{
    tl_buf_add_str(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response/>");
}
