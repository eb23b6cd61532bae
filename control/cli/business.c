/* A business in YAML. The file has the machinery of settings (base/config.h): each value is a row
 * with a range and a sentence, and mistakes are named with file and line. */
#include "control/cli/business.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "redact/entity.h"

/* What the rows are loaded into, before it becomes a struct tl_business. */
struct form {
    const char *id, *name;
    struct tl_list numbers;
    bool active;
    const char *language, *timezone, *template, *fallback_number;
    const char *voice, *model, *dialect, *temperature, *transcription_model;
    int64_t response_delay_ms;
    const char *instructions, *brand_voice, *greeting;
    struct tl_list guidelines, tools;
    int64_t history_turns, history_characters;
    const char *turn_detection, *eagerness;
    double vad_threshold;
    int64_t vad_prefix_ms, vad_silence_ms;
    const char *unavailable, *busy, *closed;
    int64_t silence_prompt_ms, silence_end_ms;
    struct tl_list redaction_off, redaction_on;
};

static const char *check_id(const char *text)
{
    for (const char *c = text; *c; c++)
        if (!isalnum((unsigned char)*c) && *c != '-' && *c != '_')
            return "has other characters than letters, digits, - and _";
    return NULL;
}

/* E.164: +, a country code that does not begin with 0, 15 digits at most. */
static const char *check_number(const char *text)
{
    size_t digits = strspn(text + (*text == '+'), "0123456789");

    if (*text != '+' || text[1] == '0' || digits < 7 || digits > 15 || text[1 + digits])
        return "is not a telephone number such as +15550100";
    return NULL;
}

/* The shape of BCP 47: letters, then groups of letters and digits. */
static const char *check_language(const char *text)
{
    static const char wrong[] = "is not a language such as en or en-US";
    size_t n = 0;

    for (const char *c = text;; c++) {
        if (*c && *c != '-') {
            if (!isalnum((unsigned char)*c) || (isdigit((unsigned char)*c) && c - text < 3))
                return wrong;
            n++;
            continue;
        }
        if (n < 1 || n > 8)
            return wrong;
        n = 0;
        if (!*c)
            return strcspn(text, "-") >= 2 ? NULL : wrong;
    }
}

static const char *check_timezone(const char *text)
{
    for (const char *c = text; *c; c++)
        if (!isalnum((unsigned char)*c) && !strchr("_+-/", *c))
            return "is not a time zone such as Europe/Berlin";
    return *text == '/' || strstr(text, "//") ? "is not a time zone such as Europe/Berlin" : NULL;
}

static const char *check_voice(const char *text)
{
    static const char *const voices[] = {"alloy", "ash",   "ballad", "cedar",   "coral",
                                         "echo",  "marin", "sage",   "shimmer", "verse"};

    for (size_t i = 0; i < TL_ARRAY_LEN(voices); i++)
        if (strcmp(text, voices[i]) == 0)
            return NULL;
    return strncmp(text, "voice_", 6) == 0 ? NULL
                                           : "is neither alloy, ash, ballad, cedar, coral, echo, "
                                             "marin, sage, shimmer, verse nor "
                                             "one's own (voice_…)";
}

static const char *check_temperature(const char *text)
{
    char *end;
    double value = strtod(text, &end);

    return isdigit((unsigned char)*text) && !*end && value >= 0.6 && value <= 1.2
               ? NULL
               : "is not within 0.6..1.2";
}

static const char *check_entity(const char *text)
{
    enum tl_entity_type type;

    return tl_entity_parse(text, &type) ? NULL : "is no entity that can be masked";
}

static const char *check_entity_off(const char *text)
{
    enum tl_entity_type type;

    if (!tl_entity_parse(text, &type))
        return "is no entity that can be masked";
    return tl_entity_always_set() & TL_ENTITY_BIT(type) ? "is always masked" : NULL;
}

#define F struct form

