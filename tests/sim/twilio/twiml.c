/* TwiML, read as strictly as Twilio does: names are case sensitive, every element has its place. */
#include "twiml.h"

#include <libxml/parser.h>
#include <libxml/tree.h>
#include <stdlib.h>
#include <string.h>

#define PARAMETER_MAX 500 /* characters of name and value together */
#define BIT(e) (1u << (e))

/* What each element may have. Lists are separated by spaces. */
static const struct element_rule {
    const char *name;
    const char *attrs;
    unsigned children; /* bits of tl_tel_element */
} RULES[TL_TEL_ELEMENTS] = {
    [TL_TEL_RESPONSE] = {"Response", "",
                         BIT(TL_TEL_CONNECT) | BIT(TL_TEL_SAY) | BIT(TL_TEL_PLAY) |
                             BIT(TL_TEL_PAUSE) | BIT(TL_TEL_REDIRECT) | BIT(TL_TEL_REJECT) |
                             BIT(TL_TEL_HANGUP) | BIT(TL_TEL_GATHER) | BIT(TL_TEL_DIAL)},
    [TL_TEL_CONNECT] = {"Connect", "action method", BIT(TL_TEL_STREAM)},
    [TL_TEL_STREAM] = {"Stream", "url name track statusCallback statusCallbackMethod",
                       BIT(TL_TEL_PARAMETER)},
    [TL_TEL_PARAMETER] = {"Parameter", "name value", 0},
    [TL_TEL_SAY] = {"Say", "voice language loop", 0},
    [TL_TEL_PLAY] = {"Play", "loop digits", 0},
    [TL_TEL_PAUSE] = {"Pause", "length", 0},
    [TL_TEL_REDIRECT] = {"Redirect", "method", 0},
    [TL_TEL_REJECT] = {"Reject", "reason", 0},
    [TL_TEL_HANGUP] = {"Hangup", "", 0},
    [TL_TEL_GATHER] = {"Gather",
                       "action method input timeout numDigits finishOnKey actionOnEmptyResult "
                       "language",
                       BIT(TL_TEL_SAY) | BIT(TL_TEL_PLAY) | BIT(TL_TEL_PAUSE)},
    [TL_TEL_DIAL] = {"Dial",
                     "action method answerOnBridge callerId hangupOnStar record "
                     "recordingStatusCallback recordingStatusCallbackEvent "
                     "recordingStatusCallbackMethod recordingTrack referUrl referMethod ringTone "
                     "sequential timeLimit timeout trim",
                     BIT(TL_TEL_NUMBER) | BIT(TL_TEL_CONFERENCE)},
    [TL_TEL_NUMBER] = {"Number",
                       "url method sendDigits byoc statusCallback statusCallbackEvent "
                       "statusCallbackMethod machineDetection machineDetectionTimeout "
                       "machineDetectionSpeechThreshold machineDetectionSpeechEndThreshold "
                       "machineDetectionSilenceTimeout amdStatusCallback",
                       0},
    [TL_TEL_CONFERENCE] = {"Conference",
                           "muted beep startConferenceOnEnter endConferenceOnExit "
                           "participantLabel jitterBufferSize waitUrl waitMethod maxParticipants "
                           "record recordingStatusCallback recordingStatusCallbackEvent "
                           "recordingStatusCallbackMethod trim region coach statusCallback "
                           "statusCallbackEvent statusCallbackMethod eventCallbackUrl",
                           0},
};

static bool in_list(const char *list, const char *word)
{
    size_t n = strlen(word);

    for (const char *p = list; (p = strstr(p, word)); p += n)
        if ((p == list || p[-1] == ' ') && (p[n] == ' ' || p[n] == '\0'))
            return true;
    return false;
}

const char *tl_tel_element_name(enum tl_tel_element element)
{
    return RULES[element].name;
}

const char *tl_tel_node_attr(const struct tl_tel_node *node, const char *name)
{
    for (const struct tl_tel_attr *a = node->attrs; a; a = a->next)
        if (strcmp(a->name, name) == 0)
            return a->value;
    return NULL;
}

/* One document being read. */
struct reading {
    struct tl_tel_doc *doc;
    int code;
    struct tl_error *err;
};

static enum tl_status refuse(struct reading *r, int code, const char *what, const char *name)
{
    r->code = code;
    return tl_fail(r->err, TL_INVALID, "%s: %s", name, what);
}

static void warn(struct reading *r, int code, const char *element, const char *attr)
{
    struct tl_tel_warning *w = tl_arena_alloc(&r->doc->arena, sizeof(*w));

    w->code = code;
    w->message = tl_arena_printf(&r->doc->arena, "%s: attribute %s is unknown", element, attr);
    w->next = r->doc->warnings;
    r->doc->warnings = w;
}

static void read_attrs(struct reading *r, const xmlNode *from, struct tl_tel_node *to)
{
    for (const xmlAttr *a = from->properties; a; a = a->next) {
        const char *name = (const char *)a->name;
        if (a->ns || !in_list(RULES[to->element].attrs, name)) {
            warn(r, 12200, RULES[to->element].name, name);
            continue;
        }
        xmlChar *value = xmlNodeGetContent((const xmlNode *)a);
        struct tl_tel_attr *attr = tl_arena_alloc(&r->doc->arena, sizeof(*attr));
        attr->name = tl_arena_strdup(&r->doc->arena, name);
        attr->value = tl_arena_strdup(&r->doc->arena, (const char *)value);
        attr->next = to->attrs;
        to->attrs = attr;
        xmlFree(value);
    }
}

static bool is_blank(const char *text)
{
    return text[strspn(text, " \t\r\n")] == '\0';
}

