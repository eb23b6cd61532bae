/* The tables of rules.h, from the small parts to the whole. */
#include "openai/rules.h"

#include <stdio.h>
#include <string.h>

#define LIST(...)                                                                                  \
    (const char *const[])                                                                          \
    {                                                                                              \
        __VA_ARGS__, NULL                                                                          \
    }
#define RULES (const struct tl_ai_rule[])
#define STRING_OR_NULL (TL_AI_STRING | TL_AI_NULL)
#define OBJECT_OR_NULL (TL_AI_OBJECT | TL_AI_NULL)

/* Members that a table row cannot describe. */

static const struct tl_ai_rule function_rules[] = {
    {.name = "type", .kinds = TL_AI_STRING, .required = true},
    {.name = "name", .kinds = TL_AI_STRING, .required = true, .max = 64},
    {.name = "description", .kinds = STRING_OR_NULL},
    {.name = "parameters", .kinds = OBJECT_OR_NULL},
    {0},
};

static const struct tl_ai_rule mcp_rules[] = {
    {.name = "type", .kinds = TL_AI_STRING, .required = true},
    {.name = "server_label", .kinds = TL_AI_STRING, .required = true},
    {.name = "server_url", .kinds = STRING_OR_NULL},
    {.name = "server_description", .kinds = STRING_OR_NULL},
    {.name = "connector_id", .kinds = STRING_OR_NULL},
    {.name = "authorization", .kinds = STRING_OR_NULL},
    {.name = "headers", .kinds = OBJECT_OR_NULL},
    {.name = "allowed_tools", .kinds = TL_AI_ANY},
    {.name = "require_approval", .kinds = TL_AI_ANY},
    {0},
};

static const struct tl_ai_rule choice_rules[] = {
    {.name = "type", .kinds = TL_AI_STRING, .required = true, .choices = LIST("function", "mcp")},
    {.name = "name", .kinds = STRING_OR_NULL},
    {.name = "server_label", .kinds = TL_AI_STRING},
    {0},
};

static const struct tl_ai_rule beta_choice_rules[] = {
    {.name = "type", .kinds = TL_AI_STRING, .required = true, .choices = LIST("function")},
    {.name = "function",
     .kinds = TL_AI_OBJECT,
     .required = true,
     .members = RULES{{.name = "name", .kinds = TL_AI_STRING, .required = true}, {0}}},
    {0},
};

static const struct tl_ai_rule truncation_rules[] = {
    {.name = "type", .kinds = TL_AI_STRING, .required = true, .choices = LIST("retention_ratio")},
    {.name = "retention_ratio", .kinds = TL_AI_NUMBER, .required = true, .min = 0, .max = 1},
    {.name = "token_limits",
     .kinds = TL_AI_OBJECT,
     .members =
         RULES{{.name = "post_instructions", .kinds = TL_AI_INTEGER, .min = 0, .max = 1e9}, {0}}},
    {0},
};

static bool check_format(const json_t *value, const char *path, struct tl_ai_problem *problem)
{
    const char *type = json_string_value(json_object_get(value, "type"));
    const json_t *rate = json_object_get(value, "rate");
    char inner[200];

    snprintf(inner, sizeof(inner), "%s.rate", path);
    if (strcmp(type, "audio/pcm") == 0)
        return !rate || json_integer_value(rate) == 24000
                   ? true
                   : tl_ai_refuse(problem, "invalid_value", inner,
                                  "Invalid value: '%lld'. Supported values are: '24000'.",
                                  (long long)json_integer_value(rate));
    return !rate ||
           tl_ai_refuse(problem, "unknown_parameter", inner, "Unknown parameter: '%s'.", inner);
}

static bool check_voice(const json_t *value, const char *path, struct tl_ai_problem *problem)
{
    if (json_is_string(value))
        return true;
    return tl_ai_check(RULES{{.name = "id", .kinds = TL_AI_STRING, .required = true}, {0}}, value,
                       path, problem);
}

static bool check_max_tokens(const json_t *value, const char *path, struct tl_ai_problem *problem)
{
    if (!json_is_string(value) || strcmp(json_string_value(value), "inf") == 0)
        return true;
    return tl_ai_refuse(problem, "invalid_value", path,
                        "Invalid value: '%.60s'. Expected an integer between 1 and 4096, or 'inf'.",
                        json_string_value(value));
}

static bool check_modalities(const json_t *value, const char *path, struct tl_ai_problem *problem)
{
    if (json_array_size(value) == 1)
        return true;
    return tl_ai_refuse(problem, "invalid_value", path,
                        "Invalid modalities: supported combinations are: ['text'] and ['audio'].");
}

