#ifndef TL_CODEC_WRITER_H
#define TL_CODEC_WRITER_H

/* A foreign schema as a tree that the decoder walks; inside the codec only. */

#include "codec/codec.h"

enum tl_avro_node_kind {
    TL_NODE_NULL,
    TL_NODE_BOOL,
    TL_NODE_INT,
    TL_NODE_LONG,
    TL_NODE_FLOAT,
    TL_NODE_DOUBLE,
    TL_NODE_STRING,
    TL_NODE_BYTES,
    TL_NODE_ENUM,
    TL_NODE_FIXED,
    TL_NODE_RECORD,
    TL_NODE_ARRAY,
    TL_NODE_MAP,
    TL_NODE_UNION,
};

struct tl_avro_node {
    enum tl_avro_node_kind kind;
    const char *name;                     /* record */
    const char **names;                   /* of the fields, of the symbols */
    const struct tl_avro_node **children; /* types of the fields; branches; the items alone */
    size_t n;                             /* of names, of children */
    size_t size;                          /* fixed */
    size_t min_bytes;                     /* a value is at least that long; may be 0 */
};

struct tl_avro_writer {
    struct tl_arena arena;
    const struct tl_avro_node *root; /* a record */
    size_t nodes_n;
};

#endif