static const char *trimmed(struct tl_arena *arena, const xmlNode *node)
{
    xmlChar *content = xmlNodeGetContent(node);
    const char *start = (const char *)content + strspn((const char *)content, " \t\r\n");
    size_t n = strlen(start);

    while (n > 0 && strchr(" \t\r\n", start[n - 1]))
        n--;
    const char *text = tl_arena_strndup(arena, start, n);
    xmlFree(content);
    return text;
}

/* Characters, not bytes. */
static size_t utf8_length(const char *text)
{
    size_t n = 0;

    for (; *text; text++)
        n += ((unsigned char)*text & 0xC0) != 0x80;
    return n;
}

/* What a single element must have beyond names in their places. */
static enum tl_status check_node(struct reading *r, const struct tl_tel_node *node)
{
    const char *element = RULES[node->element].name;
    const char *name = tl_tel_node_attr(node, "name"), *value = tl_tel_node_attr(node, "value");
    const char *track = tl_tel_node_attr(node, "track");
    const char *method = tl_tel_node_attr(node, "method");

    if (method && strcmp(method, "GET") != 0 && strcmp(method, "POST") != 0)
        return refuse(r, 12200, "method is neither GET nor POST", element);
    switch (node->element) {
    case TL_TEL_CONNECT:
        if (!node->child || node->child->next)
            return refuse(r, 12200, "holds exactly one Stream", element);
        return TL_OK;
    case TL_TEL_STREAM:
        if (!tl_tel_node_attr(node, "url"))
            return refuse(r, 12200, "has no url", element);
        if (track && strcmp(track, "inbound_track") != 0)
            return refuse(r, 31941, "a bidirectional stream has track inbound_track", element);
        return TL_OK;
    case TL_TEL_PARAMETER:
        if (!name || !value)
            return refuse(r, 12200, "needs name and value", element);
        if (utf8_length(name) + utf8_length(value) > PARAMETER_MAX)
            return refuse(r, 12200, "name and value are over 500 characters", element);
        return TL_OK;
    default:
        return TL_OK;
    }
}

static enum tl_status read_children(struct reading *r, const xmlNode *from, struct tl_tel_node *to);

static enum tl_status read_element(struct reading *r, const xmlNode *from, unsigned allowed,
                                   struct tl_tel_node **ret_node)
{
    const char *name = (const char *)from->name;
    unsigned e = 0;

    while (e < TL_TEL_ELEMENTS && strcmp(RULES[e].name, name) != 0)
        e++;
    if (e == TL_TEL_ELEMENTS || !(allowed & BIT(e)))
        return refuse(r, 12100, "this element does not belong here", name);

    struct tl_tel_node *node = tl_arena_alloc(&r->doc->arena, sizeof(*node));
    node->element = (enum tl_tel_element)e;
    node->text = RULES[e].children ? "" : trimmed(&r->doc->arena, from);
    read_attrs(r, from, node);
    enum tl_status st = TL_OK;
    if (e == TL_TEL_DIAL)
        node->text = from->children && !xmlFirstElementChild((xmlNode *)from)
                         ? trimmed(&r->doc->arena, from)
                         : "";
    if (e != TL_TEL_SAY) /* SSML stays text */
        st = read_children(r, from, node);
    if (st == TL_OK)
        st = check_node(r, node);
    *ret_node = node;
    return st;
}

static enum tl_status read_children(struct reading *r, const xmlNode *from, struct tl_tel_node *to)
{
    struct tl_tel_node **tail = &to->child;

    for (const xmlNode *n = from->children; n; n = n->next) {
        if (n->type == XML_ELEMENT_NODE) {
            enum tl_status st = read_element(r, n, RULES[to->element].children, tail);
            if (st != TL_OK)
                return st;
            tail = &(*tail)->next;
        } else if ((n->type == XML_TEXT_NODE || n->type == XML_CDATA_SECTION_NODE) &&
                   RULES[to->element].children && to->element != TL_TEL_DIAL &&
                   !is_blank((const char *)n->content)) {
            return refuse(r, 12100, "text where verbs belong", RULES[to->element].name);
        }
    }
    return TL_OK;
}

static enum tl_status read_root(struct reading *r, xmlDoc *xml)
{
    const xmlNode *root = xmlDocGetRootElement(xml);
    struct tl_tel_node *response = NULL;

    if (xmlGetIntSubset(xml))
        return refuse(r, 12100, "a document type is not taken", "TwiML");
    if (strcmp((const char *)root->name, "Response") != 0)
        return refuse(r, 12100, "the root is not <Response>", (const char *)root->name);
    enum tl_status st = read_element(r, root, BIT(TL_TEL_RESPONSE), &response);
    if (st == TL_OK && response)
        r->doc->first = response->child;
    return st;
}

enum tl_status tl_tel_doc_parse(const void *data, size_t len, struct tl_tel_doc **ret_doc,
                                int *ret_code, struct tl_error *err)
{
    struct reading r = {.code = 12100, .err = err};
    enum tl_status st;
    xmlDoc *xml = len > 0 && len < (1 << 20)
                      ? xmlReadMemory(data, (int)len, NULL, NULL,
                                      XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING)
                      : NULL;

    r.doc = calloc(1, sizeof(*r.doc));
    if (!r.doc)
        abort();
    st = xml && xmlDocGetRootElement(xml) ? read_root(&r, xml)
                                          : refuse(&r, 12100, "not an XML document", "TwiML");
    xmlFreeDoc(xml);
    if (st != TL_OK) {
        *ret_code = r.code;
        tl_tel_doc_destroy(r.doc);
        return st;
    }
    *ret_doc = r.doc;
    return TL_OK;
}

void tl_tel_doc_destroy(struct tl_tel_doc *doc)
{
    if (!doc)
        return;
    tl_arena_finish(&doc->arena);
    free(doc);
}
