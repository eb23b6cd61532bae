/* Session settings: merged on a copy, so that a refused update leaves no trace. */
#include "openai/config.h"

#include <string.h>

#include "base/error.h"
#include "openai/rules.h"

bool tl_ai_model_reasons(const char *model)
{
    return strncmp(model, "gpt-realtime-2", strlen("gpt-realtime-2")) == 0;
}

const char *tl_ai_config_instructions(const struct tl_ai_config *config)
{
    return json_string_value(json_object_get(config->session, "instructions"));
}

const char *tl_ai_config_model(const struct tl_ai_config *config)
{
    return json_string_value(json_object_get(config->session, "model"));
}

static json_t *default_detection(const char *type)
{
    if (strcmp(type, "semantic_vad") == 0)
        return json_pack("{s:s, s:s, s:b, s:b}", "type", type, "eagerness", "auto",
                         "create_response", 1, "interrupt_response", 1);
    return json_pack("{s:s, s:f, s:i, s:i, s:n, s:b, s:b}", "type", "server_vad", "threshold", 0.5,
                     "prefix_padding_ms", 300, "silence_duration_ms", 200, "idle_timeout_ms",
                     "create_response", 1, "interrupt_response", 1);
}

/* From the tree to what the simulator needs. */

static enum tl_ai_format read_format(const json_t *side)
{
    const char *type = json_string_value(json_object_get(json_object_get(side, "format"), "type"));

    return strcmp(type, "audio/pcmu") == 0   ? TL_AI_PCMU
           : strcmp(type, "audio/pcma") == 0 ? TL_AI_PCMA
                                             : TL_AI_PCM16;
}

static unsigned milliseconds(const json_t *object, const char *name)
{
    return (unsigned)json_integer_value(json_object_get(object, name));
}

/** How long semantic detection waits for a sentence that does not sound finished. */
static unsigned eagerness_ms(const json_t *detection)
{
    const char *word = json_string_value(json_object_get(detection, "eagerness"));

    return strcmp(word, "low") == 0 ? 8000 : strcmp(word, "high") == 0 ? 2000 : 4000;
}

static void read_detection(struct tl_ai_config *config, const json_t *detection)
{
    const char *type = json_string_value(json_object_get(detection, "type"));

    config->detection = TL_AI_NO_DETECTION;
    config->idle_timeout_ms = 0;
    config->create_response = config->interrupt_response = false;
    if (!type)
        return;
    config->create_response = json_is_true(json_object_get(detection, "create_response"));
    config->interrupt_response = json_is_true(json_object_get(detection, "interrupt_response"));
    if (strcmp(type, "semantic_vad") == 0) {
        config->detection = TL_AI_SEMANTIC_VAD;
        config->threshold = 0.5;
        config->prefix_padding_ms = 300;
        config->silence_ms = eagerness_ms(detection);
        return;
    }
    config->detection = TL_AI_SERVER_VAD;
    config->threshold = json_number_value(json_object_get(detection, "threshold"));
    config->prefix_padding_ms = milliseconds(detection, "prefix_padding_ms");
    config->silence_ms = milliseconds(detection, "silence_duration_ms");
    config->idle_timeout_ms = milliseconds(detection, "idle_timeout_ms");
}

static void read_tree(struct tl_ai_config *config)
{
    const json_t *audio = json_object_get(config->session, "audio");
    const json_t *input = json_object_get(audio, "input");

    config->input_format = read_format(input);
    config->output_format = read_format(json_object_get(audio, "output"));
    config->transcription = json_is_object(json_object_get(input, "transcription"));
    const json_t *modalities = json_object_get(config->session, "output_modalities");
    config->text_only = strcmp(json_string_value(json_array_get(modalities, 0)), "text") == 0;
    config->max_output_tokens =
        json_integer_value(json_object_get(config->session, "max_output_tokens"));
    read_detection(config, json_object_get(input, "turn_detection"));
}

void tl_ai_config_init(struct tl_ai_config *config, const char *session_id, const char *model,
                       int64_t expires_at)
{
    json_t *pcm = json_pack("{s:s, s:i}", "type", "audio/pcm", "rate", 24000);
    json_t *input = json_pack("{s:O, s:n, s:n, s:o}", "format", pcm, "transcription",
                              "noise_reduction", "turn_detection", default_detection("server_vad"));
    json_t *output = json_pack("{s:o, s:s, s:f}", "format", pcm, "voice", "alloy", "speed", 1.0);

    *config = (struct tl_ai_config){0};
    config->session = json_pack(
        "{s:s, s:s, s:s, s:s, s:[s], s:s, s:[], s:s, s:s, s:n, s:n, s:I, s:s, s:n, s:{s:o, s:o}}",
        "type", "realtime", "object", "realtime.session", "id", session_id, "model", model,
        "output_modalities", "audio", "instructions", "", "tools", "tool_choice", "auto",
        "max_output_tokens", "inf", "tracing", "prompt", "expires_at", (json_int_t)expires_at,
        "truncation", "auto", "include", "audio", "input", input, "output", output);
    read_tree(config);
}

