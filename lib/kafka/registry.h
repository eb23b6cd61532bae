#ifndef TL_KAFKA_REGISTRY_H
#define TL_KAFKA_REGISTRY_H

#include "base/error.h"
#include "kafka/registry_settings.h"
#include "kafka/schemas.h"

struct tl_net;

/** A schema registry that speaks Confluent's API, over lib/net (library tl_kafka_registry). */
struct tl_registry;

TL_MUST_CHECK enum tl_status tl_registry_create(struct tl_net *net, const char *url,
                                                struct tl_registry **ret_registry,
                                                struct tl_error *err);
void tl_registry_destroy(struct tl_registry *registry); /* drops requests; accepts NULL */
const struct tl_registry_driver *tl_registry_driver(struct tl_registry *registry);

#endif
