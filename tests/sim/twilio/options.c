/* The command line. */
#include "options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char HELP[] =
    "trunkline-sim-twilio: a telephone network that speaks Twilio's protocols\n"
    "\n"
    "  --number +1555…=VOICE_URL[,STATUS_URL[,FALLBACK_URL]]   a number of the account; repeat\n"
    "  --listen ADDRESS:PORT     REST API (127.0.0.1:0; port 0: any free one)\n"
    "  --control ADDRESS:PORT    control API (127.0.0.1:0)\n"
    "  --port PORT               port of --listen\n"
    "  --cert FILE --key FILE    TLS of the REST API\n"
    "  --account-sid AC… --auth-token TOKEN   who we are to the customer\n"
    "  --api-key SK…:SECRET      REST takes this pair too\n"
    "  --ca-file FILE            PEM trusted for webhooks and streams, beside nothing else\n"
    "  --phrases FILE            what callers and the AI say\n"
    "  --ai-says TEXT            another sentence of the AI, to be recognised; repeat\n"
    "  --speech-cache FOLDER     where synthesised sound is kept\n"
    "  --allow-plain             streams may be ws://\n"
    "  --sign-port               https URLs are signed with their port (Twilio drops it)\n"
    "  --after-abrupt action|hold|nothing   when a media socket dies without a close frame "
    "(action)\n"
    "  --callbacks in_order|swapped|twice|dropped|late_initiated   status callbacks (in_order)\n"
    "  --ring-ms MS              until a destination answers (200)\n"
    "  --cps N                   calls by REST that leave the queue each second; 0: all at once "
    "(1)\n"
    "  --gap-min-ms MS           shortest silence that is reported as a gap (300)\n"
    "  --call FROM [--to NUMBER] --script FILE   place one call, print its events, and end with "
    "it\n"
    "\n"
    "Prints {\"listening\":PORT,\"control\":PORT} when it is ready. The script is a JSON array of\n"
    "steps, see tests/sim/README.md.\n";

enum {
    OPT_HELP = 'h',
    OPT_NUMBER = 1000,
    OPT_PORT,
    OPT_AI_SAYS,
    OPT_API_KEY,
    OPT_ALLOW_PLAIN,
    OPT_SIGN_PORT,
    OPT_AFTER_ABRUPT,
    OPT_CALLBACKS,
    OPT_RING_MS,
    OPT_CPS,
    OPT_GAP_MIN_MS,
    OPT_TEXT, /* and the following: index into TEXTS */
};

/* Options whose text is kept as it is. */
static const struct {
    const char *name;
    size_t offset;
} TEXTS[] = {
    {"listen", offsetof(struct tl_tel_options, listen)},
    {"control", offsetof(struct tl_tel_options, control)},
    {"cert", offsetof(struct tl_tel_options, cert_file)},
    {"key", offsetof(struct tl_tel_options, key_file)},
    {"account-sid", offsetof(struct tl_tel_options, account_sid)},
    {"auth-token", offsetof(struct tl_tel_options, auth_token)},
    {"ca-file", offsetof(struct tl_tel_options, ca_file)},
    {"phrases", offsetof(struct tl_tel_options, phrases)},
    {"speech-cache", offsetof(struct tl_tel_options, speech_cache)},
    {"call", offsetof(struct tl_tel_options, call_from)},
    {"to", offsetof(struct tl_tel_options, call_to)},
    {"script", offsetof(struct tl_tel_options, script_file)},
};
#define TEXTS_LEN (sizeof(TEXTS) / sizeof(TEXTS[0]))

static const struct option SPECIAL[] = {
    {"help", no_argument, NULL, OPT_HELP},
    {"number", required_argument, NULL, OPT_NUMBER},
    {"port", required_argument, NULL, OPT_PORT},
    {"ai-says", required_argument, NULL, OPT_AI_SAYS},
    {"api-key", required_argument, NULL, OPT_API_KEY},
    {"allow-plain", no_argument, NULL, OPT_ALLOW_PLAIN},
    {"sign-port", no_argument, NULL, OPT_SIGN_PORT},
    {"after-abrupt", required_argument, NULL, OPT_AFTER_ABRUPT},
    {"callbacks", required_argument, NULL, OPT_CALLBACKS},
    {"ring-ms", required_argument, NULL, OPT_RING_MS},
    {"cps", required_argument, NULL, OPT_CPS},
    {"gap-min-ms", required_argument, NULL, OPT_GAP_MIN_MS},
};
#define SPECIAL_LEN (sizeof(SPECIAL) / sizeof(SPECIAL[0]))

