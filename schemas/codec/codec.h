#ifndef TL_CODEC_CODEC_H
#define TL_CODEC_CODEC_H

#include <jansson.h>

#include "codec/types.h"

/* Avro 1.11 binary encoding of generated structs. Prefer the typed wrappers in avro/<record>.h. */

/** Appends the datum to `out`; no wire header, see tl_avro_frame_begin.
 *  TL_INVALID: text that is not UTF-8, an enum out of range, or `out` is full; then nothing was
 *  added. */
TL_MUST_CHECK enum tl_status tl_avro_encode(const struct tl_avro_type *type, const void *record,
                                            struct tl_buf *out, struct tl_error *err);

/** Reads a datum that was written with this very schema. Strings and nested records go to `arena`,
 *  `bytes` fields borrow from `in`. TL_INVALID: anything wrong, trailing bytes included, or more
 *  than arena->max_bytes; err names the field. */
TL_MUST_CHECK enum tl_status tl_avro_decode(const struct tl_avro_type *type, struct tl_bytes in,
                                            struct tl_arena *arena, void *ret_record,
                                            struct tl_error *err);

/** The schema that somebody else wrote a record with: an older or newer version. */
struct tl_avro_writer;

/** Parses a schema (text of an .avsc, a record at its top).
 *  TL_INVALID: not a schema, recursive, or larger than TL_AVRO_WRITER_NODES_MAX types. Not for two
 *  threads at once (avro-c has one global error text); the result may be shared. */
TL_MUST_CHECK enum tl_status tl_avro_writer_create(const char *schema, size_t len,
                                                   struct tl_avro_writer **ret_writer,
                                                   struct tl_error *err);
void tl_avro_writer_destroy(struct tl_avro_writer *writer); /* accepts NULL */
static inline void tl_avro_writer_destroyp(struct tl_avro_writer **writer)
{
    tl_avro_writer_destroy(*writer);
}
const char *tl_avro_writer_name(const struct tl_avro_writer *writer); /* "CallEvent" */

#define TL_AVRO_WRITER_NODES_MAX 4096
#define TL_AVRO_WRITER_DEPTH_MAX 32

/** Reads a datum of another version of the schema, field by field, by name: fields that we do not
 *  know are skipped, those that the writer did not know get their default, enums go by symbol (an
 *  unknown one is UNKNOWN), int → long → double, string ↔ bytes, plain ↔ nullable (a null where we
 *  need a value is an error). Otherwise as tl_avro_decode.
 *  TL_INVALID also: another record's schema, types that do not fit. */
TL_MUST_CHECK enum tl_status tl_avro_decode_resolved(const struct tl_avro_type *type,
                                                     const struct tl_avro_writer *writer,
                                                     struct tl_bytes in, struct tl_arena *arena,
                                                     void *ret_record, struct tl_error *err);

/** For people: nulls are left out, bytes are base64, 16-byte fixed are UUIDs, enums their symbols,
 *  NaN and infinities null. New reference. */
json_t *tl_avro_to_json(const struct tl_avro_type *type, const void *record);

/** The same of a datum of any schema. TL_INVALID: the datum is broken. */
TL_MUST_CHECK enum tl_status tl_avro_writer_to_json(const struct tl_avro_writer *writer,
                                                    struct tl_bytes in, json_t **ret_json,
                                                    struct tl_error *err);

/* Confluent wire format: magic byte 0, schema id (32 bits, big endian), datum. */
#define TL_AVRO_FRAME_BYTES 5

/** Appends magic and id; the datum follows with tl_avro_encode. `out->full` when there is no room.
 */
void tl_avro_frame_begin(struct tl_buf *out, int32_t schema_id);

/** Takes a record's value apart; `ret_datum` borrows from `value`. TL_INVALID: too short, or
 * another magic byte. */
TL_MUST_CHECK enum tl_status tl_avro_frame_parse(struct tl_bytes value, int32_t *ret_schema_id,
                                                 struct tl_bytes *ret_datum, struct tl_error *err);

/** Text of an enum value, "UNKNOWN" when out of range; the value of a symbol, 0 when not known. */
const char *tl_avro_enum_name(const struct tl_avro_enum *e, int value);
int tl_avro_enum_from_name(const struct tl_avro_enum *e, const char *name);

#endif
