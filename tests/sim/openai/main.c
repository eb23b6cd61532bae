/* trunkline-sim-openai: options, speech, listeners, loop. */
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/time.h"
#include "net/http_server.h"
#include "net/net.h"
#include "openai/control.h"
#include "openai/rest.h"
#include "openai/session.h"

#define PHRASES "tests/sim/phrases.txt"
#define SCRATCH_MAX ((size_t)32 << 20)

/* Options: text ones, numbers and flags, each with its place in struct tl_ai_options. */

enum option_kind {
    OPTION_TEXT,
    OPTION_NUMBER,
    OPTION_FLAG,
};

static const struct {
    const char *name;
    enum option_kind kind;
    size_t offset;
    const char *fallback;
    long min, max;
    const char *doc;
} option_rows[] = {
#define AT(field) offsetof(struct tl_ai_options, field)
    {"listen", OPTION_TEXT, AT(listen), "127.0.0.1:0", 0, 0, "address and port of the service"},
    {"control", OPTION_TEXT, AT(control), "127.0.0.1:0", 0, 0,
     "address and port of the control API"},
    {"cert", OPTION_TEXT, AT(cert), NULL, 0, 0, "certificate (PEM): the service speaks TLS"},
    {"key", OPTION_TEXT, AT(key), NULL, 0, 0, "its private key (PEM)"},
    {"phrases", OPTION_TEXT, AT(phrases), PHRASES, 0, 0, "what callers say and what is answered"},
    {"speech-cache", OPTION_TEXT, AT(cache), NULL, 0, 0, "folder where synthesised speech is kept"},
    {"api-key", OPTION_TEXT, AT(api_key), NULL, 0, 0, "the only bearer that is let in"},
    {"ga-only", OPTION_FLAG, AT(ga_only), NULL, 0, 1, "refuse the beta shape after the handshake"},
    {"several-items", OPTION_FLAG, AT(several_items), NULL, 0, 1,
     "every spoken answer in two output items"},
    {"session-delay-ms", OPTION_NUMBER, AT(session_delay_ms), "150", 0, 60000,
     "from the handshake to session.created"},
    {"create-delay-ms", OPTION_NUMBER, AT(create_delay_ms), "20", 0, 60000,
     "from the cause of a response to response.created"},
    {"first-audio-delay-ms", OPTION_NUMBER, AT(first_audio_delay_ms), "350", 0, 60000,
     "from the cause of a response to its first sound"},
    {"transcript-delay-ms", OPTION_NUMBER, AT(transcript_delay_ms), "250", 0, 600000,
     "from the end of a turn to its transcript"},
    {"delta-ms", OPTION_NUMBER, AT(delta_ms), "200", 20, 10000, "sound in one delta"},
    {"speed", OPTION_NUMBER, AT(speed), "8", 1, 1000,
     "deltas come so many times faster than they sound"},
    {"session-limit", OPTION_NUMBER, AT(session_limit_s), "3600", 1, 86400,
     "seconds until session_expired"},
    {"keep", OPTION_NUMBER, AT(keep), "20000", 0, 1000000, "records of closed sessions kept"},
    {"seed", OPTION_NUMBER, AT(seed), "0", 0, LONG_MAX,
     "of ids and of what comes by chance; 0: another one each time"},
#undef AT
};

#define ROWS TL_ARRAY_LEN(option_rows)
#define FAULTS_MAX 32

struct arguments {
    struct tl_ai_options options;
    const char *fault[FAULTS_MAX];
    size_t faults;
};

static void print_help(void)
{
    puts("usage: trunkline-sim-openai [options]\n\nA stand-in for the OpenAI API: Realtime "
         "WebSocket, models, embeddings, chat completions,\nresponses. Prints "
         "{\"listening\":PORT,\"control\":PORT} when it is ready.\n");
    for (size_t i = 0; i < ROWS; i++) {
        char name[48];
        snprintf(name, sizeof(name), "--%s%s", option_rows[i].name,
                 option_rows[i].kind == OPTION_FLAG ? "" : " VALUE");
        printf("  %-30s %s", name, option_rows[i].doc);
        printf(option_rows[i].fallback ? " (%s)\n" : "\n", option_rows[i].fallback);
    }
    puts(
        "  --fault KIND[:NAME=VALUE,…]    a fault from the beginning, as POST /faults; repeatable");
    puts("  --help, --version");
}

static bool set_option(struct tl_ai_options *options, size_t row, const char *text)
{
    char *place = (char *)options + option_rows[row].offset;
    char *end = NULL;

    if (option_rows[row].kind == OPTION_TEXT) {
        *(const char **)(void *)place = text;
        return true;
    }
    if (option_rows[row].kind == OPTION_FLAG) {
        *(bool *)place = text == NULL;
        return true;
    }
    long value = strtol(text, &end, 10);
    if (end == text || *end || value < option_rows[row].min || value > option_rows[row].max) {
        fprintf(stderr, "trunkline-sim-openai: --%s: %s is not within %ld..%ld\n",
                option_rows[row].name, text, option_rows[row].min, option_rows[row].max);
        return false;
    }
    *(long *)(void *)place = value;
    return true;
}

