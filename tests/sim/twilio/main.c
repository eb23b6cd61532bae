/* trunkline-sim-twilio: the telephone network, for tests. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "call.h"
#include "conference.h"
#include "control.h"
#include "net/http_server.h"
#include "options.h"
#include "report.h"
#include "rest.h"
#include "voice.h"

static enum tl_status load_speech(struct tl_tel *tel, struct tl_error *err)
{
    enum tl_status st = tl_speech_bank_create(tel->options.speech_cache, &tel->bank, err);

    if (st == TL_OK && tel->options.phrases)
        st = tl_speech_bank_load(tel->bank, tel->options.phrases, err);
    for (size_t i = 0; st == TL_OK && i < tel->options.ai_says_len; i++) {
        const struct tl_speech *speech = NULL;
        st = tl_speech_bank_say(tel->bank, TL_SPEECH_AI, tel->options.ai_says[i], &speech, err);
    }
    if (st == TL_OK)
        tel->voices = tl_tel_voices_create(tel->bank);
    return st;
}

static enum tl_status listen_on(struct tl_tel *tel, const char *listen, bool is_rest,
                                struct tl_http_server **ret_server, struct tl_error *err)
{
    char address[128];
    struct tl_http_server_options options = {
        .address = address,
        .cert_file = is_rest ? tel->options.cert_file : NULL,
        .key_file = is_rest ? tel->options.key_file : NULL,
        .max_body_bytes = is_rest ? 0 : (size_t)64 << 20,
        .on_request = is_rest ? tl_tel_rest_request : tl_tel_control_request,
        .arg = tel,
    };
    enum tl_status st = tl_tel_options_split(listen, address, sizeof(address), &options.port, err);

    return st == TL_OK ? tl_http_server_create(tel->net, &options, ret_server, err) : st;
}

static enum tl_status open_network(struct tl_tel *tel, struct tl_error *err)
{
    struct tl_net_options options = {
        .loop = &tel->loop,
        .log = &tel->log,
        .client_ca_file = tel->options.ca_file,
        .max_message_bytes = 2 << 20,
    };
    enum tl_status st = tl_net_create(&options, &tel->net, err);

    tl_tel_wheel_init(&tel->wheel, &tel->loop);
    tl_buf_init(&tel->scratch, 2 << 20);
    if (st == TL_OK)
        st = listen_on(tel, tel->options.listen, true, &tel->rest, err);
    if (st == TL_OK)
        st = listen_on(tel, tel->options.control, false, &tel->control, err);
    return st;
}

/* The one call of the command line. */
static enum tl_status place_call(struct tl_tel *tel, struct tl_error *err)
{
    json_error_t why = {0};
    json_t *script =
        tel->options.script_file ? json_load_file(tel->options.script_file, 0, &why) : json_array();
    const char *to = tel->options.call_to;
    json_t *sids = NULL;

    if (!script)
        return tl_fail(err, TL_INVALID, "%s:%d: %s", tel->options.script_file, why.line, why.text);
    if (!to && tel->numbers)
        to = tel->number[0].number;
    json_t *body = json_pack("{s:s, s:s, s:o}", "from", tel->options.call_from, "to", to ? to : "",
                             "script", script);
    tel->print_events = true;
    enum tl_status st = tl_tel_control_start_calls(tel, body, &sids, err);
    json_decref(body);
    json_decref(sids);
    return st;
}

static void on_signal(uv_signal_t *handle, int number)
{
    (void)number;
    uv_stop(handle->loop);
}

static void close_network(struct tl_tel *tel)
{
    tel->is_stopping = true;
    for (size_t i = 0; i < tel->calls; i++) {
        tl_tel_wheel_remove(&tel->wheel, &tel->call[i]->spoke);
        tl_tel_report_wake(tel->call[i]);
    }
    tl_net_destroy(tel->net);
    uv_run(&tel->loop, UV_RUN_NOWAIT); /* what fails in the next turn does so while calls live */
    tl_tel_conferences_finish(tel);
    for (size_t i = 0; i < tel->calls; i++)
        tl_tel_call_destroy(tel->call[i]);
    free(tel->call);
    tl_buf_finish(&tel->scratch);
    tl_tel_wheel_finish(&tel->wheel);
    tl_tel_numbers_finish(tel);
    tl_tel_destinations_finish(tel);
    tl_tel_voices_destroy(tel->voices);
    tl_speech_bank_destroy(tel->bank);
}

static int run(struct tl_tel *tel)
{
    struct tl_error err;
    uv_signal_t on_term, on_int;
    enum tl_status st = load_speech(tel, &err);

    if (st == TL_OK)
        st = open_network(tel, &err);
    if (st == TL_OK) {
        (void)printf("{\"listening\":%d,\"control\":%d}\n", tl_http_server_port(tel->rest),
                     tl_http_server_port(tel->control));
        (void)fflush(stdout);
        if (tel->options.call_from)
            st = place_call(tel, &err);
    }
    uv_signal_init(&tel->loop, &on_term);
    uv_signal_init(&tel->loop, &on_int);
    uv_signal_start(&on_term, on_signal, SIGTERM);
    uv_signal_start(&on_int, on_signal, SIGINT);
    if (st == TL_OK)
        uv_run(&tel->loop, UV_RUN_DEFAULT);
    else
        (void)fprintf(stderr, "trunkline-sim-twilio: %s\n", err.msg);
    uv_close((uv_handle_t *)&on_term, NULL);
    uv_close((uv_handle_t *)&on_int, NULL);
    close_network(tel);
    for (int i = 0; i < 3; i++)
        uv_run(&tel->loop, UV_RUN_NOWAIT); /* the handles' close callbacks */
    return st == TL_OK ? tel->exit_status : 1;
}

int main(int argc, char **argv)
{
    struct tl_tel tel = {0};
    int exit_status = 2;

    (void)signal(SIGPIPE, SIG_IGN);
    tel.log = (struct tl_log){.fd = 2, .level = TL_LOG_INFO, .process = "sim-twilio"};
    tel.created_at = tl_now_ms();
    if (tl_tel_options_read(&tel, argc, argv, &exit_status)) {
        uv_loop_init(&tel.loop);
        exit_status = run(&tel);
        uv_loop_close(&tel.loop);
    } else {
        tl_tel_numbers_finish(&tel);
    }
    return exit_status;
}
