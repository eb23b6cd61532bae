/* Media Streams messages, both ways: see stream.h. */
#include "twilio/stream.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/base64.h"

typedef enum tl_status (*read_fn)(json_t *root, struct tl_stream_message *m, struct tl_error *err);

/* A member that must be a string and fit. */
static enum tl_status take_string(json_t *object, const char *name, char *to, size_t size,
                                  struct tl_error *err)
{
    json_t *value = json_object_get(object, name);
    const char *text = json_string_value(value);

    if (!text || strlen(text) != json_string_length(value))
        return tl_fail(err, TL_INVALID, "stream message: %s missing or not a string", name);
    if (strlen(text) >= size)
        return tl_fail(err, TL_INVALID, "stream message: %s is too long", name);
    memcpy(to, text, strlen(text) + 1);
    return TL_OK;
}

/* Some networks send numbers, the reference sends them as strings. */
static enum tl_status take_number(json_t *object, const char *name, int64_t *ret,
                                  struct tl_error *err)
{
    json_t *value = json_object_get(object, name);
    const char *text = json_string_value(value);
    char *end;

    if (json_is_integer(value)) {
        *ret = json_integer_value(value);
    } else if (text && *text) {
        *ret = strtoll(text, &end, 10);
        if (*end)
            return tl_fail(err, TL_INVALID, "stream message: %s is not a number", name);
    } else {
        return tl_fail(err, TL_INVALID, "stream message: %s missing", name);
    }
    if (*ret < 0 || *ret > INT32_MAX * (int64_t)1000)
        return tl_fail(err, TL_INVALID, "stream message: %s out of range", name);
    return TL_OK;
}

static enum tl_status read_connected(json_t *root, struct tl_stream_message *m, struct tl_error *err)
{
    (void)root, (void)m, (void)err; /* it says nothing that we use */
    return TL_OK;
}

static enum tl_status check_format(json_t *format, struct tl_error *err)
{
    const char *encoding = json_string_value(json_object_get(format, "encoding"));
    int64_t rate, channels;
    enum tl_status st = take_number(format, "sampleRate", &rate, err);

    if (st == TL_OK)
        st = take_number(format, "channels", &channels, err);
    if (st != TL_OK)
        return st;
    if (!encoding || strcmp(encoding, "audio/x-mulaw") != 0 || rate != 8000 || channels != 1)
        return tl_fail(err, TL_INVALID, "stream message: not mu-law, 8000 Hz, mono");
    return TL_OK;
}

static enum tl_status read_start(json_t *root, struct tl_stream_message *m, struct tl_error *err)
{
    json_t *start = json_object_get(root, "start");
    enum tl_status st = take_string(start, "streamSid", m->stream_sid, sizeof(m->stream_sid), err);

    if (st == TL_OK)
        st = take_string(start, "callSid", m->call_sid, sizeof(m->call_sid), err);
    if (st == TL_OK)
        st = take_string(start, "accountSid", m->account_sid, sizeof(m->account_sid), err);
    if (st == TL_OK)
        st = take_string(json_object_get(start, "customParameters"), "key", m->text,
                         sizeof(m->text), err);
    return st == TL_OK ? check_format(json_object_get(start, "mediaFormat"), err) : st;
}

static enum tl_status read_media(json_t *root, struct tl_stream_message *m, struct tl_error *err)
{
    json_t *media = json_object_get(root, "media");
    json_t *payload = json_object_get(media, "payload");
    enum tl_status st = take_string(root, "streamSid", m->stream_sid, sizeof(m->stream_sid), err);

    if (st == TL_OK)
        st = take_number(media, "timestamp", &m->timestamp_ms, err);
    if (st != TL_OK)
        return st;
    if (!json_is_string(payload))
        return tl_fail(err, TL_INVALID, "stream message: payload missing");
    size_t len = json_string_length(payload);
    if (tl_base64_decoded_max(len) > TL_STREAM_AUDIO_MAX)
        return tl_fail(err, TL_INVALID, "stream message: payload of %zu characters", len);
    return tl_base64_decode(json_string_value(payload), len, m->audio, &m->audio_len, err);
}