/** -1: go on; else the exit status. */
static int read_arguments(int argc, char **argv, struct arguments *args)
{
    struct option table[ROWS + 4] = {0};
    int choice;

    for (size_t i = 0; i < ROWS; i++) {
        table[i] = (struct option){option_rows[i].name, option_rows[i].kind != OPTION_FLAG, NULL,
                                   (int)i + 256};
        if (option_rows[i].kind != OPTION_FLAG)
            (void)set_option(&args->options, i, option_rows[i].fallback); /* our own are right */
    }
    table[ROWS] = (struct option){"fault", 1, NULL, 'f'};
    table[ROWS + 1] = (struct option){"help", 0, NULL, 'h'};
    table[ROWS + 2] = (struct option){"version", 0, NULL, 'v'};
    while ((choice = getopt_long(argc, argv, "", table, NULL)) != -1) {
        if (choice == 'h') {
            print_help();
            return 0;
        }
        if (choice == 'v') {
            puts("trunkline-sim-openai " TL_VERSION);
            return 0;
        }
        if (choice == 'f' && args->faults < FAULTS_MAX)
            args->fault[args->faults++] = optarg;
        else if (choice < 256 || !set_option(&args->options, (size_t)choice - 256, optarg))
            return 2;
    }
    return optind == argc ? -1 : 2;
}

/* Setup. */

static enum tl_status listen_at(struct tl_ai_sim *sim, const char *where, bool is_control,
                                struct tl_http_server **ret_server, struct tl_error *err)
{
    const char *colon = strrchr(where, ':');
    char address[64];
    char *end = NULL;

    long port = colon ? strtol(colon + 1, &end, 10) : -1;
    if (port < 0 || port > 65535 || *end || (size_t)(colon - where) >= sizeof(address))
        return tl_fail(err, TL_INVALID, "%s: not ADDRESS:PORT", where);
    snprintf(address, sizeof(address), "%.*s", (int)(colon - where), where);
    const struct tl_http_server_options options = {
        .address = address,
        .port = (int)port,
        .cert_file = is_control ? NULL : sim->options.cert,
        .key_file = is_control ? NULL : sim->options.key,
        .max_body_bytes = SCRATCH_MAX,
        .on_request = is_control ? tl_ai_control_on_request : tl_ai_rest_on_request,
        .on_upgrade = is_control ? NULL : tl_ai_session_on_upgrade,
        .arg = sim,
    };
    return tl_http_server_create(sim->net, &options, ret_server, err);
}

static enum tl_status apply_faults(struct tl_ai_sim *sim, const struct arguments *args,
                                   struct tl_error *err)
{
    struct tl_ai_problem problem;

    for (size_t i = 0; i < args->faults; i++)
        if (!tl_ai_fault_option(sim, args->fault[i], &problem))
            return tl_fail(err, TL_INVALID, "--fault %s: %s", args->fault[i], problem.message);
    return TL_OK;
}

static enum tl_status setup(struct tl_ai_sim *sim, const struct arguments *args,
                            struct tl_error *err)
{
    const struct tl_net_options options = {.loop = sim->loop, .log = &sim->log};
    enum tl_status st = tl_speech_bank_create(sim->options.cache, &sim->bank, err);

    if (st == TL_OK)
        st = tl_speech_bank_load(sim->bank, sim->options.phrases, err);
    if (st == TL_OK)
        st = tl_net_create(&options, &sim->net, err);
    if (st == TL_OK)
        st = listen_at(sim, sim->options.listen, false, &sim->server, err);
    if (st == TL_OK)
        st = listen_at(sim, sim->options.control, true, &sim->control, err);
    return st == TL_OK ? apply_faults(sim, args, err) : st;
}

static void teardown(struct tl_ai_sim *sim)
{
    struct tl_ai_session *session;

    tl_net_destroy(sim->net); /* closes every session */
    while ((session = TAILQ_FIRST(&sim->sessions)))
        tl_ai_session_destroy(session);
    tl_speech_bank_destroy(sim->bank);
    tl_buf_finish(&sim->scratch);
}

static void on_signal(uv_signal_t *signal, int number)
{
    (void)number;
    uv_stop(signal->loop);
}

/** Serves until SIGTERM or SIGINT. */
static void run(struct tl_ai_sim *sim)
{
    uv_signal_t signals[2];
    static const int numbers[] = {SIGTERM, SIGINT};

    for (int i = 0; i < 2; i++) {
        uv_signal_init(sim->loop, &signals[i]);
        uv_signal_start(&signals[i], on_signal, numbers[i]);
    }
    printf("{\"listening\":%d,\"control\":%d}\n", tl_http_server_port(sim->server),
           tl_http_server_port(sim->control));
    fflush(stdout);
    uv_run(sim->loop, UV_RUN_DEFAULT);
    for (int i = 0; i < 2; i++)
        uv_close((uv_handle_t *)&signals[i], NULL);
    uv_run(sim->loop, UV_RUN_NOWAIT);
}

int main(int argc, char **argv)
{
    struct arguments args = {0};
    struct tl_error err;
    uv_loop_t loop;
    int status = read_arguments(argc, argv, &args);

    if (status >= 0)
        return status;
    uv_loop_init(&loop);
    struct tl_ai_sim sim = {.options = args.options,
                            .loop = &loop,
                            .log = {.fd = 2, .level = TL_LOG_INFO, .process = "sim-openai"},
                            .random = (uint64_t)args.options.seed};
    if (sim.random == 0) /* ids are unique over restarts, as the real ones are */
        sim.random = (uint64_t)tl_now_ms() << 20 ^ (uint64_t)getpid();
    TAILQ_INIT(&sim.sessions);
    tl_buf_init(&sim.scratch, SCRATCH_MAX);

    enum tl_status st = setup(&sim, &args, &err);
    if (st == TL_OK)
        run(&sim);
    else
        fprintf(stderr, "trunkline-sim-openai: %s\n", err.msg);
    teardown(&sim);
    uv_run(&loop, UV_RUN_DEFAULT); /* what teardown closed */
    uv_loop_close(&loop);
    return st == TL_OK ? 0 : st == TL_INVALID ? 2 : 1;
}
