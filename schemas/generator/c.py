"""C structs and descriptor tables of the schemas."""

from .model import NO_DEFAULT, Model, snake

NOTE = "/* Made by schemas/generate.py from %s; do not edit. */\n"
C_TYPES = {
    "boolean": "bool",
    "int": "int32_t",
    "long": "int64_t",
    "float": "float",
    "double": "double",
    "string": "const char *",
    "bytes": "struct tl_bytes",
}
OPTIONAL = {
    "boolean": "struct tl_opt_bool",
    "int": "struct tl_opt_int",
    "long": "struct tl_opt_long",
    "double": "struct tl_opt_double",
}
ENTRY = {
    "string": "struct tl_map_entry",
    "long": "struct tl_map_long_entry",
    "double": "struct tl_map_double_entry",
}
MIN_BYTES = {"boolean": 1, "float": 4, "double": 8}


def c_name(name):
    return "tl_" + snake(name)


def c_const(name):
    return "TL_" + snake(name).upper()


def quote(text):
    """A C string literal."""
    out = []
    for byte in text.encode("utf-8"):
        c = chr(byte)
        if c in '"\\':
            out.append("\\" + c)
        elif c == "\n":
            out.append("\\n")
        elif 32 <= byte < 127 and c != "?":  # no trigraphs
            out.append(c)
        else:
            out.append("\\%03o" % byte)
    return '"' + "".join(out) + '"'


def comment(text, indent="", width=100):
    """A doc comment, broken into lines."""
    words = text.replace("*/", "* /").split()
    lines, line = [], indent + "/**"
    for word in words:
        if len(line) + len(word) + 4 > width and line.strip() not in ("/**", "*"):
            lines.append(line)
            line = indent + " * "
            line += word
        else:
            line += " " + word
    return "\n".join(lines + [line + " */"]) + "\n"


def item_type(type_):
    """C type of an array's item or of a field that is not null."""
    if type_.kind in C_TYPES:
        return C_TYPES[type_.kind]
    if type_.kind == "enum":
        return "enum %s" % c_name(type_.name)
    if type_.kind == "fixed" and type_.size == 16:
        return "struct tl_uuid"
    if type_.kind == "record":
        return "struct %s" % c_name(type_.name)
    raise AssertionError(type_.kind)


def join(type_text, name):
    return type_text + name if type_text.endswith("*") else type_text + " " + name


def declare(field):
    """Lines that declare a field in its struct."""
    type_, name = field.type, field.name
    if type_.kind == "array":
        return [join(array_item_type(type_.items) + " *", name), "size_t %s_n" % name]
    if type_.kind == "map":
        return [join(ENTRY[type_.values.kind] + " *", name), "size_t %s_n" % name]
    if type_.kind == "fixed" and type_.size != 16:
        return ["uint8_t %s[%d]" % (name, type_.size)]
    if field.nullable and type_.kind in OPTIONAL:
        return [join(OPTIONAL[type_.kind], name)]
    if field.nullable and type_.kind == "record":
        return [join(item_type(type_) + " *", name)]
    return [join(item_type(type_), name)]


def array_item_type(type_):
    if type_.kind == "fixed" and type_.size != 16:
        return "uint8_t"  # pointer to the first byte of all
    return item_type(type_)


def item_size(type_):
    if type_.kind == "fixed":
        return str(type_.size)
    return "sizeof(%s)" % item_type(type_)


def min_bytes(type_):
    if type_.kind == "record":
        return sum(1 if f.nullable else min_bytes(f.type) for f in type_.fields)
    if type_.kind == "fixed":
        return type_.size
    return MIN_BYTES.get(type_.kind, 1)