static bool check_beta_modalities(const json_t *value, const char *path,
                                  struct tl_ai_problem *problem)
{
    const char *first = json_string_value(json_array_get(value, 0));

    if (json_array_size(value) == 2 || (json_array_size(value) == 1 && strcmp(first, "text") == 0))
        return true;
    return tl_ai_refuse(
        problem, "invalid_value", path,
        "Invalid modalities: supported combinations are: ['text'] and ['audio', 'text'].");
}

static bool check_tool(const json_t *tool, const char *path, struct tl_ai_problem *problem)
{
    const char *type = json_string_value(json_object_get(tool, "type"));
    char inner[200];

    snprintf(inner, sizeof(inner), "%s.type", path);
    if (!type)
        return tl_ai_refuse(problem, "missing_required_parameter", inner,
                            "Missing required parameter: '%s'.", inner);
    if (strcmp(type, "function") == 0)
        return tl_ai_check(function_rules, tool, path, problem);
    if (strcmp(type, "mcp") == 0)
        return tl_ai_check(mcp_rules, tool, path, problem);
    return tl_ai_refuse(problem, "invalid_value", inner,
                        "Invalid value: '%.60s'. Supported values are: 'function', and 'mcp'.",
                        type);
}

static bool check_choice_as(const struct tl_ai_rule *object, const json_t *value, const char *path,
                            struct tl_ai_problem *problem)
{
    static const char *const words[] = {"auto", "none", "required"};

    if (json_is_object(value))
        return tl_ai_check(object, value, path, problem);
    for (size_t i = 0; i < TL_ARRAY_LEN(words); i++)
        if (strcmp(words[i], json_string_value(value)) == 0)
            return true;
    return tl_ai_refuse(
        problem, "invalid_value", path,
        "Invalid value: '%.60s'. Supported values are: 'none', 'auto', and 'required'.",
        json_string_value(value));
}

static bool check_tool_choice(const json_t *value, const char *path, struct tl_ai_problem *problem)
{
    return check_choice_as(choice_rules, value, path, problem);
}

static bool check_beta_tool_choice(const json_t *value, const char *path,
                                   struct tl_ai_problem *problem)
{
    return check_choice_as(beta_choice_rules, value, path, problem);
}

static bool check_truncation(const json_t *value, const char *path, struct tl_ai_problem *problem)
{

    if (json_is_object(value))
        return tl_ai_check(truncation_rules, value, path, problem);
    if (strcmp(json_string_value(value), "auto") == 0 ||
        strcmp(json_string_value(value), "disabled") == 0)
        return true;
    return tl_ai_refuse(problem, "invalid_value", path,
                        "Invalid value: '%.60s'. Supported values are: 'auto', and 'disabled'.",
                        json_string_value(value));
}

static bool check_metadata(const json_t *value, const char *path, struct tl_ai_problem *problem)
{
    const char *name;
    json_t *text;

    if (json_object_size(value) > 16)
        return tl_ai_refuse(problem, "object_above_max_properties", path,
                            "Invalid '%s': too many properties. Expected an object with at most 16 "
                            "properties, but got %zu instead.",
                            path, json_object_size(value));
    json_object_foreach((json_t *)value, name, text)
    {
        if (!json_is_string(text) || strlen(name) > 64 || json_string_length(text) > 512)
            return tl_ai_refuse(problem, "invalid_value", path,
                                "Invalid '%s': keys are up to 64 characters and values strings of "
                                "up to 512 characters.",
                                path);
    }
    return true;
}

/* Turn detection: which members there may be depends on the type. */

static const struct tl_ai_rule server_vad_rules[] = {
    {.name = "type", .kinds = TL_AI_STRING},
    {.name = "threshold", .kinds = TL_AI_NUMBER | TL_AI_NULL, .min = 0, .max = 1},
    {.name = "prefix_padding_ms", .kinds = TL_AI_INTEGER | TL_AI_NULL, .min = 0, .max = 5000},
    {.name = "silence_duration_ms", .kinds = TL_AI_INTEGER | TL_AI_NULL, .min = 0, .max = 10000},
    {.name = "idle_timeout_ms", .kinds = TL_AI_INTEGER | TL_AI_NULL, .min = 5000, .max = 30000},
    {.name = "create_response", .kinds = TL_AI_BOOL},
    {.name = "interrupt_response", .kinds = TL_AI_BOOL},
    {0},
};

