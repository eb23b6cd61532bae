/* What a response says. Nothing is invented: it stands in the phrase file, in the instructions, or
 * in the few sentences below. */
#include "openai/answer.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "openai/response.h"

#define SORRY "I am sorry, I did not understand that."
#define GREETING "Hello, how can I help you?"
#define STILL_THERE "Are you still there?"
#define AFTER_TOOL "All right, that is done."
#define SPOKEN_MAX 400 /* characters of a text that is no phrase */

/* Parts. */

static void add_words(struct tl_ai_plan *plan, const struct tl_speech *speech, const char *text)
{
    if (plan->len == TL_AI_PLAN_MAX)
        return;
    plan->part[plan->len++] =
        (struct tl_ai_part){.speech = speech, .to = speech ? speech->len : 0, .text = strdup(text)};
}

static void add_call(struct tl_ai_plan *plan, const struct tl_phrase *phrase)
{
    if (plan->len < TL_AI_PLAN_MAX)
        plan->part[plan->len++] = (struct tl_ai_part){.call = phrase};
}

static void add_speech(const struct tl_ai_response *response, struct tl_ai_plan *plan,
                       const struct tl_speech *speech)
{
    if (speech)
        add_words(plan, response->text_only ? NULL : speech, speech->text);
}

/** Any text: synthesised when it is new, and when sound is wanted. */
static void add_text(const struct tl_ai_response *response, struct tl_ai_plan *plan,
                     const char *text)
{
    const struct tl_speech *speech = NULL;
    struct tl_error err;

    if (!response->text_only && tl_speech_bank_say(response->session->sim->bank, TL_SPEECH_AI, text,
                                                   &speech, &err) != TL_OK) {
        tl_log_warn(&response->session->sim->log, "answer.not_synthesised",
                    TL_STR("reason", err.msg));
        text = SORRY;
        if (tl_speech_bank_say(response->session->sim->bank, TL_SPEECH_AI, text, &speech, &err) !=
            TL_OK)
            speech = NULL;
    }
    add_words(plan, speech, text);
}

void tl_ai_plan_finish(struct tl_ai_plan *plan)
{
    for (size_t i = 0; i < plan->len; i++)
        free(plan->part[i].text);
    plan->len = 0;
}

void tl_ai_plan_split(struct tl_ai_plan *plan)
{
    struct tl_ai_plan out = {.len = 0};

    for (size_t i = 0; i < plan->len; i++) {
        struct tl_ai_part *part = &plan->part[i];
        const char *space = part->text ? strchr(part->text + strlen(part->text) / 2, ' ') : NULL;
        if (!part->speech || !space || out.len + 2 + (plan->len - i - 1) > TL_AI_PLAN_MAX) {
            out.part[out.len++] = *part;
            continue;
        }
        size_t middle = part->speech->len / 2 / TL_SPEECH_FRAME_BYTES * TL_SPEECH_FRAME_BYTES;
        struct tl_ai_part first = *part, second = *part;
        first.to = second.from = middle;
        first.text = strndup(part->text, (size_t)(space - part->text));
        second.text = strdup(space + 1);
        free(part->text);
        out.part[out.len++] = first;
        out.part[out.len++] = second;
    }
    *plan = out;
}

/* Choosing. */

static const json_t *member(const struct tl_ai_response *response, const char *name)
{
    const json_t *own = json_object_get(response->request, name);

    return own ? own : json_object_get(response->session->config.session, name);
}

static bool may_call(const struct tl_ai_response *response, const char *tool)
{
    const json_t *choice = member(response, "tool_choice");
    json_t *declared;
    size_t i;

    if (json_is_string(choice) && strcmp(json_string_value(choice), "none") == 0)
        return false;
    json_array_foreach(member(response, "tools"), i, declared)
    {
        const char *name = json_string_value(json_object_get(declared, "name"));
        if (name && strcmp(name, tool) == 0)
            return true;
    }
    return false;
}

static void answer_phrase(const struct tl_ai_response *response, const struct tl_phrase *phrase,
                          struct tl_ai_plan *plan)
{
    if (phrase->tool && !may_call(response, phrase->tool)) {
        if (phrase->without_tool)
            add_speech(response, plan, phrase->without_tool);
        else
            add_text(response, plan, SORRY);
        return;
    }
    add_speech(response, plan, phrase->answer);
    if (phrase->tool)
        add_call(plan, phrase);
}