class Header:
    """Declarations of some named types."""

    def __init__(self):
        self.out = []

    def enum(self, type_):
        name, const = c_name(type_.name), c_const(type_.name)
        self.out.append(comment(type_.doc))
        self.out.append("enum %s {\n" % name)
        for i, symbol in enumerate(type_.symbols):
            self.out.append("    %s_%s%s,\n" % (const, symbol, " = 0" if i == 0 else ""))
        self.out.append("};\n#define %s_N %d\n" % (const, len(type_.symbols)))
        self.out.append("extern const struct tl_avro_enum %s_enum;\n" % name)
        self.out.append(
            "const char *%s_name(enum %s value); /* \"UNKNOWN\" when out of range */\n" % (name, name)
        )
        self.out.append(
            "enum %s %s_from_name(const char *name); /* %s_UNKNOWN for others */\n\n" % (name, name, const)
        )

    def record(self, type_):
        name = c_name(type_.name)
        self.out.append(comment(type_.doc))
        self.out.append("struct %s {\n" % name)
        for field in type_.fields:
            self.out.append(comment(field_doc(field), "    "))
            for line in declare(field):
                self.out.append("    %s;\n" % line)
        self.out.append("};\nextern const struct tl_avro_type %s_type;\n\n" % name)

    def named(self, type_):
        if type_.kind in ("enum", "record"):
            getattr(self, type_.kind)(type_)

    def wrappers(self, type_):
        name = c_name(type_.name)
        self.out.append(
            """/** See tl_avro_encode. */
TL_MUST_CHECK static inline enum tl_status %(n)s_encode(const struct %(n)s *record, struct tl_buf *out,
                                                        struct tl_error *err)
{
    return tl_avro_encode(&%(n)s_type, record, out, err);
}

/** See tl_avro_decode. */
TL_MUST_CHECK static inline enum tl_status %(n)s_decode(struct tl_bytes in, struct tl_arena *arena,
                                                        struct %(n)s *ret, struct tl_error *err)
{
    return tl_avro_decode(&%(n)s_type, in, arena, ret, err);
}

"""
            % {"n": name}
        )


def field_doc(field):
    notes = []
    if getattr(field.type, "logical", None) == "timestamp-millis":
        notes.append("Milliseconds since 1970.")
    if field.nullable:
        notes.append("Nullable.")
    return " ".join([field.doc] + notes)