static enum tl_status read_dtmf(json_t *root, struct tl_stream_message *m, struct tl_error *err)
{
    enum tl_status st = take_string(root, "streamSid", m->stream_sid, sizeof(m->stream_sid), err);

    if (st == TL_OK)
        st = take_string(json_object_get(root, "dtmf"), "digit", m->text, sizeof(m->text), err);
    if (st != TL_OK)
        return st;
    if (strlen(m->text) != 1 || !strchr("0123456789*#ABCDabcd", m->text[0]))
        return tl_fail(err, TL_INVALID, "stream message: no key has this name");
    return TL_OK;
}

static enum tl_status read_mark(json_t *root, struct tl_stream_message *m, struct tl_error *err)
{
    enum tl_status st = take_string(root, "streamSid", m->stream_sid, sizeof(m->stream_sid), err);

    return st == TL_OK
               ? take_string(json_object_get(root, "mark"), "name", m->text, sizeof(m->text), err)
               : st;
}

static enum tl_status read_stop(json_t *root, struct tl_stream_message *m, struct tl_error *err)
{
    enum tl_status st = take_string(root, "streamSid", m->stream_sid, sizeof(m->stream_sid), err);

    return st == TL_OK ? take_string(json_object_get(root, "stop"), "callSid", m->call_sid,
                                     sizeof(m->call_sid), err)
                       : st;
}

static enum tl_status read_any(const char *data, size_t len, struct tl_stream_message *ret_message,
                               struct tl_error *err)
{
    static const struct {
        const char *name;
        enum tl_stream_event event;
        read_fn read;
    } events[] = {
        {"media", TL_STREAM_MEDIA, read_media},
        {"mark", TL_STREAM_MARK, read_mark},
        {"connected", TL_STREAM_CONNECTED, read_connected},
        {"start", TL_STREAM_START, read_start},
        {"dtmf", TL_STREAM_DTMF, read_dtmf},
        {"stop", TL_STREAM_STOP, read_stop},
    };
    json_error_t json_err;
    json_t *root = json_loadb(data, len, JSON_REJECT_DUPLICATES, &json_err);
    const char *name = json_string_value(json_object_get(root, "event"));
    enum tl_status st;

    if (!name) {
        st = tl_fail(err, TL_INVALID, "stream message: %s", root ? "no event" : json_err.text);
        json_decref(root);
        return st;
    }
    st = tl_fail(err, TL_NOT_FOUND, "stream message: unknown event %.40s", name);
    for (size_t i = 0; i < TL_ARRAY_LEN(events); i++)
        if (strcmp(events[i].name, name) == 0) {
            ret_message->event = events[i].event;
            ret_message->stream_sid[0] = ret_message->call_sid[0] = ret_message->text[0] = '\0';
            ret_message->audio_len = 0;
            st = events[i].read(root, ret_message, err);
            break;
        }
    json_decref(root);
    return st;
}

/* ---- media messages as the network writes them: fifty a second and call ---- */

struct cursor {
    const char *p, *end;
};

static bool skip(struct cursor *c, const char *text)
{
    size_t n = strlen(text);

    if ((size_t)(c->end - c->p) < n || memcmp(c->p, text, n) != 0)
        return false;
    c->p += n;
    return true;
}

/* The rest of a plain JSON string: no escapes, nothing beyond ASCII; the closing quote is eaten. */
static bool take_plain(struct cursor *c, const char **ret, size_t *ret_len)
{
    const char *quote = memchr(c->p, '"', (size_t)(c->end - c->p));

    if (!quote)
        return false;
    for (const char *p = c->p; p < quote; p++)
        if (*p == '\\' || (unsigned char)*p < 0x20 || (unsigned char)*p >= 0x7f)
            return false;
    *ret = c->p;
    *ret_len = (size_t)(quote - c->p);
    c->p = quote + 1;
    return true;
}