const struct tl_setting tl_business_rows[] = {
    TL_SET_STRING(F, id, "business.id", "", "Id, for good: records refer to it.", .required = true,
                  .min = 1, .max = 64, .check = check_id),
    TL_SET_STRING(F, name, "business.name", "", "Name, spoken and shown.", .required = true,
                  .min = 1, .max = 200),
    TL_SET_LIST(F, numbers, "business.numbers", "", "Telephone numbers (E.164) that belong to it.",
                .required = true, .min = 1, .max = 100, .check = check_number),
    TL_SET_BOOL(F, active, "business.active", "true", "Whether its calls are answered."),
    TL_SET_STRING(F, language, "business.language", "en-US", "Language (BCP 47).",
                  .check = check_language, .min = 2, .max = 35),
    TL_SET_STRING(F, timezone, "business.timezone", "UTC", "Time zone (IANA).",
                  .check = check_timezone, .min = 1, .max = 64),
    TL_SET_STRING(F, template, "business.template", "custom", "What the instructions begin from.",
                  .choices = "customer_support,sales,appointments,custom"),
    TL_SET_STRING(F, fallback_number, "business.fallback_number", "",
                  "A person, for when the AI cannot be had; empty for none.",
                  .check = check_number),

    TL_SET_STRING(F, voice, "ai.voice", "marin", "Voice of the AI.", .check = check_voice, .min = 1,
                  .max = 64),
    TL_SET_STRING(F, model, "ai.model", "", "Model; empty: the setting of the processes.",
                  .max = 64),
    TL_SET_STRING(F, dialect, "ai.dialect", "",
                  "Shape of the API; empty: the setting of the processes.", .choices = "ga,beta"),
    TL_SET_STRING(F, temperature, "ai.temperature", "",
                  "0.6 to 1.2, in the beta dialect only; empty: the service's own.",
                  .check = check_temperature),
    TL_SET_STRING(F, transcription_model, "ai.transcription_model", "",
                  "Model that writes down the caller's words; empty: the setting of the processes.",
                  .max = 64),
    TL_SET_DURATION(F, response_delay_ms, "ai.response_delay", "0", 0, 10000,
                    "Silence before the AI answers."),
    TL_SET_STRING(F, instructions, "ai.instructions", "", "What the AI is to do.", .max = 20000),
    TL_SET_STRING(F, brand_voice, "ai.brand_voice", "", "How it speaks.", .max = 4000),
    TL_SET_LIST(F, guidelines, "ai.guidelines", "", "What must and must not be said.", .min = 0,
                .max = 100),
    TL_SET_STRING(F, greeting, "ai.greeting", "", "First sentence; empty: the AI chooses.",
                  .max = 1000),
    TL_SET_LIST(F, tools, "ai.tools", "end_call", "Tools that the AI may use.",
                .choices = "end_call"),
    TL_SET_INT(F, history_turns, "ai.history_turns", "100", 1, 100, "Turns that the AI remembers."),
    TL_SET_INT(F, history_characters, "ai.history_characters", "10000", 500, 10000,
               "Characters that it remembers; older turns are summarised."),

    TL_SET_STRING(F, turn_detection, "turns.detection", "server_vad",
                  "How the end of the caller's turn is found.",
                  .choices = "server_vad,semantic_vad"),
    TL_SET_NUMBER(F, vad_threshold, "turns.threshold", "0.5", 0, 1,
                  "How loud speech must be; for server_vad."),
    TL_SET_DURATION(F, vad_prefix_ms, "turns.prefix", "300ms", 0, 5000,
                    "Sound before the start of speech that is kept; for server_vad."),
    TL_SET_DURATION(F, vad_silence_ms, "turns.silence", "500ms", 100, 5000,
                    "Silence that ends a turn; for server_vad."),
    TL_SET_STRING(F, eagerness, "turns.eagerness", "auto",
                  "How soon the AI takes its turn; for semantic_vad.",
                  .choices = "low,medium,high,auto"),

    TL_SET_STRING(F, unavailable, "sentences.unavailable",
                  "We are sorry, nobody can take your call right now. Please call again later.",
                  "Spoken when the AI cannot be had.", .min = 1, .max = 1000),
    TL_SET_STRING(F, busy, "sentences.busy",
                  "All our lines are busy at the moment. Please call again in a few minutes.",
                  "Spoken when all lines are busy.", .min = 1, .max = 1000),
    TL_SET_STRING(F, closed, "sentences.closed",
                  "We are closed at the moment. Please call again later.",
                  "Spoken when the business is not active.", .min = 1, .max = 1000),

    TL_SET_DURATION(
        F, silence_prompt_ms, "silence.prompt", "15s", 0, 600000,
        "After so long a silence the AI asks whether somebody is there; whole seconds; 0: "
        "never."),
    TL_SET_DURATION(F, silence_end_ms, "silence.end", "60s", 0, 3600000,
                    "After so long a silence the call is ended; whole seconds; 0: never."),

    TL_SET_LIST(F, redaction_off, "redaction.off", "",
                "Entities that are not masked; card data cannot be named here.",
                .check = check_entity_off),
    TL_SET_LIST(F, redaction_on, "redaction.on", "",
                "Entities that are masked although their default is off.", .check = check_entity),
    {0},
};

