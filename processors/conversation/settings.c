/* Settings of conversation: each a row. */
#include "processors/conversation/settings.h"

const struct tl_setting tl_conversation_settings[] = {
    TL_SET_INT(struct tl_conversation_settings, calls_max, "conversation.calls_max", "500", 1, 100000,
               "Calls that one instance holds at most."),
    TL_SET_DURATION(struct tl_conversation_settings, batch_ms, "conversation.batch", "2ms", 0, 100,
                    "Sound for callers waits so long at most to share a record."),
    TL_SET_DURATION(struct tl_conversation_settings, play_ahead_ms, "conversation.play_ahead", "10s",
                    400, 300000,
                    "Sound that may lie unheard at the telephone network, so that a death in "
                    "mid-sentence is not heard."),
    TL_SET_DURATION(struct tl_conversation_settings, transcript_wait_ms,
                    "conversation.transcript_wait", "10s", 1000, 60000,
                    "A transcript that has not come by then has failed; what follows it waits so "
                    "long."),
    TL_SET_DURATION(struct tl_conversation_settings, checkpoint_ms, "conversation.checkpoint", "30s",
                    1000, 3600000, "How often a call that changed writes what a successor needs."),
    TL_SET_DURATION(struct tl_conversation_settings, drain_ms, "conversation.drain", "15s", 0, 600000,
                    "How long a draining instance waits for its calls to be taken by others."),
    {0},
};

const struct tl_setting tl_openai_settings[] = {
    TL_SET_STRING(struct tl_openai_settings, url, "openai.url", "wss://api.openai.com/v1/realtime",
                  "Address of the Realtime API.", .env = "OPENAI_REALTIME_URL"),
    TL_SET_STRING(struct tl_openai_settings, key, "openai.key", "", "API key.",
                  .env = "OPENAI_API_KEY", .secret = true, .required = true),
    TL_SET_STRING(struct tl_openai_settings, organization, "openai.organization", "",
                  "Header OpenAI-Organization; empty: none."),
    TL_SET_STRING(struct tl_openai_settings, project, "openai.project", "",
                  "Header OpenAI-Project; empty: none."),
    TL_SET_STRING(struct tl_openai_settings, dialect, "openai.dialect", "ga",
                  "Shape of the API: ga (present) or beta (older servers).", .choices = "ga,beta"),
    TL_SET_STRING(struct tl_openai_settings, model, "openai.model", "gpt-realtime-2.1",
                  "Model, where a business names none."),
    TL_SET_STRING(struct tl_openai_settings, transcription_model, "openai.transcription_model",
                  "gpt-realtime-whisper",
                  "Model that transcribes callers, where a business names none."),
    TL_SET_DURATION(struct tl_openai_settings, connect_timeout_ms, "openai.connect_timeout", "2s", 100,
                    60000, "One attempt to open a session."),
    TL_SET_DURATION(struct tl_openai_settings, reconnect_deadline_ms, "openai.reconnect_deadline",
                    "5s", 100, 60000,
                    "All attempts together; then the caller hears that the AI cannot be had."),
    TL_SET_DURATION(struct tl_openai_settings, session_max_ms, "openai.session_max", "50m", 5000,
                    3600000,
                    "A session is renewed at the next pause after this time, or after five sixths of "
                    "what the provider allows when that is less."),
    TL_SET_DURATION(struct tl_openai_settings, response_timeout_ms, "openai.response_timeout", "10s",
                    1000, 120000, "An answer of which nothing has come by then is asked for again."),
    TL_SET_INT(struct tl_openai_settings, max_sessions, "openai.max_sessions", "0", 0, 1000000,
               "Sessions that the provider allows at once, of all instances together; 0: no limit."),
    TL_SET_INT(struct tl_openai_settings, tokens_per_minute, "openai.tokens_per_minute", "0", 0,
               1000000000000,
               "Tokens a minute that the provider allows, of all instances together; 0: no limit."),
    TL_SET_INT(struct tl_openai_settings, reserve_pct, "openai.reserve_pct", "0", 0, 90,
               "Per cent of both limits that new calls leave free for calls that go on. Of the sessions "
               "at least as many are left as the fullest instance has, so that its death is absorbed "
               "even while the provider still counts them."),
    TL_SET_LIST(struct tl_openai_settings, prices, "openai.prices", "",
                "Price list: model=input text,input audio,cached text,cached audio,output "
                "text,output audio (US dollars for a million tokens),minute of transcription. "
                "In YAML a list of texts."),
    {0},
};