enum tl_status tl_tel_options_split(const char *listen, char *ret_address, size_t size,
                                    int *ret_port, struct tl_error *err)
{
    const char *colon = strrchr(listen, ':');
    const char *port = colon ? colon + 1 : listen;
    char *end;
    long value = strtol(port, &end, 10);

    if (*port == '\0' || *end || value < 0 || value > 65535)
        return tl_fail(err, TL_INVALID, "\"%s\" is not ADDRESS:PORT", listen);
    (void)snprintf(ret_address, size, "%.*s", colon ? (int)(colon - listen) : 0, listen);
    if (!*ret_address)
        (void)snprintf(ret_address, size, "127.0.0.1");
    *ret_port = (int)value;
    return TL_OK;
}

static enum tl_status set_fault(struct tl_tel *tel, const char *name, const char *value,
                                struct tl_error *err)
{
    json_t *body = json_pack("{s:s}", name, value);
    enum tl_status st = tl_tel_faults_set(&tel->faults, body, err);

    json_decref(body);
    return st;
}

static enum tl_status read_number(const char *text, int64_t *ret_value, struct tl_error *err)
{
    char *end;
    long value = strtol(text, &end, 10);

    if (*text == '\0' || *end || value < 0)
        return tl_fail(err, TL_INVALID, "\"%s\" is not a number", text);
    *ret_value = value;
    return TL_OK;
}

static enum tl_status read_api_key(struct tl_tel *tel, char *text, struct tl_error *err)
{
    char *colon = strchr(text, ':');

    if (!colon)
        return tl_fail(err, TL_INVALID, "--api-key SK…:SECRET");
    *colon = '\0';
    tel->options.key_sid = text;
    tel->options.key_secret = colon + 1;
    return TL_OK;
}

static enum tl_status take_special(struct tl_tel *tel, int opt, char *value, struct tl_error *err)
{
    switch (opt) {
    case OPT_NUMBER:
        return tl_tel_number_add(tel, value, err);
    case OPT_PORT:
        tel->options.listen = value;
        return TL_OK;
    case OPT_AI_SAYS:
        if (tel->options.ai_says_len == TL_TEL_AI_SAYS_MAX)
            return tl_fail(err, TL_INVALID, "--ai-says more than %d times", TL_TEL_AI_SAYS_MAX);
        tel->options.ai_says[tel->options.ai_says_len++] = value;
        return TL_OK;
    case OPT_API_KEY:
        return read_api_key(tel, value, err);
    case OPT_ALLOW_PLAIN:
        tel->options.allow_plain = true;
        return TL_OK;
    case OPT_SIGN_PORT:
        tel->options.sign_port = true;
        return TL_OK;
    case OPT_AFTER_ABRUPT:
        return set_fault(tel, "after_abrupt", value, err);
    case OPT_CALLBACKS:
        return set_fault(tel, "callbacks", value, err);
    case OPT_RING_MS:
        return read_number(value, &tel->options.ring_ms, err);
    case OPT_CPS:
        return read_number(value, &tel->options.cps, err);
    case OPT_GAP_MIN_MS:
        return read_number(value, &tel->options.gap_min_ms, err);
    default:
        return tl_fail(err, TL_INVALID, "unknown option");
    }
}

static const struct tl_tel_options DEFAULTS = {
    .listen = "127.0.0.1:0",
    .control = "127.0.0.1:0",
    .account_sid = "AC00000000000000000000000000000001",
    .auth_token = "0123456789abcdef0123456789abcdef",
    .ring_ms = 200,
    .cps = 1,
    .gap_min_ms = 300,
};

bool tl_tel_options_read(struct tl_tel *tel, int argc, char **argv, int *ret_exit)
{
    struct option all[SPECIAL_LEN + TEXTS_LEN + 1] = {0};
    struct tl_error err;
    int opt;

    memcpy(all, SPECIAL, sizeof(SPECIAL));
    for (size_t i = 0; i < TEXTS_LEN; i++)
        all[SPECIAL_LEN + i] =
            (struct option){TEXTS[i].name, required_argument, NULL, OPT_TEXT + (int)i};
    tel->options = DEFAULTS;
    *ret_exit = 2;
    while ((opt = getopt_long(argc, argv, "h", all, NULL)) != -1) {
        if (opt == OPT_HELP) {
            (void)fputs(HELP, stdout);
            *ret_exit = 0;
            return false;
        }
        if (opt == '?')
            return false;
        if (opt >= OPT_TEXT)
            *(const char **)((char *)&tel->options + TEXTS[opt - OPT_TEXT].offset) = optarg;
        else if (take_special(tel, opt, optarg, &err) != TL_OK) {
            (void)fprintf(stderr, "trunkline-sim-twilio: %s\n", err.msg);
            return false;
        }
    }
    if (optind < argc) {
        (void)fprintf(stderr, "trunkline-sim-twilio: what is \"%s\"?\n", argv[optind]);
        return false;
    }
    return true;
}
