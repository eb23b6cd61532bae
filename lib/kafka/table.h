#ifndef TL_KAFKA_TABLE_H
#define TL_KAFKA_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "avro/config_entry.h"
#include "base/error.h"
#include "kafka/record.h"
#include "kafka/schemas.h"

struct tl_kafka;

/** config.v1 in memory: every version of every thing that is configured. Reads from the beginning,
 *  then follows. Loop thread only.
 *  Entries are borrowed: one lives until its tombstone is read, 40 days after it was superseded,
 * and the highest version of a thing is never superseded. */
struct tl_config_table;

/** An entry came (also while the table is first read). */
typedef void (*tl_config_change_fn)(void *arg, const struct tl_config_entry *entry);

struct tl_config_table_options {
    struct tl_schema_set *schemas;   /* decodes the entries and learns the schemas in them */
    void (*on_caught_up)(void *arg); /* once: the table has what was written before it started */
    tl_config_change_fn on_change;
    void (*on_invalid)(void *arg, const struct tl_record *record, const struct tl_error *err);
    void *arg;
};

TL_MUST_CHECK enum tl_status tl_config_table_create(struct tl_kafka *kafka,
                                                    const struct tl_config_table_options *options,
                                                    struct tl_config_table **ret_table,
                                                    struct tl_error *err);
void tl_config_table_destroy(struct tl_config_table *table); /* accepts NULL */

bool tl_config_table_is_caught_up(const struct tl_config_table *table);

/** Highest version, which may be a deletion (entry->deleted); NULL when there is none. */
const struct tl_config_entry *tl_config_table_get(const struct tl_config_table *table,
                                                  enum tl_config_kind kind, const char *id);

/** Exactly this version; NULL when it has not been read (yet). */
const struct tl_config_entry *tl_config_table_version(const struct tl_config_table *table,
                                                      enum tl_config_kind kind, const char *id,
                                                      int32_t version);

/** The business whose highest version has this number (E.164), active or not; NULL when none. Two
 *  businesses with the same number: the one whose entry came later in config.v1. */
const struct tl_config_entry *tl_config_table_by_number(const struct tl_config_table *table,
                                                        const char *number);

/** Calls fn with the highest version of each thing of a kind, deletions left out. */
void tl_config_table_each(const struct tl_config_table *table, enum tl_config_kind kind,
                          tl_config_change_fn fn, void *arg);

/** Takes a record of config.v1 as the reader does; for tests and tools that read it themselves.
 *  TL_INVALID: cannot be decoded; nothing changed. */
TL_MUST_CHECK enum tl_status tl_config_table_put(struct tl_config_table *table,
                                                 const struct tl_record *record,
                                                 struct tl_error *err);

#endif
