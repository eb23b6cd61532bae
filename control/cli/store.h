#ifndef TL_CLI_STORE_H
#define TL_CLI_STORE_H

#include "avro/config_entry.h"
#include "control/cli/cli.h"
#include "kafka/schemas.h"
#include "kafka/table.h"

/** config.v1 read to its end, and a pen: for commands that publish configuration. Two of these at
 *  once may give the same version to different contents; then the later record counts. */
struct tl_cli_store {
    struct tl_cli *cli;
    struct tl_registry *registry;
    struct tl_schema_set *schemas;
    struct tl_config_table *table;
    struct tl_producer *producer;
    struct tl_producer_topic *topic;
    bool is_caught_up;
    size_t invalid; /* entries that could not be read */
};

/** Schemas alone: what records are read and written with. */
TL_MUST_CHECK enum tl_status tl_cli_store_open_schemas(struct tl_cli_store *store,
                                                       struct tl_cli *cli, struct tl_error *err);
/** And reads config.v1. TL_NOT_FOUND: there is no such topic; err names the command that makes it.
 *  Both: call tl_cli_store_close in any case, with a zeroed struct too. */
TL_MUST_CHECK enum tl_status tl_cli_store_open(struct tl_cli_store *store, struct tl_cli *cli,
                                               struct tl_error *err);
void tl_cli_store_close(struct tl_cli_store *store);

/** Waits until the ids of these types (TL_RECORD_TYPES at the end) are known.
 *  TL_NOT_FOUND: schemas are not registered. */
TL_MUST_CHECK enum tl_status tl_cli_store_wait_schemas(struct tl_cli_store *store,
                                                       const enum tl_record_type *types,
                                                       struct tl_error *err);

/** Writes kind, id and content as the next version, unless the newest says the same already. Fills
 *  in version and time. *ret_written: false when it did. Returns when the record is in the log. */
TL_MUST_CHECK enum tl_status tl_cli_store_put(struct tl_cli_store *store,
                                              struct tl_config_entry *entry, bool *ret_written,
                                              struct tl_error *err);

/** Whether two entries say the same, whatever their version and time. */
bool tl_config_entry_same(const struct tl_config_entry *a, const struct tl_config_entry *b);

#endif
