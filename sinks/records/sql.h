#ifndef TL_SINKS_SQL_H
#define TL_SINKS_SQL_H

/* $1 cluster, $2 topic, $3 partitions as an array; those that are not there begin at -1. */
extern const char tl_sql_insert_positions[];
extern const char tl_sql_select_positions[]; /* partition, next */

/** $1 cluster, $2 topic, $3 [{partition, expected, next}]: compare and set; touches as many rows as
 *  there are moves, or somebody else was there. */
extern const char tl_sql_move_positions[];

/** $1 ids as an array: id, is closed, fold. */
extern const char tl_sql_select_calls[];

/* $1 rows as tl_rows_make makes them. Twice is no harm. */
extern const char tl_sql_upsert_calls[];
extern const char tl_sql_insert_interactions[];
extern const char tl_sql_insert_usage[];

#endif
