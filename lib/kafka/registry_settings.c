/* Settings of the schema registry. */
#include "kafka/registry_settings.h"

const struct tl_setting tl_registry_settings[] = {
    TL_SET_STRING(struct tl_registry_settings, url, "registry.url", "",
                  "Base URL of the schema registry (Confluent's API); empty: config.v1 alone.",
                  .env = "SCHEMA_REGISTRY_URL"),
    {0},
};