static void continue_after(const struct tl_ai_response *response,
                           const struct tl_ai_item *output_item, struct tl_ai_plan *plan)
{
    const struct tl_ai_item *call =
        tl_ai_item_find_call(&response->session->items, output_item->call_id);

    if (call && call->phrase && call->phrase->after_tool)
        add_speech(response, plan, call->phrase->after_tool);
    else
        add_text(response, plan, AFTER_TOOL);
}

/** The first text in double quotes, straight or curly; false: none. */
static bool quoted(const char *text, char *ret_quote, size_t size)
{
    static const char *const marks[][2] = {{"\"", "\""}, {"“", "”"}};
    const char *best = NULL;
    size_t best_len = 0;

    for (size_t i = 0; text && i < TL_ARRAY_LEN(marks); i++) {
        const char *open = strstr(text, marks[i][0]);
        const char *from = open ? open + strlen(marks[i][0]) : NULL;
        const char *end = from ? strstr(from, marks[i][1]) : NULL;
        if (!end || end - from < 2 || (size_t)(end - from) >= size || (best && best < from))
            continue;
        best = from;
        best_len = (size_t)(end - from);
    }
    if (!best)
        return false;
    memcpy(ret_quote, best, best_len);
    ret_quote[best_len] = '\0';
    return true;
}

static void greet(const struct tl_ai_response *response, struct tl_ai_plan *plan)
{
    char quote[SPOKEN_MAX];

    if (quoted(tl_ai_config_instructions(&response->session->config), quote, sizeof(quote)))
        add_text(response, plan, quote);
    else
        add_text(response, plan, GREETING);
}

/** What stands in `answer` behind the words `heard`; NULL: it does not begin with them. A mask among
 *  them, as [ADDRESS_1], stands for any words. */
static const char *behind(const char *answer, const char *heard)
{
    while (*heard != '\0' && *heard == *answer) {
        heard++;
        answer++;
    }
    if (*heard == '\0')
        return answer;
    const char *end = *heard == '[' ? strchr(heard, ']') : NULL;
    for (; end && *answer; answer++) {
        const char *rest = behind(answer, end + 1);
        if (rest)
            return rest;
    }
    return NULL;
}

/** The phrase whose answer the caller heard only a part of, as a client says that replays history:
 *  its last words are the beginning of what answers the phrase before them. */
static const struct tl_phrase *cut_answer(struct tl_ai_item *last)
{
    struct tl_ai_item *asked = TAILQ_PREV(last, tl_ai_item_list, link);

    while (asked && asked->kind == TL_AI_MESSAGE && strcmp(asked->role, "assistant") == 0)
        asked = TAILQ_PREV(asked, tl_ai_item_list, link); /* begun more than once */
    const struct tl_phrase *phrase = asked ? asked->phrase : NULL;
    const struct tl_speech *answers[] = {phrase ? phrase->answer : NULL,
                                         phrase ? phrase->after_tool : NULL};
    TL_CLEANUP(tl_buf_finish) struct tl_buf heard;

    tl_buf_init(&heard, TL_AI_TEXT_MAX);
    tl_ai_item_text(last, &heard);
    for (size_t i = 0; heard.len && i < TL_ARRAY_LEN(answers); i++) {
        const char *rest = answers[i] ? behind(answers[i]->text, tl_buf_str(&heard)) : NULL;
        if (rest && *rest)
            return phrase;
    }
    return NULL;
}

/** Its words are the beginning of that text. */
static bool is_begun(struct tl_ai_item *item, const char *text)
{
    TL_CLEANUP(tl_buf_finish) struct tl_buf heard;

    tl_buf_init(&heard, TL_AI_TEXT_MAX);
    tl_ai_item_text(item, &heard);
    return heard.len && heard.len < strlen(text) && strncmp(text, tl_buf_str(&heard), heard.len) == 0;
}

static void answer_message(const struct tl_ai_response *response, struct tl_ai_item *item,
                           struct tl_ai_plan *plan)
{
    bool is_own = strcmp(item->role, "assistant") == 0;
    const struct tl_phrase *phrase = is_own ? cut_answer(item) : item->phrase;

    if (phrase)
        answer_phrase(response, phrase, plan);
    else if (is_own && is_begun(item, SORRY))
        add_text(response, plan, SORRY);
    else if (is_own || item->turn == TL_AI_TURN_SILENCE)
        add_text(response, plan, STILL_THERE);
    else
        add_text(response, plan, SORRY);
}

