#ifndef TL_FLEET_MEMBER_H
#define TL_FLEET_MEMBER_H

#include <stdbool.h>
#include <stddef.h>

#include "fleet/fleet.h"
#include "net/service.h"

/** A daemon of the data plane: what its main does between tl_service and tl_fleet. It works once the
 *  fleet is ready, leaves when its number runs anew elsewhere, and says in its presence that it drains.
 *  Loop thread only; embed it. */
struct tl_member_options {
    struct tl_service *service;
    const struct tl_kafka_settings *kafka;       /* borrowed */
    const struct tl_registry_settings *registry; /* borrowed */
    const char *name;                            /* "ingest-0"; borrowed */
    enum tl_instance_kind kind; /* TL_INSTANCE_KIND_UNKNOWN: it has no presence of its own */
    const char *mailbox_topic;  /* NULL: no mailbox */
    /** Once, when the fleet is ready; a failure ends the process. */
    enum tl_status (*start)(void *arg, struct tl_error *err);
    /** Whether work can be taken now, the fleet being ready; may be NULL. */
    bool (*is_ready)(void *arg, char *reason, size_t size);
    /** As in tl_fleet_options. */
    void (*on_change)(void *arg);
    void (*fill)(void *arg, struct tl_presence *own); /* kind other than UNKNOWN */
    void (*on_config)(void *arg, const struct tl_config_entry *entry);
    void *arg;
};

struct tl_member {
    struct tl_member_options o;
    struct tl_fleet *fleet;
};

/** As tl_fleet_create. *ret_fleet is the member's: borrowed. */
TL_MUST_CHECK enum tl_status tl_member_init(struct tl_member *member,
                                            const struct tl_member_options *options,
                                            struct tl_fleet **ret_fleet, struct tl_error *err);

/** As tl_fleet_destroy. */
void tl_member_finish(struct tl_member *member);

/** For /readyz. */
bool tl_member_is_ready(const struct tl_member *member, char *reason, size_t size);

#endif
