#ifndef TL_KAFKA_REGISTRY_SETTINGS_H
#define TL_KAFKA_REGISTRY_SETTINGS_H

#include "base/config.h"

struct tl_registry_settings {
    const char *url; /* http://host:8080/apis/ccompat/v7 */
};
extern const struct tl_setting tl_registry_settings[];

#endif