class Source:
    """Definitions of some named types."""

    def __init__(self):
        self.out = []

    def enum(self, type_):
        name = c_name(type_.name)
        symbols = ", ".join(quote(s) for s in type_.symbols)
        self.out.append(
            """static const char *const %(n)s_symbols[] = {%(s)s};
const struct tl_avro_enum %(n)s_enum = {
    .name = "%(a)s", .symbols = %(n)s_symbols, .symbols_n = TL_ARRAY_LEN(%(n)s_symbols)};

const char *%(n)s_name(enum %(n)s value)
{
    return tl_avro_enum_name(&%(n)s_enum, (int)value);
}

enum %(n)s %(n)s_from_name(const char *name)
{
    return (enum %(n)s)tl_avro_enum_from_name(&%(n)s_enum, name);
}

"""
            % {"n": name, "a": type_.name, "s": symbols}
        )

    def record(self, type_, schema=None):
        name = c_name(type_.name)
        rows = []
        for field in type_.fields:
            rows.append(self.row(name, field))
        self.out.append("static const struct tl_avro_field %s_fields[] = {\n%s};\n" % (name, "".join(rows)))
        self.out.append(
            "const struct tl_avro_type %s_type = {\n    .name = %s,\n    .full_name = %s,\n"
            "    .size = sizeof(struct %s),\n    .min_bytes = %d,\n"
            "    .fields = %s_fields,\n    .fields_n = TL_ARRAY_LEN(%s_fields),\n"
            % (name, quote(type_.name), quote(type_.namespace + "." + type_.name), name, min_bytes(type_), name, name)
        )
        if schema:
            self.out.append("    .schema = %s_schema,\n    .schema_len = sizeof(%s_schema) - 1,\n" % (name, name))
        self.out.append("};\n\n")

    def row(self, name, field):
        if field.type.kind in ("array", "map"):
            self.out.append(
                "_Static_assert(offsetof(struct %s, %s_n) == offsetof(struct %s, %s) + sizeof(void *), \"\");\n"
                % (name, field.name, name, field.name)
            )
            self.shape_of_items(name, field)
        elif field.type.kind == "enum":
            self.out.append(
                "_Static_assert(sizeof(enum %s) == sizeof(int), \"\");\n" % c_name(field.type.name)
            )
        return "    {.name = %s,\n     .offset = offsetof(struct %s, %s),\n%s     .shape = %s},\n" % (
            quote(field.name),
            name,
            field.name,
            self.default(field),
            self.shape(field.type, field.nullable, "%s_%s_items" % (name, field.name)),
        )

    def shape_of_items(self, name, field):
        inner = field.type.items if field.type.kind == "array" else field.type.values
        self.out.append(
            "static const struct tl_avro_shape %s_%s_items = %s;\n" % (name, field.name, self.shape(inner, False, None))
        )

    def shape(self, type_, nullable, items):
        kind = {"boolean": "BOOL"}.get(type_.kind, type_.kind.upper())
        parts = [".kind = TL_AVRO_%s" % kind]
        if nullable:
            parts.append(".nullable = true")
        if type_.kind == "fixed":
            parts.append(".size = %d" % type_.size)
        elif type_.kind == "array":
            parts.append(".size = %s" % item_size(type_.items))
        elif type_.kind == "map":
            entry = ENTRY[type_.values.kind]
            parts.append(".size = sizeof(%s), .value_offset = offsetof(%s, value)" % (entry, entry))
        if type_.kind == "record":
            parts.append(".record = &%s_type" % c_name(type_.name))
        if type_.kind == "enum":
            parts.append(".enumeration = &%s_enum" % c_name(type_.name))
        if type_.kind in ("array", "map"):
            parts.append(".items = &%s" % items)
        return "{" + ", ".join(parts) + "}"

    def default(self, field):
        if field.nullable:
            return ""
        if field.default is NO_DEFAULT:
            return "     .required = true,\n"
        kind, value = field.type.kind, field.default
        if kind == "enum":
            value = field.type.symbols.index(value)
        if not value:
            return ""
        if kind == "string":
            part = ".text = %s" % quote(value)
        elif kind in ("double", "float"):
            part = ".number = %r" % float(value)
        elif value == -(2**63):
            part = ".integer = INT64_MIN"
        else:
            part = ".integer = INT64_C(%d)" % int(value)
        return "     .other = &(const struct tl_avro_default){%s},\n" % part

    def named(self, type_, schema=None):
        if type_.kind == "enum":
            self.enum(type_)
        elif type_.kind == "record":
            self.record(type_, schema)

    def schema_text(self, schema):
        lines = schema.text.splitlines(keepends=True)
        self.out.append("static const char %s_schema[] =\n" % c_name(schema.record.name))
        self.out.append("\n".join("    " + quote(line) for line in lines) + ";\n\n")


def guard(folder, stem):
    return "TL_%s_%s_H" % (folder.upper(), stem.upper())


def wrap_header(folder, stem, origin, includes, body):
    g = guard(folder, stem)
    lines = "".join('#include "%s"\n' % i for i in includes)
    return "%s#ifndef %s\n#define %s\n\n%s\n%s#endif\n" % (NOTE % origin, g, g, lines, body)


def common_files(model, folder):
    header, source = Header(), Source()
    for type_ in model.common_in_order():
        header.named(type_)
        source.named(type_)
    return {
        "common.h": wrap_header(folder, "common", "what several schemas share", ["codec/codec.h"], "".join(header.out)),
        "common.c": NOTE % "what several schemas share"
        + '#include "%s/common.h"\n\n' % folder
        + ("".join(source.out) or "typedef int tl_nothing_in_common;\n"),
    }


def schema_files(schema, model, folder):
    header, source = Header(), Source()
    source.schema_text(schema)
    for name, type_ in schema.named.items():
        if name in model.common and type_ is not schema.record:
            continue
        header.named(type_)
        source.named(type_, schema if type_ is schema.record else None)
    header.wrappers(schema.record)
    origin = schema.stem + ".avsc"
    return {
        schema.stem + ".h": wrap_header(folder, schema.stem, origin, ["%s/common.h" % folder], "".join(header.out)),
        schema.stem + ".c": NOTE % origin + '#include "%s/%s.h"\n\n' % (folder, schema.stem) + "".join(source.out),
    }


def files(model: Model, folder):
    """File name -> text of everything but the topics."""
    out = common_files(model, folder)
    for schema in model.schemas:
        out.update(schema_files(schema, model, folder))
    return out