void tl_ai_config_finish(struct tl_ai_config *config)
{
    json_decref(config->session);
    config->session = NULL;
}

/* Beta ↔ GA: where each flat member stands in the tree. */

static const struct {
    const char *beta;
    const char *path[3]; /* in the GA tree */
    bool is_format;
} moves[] = {
    {"instructions", {"instructions"}, false},
    {"tools", {"tools"}, false},
    {"tracing", {"tracing"}, false},
    {"temperature", {"temperature"}, false},
    {"max_response_output_tokens", {"max_output_tokens"}, false},
    {"voice", {"audio", "output", "voice"}, false},
    {"speed", {"audio", "output", "speed"}, false},
    {"output_audio_format", {"audio", "output", "format"}, true},
    {"input_audio_format", {"audio", "input", "format"}, true},
    {"input_audio_transcription", {"audio", "input", "transcription"}, false},
    {"input_audio_noise_reduction", {"audio", "input", "noise_reduction"}, false},
    {"turn_detection", {"audio", "input", "turn_detection"}, false},
};

static const char *const format_names[][2] = {
    {"pcm16", "audio/pcm"}, {"g711_ulaw", "audio/pcmu"}, {"g711_alaw", "audio/pcma"}};

static json_t *format_to_ga(const json_t *name)
{
    for (size_t i = 0; i < TL_ARRAY_LEN(format_names); i++)
        if (strcmp(format_names[i][0], json_string_value(name)) == 0)
            return i == 0 ? json_pack("{s:s, s:i}", "type", format_names[i][1], "rate", 24000)
                          : json_pack("{s:s}", "type", format_names[i][1]);
    return json_null();
}

static json_t *format_to_beta(const json_t *format)
{
    const char *type = json_string_value(json_object_get(format, "type"));

    for (size_t i = 0; i < TL_ARRAY_LEN(format_names); i++)
        if (strcmp(format_names[i][1], type) == 0)
            return json_string(format_names[i][0]);
    return json_null();
}

/** The object that holds the last name of the path, made where it is missing. */
static json_t *parent_of(json_t *root, const char *const path[3], const char **ret_leaf)
{
    size_t i = 0;

    for (; i < 2 && path[i + 1]; i++) {
        json_t *inner = json_object_get(root, path[i]);
        if (!inner) {
            inner = json_object();
            json_object_set_new(root, path[i], inner);
        }
        root = inner;
    }
    *ret_leaf = path[i];
    return root;
}

static json_t *choice_to_ga(const json_t *choice)
{
    const json_t *function = json_object_get(choice, "function");

    if (!function)
        return json_incref((json_t *)choice);
    return json_pack("{s:s, s:O}", "type", "function", "name", json_object_get(function, "name"));
}

/** A beta `session` in GA shape: only the members that are there. */
static json_t *session_to_ga(const json_t *beta)
{
    json_t *ga = json_object();
    const json_t *modalities = json_object_get(beta, "modalities");
    const json_t *choice = json_object_get(beta, "tool_choice");

    for (size_t i = 0; i < TL_ARRAY_LEN(moves); i++) {
        json_t *value = json_object_get(beta, moves[i].beta);
        const char *leaf;
        if (!value)
            continue;
        json_t *parent = parent_of(ga, moves[i].path, &leaf);
        json_object_set_new(parent, leaf,
                            moves[i].is_format ? format_to_ga(value) : json_incref(value));
    }
    if (modalities)
        json_object_set_new(ga, "output_modalities",
                            json_pack("[s]", json_array_size(modalities) == 2 ? "audio" : "text"));
    if (choice)
        json_object_set_new(ga, "tool_choice", choice_to_ga(choice));
    return ga;
}

static json_t *session_to_beta(json_t *ga)
{
    json_t *beta = json_object();
    static const char *const same[] = {"object", "id", "model", "expires_at", "tool_choice"};
    bool text_only =
        strcmp(json_string_value(json_array_get(json_object_get(ga, "output_modalities"), 0)),
               "text") == 0;

    for (size_t i = 0; i < TL_ARRAY_LEN(same); i++)
        json_object_set(beta, same[i], json_object_get(ga, same[i]));
    json_object_set_new(beta, "modalities",
                        text_only ? json_pack("[s]", "text") : json_pack("[ss]", "text", "audio"));
    for (size_t i = 0; i < TL_ARRAY_LEN(moves); i++) {
        const char *leaf;
        json_t *parent = parent_of(ga, moves[i].path, &leaf);
        json_t *value = json_object_get(parent, leaf);
        if (value)
            json_object_set_new(beta, moves[i].beta,
                                moves[i].is_format ? format_to_beta(value) : json_incref(value));
    }
    if (!json_object_get(beta, "temperature"))
        json_object_set_new(beta, "temperature", json_real(0.8));
    json_object_del(json_object_get(beta, "turn_detection"), "idle_timeout_ms");
    return beta;
}