static const struct tl_ai_rule beta_server_vad_rules[] = {
    {.name = "type", .kinds = TL_AI_STRING},
    {.name = "threshold", .kinds = TL_AI_NUMBER | TL_AI_NULL, .min = 0, .max = 1},
    {.name = "prefix_padding_ms", .kinds = TL_AI_INTEGER | TL_AI_NULL, .min = 0, .max = 5000},
    {.name = "silence_duration_ms", .kinds = TL_AI_INTEGER | TL_AI_NULL, .min = 0, .max = 10000},
    {.name = "create_response", .kinds = TL_AI_BOOL},
    {.name = "interrupt_response", .kinds = TL_AI_BOOL},
    {0},
};

static const struct tl_ai_rule semantic_vad_rules[] = {
    {.name = "type", .kinds = TL_AI_STRING},
    {.name = "eagerness", .kinds = TL_AI_STRING, .choices = LIST("low", "medium", "high", "auto")},
    {.name = "create_response", .kinds = TL_AI_BOOL},
    {.name = "interrupt_response", .kinds = TL_AI_BOOL},
    {0},
};

static bool check_detection_as(const struct tl_ai_rule *server_vad, const json_t *value,
                               const char *path, struct tl_ai_problem *problem)
{
    const json_t *type = json_object_get(value, "type");
    char inner[200];

    snprintf(inner, sizeof(inner), "%s.type", path);
    if (json_is_null(value))
        return true;
    if (!type || (json_is_string(type) && strcmp(json_string_value(type), "server_vad") == 0))
        return tl_ai_check(server_vad, value, path, problem);
    if (json_is_string(type) && strcmp(json_string_value(type), "semantic_vad") == 0)
        return tl_ai_check(semantic_vad_rules, value, path, problem);
    return tl_ai_refuse(
        problem, "invalid_value", inner,
        "Invalid value: '%.60s'. Supported values are: 'server_vad', and 'semantic_vad'.",
        json_is_string(type) ? json_string_value(type) : "?");
}

static bool check_detection(const json_t *value, const char *path, struct tl_ai_problem *problem)
{
    return check_detection_as(server_vad_rules, value, path, problem);
}

static bool check_beta_detection(const json_t *value, const char *path,
                                 struct tl_ai_problem *problem)
{
    return check_detection_as(beta_server_vad_rules, value, path, problem);
}

/* Transcription: some members belong to some models. */

static bool check_transcription(const json_t *value, const char *path,
                                struct tl_ai_problem *problem)
{
    static const struct {
        const char *member;
        const char *models; /* that take it */
    } only[] = {
        {"delay", "gpt-realtime-whisper"},
        {"keywords", "gpt-live-transcribe gpt-transcribe"},
        {"languages", "gpt-live-transcribe gpt-transcribe"},
        {"prompt", "gpt-live-transcribe gpt-transcribe gpt-4o-transcribe gpt-4o-mini-transcribe "
                   "gpt-4o-transcribe-diarize whisper-1"},
    };
    const char *model = json_string_value(json_object_get(value, "model"));
    char inner[200];

    for (size_t i = 0; model && i < TL_ARRAY_LEN(only); i++) {
        if (!json_is_string(json_object_get(value, only[i].member)) &&
            !json_is_array(json_object_get(value, only[i].member)))
            continue;
        if (strstr(only[i].models, model))
            continue;
        snprintf(inner, sizeof(inner), "%s.%s", path, only[i].member);
        return tl_ai_refuse(problem, "unsupported_parameter", inner,
                            "Unsupported parameter: '%s' is not supported with model '%s'.", inner,
                            model);
    }
    return true;
}

#define GA_TRANSCRIPTION_MODELS                                                                    \
    LIST("gpt-realtime-whisper", "gpt-live-transcribe", "gpt-transcribe", "gpt-4o-transcribe",     \
         "gpt-4o-mini-transcribe", "gpt-4o-transcribe-diarize", "whisper-1")

static const struct tl_ai_rule transcription_rules[] = {
    {.name = "model", .kinds = TL_AI_STRING, .choices = GA_TRANSCRIPTION_MODELS},
    {.name = "language", .kinds = STRING_OR_NULL, .max = 8},
    {.name = "prompt", .kinds = STRING_OR_NULL},
    {.name = "delay",
     .kinds = STRING_OR_NULL,
     .choices = LIST("minimal", "low", "medium", "high", "xhigh")},
    {.name = "keywords",
     .kinds = TL_AI_ARRAY | TL_AI_NULL,
     .element = RULES{{.name = "keyword", .kinds = TL_AI_STRING}}},
    {.name = "languages",
     .kinds = TL_AI_ARRAY | TL_AI_NULL,
     .element = RULES{{.name = "language", .kinds = TL_AI_STRING}}},
    {0},
};

