#ifndef TL_CLI_BUSINESS_H
#define TL_CLI_BUSINESS_H

#include <stddef.h>

#include "avro/config_entry.h"
#include "base/config.h"
#include "base/error.h"

/** The rows of a business file: names, defaults, ranges and sentences of what may stand in it. */
extern const struct tl_setting tl_business_rows[];

/** A business as a YAML file says it. */
struct tl_business_file {
    struct tl_config config; /* owns the strings; config.problems has all that is wrong */
    const char *id;
    struct tl_business business;
};

/** Reads `yaml`; `name` stands in messages, "demo.yaml:12: business.nmae: no such setting …".
 *  TL_INVALID: something is wrong. Call tl_business_file_finish in any case. */
TL_MUST_CHECK enum tl_status tl_business_file_read(struct tl_business_file *file, const char *name,
                                                   const char *yaml, size_t len,
                                                   struct tl_error *err);
void tl_business_file_finish(struct tl_business_file *file); /* accepts a zeroed struct */

/** Writes a business as a file that reads back the same. */
void tl_business_print_yaml(const char *id, const struct tl_business *business, struct tl_buf *out);

#endif
