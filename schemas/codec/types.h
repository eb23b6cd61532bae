#ifndef TL_CODEC_TYPES_H
#define TL_CODEC_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/uuid.h"

/* What generated structs are made of, and the tables that describe them to the codec. */

/** ["null", int] and so on; zeroed = null. */
struct tl_opt_int {
    bool set;
    int32_t value;
};
struct tl_opt_long {
    bool set;
    int64_t value;
};
struct tl_opt_double {
    bool set;
    double value;
};
struct tl_opt_bool {
    bool set;
    bool value;
};

/** Entries of maps, in the order of the record. Keys may come twice: the last one counts. */
struct tl_map_entry {
    const char *key;
    const char *value;
};
struct tl_map_long_entry {
    const char *key;
    int64_t value;
};
struct tl_map_double_entry {
    const char *key;
    double value;
};

enum tl_avro_kind {
    TL_AVRO_BOOL,   /* bool; nullable: struct tl_opt_bool */
    TL_AVRO_INT,    /* int32_t; nullable: struct tl_opt_int */
    TL_AVRO_LONG,   /* int64_t; nullable: struct tl_opt_long */
    TL_AVRO_FLOAT,  /* float */
    TL_AVRO_DOUBLE, /* double; nullable: struct tl_opt_double */
    TL_AVRO_STRING, /* const char *; nullable: NULL is null, else NULL is "" */
    TL_AVRO_BYTES,  /* struct tl_bytes; nullable: data NULL is null */
    TL_AVRO_ENUM,   /* enum, 0 is UNKNOWN; nullable: UNKNOWN is null */
    TL_AVRO_FIXED,  /* uint8_t[size]; of size 16: struct tl_uuid */
    TL_AVRO_RECORD, /* the struct itself; nullable: a pointer, NULL is null */
    TL_AVRO_ARRAY,  /* pointer to the items, then size_t count */
    TL_AVRO_MAP,    /* pointer to the entries, then size_t count */
};

/** An enum: symbol[i] is the text of the C value i; symbol[0] is "UNKNOWN". */
struct tl_avro_enum {
    const char *name;
    const char *const *symbols;
    size_t symbols_n;
};

struct tl_avro_type;

/** The type of a field, of an array's items or of a map's values. */
struct tl_avro_shape {
    enum tl_avro_kind kind;
    bool nullable;                          /* ["null", kind] */
    uint32_t size;                          /* bytes: of a fixed; of an item or entry in C */
    uint32_t value_offset;                  /* map: of the value in its entry */
    const struct tl_avro_type *record;      /* record */
    const struct tl_avro_enum *enumeration; /* enum */
    const struct tl_avro_shape *items;      /* array: its items; map: its values */
};

/** What a field gets when its writer does not know it. */
struct tl_avro_default {
    int64_t integer; /* bool, int, long, enum */
    double number;   /* float, double */
    const char *text;
};

struct tl_avro_field {
    const char *name;
    uint32_t offset;                     /* in the struct */
    const struct tl_avro_default *other; /* default that is not zero, or NULL */
    bool required;                       /* has no default at all */
    struct tl_avro_shape shape;
};

/** A record type. */
struct tl_avro_type {
    const char *name;      /* "CallEvent" */
    const char *full_name; /* "trunkline.CallEvent" */
    size_t size;           /* of the struct */
    size_t min_bytes;      /* a datum is at least that long */
    const struct tl_avro_field *fields;
    size_t fields_n;
    const char *schema; /* the .avsc as it was written, to be registered; NULL in nested records */
    size_t schema_len;
};

#endif