static const struct tl_ai_rule beta_transcription_rules[] = {
    {.name = "model",
     .kinds = TL_AI_STRING,
     .choices = LIST("gpt-4o-transcribe", "gpt-4o-mini-transcribe", "whisper-1")},
    {.name = "language", .kinds = STRING_OR_NULL, .max = 8},
    {.name = "prompt", .kinds = STRING_OR_NULL},
    {0},
};

static const struct tl_ai_rule noise_rules[] = {
    {.name = "type",
     .kinds = TL_AI_STRING,
     .required = true,
     .choices = LIST("near_field", "far_field")},
    {0},
};

/* Audio. */

#define VOICES                                                                                     \
    LIST("alloy", "ash", "ballad", "coral", "echo", "sage", "shimmer", "verse", "marin", "cedar")
#define BETA_VOICES LIST("alloy", "ash", "ballad", "coral", "echo", "sage", "shimmer", "verse")

static const struct tl_ai_rule format_rules[] = {
    {.name = "type",
     .kinds = TL_AI_STRING,
     .required = true,
     .choices = LIST("audio/pcm", "audio/pcmu", "audio/pcma")},
    {.name = "rate", .kinds = TL_AI_INTEGER},
    {0},
};

static const struct tl_ai_rule input_rules[] = {
    {.name = "format", .kinds = TL_AI_OBJECT, .members = format_rules, .check = check_format},
    {.name = "noise_reduction", .kinds = OBJECT_OR_NULL, .members = noise_rules},
    {.name = "transcription",
     .kinds = OBJECT_OR_NULL,
     .members = transcription_rules,
     .check = check_transcription},
    {.name = "turn_detection", .kinds = OBJECT_OR_NULL, .check = check_detection},
    {0},
};

static const struct tl_ai_rule output_rules[] = {
    {.name = "format", .kinds = TL_AI_OBJECT, .members = format_rules, .check = check_format},
    {.name = "voice",
     .kinds = TL_AI_STRING | TL_AI_OBJECT,
     .choices = VOICES,
     .check = check_voice},
    {.name = "speed", .kinds = TL_AI_NUMBER, .min = 0.25, .max = 1.5},
    {0},
};

static const struct tl_ai_rule audio_rules[] = {
    {.name = "input", .kinds = TL_AI_OBJECT, .members = input_rules},
    {.name = "output", .kinds = TL_AI_OBJECT, .members = output_rules},
    {0},
};

static const struct tl_ai_rule response_audio_rules[] = {
    {.name = "output",
     .kinds = TL_AI_OBJECT,
     .members = RULES{{.name = "format",
                       .kinds = TL_AI_OBJECT,
                       .members = format_rules,
                       .check = check_format},
                      {.name = "voice",
                       .kinds = TL_AI_STRING | TL_AI_OBJECT,
                       .choices = VOICES,
                       .check = check_voice},
                      {0}}},
    {0},
};

/* What several tables have in common. */

/* clang-format off */
#define ROW_MODALITIES(name_, check_)                                                              \
    {.name = name_, .kinds = TL_AI_ARRAY, .element = modality_rules, .check = check_}
#define ROW_TOOLS {.name = "tools", .kinds = TL_AI_ARRAY, .element = tool_rules}
#define ROW_TOOL_CHOICE(check_)                                                                    \
    {.name = "tool_choice", .kinds = TL_AI_STRING | TL_AI_OBJECT, .check = check_}
#define ROW_MAX_TOKENS(name_)                                                                      \
    {.name = name_, .kinds = TL_AI_INTEGER | TL_AI_STRING, .min = 1, .max = 4096,                  \
     .check = check_max_tokens}
#define ROW_REASONING                                                                              \
    {.name = "reasoning", .kinds = OBJECT_OR_NULL, .members = reasoning_rules}
/* clang-format on */

static const struct tl_ai_rule modality_rules[] = {
    {.name = "modality", .kinds = TL_AI_STRING, .choices = LIST("text", "audio")}};
static const struct tl_ai_rule tool_rules[] = {
    {.name = "tool", .kinds = TL_AI_OBJECT, .check = check_tool}};
static const struct tl_ai_rule reasoning_rules[] = {
    {.name = "effort",
     .kinds = TL_AI_STRING,
     .choices = LIST("minimal", "low", "medium", "high", "xhigh")},
    {0},
};