/** Answers the newest item that wants an answer. */
static void answer_conversation(const struct tl_ai_response *response, struct tl_ai_plan *plan)
{
    struct tl_ai_item *item;

    TAILQ_FOREACH_REVERSE(item, &response->session->items, tl_ai_item_list, link)
    {
        if (item->kind == TL_AI_FUNCTION_OUTPUT) {
            continue_after(response, item, plan);
            return;
        }
        if (item->kind != TL_AI_MESSAGE || strcmp(item->role, "system") == 0)
            continue;
        answer_message(response, item, plan);
        return;
    }
    greet(response, plan);
}

/** An out-of-band response with its own input: what that says, in short. */
static void answer_input(const struct tl_ai_response *response, const json_t *input,
                         struct tl_ai_plan *plan)
{
    TL_CLEANUP(tl_buf_finish) struct tl_buf text;
    char summary[TL_AI_TEXT_MAX];
    json_t *given, *part;
    size_t i, k;

    tl_buf_init(&text, 1024 * 1024);
    json_array_foreach(input, i, given)
    {
        const char *id = json_string_value(json_object_get(given, "id"));
        const struct tl_ai_item *item = id ? tl_ai_item_find(&response->session->items, id) : NULL;
        if (item)
            tl_ai_item_text(item, &text);
        json_array_foreach(json_object_get(given, "content"), k, part)
        {
            const char *words = json_string_value(json_object_get(part, "text"));
            tl_buf_printf(&text, "%s%s", text.len ? " " : "", words ? words : "");
        }
    }
    tl_ai_summarise(tl_buf_str(&text), summary, response->text_only ? sizeof(summary) : SPOKEN_MAX);
    add_text(response, plan, *summary ? summary : GREETING);
}

/** The response's own instructions; without the session's, which clients put before them. */
static const char *own_instructions(const struct tl_ai_response *response)
{
    const char *own = json_string_value(json_object_get(response->request, "instructions"));
    const char *general = tl_ai_config_instructions(&response->session->config);

    if (own && strncmp(own, general, strlen(general)) == 0)
        return own + strlen(general);
    return own;
}

void tl_ai_answer_plan(const struct tl_ai_response *response, struct tl_ai_plan *ret_plan)
{
    const char *instructions = own_instructions(response);
    const json_t *input = json_object_get(response->request, "input");
    char quote[SPOKEN_MAX];

    *ret_plan = (struct tl_ai_plan){.len = 0};
    if (quoted(instructions, quote, sizeof(quote)))
        add_text(response, ret_plan, quote);
    else if (json_is_array(input))
        answer_input(response, input, ret_plan);
    else
        answer_conversation(response, ret_plan);
}

/* Summaries. */

struct sentence {
    const char *text;
    size_t len;
};

static size_t cut_sentences(const char *text, struct sentence *out, size_t max)
{
    size_t count = 0;

    while (*text && count < max) {
        text += strspn(text, " \t\r\n");
        size_t len = strcspn(text, ".!?\n");
        len += strspn(text + len, ".!?");
        if (len > 0)
            out[count++] = (struct sentence){text, len};
        text += len;
    }
    return count;
}

/** The longest one between the first and the last says most. */
static size_t weightiest(const struct sentence *sentences, size_t count)
{
    size_t best = 1;

    for (size_t i = 2; i + 1 < count; i++)
        if (sentences[i].len > sentences[best].len)
            best = i;
    return best;
}

static void append(char *out, size_t size, const struct sentence *sentence)
{
    size_t len = strlen(out);
    size_t gap = len ? 1 : 0;

    if (len + gap + sentence->len >= size)
        return;
    if (gap)
        out[len] = ' ';
    memcpy(out + len + gap, sentence->text, sentence->len);
    out[len + gap + sentence->len] = '\0';
}

void tl_ai_summarise(const char *text, char *ret_summary, size_t size)
{
    struct sentence sentences[512];
    size_t count = cut_sentences(text, sentences, TL_ARRAY_LEN(sentences));

    ret_summary[0] = '\0';
    if (count > 0)
        append(ret_summary, size, &sentences[0]);
    if (count > 2)
        append(ret_summary, size, &sentences[weightiest(sentences, count)]);
    if (count > 1)
        append(ret_summary, size, &sentences[count - 1]);
}
