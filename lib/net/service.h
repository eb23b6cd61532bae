#ifndef TL_NET_SERVICE_H
#define TL_NET_SERVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "base/error.h"
#include "base/log.h"
#include "net/http_server.h"
#include "net/net.h"

struct tl_config_part;
struct tl_metrics;
struct tl_setting;
struct tl_service_option;

/** What every daemon's main shares: options, settings, log, loop, net, admin listener
 *  (/metrics, /healthz, /readyz), signals. Loop thread only. */
struct tl_service;

struct tl_service_program {
    const char *name;    /* "trunkline-ingest" */
    const char *summary; /* one sentence for --help */
    const char *section; /* names the process in logs, "ingest" becomes "ingest-0" */

    /** Tables of the program and where they go, ended by a zeroed row; may be NULL. Those of every
     *  process (tl_process_settings) come by themselves. */
    const struct tl_config_part *parts;
    const struct tl_setting *const *known; /* tl_all_settings; NULL in tests */

    /** Long options of the program beside the common ones, each with an argument; row ends with
     *  name NULL. May be NULL. */
    const struct tl_service_option *options;
    void *arg; /* of the callbacks */

    /** True when work can be taken; else writes why not into reason. NULL: always ready. */
    bool (*is_ready)(void *arg, char *reason, size_t size);

    /** The process was asked to stop: begin to drain, call tl_service_stop when done. NULL: stops
     * at once. At the deadline the loop is stopped all the same. */
    void (*on_drain)(void *arg);
    const int64_t *drain_ms; /* the deadline, e.g. a field of the settings; NULL: 20 s */
};

/** --name VALUE, stored into *value (borrowed from argv). */
struct tl_service_option {
    const char *name;
    const char *placeholder; /* "ROLE" */
    const char *doc;
    const char **value;
};

/** Reads options and settings, makes log, loop, net and the admin listener. Returns TL_OK with
 *  *ret_service NULL when there is nothing to run (--help, --version, --check-config did their
 *  work): return 0 then. A failure is already printed for the user: return 2. */
TL_MUST_CHECK enum tl_status tl_service_create(const struct tl_service_program *program, int argc,
                                               char **argv, struct tl_service **ret_service,
                                               struct tl_error *err);

/** Says "service.started", writes --ready-file, and runs the loop until tl_service_stop.
 *  Returns main's exit status: 0, or 1 when stopped by tl_service_fail or a missed deadline. */
int tl_service_run(struct tl_service *service);

void tl_service_stop(struct tl_service *service);  /* leave tl_service_run */
void tl_service_drain(struct tl_service *service); /* as SIGTERM does */
void tl_service_fail(struct tl_service *service, const struct tl_error *err); /* log and leave, 1 */

/** After run: net, listener, loop. Accepts NULL. */
void tl_service_destroy(struct tl_service *service);

static inline void tl_service_destroyp(struct tl_service **service)
{
    tl_service_destroy(*service);
}

uv_loop_t *tl_service_loop(struct tl_service *service);
struct tl_net *tl_service_net(struct tl_service *service);
const struct tl_log *tl_service_log(const struct tl_service *service);
struct tl_metrics *tl_service_metrics(struct tl_service *service);
int64_t tl_service_instance(const struct tl_service *service); /* --instance, else setting */
bool tl_service_is_draining(const struct tl_service *service);

/** A listener of the program: logs "net.listening" with its port, and puts "NAME=PORT" into the
 *  ready file, so that whoever started it with port 0 finds it. */
TL_MUST_CHECK enum tl_status tl_service_listen(struct tl_service *service, const char *name,
                                               const struct tl_http_server_options *options,
                                               struct tl_http_server **ret_server,
                                               struct tl_error *err);

#endif
