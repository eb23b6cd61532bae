/* Foreign schemas. avro-c parses them; its tree is then copied into one of our own, because reading
 * data with avro-c trusts lengths, takes wrong enum indexes and knows no defaults. Recursion ends
 * at a depth, so that data cannot make the decoder's stack grow. */
#include "codec/writer.h"

#include <avro.h>
#include <stdlib.h>
#include <string.h>

#define WRITER_ARENA_MAX_BYTES ((size_t)4 * 1024 * 1024)

struct compiler {
    struct tl_avro_writer *writer;
    const char *why;
};

static const struct tl_avro_node *compile(struct compiler *k, avro_schema_t s, unsigned depth);

static void *compiler_alloc(struct compiler *k, size_t n)
{
    void *p = tl_arena_alloc(&k->writer->arena, n);
    if (!p)
        k->why = "too large";
    return p;
}

/* Room for n names and children. */
static bool node_open(struct compiler *k, struct tl_avro_node *node, size_t n)
{
    node->n = n;
    node->names = compiler_alloc(k, (n + 1) * sizeof(*node->names));
    node->children = compiler_alloc(k, (n + 1) * sizeof(struct tl_avro_node *));
    return node->names && node->children;
}

static bool compile_record(struct compiler *k, struct tl_avro_node *node, avro_schema_t s,
                           unsigned depth)
{
    if (!node_open(k, node, avro_schema_record_size(s)))
        return false;
    node->name = tl_arena_strdup(&k->writer->arena, avro_schema_name(s));
    for (size_t i = 0; i < node->n; i++) {
        node->names[i] =
            tl_arena_strdup(&k->writer->arena, avro_schema_record_field_name(s, (int)i));
        node->children[i] = compile(k, avro_schema_record_field_get_by_index(s, (int)i), depth);
        if (!node->names[i] || !node->children[i])
            return false;
        node->min_bytes += node->children[i]->min_bytes;
    }
    return node->name != NULL;
}

static bool compile_enum(struct compiler *k, struct tl_avro_node *node, avro_schema_t s)
{
    if (!node_open(k, node, (size_t)avro_schema_enum_number_of_symbols(s)))
        return false;
    for (size_t i = 0; i < node->n; i++) {
        node->names[i] = tl_arena_strdup(&k->writer->arena, avro_schema_enum_get(s, (int)i));
        if (!node->names[i])
            return false;
    }
    return true;
}

static bool compile_union(struct compiler *k, struct tl_avro_node *node, avro_schema_t s,
                          unsigned depth)
{
    if (!node_open(k, node, avro_schema_union_size(s)))
        return false;
    for (size_t i = 0; i < node->n; i++) {
        node->children[i] = compile(k, avro_schema_union_branch(s, (int)i), depth);
        if (!node->children[i])
            return false;
    }
    return true;
}

static bool compile_items(struct compiler *k, struct tl_avro_node *node, avro_schema_t items,
                          unsigned depth)
{
    if (!node_open(k, node, 1))
        return false;
    node->children[0] = compile(k, items, depth);
    return node->children[0] != NULL;
}

/* Kind and least length of what avro-c calls a primitive, and of the heads of the others. */
static const struct {
    avro_type_t type;
    enum tl_avro_node_kind kind;
    size_t min_bytes;
} kinds[] = {
    {AVRO_NULL, TL_NODE_NULL, 0},     {AVRO_BOOLEAN, TL_NODE_BOOL, 1},
    {AVRO_INT32, TL_NODE_INT, 1},     {AVRO_INT64, TL_NODE_LONG, 1},
    {AVRO_FLOAT, TL_NODE_FLOAT, 4},   {AVRO_DOUBLE, TL_NODE_DOUBLE, 8},
    {AVRO_STRING, TL_NODE_STRING, 1}, {AVRO_BYTES, TL_NODE_BYTES, 1},
    {AVRO_ENUM, TL_NODE_ENUM, 1},     {AVRO_FIXED, TL_NODE_FIXED, 0},
    {AVRO_RECORD, TL_NODE_RECORD, 0}, {AVRO_ARRAY, TL_NODE_ARRAY, 1},
    {AVRO_MAP, TL_NODE_MAP, 1},       {AVRO_UNION, TL_NODE_UNION, 1},
};

static bool compile_inner(struct compiler *k, struct tl_avro_node *node, avro_schema_t s,
                          unsigned depth)
{
    switch (node->kind) {
    case TL_NODE_ENUM:
        return compile_enum(k, node, s);
    case TL_NODE_FIXED:
        node->size = node->min_bytes = (size_t)avro_schema_fixed_size(s);
        return true;
    case TL_NODE_RECORD:
        return compile_record(k, node, s, depth);
    case TL_NODE_ARRAY:
        return compile_items(k, node, avro_schema_array_items(s), depth);
    case TL_NODE_MAP:
        return compile_items(k, node, avro_schema_map_values(s), depth);
    case TL_NODE_UNION:
        return compile_union(k, node, s, depth);
    default:
        return true;
    }
}

static const struct tl_avro_node *compile(struct compiler *k, avro_schema_t s, unsigned depth)
{
    if (is_avro_link(s))
        s = avro_schema_link_target(s);
    if (depth >= TL_AVRO_WRITER_DEPTH_MAX)
        k->why = "recursive, or too deep";
    else if (++k->writer->nodes_n > TL_AVRO_WRITER_NODES_MAX)
        k->why = "too many types";
    if (k->why)
        return NULL;

    struct tl_avro_node *node = compiler_alloc(k, sizeof(*node));
    if (!node)
        return NULL;
    for (size_t i = 0; i < TL_ARRAY_LEN(kinds); i++) {
        if (kinds[i].type != avro_typeof(s))
            continue;
        node->kind = kinds[i].kind;
        node->min_bytes = kinds[i].min_bytes;
        return compile_inner(k, node, s, depth + 1) ? node : NULL;
    }
    k->why = "an unknown type";
    return NULL;
}

enum tl_status tl_avro_writer_create(const char *schema, size_t len,
                                     struct tl_avro_writer **ret_writer, struct tl_error *err)
{
    TL_CLEANUP(tl_avro_writer_destroyp) struct tl_avro_writer *writer = NULL;
    avro_schema_t s = NULL;

    if (avro_schema_from_json_length(schema, len, &s) != 0)
        return tl_fail(err, TL_INVALID, "parse schema: %s", avro_strerror());
    writer = calloc(1, sizeof(*writer));
    if (!writer)
        abort();
    writer->arena.max_bytes = WRITER_ARENA_MAX_BYTES;
    struct compiler k = {.writer = writer};
    if (!is_avro_record(s))
        k.why = "the top is not a record";
    else
        writer->root = compile(&k, s, 0);
    (void)avro_schema_decref(s); /* the count that is left */
    if (!writer->root)
        return tl_fail(err, TL_INVALID, "parse schema: %s", k.why ? k.why : "too large");
    *ret_writer = TL_TAKE(writer);
    return TL_OK;
}

void tl_avro_writer_destroy(struct tl_avro_writer *writer)
{
    if (!writer)
        return;
    tl_arena_finish(&writer->arena);
    free(writer);
}

const char *tl_avro_writer_name(const struct tl_avro_writer *writer)
{
    return writer->root->name;
}