static enum tl_status check_together(const struct form *f, const char *name, struct tl_error *err)
{
    if (*f->temperature && strcmp(f->dialect, "beta") != 0)
        return tl_fail(err, TL_INVALID, "%s: ai.temperature: goes with ai.dialect beta only", name);
    if (f->silence_prompt_ms % 1000 || f->silence_end_ms % 1000)
        return tl_fail(err, TL_INVALID,
                       "%s: silence.prompt and silence.end: whole seconds are expected", name);
    if (f->silence_end_ms && f->silence_prompt_ms >= f->silence_end_ms)
        return tl_fail(err, TL_INVALID, "%s: silence.end: must be longer than silence.prompt",
                       name);
    return TL_OK;
}

static void take_list(const struct tl_list *list, const char ***ret_item, size_t *ret_n)
{
    *ret_item = (const char **)list->item; /* the same pointers; nobody writes to them */
    *ret_n = list->len;
}

static struct tl_business make_business(const struct form *f)
{
    struct tl_business b = {
        .name = f->name,
        .active = f->active,
        .language = f->language,
        .timezone = f->timezone,
        .template = f->template,
        .voice = f->voice,
        .model = f->model,
        .dialect = f->dialect,
        .response_delay_ms = (int32_t)f->response_delay_ms,
        .turn_detection = f->turn_detection,
        .vad_threshold = f->vad_threshold,
        .vad_prefix_ms = (int32_t)f->vad_prefix_ms,
        .vad_silence_ms = (int32_t)f->vad_silence_ms,
        .eagerness = f->eagerness,
        .transcription_model = f->transcription_model,
        .instructions = f->instructions,
        .brand_voice = f->brand_voice,
        .greeting = f->greeting,
        .unavailable_sentence = f->unavailable,
        .busy_sentence = f->busy,
        .closed_sentence = f->closed,
        .fallback_number = f->fallback_number,
        .history_turns = (int32_t)f->history_turns,
        .history_characters = (int32_t)f->history_characters,
        .silence_prompt_s = (int32_t)(f->silence_prompt_ms / 1000),
        .silence_end_s = (int32_t)(f->silence_end_ms / 1000),
    };

    if (*f->temperature)
        b.temperature = (struct tl_opt_double){true, strtod(f->temperature, NULL)};
    take_list(&f->numbers, &b.numbers, &b.numbers_n);
    take_list(&f->guidelines, &b.guidelines, &b.guidelines_n);
    take_list(&f->tools, &b.tools, &b.tools_n);
    take_list(&f->redaction_off, &b.redaction_off, &b.redaction_off_n);
    take_list(&f->redaction_on, &b.redaction_on, &b.redaction_on_n);
    return b;
}

enum tl_status tl_business_file_read(struct tl_business_file *file, const char *name,
                                     const char *yaml, size_t len, struct tl_error *err)
{
    struct form form;
    const struct tl_config_part parts[] = {{tl_business_rows, &form}, {0}};

    *file = (struct tl_business_file){0};
    enum tl_status st = tl_config_load_text(&file->config, parts, NULL, name, yaml, len, NULL, err);
    if (st == TL_OK)
        st = check_together(&form, name, err);
    if (st != TL_OK)
        return st;
    file->id = form.id;
    file->business = make_business(&form);
    return TL_OK;
}