json_t *tl_ai_config_json(const struct tl_ai_config *config, enum tl_ai_dialect dialect)
{
    json_t *copy = json_deep_copy(config->session);

    if (dialect == TL_AI_GA)
        return copy;
    json_t *beta = session_to_beta(copy);
    json_decref(copy);
    return beta;
}

/* Merging. */

/** Objects that are replaced as a whole, not member by member. */
static bool is_whole(const char *name)
{
    static const char *const whole[] = {"format",  "noise_reduction", "transcription",
                                        "voice",   "tool_choice",     "truncation",
                                        "tracing", "prompt",          "reasoning"};

    for (size_t i = 0; i < TL_ARRAY_LEN(whole); i++)
        if (strcmp(whole[i], name) == 0)
            return true;
    return false;
}

/** The defaults of its type with the client's members over them; null stays null. */
static json_t *whole_detection(const json_t *given)
{
    const char *type = json_string_value(json_object_get(given, "type"));
    const char *name;
    json_t *value;

    if (json_is_null(given))
        return json_null();
    json_t *out = default_detection(type ? type : "server_vad");
    json_object_foreach((json_t *)given, name, value)
    {
        if (!json_is_null(value) || strcmp(name, "idle_timeout_ms") == 0)
            json_object_set(out, name, value);
    }
    return out;
}

static void merge(json_t *into, const json_t *update)
{
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)update, name, value)
    {
        json_t *old = json_object_get(into, name);
        if (strcmp(name, "turn_detection") == 0)
            json_object_set_new(into, name, whole_detection(value));
        else if (json_is_object(value) && json_is_object(old) && !is_whole(name))
            merge(old, value);
        else if (strcmp(name, "model") != 0) /* the URL's model stays */
            json_object_set_new(into, name, json_deep_copy(value));
    }
}

/* What depends on more than the update itself. */

static bool check_model_family(const struct tl_ai_config *config, const json_t *session,
                               struct tl_ai_problem *problem)
{
    static const char *const members[][2] = {
        {"reasoning", "session.reasoning"}, {"parallel_tool_calls", "session.parallel_tool_calls"}};

    if (tl_ai_model_reasons(tl_ai_config_model(config)))
        return true;
    for (size_t i = 0; i < TL_ARRAY_LEN(members); i++) {
        const json_t *value = json_object_get(session, members[i][0]);
        if (value && !json_is_null(value))
            return tl_ai_refuse(problem, "unsupported_parameter", members[i][1],
                                "Unsupported parameter: '%s' is not supported with model '%s'.",
                                members[i][1], tl_ai_config_model(config));
    }
    return true;
}

static const json_t *voice_of(const json_t *session)
{
    return json_object_get(json_object_get(json_object_get(session, "audio"), "output"), "voice");
}

static bool check_voice_lock(const struct tl_ai_config *config, const json_t *session, bool locked,
                             const char *param, struct tl_ai_problem *problem)
{
    const json_t *voice = voice_of(session);

    if (!locked || !voice || json_equal(voice, voice_of(config->session)))
        return true;
    return tl_ai_refuse(problem, "cannot_update_voice", param,
                        "Cannot update a conversation's voice if assistant audio is present.");
}

static bool check_kind(const json_t *session, struct tl_ai_problem *problem)
{
    const char *type = json_string_value(json_object_get(session, "type"));

    if (strcmp(type, "realtime") == 0)
        return true;
    return tl_ai_refuse(problem, "invalid_value", "session.type",
                        "Passing a transcription session update to a realtime session is not "
                        "allowed.");
}

bool tl_ai_config_update(struct tl_ai_config *config, enum tl_ai_dialect dialect,
                         const json_t *session, bool voice_locked, struct tl_ai_problem *problem)
{
    bool is_ga = dialect == TL_AI_GA;
    const char *voice_param = is_ga ? "session.audio.output.voice" : "session.voice";

    if (!tl_ai_check(is_ga ? tl_ai_session_rules : tl_ai_beta_session_rules, session, "session",
                     problem))
        return false;
    if (is_ga && (!check_kind(session, problem) || !check_model_family(config, session, problem)))
        return false;

    json_t *update = is_ga ? json_incref((json_t *)session) : session_to_ga(session);
    bool ok = check_voice_lock(config, update, voice_locked, voice_param, problem);
    if (ok) {
        merge(config->session, update);
        read_tree(config);
    }
    json_decref(update);
    return ok;
}
