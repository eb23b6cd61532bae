/* Instructions for the AI: see prompt.h. */
#include "processors/conversation/prompt.h"

#include <string.h>

const char tl_prompt_silence[] =
    "The caller has not said anything for a while. Ask briefly whether they are still there.";
const char tl_prompt_goodbye[] =
    "The caller has not answered. Say in one short sentence that you end the call now, and goodbye.";
const char tl_prompt_continue[] =
    "The line was interrupted for a moment while you were speaking. Go on with your answer where the "
    "caller stopped hearing you, without greeting again.";
const char tl_prompt_summary[] =
    "Summarise the following part of a telephone call in at most 120 words: who the caller is, what "
    "they want, what was agreed, what is open. Plain sentences, no list.";

static const char telephone_rules[] =
    "You are speaking on the telephone. Use short spoken sentences, one question at a time, no lists and "
    "no formatting. If you do not understand, say so and ask. Text in square brackets such as [CARD_1] "
    "stands for data that was removed; never ask the caller to repeat such data and never guess it.";

static void add_replaced(struct tl_buf *out, const char *template, const struct tl_business *b,
                         const struct tl_prompt_call *call)
{
    const struct {
        const char *name, *value;
    } names[] = {{"{name}", b->name},
                 {"{from_number}", call->from_number},
                 {"{direction}", call->direction}};
    for (const char *p = template; *p;) {
        size_t i;
        for (i = 0; i < TL_ARRAY_LEN(names); i++)
            if (strncmp(p, names[i].name, strlen(names[i].name)) == 0)
                break;
        if (i < TL_ARRAY_LEN(names)) {
            tl_buf_add_str(out, names[i].value);
            p += strlen(names[i].name);
        } else {
            tl_buf_add_char(out, *p++);
        }
    }
}

static void add_section(struct tl_buf *out, const char *title, const char *text)
{
    if (text && *text)
        tl_buf_printf(out, "\n\n# %s\n%s", title, text);
}

void tl_prompt_instructions(const struct tl_business *business, const struct tl_prompt_call *call,
                            struct tl_buf *out)
{
    if (*business->instructions)
        add_replaced(out, business->instructions, business, call);
    else
        tl_buf_printf(out, "You answer the telephone for %s.", business->name);
    add_section(out, "How you speak", business->brand_voice);
    if (business->guidelines_n)
        tl_buf_add_str(out, "\n\n# Rules that you always keep");
    for (size_t i = 0; i < business->guidelines_n; i++)
        tl_buf_printf(out, "\n- %s", business->guidelines[i]);
    if (*business->language)
        tl_buf_printf(out, "\n\n# Language\nSpeak %s unless the caller speaks another language.",
                      business->language);
    add_section(out, "What was said before", call->summary);
    add_section(out, "The telephone", telephone_rules);
}

static const struct tl_openai_tool built_in[] = {
    {.name = "end_call",
     .description = "Ends the telephone call. Say goodbye first. Use it when the caller says goodbye "
                    "or asks you to hang up, and nothing is left to do.",
     .parameters = "{\"type\":\"object\",\"properties\":{\"reason\":{\"type\":\"string\","
                   "\"description\":\"Why the call ends, in a few words.\"}},"
                   "\"required\":[\"reason\"]}"},
};

size_t tl_prompt_tools(const struct tl_business *business, struct tl_openai_tool *ret_tools,
                       size_t max)
{
    size_t n = 0;

    for (size_t i = 0; i < business->tools_n; i++)
        for (size_t k = 0; k < TL_ARRAY_LEN(built_in) && n < max; k++)
            if (strcmp(built_in[k].name, business->tools[i]) == 0)
                ret_tools[n++] = built_in[k];
    return n;
}

void tl_prompt_greeting(const struct tl_business *business, struct tl_buf *out)
{
    if (*business->greeting)
        tl_buf_printf(out, "The call begins. Say exactly this sentence and nothing else: \"%s\"",
                      business->greeting);
    else
        tl_buf_printf(out, "The call begins. Greet the caller on behalf of %s in one sentence.",
                      business->name);
}