void tl_business_file_finish(struct tl_business_file *file)
{
    tl_config_finish(&file->config);
    *file = (struct tl_business_file){0};
}

/* YAML's double quotes take JSON's escapes. */
static void add_text(struct tl_buf *out, const char *text)
{
    tl_buf_add_char(out, '"');
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\')
            tl_buf_printf(out, "\\%c", c);
        else if (c == '\n')
            tl_buf_add_str(out, "\\n");
        else if (c < 0x20 || c == 0x7f)
            tl_buf_printf(out, "\\x%02x", c);
        else
            tl_buf_add_char(out, (char)c);
    }
    tl_buf_add_char(out, '"');
}

static void print_text(struct tl_buf *out, const char *name, const char *text)
{
    tl_buf_printf(out, "  %s: ", name);
    add_text(out, text ? text : "");
    tl_buf_add_char(out, '\n');
}

static void print_list(struct tl_buf *out, const char *name, const char *const *item, size_t n)
{
    tl_buf_printf(out, "  %s: [", name);
    for (size_t i = 0; i < n; i++) {
        tl_buf_add_str(out, i ? ", " : "");
        add_text(out, item[i]);
    }
    tl_buf_add_str(out, "]\n");
}

static void print_ms(struct tl_buf *out, const char *name, int64_t ms)
{
    if (ms % 1000)
        tl_buf_printf(out, "  %s: %lldms\n", name, (long long)ms);
    else
        tl_buf_printf(out, "  %s: %llds\n", name, (long long)(ms / 1000));
}

static void print_ai(const struct tl_business *b, struct tl_buf *out)
{
    char temperature[32] = "";

    tl_buf_add_str(out, "ai:\n");
    print_text(out, "voice", b->voice);
    print_text(out, "model", b->model);
    print_text(out, "dialect", b->dialect);
    if (b->temperature.set)
        (void)snprintf(temperature, sizeof(temperature), "%.15g", b->temperature.value);
    print_text(out, "temperature", temperature);
    print_text(out, "transcription_model", b->transcription_model);
    print_ms(out, "response_delay", b->response_delay_ms);
    print_text(out, "instructions", b->instructions);
    print_text(out, "brand_voice", b->brand_voice);
    print_list(out, "guidelines", b->guidelines, b->guidelines_n);
    print_text(out, "greeting", b->greeting);
    print_list(out, "tools", b->tools, b->tools_n);
    tl_buf_printf(out, "  history_turns: %d\n  history_characters: %d\n", b->history_turns,
                  b->history_characters);
}

static void print_turns(const struct tl_business *b, struct tl_buf *out)
{
    tl_buf_add_str(out, "turns:\n");
    print_text(out, "detection", b->turn_detection);
    tl_buf_printf(out, "  threshold: %.15g\n", b->vad_threshold);
    print_ms(out, "prefix", b->vad_prefix_ms);
    print_ms(out, "silence", b->vad_silence_ms);
    print_text(out, "eagerness", b->eagerness);
}

void tl_business_print_yaml(const char *id, const struct tl_business *b, struct tl_buf *out)
{
    tl_buf_add_str(out, "business:\n");
    print_text(out, "id", id);
    print_text(out, "name", b->name);
    print_list(out, "numbers", b->numbers, b->numbers_n);
    tl_buf_printf(out, "  active: %s\n", b->active ? "true" : "false");
    print_text(out, "language", b->language);
    print_text(out, "timezone", b->timezone);
    print_text(out, "template", b->template);
    print_text(out, "fallback_number", b->fallback_number);
    print_ai(b, out);
    print_turns(b, out);
    tl_buf_add_str(out, "sentences:\n");
    print_text(out, "unavailable", b->unavailable_sentence);
    print_text(out, "busy", b->busy_sentence);
    print_text(out, "closed", b->closed_sentence);
    tl_buf_add_str(out, "silence:\n");
    print_ms(out, "prompt", (int64_t)b->silence_prompt_s * 1000);
    print_ms(out, "end", (int64_t)b->silence_end_s * 1000);
    tl_buf_add_str(out, "redaction:\n");
    print_list(out, "off", b->redaction_off, b->redaction_off_n);
    print_list(out, "on", b->redaction_on, b->redaction_on_n);
}