/* Reads exactly the form of the reference, members in its order. False: any other form; then the
 * general reader decides. It saves a third of ingest's own work. */
static bool read_usual_media(const char *data, size_t len, struct tl_stream_message *m)
{
    struct cursor c = {data, data + len};
    const char *number, *sid, *timestamp, *payload;
    size_t number_len, sid_len, timestamp_len, payload_len;
    struct tl_error err;

    if (!skip(&c, "{\"event\":\"media\",\"sequenceNumber\":\"") ||
        !take_plain(&c, &number, &number_len) || !skip(&c, ",\"streamSid\":\"") ||
        !take_plain(&c, &sid, &sid_len) || sid_len >= sizeof(m->stream_sid) ||
        !skip(&c, ",\"media\":{\"track\":\"inbound\",\"chunk\":\"") ||
        !take_plain(&c, &number, &number_len) || !skip(&c, ",\"timestamp\":\"") ||
        !take_plain(&c, &timestamp, &timestamp_len) || !timestamp_len || timestamp_len > 12 ||
        !skip(&c, ",\"payload\":\"") || !take_plain(&c, &payload, &payload_len) ||
        !skip(&c, "}}") || c.p != c.end ||
        tl_base64_decoded_max(payload_len) > TL_STREAM_AUDIO_MAX)
        return false;
    m->timestamp_ms = 0;
    for (size_t i = 0; i < timestamp_len; i++) {
        if (timestamp[i] < '0' || timestamp[i] > '9')
            return false;
        m->timestamp_ms = m->timestamp_ms * 10 + (timestamp[i] - '0');
    }
    if (tl_base64_decode(payload, payload_len, m->audio, &m->audio_len, &err) != TL_OK)
        return false;
    memcpy(m->stream_sid, sid, sid_len);
    m->stream_sid[sid_len] = '\0';
    m->event = TL_STREAM_MEDIA;
    m->call_sid[0] = m->text[0] = '\0';
    return true;
}

enum tl_status tl_stream_parse(const char *data, size_t len, struct tl_stream_message *ret_message,
                               struct tl_error *err)
{
    return read_usual_media(data, len, ret_message) ? TL_OK
                                                    : read_any(data, len, ret_message, err);
}


/* Stream SIDs and mark names are ours or checked; still nothing may break out of the string. */
static void add_quoted(struct tl_buf *out, const char *s)
{
    tl_buf_add_char(out, '"');
    for (; *s; s++)
        if (*s != '"' && *s != '\\' && (unsigned char)*s >= 0x20)
            tl_buf_add_char(out, *s);
    tl_buf_add_char(out, '"');
}

void tl_stream_media(struct tl_buf *out, const char *stream_sid, struct tl_bytes audio)
{
    tl_buf_add_str(out, "{\"event\":\"media\",\"streamSid\":");
    add_quoted(out, stream_sid);
    tl_buf_add_str(out, ",\"media\":{\"payload\":\"");
    tl_base64_append(out, audio.data, audio.len);
    tl_buf_add_str(out, "\"}}");
}

void tl_stream_mark(struct tl_buf *out, const char *stream_sid, const char *name)
{
    tl_buf_add_str(out, "{\"event\":\"mark\",\"streamSid\":");
    add_quoted(out, stream_sid);
    tl_buf_add_str(out, ",\"mark\":{\"name\":");
    add_quoted(out, name);
    tl_buf_add_str(out, "}}");
}

void tl_stream_clear(struct tl_buf *out, const char *stream_sid)
{
    tl_buf_add_str(out, "{\"event\":\"clear\",\"streamSid\":");
    add_quoted(out, stream_sid);
    tl_buf_add_char(out, '}');
}