const struct tl_ai_rule tl_ai_session_rules[] = {
    {.name = "type",
     .kinds = TL_AI_STRING,
     .required = true,
     .choices = LIST("realtime", "transcription")},
    {.name = "model", .kinds = TL_AI_STRING},
    ROW_MODALITIES("output_modalities", check_modalities),
    {.name = "instructions", .kinds = TL_AI_STRING},
    {.name = "audio", .kinds = TL_AI_OBJECT, .members = audio_rules},
    ROW_TOOLS,
    ROW_TOOL_CHOICE(check_tool_choice),
    ROW_MAX_TOKENS("max_output_tokens"),
    {.name = "truncation", .kinds = TL_AI_STRING | TL_AI_OBJECT, .check = check_truncation},
    {.name = "parallel_tool_calls", .kinds = TL_AI_BOOL},
    ROW_REASONING,
    {.name = "tracing", .kinds = TL_AI_STRING | TL_AI_OBJECT | TL_AI_NULL},
    {.name = "prompt", .kinds = OBJECT_OR_NULL},
    {.name = "include",
     .kinds = TL_AI_ARRAY | TL_AI_NULL,
     .element = RULES{{.name = "include",
                       .kinds = TL_AI_STRING,
                       .choices = LIST("item.input_audio_transcription.logprobs")}}},
    {0},
};

const struct tl_ai_rule tl_ai_beta_session_rules[] = {
    ROW_MODALITIES("modalities", check_beta_modalities),
    {.name = "instructions", .kinds = TL_AI_STRING},
    {.name = "voice", .kinds = TL_AI_STRING, .choices = BETA_VOICES},
    {.name = "speed", .kinds = TL_AI_NUMBER, .min = 0.25, .max = 1.5},
    {.name = "input_audio_format",
     .kinds = TL_AI_STRING,
     .choices = LIST("pcm16", "g711_ulaw", "g711_alaw")},
    {.name = "output_audio_format",
     .kinds = TL_AI_STRING,
     .choices = LIST("pcm16", "g711_ulaw", "g711_alaw")},
    {.name = "input_audio_transcription",
     .kinds = OBJECT_OR_NULL,
     .members = beta_transcription_rules},
    {.name = "input_audio_noise_reduction", .kinds = OBJECT_OR_NULL, .members = noise_rules},
    {.name = "turn_detection", .kinds = OBJECT_OR_NULL, .check = check_beta_detection},
    ROW_TOOLS,
    ROW_TOOL_CHOICE(check_beta_tool_choice),
    {.name = "temperature", .kinds = TL_AI_NUMBER, .min = 0.6, .max = 1.2},
    ROW_MAX_TOKENS("max_response_output_tokens"),
    {.name = "tracing", .kinds = TL_AI_STRING | TL_AI_OBJECT | TL_AI_NULL},
    {0},
};

const struct tl_ai_rule tl_ai_response_rules[] = {
    {.name = "conversation", .kinds = TL_AI_STRING, .choices = LIST("auto", "none")},
    {.name = "input",
     .kinds = TL_AI_ARRAY,
     .element = RULES{{.name = "item", .kinds = TL_AI_OBJECT}}},
    {.name = "instructions", .kinds = TL_AI_STRING},
    ROW_MODALITIES("output_modalities", check_modalities),
    {.name = "audio", .kinds = TL_AI_OBJECT, .members = response_audio_rules},
    ROW_TOOLS,
    ROW_TOOL_CHOICE(check_tool_choice),
    ROW_MAX_TOKENS("max_output_tokens"),
    {.name = "metadata", .kinds = OBJECT_OR_NULL, .check = check_metadata},
    {.name = "parallel_tool_calls", .kinds = TL_AI_BOOL},
    ROW_REASONING,
    {.name = "prompt", .kinds = OBJECT_OR_NULL},
    {0},
};

const struct tl_ai_rule tl_ai_beta_response_rules[] = {
    {.name = "conversation", .kinds = TL_AI_STRING, .choices = LIST("auto", "none")},
    {.name = "input",
     .kinds = TL_AI_ARRAY,
     .element = RULES{{.name = "item", .kinds = TL_AI_OBJECT}}},
    {.name = "instructions", .kinds = TL_AI_STRING},
    ROW_MODALITIES("modalities", check_beta_modalities),
    {.name = "voice", .kinds = TL_AI_STRING, .choices = BETA_VOICES},
    {.name = "output_audio_format",
     .kinds = TL_AI_STRING,
     .choices = LIST("pcm16", "g711_ulaw", "g711_alaw")},
    ROW_TOOLS,
    ROW_TOOL_CHOICE(check_beta_tool_choice),
    {.name = "temperature", .kinds = TL_AI_NUMBER, .min = 0.6, .max = 1.2},
    ROW_MAX_TOKENS("max_response_output_tokens"),
    {.name = "metadata", .kinds = OBJECT_OR_NULL, .check = check_metadata},
    {0},
};
