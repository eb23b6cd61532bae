"""Schemas as they are read from the .avsc files, checked against the house rules."""

import json
import os
import re

PRIMITIVES = ("boolean", "int", "long", "float", "double", "string", "bytes")
SNAKE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*\Z")
CAMEL = re.compile(r"[A-Z][A-Za-z0-9]*\Z")
UPPER = re.compile(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)*\Z")
KEYWORDS = set(
    "alignas alignof asm auto bool break case char const continue default do double else enum "
    "extern false float for goto if inline int long register restrict return short signed sizeof "
    "static struct switch thread_local true typedef typeof union unsigned void volatile while "
    "nullptr constexpr static_assert linux unix".split()
)
NO_DEFAULT = object()


class SchemaError(Exception):
    """A schema that breaks a rule; the text names file and field."""


class Primitive:
    def __init__(self, kind, logical=None):
        self.kind = kind
        self.logical = logical


class Enum:
    kind = "enum"

    def __init__(self, name, doc, symbols):
        self.name, self.doc, self.symbols = name, doc, symbols


class Fixed:
    kind = "fixed"

    def __init__(self, name, doc, size):
        self.name, self.doc, self.size = name, doc, size


class Record:
    kind = "record"

    def __init__(self, name, namespace, doc):
        self.name, self.namespace, self.doc = name, namespace, doc
        self.fields = []


class Array:
    kind = "array"

    def __init__(self, items):
        self.items = items


class Map:
    kind = "map"

    def __init__(self, values):
        self.values = values


class Field:
    def __init__(self, name, doc, type_, nullable, default):
        self.name, self.doc, self.type = name, doc, type_
        self.nullable, self.default = nullable, default


class Schema:
    """One .avsc: its text, its top record, and the named types that it defines, inner ones first."""

    def __init__(self, path, text):
        self.path, self.text = path, text
        self.stem = os.path.splitext(os.path.basename(path))[0]
        self.named = {}
        self.definitions = {}
        self.record = None


def snake(name):
    """CallEvent -> call_event, AIModel -> ai_model."""
    name = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", name)
    return re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name).lower()


class Parser:
    """Reads one file into a Schema; `where` is the path of names for messages."""

    def __init__(self, path, text):
        self.schema = Schema(path, text)
        self.open = []

    def fail(self, where, why):
        raise SchemaError("%s: %s: %s" % (self.schema.path, where, why))

    def parse(self):
        try:
            top = json.loads(self.schema.text)
        except ValueError as e:
            self.fail("(file)", "not JSON: %s" % e)
        if not isinstance(top, dict) or top.get("type") != "record":
            self.fail("(file)", "the top must be a record")
        self.namespace = top.get("namespace")
        if not self.namespace:
            self.fail("(file)", "the record has no namespace")
        self.schema.record = self.type(top, str(top.get("name")))
        if snake(self.schema.record.name) != self.schema.stem:
            self.fail(self.schema.record.name, "the file must be called %s.avsc" % snake(self.schema.record.name))
        return self.schema

    def type(self, t, where):
        if isinstance(t, str):
            return self.reference(t, where)
        if isinstance(t, list):
            self.fail(where, "a union is only possible as the type of a field")
        kind = t.get("type")
        if kind in PRIMITIVES:
            return Primitive(kind, t.get("logicalType"))
        if kind == "array":
            return self.array(t, where)
        if kind == "map":
            return self.map(t, where)
        if kind in ("record", "enum", "fixed"):
            return getattr(self, kind)(t, where)
        if isinstance(kind, (dict, list)):
            return self.type(kind, where)
        return self.reference(kind, where)

    def reference(self, name, where):
        if name in PRIMITIVES:
            return Primitive(name)
        short = str(name)
        if short.startswith(self.namespace + "."):
            short = short[len(self.namespace) + 1 :]
        if short in self.open:
            self.fail(where, "%s contains itself; recursive records are not possible" % short)
        if short not in self.schema.named:
            self.fail(where, "type %r is not known here (or not supported)" % name)
        return self.schema.named[short]

    def array(self, t, where):
        items = self.type(t.get("items"), where + "[]")
        if items.kind in ("array", "map"):
            self.fail(where, "an array of %ss is not supported" % items.kind)
        return Array(items)

    def map(self, t, where):
        values = self.type(t.get("values"), where + "{}")
        if values.kind not in ("string", "long", "double"):
            self.fail(where, "a map of %s is not supported (string, long, double)" % values.kind)
        return Map(values)

    def name(self, t, where, pattern, what):
        name = t.get("name", "")
        if not pattern.match(name):
            self.fail(where, "the name %r is not %s" % (name, what))
        if t.get("namespace", self.namespace) != self.namespace:
            self.fail(where, "only namespace %s is possible" % self.namespace)
        if not t.get("doc"):
            self.fail(where, "%s %s has no doc" % (t["type"], name))
        if name in self.schema.named or name in self.open:
            self.fail(where, "%s is defined twice" % name)
        return name

    def define(self, type_, t):
        self.schema.named[type_.name] = type_
        self.schema.definitions[type_.name] = json.dumps(t, sort_keys=True)
        return type_

    def enum(self, t, where):
        name = self.name(t, where, CAMEL, "CamelCase")
        symbols = t.get("symbols") or []
        if not symbols or symbols[0] != "UNKNOWN" or t.get("default") != "UNKNOWN":
            self.fail(where, "enum %s needs UNKNOWN as its first symbol and its default" % name)
        for symbol in symbols:
            if not UPPER.match(symbol):
                self.fail(where, "symbol %r of %s is not UPPER_SNAKE" % (symbol, name))
        if len(set(symbols)) != len(symbols):
            self.fail(where, "enum %s has a symbol twice" % name)
        return self.define(Enum(name, t["doc"], symbols), t)

    def fixed(self, t, where):
        name = self.name(t, where, CAMEL, "CamelCase")
        size = t.get("size")
        if not isinstance(size, int) or not 1 <= size <= 65536:
            self.fail(where, "fixed %s has no size within 1..65536" % name)
        return self.define(Fixed(name, t["doc"], size), t)

    def record(self, t, where):
        name = self.name(t, where, CAMEL, "CamelCase")
        record = Record(name, self.namespace, t["doc"])
        self.open.append(name)
        for f in t.get("fields") or []:
            record.fields.append(self.field(f, where + "." + str(f.get("name")), record))
        self.open.pop()
        if not record.fields:
            self.fail(where, "record %s has no fields" % name)
        return self.define(record, t)

    def field(self, f, where, record):
        name = f.get("name", "")
        if not SNAKE.match(name) or name in KEYWORDS:
            self.fail(where, "the name is not snake_case, or a word of C")
        if any(name == other.name for other in record.fields):
            self.fail(where, "the field is there twice")
        if not f.get("doc"):
            self.fail(where, "the field has no doc")
        t, nullable = f.get("type"), False
        if isinstance(t, list):
            if len(t) != 2 or t[0] != "null":
                self.fail(where, 'a union must be ["null", something]')
            t, nullable = t[1], True
        type_ = self.type(t, where)
        if nullable and type_.kind in ("array", "map", "fixed", "float"):
            self.fail(where, '["null", %s] is not supported' % type_.kind)
        default = f.get("default", NO_DEFAULT)
        self.check_default(type_, nullable, default, where)
        return Field(name, f["doc"], type_, nullable, default)

    def check_default(self, type_, nullable, default, where):
        if nullable and (default is NO_DEFAULT or default is not None):
            self.fail(where, 'a ["null", …] field must have the default null')
        if nullable or default is NO_DEFAULT:
            return
        fits = {
            "boolean": lambda d: isinstance(d, bool),
            "int": lambda d: is_integer(d) and -(2**31) <= d < 2**31,
            "long": lambda d: is_integer(d) and -(2**63) <= d < 2**63,
            "float": is_number,
            "double": is_number,
            "string": lambda d: isinstance(d, str) and "\0" not in d,
            "enum": lambda d: d in type_.symbols,
            "array": lambda d: d == [],
            "map": lambda d: d == {},
        }.get(type_.kind, lambda d: False)
        if not fits(default):
            self.fail(where, "the default %s does not fit, or is not supported" % json.dumps(default))


def is_integer(value):
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value):
    return is_integer(value) or isinstance(value, float)


def read_schema(path):
    with open(path, encoding="utf-8") as f:
        return Parser(path, f.read()).parse()


class Model:
    """All schemas of a folder, and the named types that several of them share."""

    def __init__(self, schemas):
        self.schemas = schemas
        self.common = {}
        self.find_common()
        self.check_c_names()

    def find_common(self):
        first = {}
        for schema in self.schemas:
            for name, definition in schema.definitions.items():
                if name not in first:
                    first[name] = schema
                elif first[name].definitions[name] != definition:
                    raise SchemaError(
                        "%s: %s: defined otherwise than in %s" % (schema.path, name, first[name].path)
                    )
                else:
                    self.common[name] = first[name].named[name]
        for name, type_ in list(self.common.items()):
            self.add_parts(type_)

    def add_parts(self, type_):
        """What a shared record consists of is shared too."""
        if type_.kind == "array":
            self.add_parts(type_.items)
        elif type_.kind in ("enum", "fixed", "record"):
            self.common.setdefault(type_.name, type_)
            for field in getattr(type_, "fields", []):
                self.add_parts(field.type)

    def check_c_names(self):
        seen = {}
        for schema in self.schemas:
            for name in schema.named:
                other = seen.setdefault(snake(name), name)
                if other != name:
                    raise SchemaError("%s: %s and %s have the same name in C" % (schema.path, name, other))

    def common_in_order(self):
        """Parts before wholes."""
        done = {}

        def visit(type_):
            if type_.kind == "array":
                visit(type_.items)
            if type_.kind not in ("enum", "fixed", "record") or type_.name in done:
                return
            for field in getattr(type_, "fields", []):
                visit(field.type)
            done[type_.name] = self.common[type_.name]

        for name in sorted(self.common):
            visit(self.common[name])
        return list(done.values())


def load(folder, stems):
    """The schemas `stems` of `folder`; another .avsc in there is an error, so that none is forgotten."""
    there = sorted(f[:-5] for f in os.listdir(folder) if f.endswith(".avsc"))
    if stems and sorted(stems) != there:
        odd = sorted(set(stems) ^ set(there))
        raise SchemaError("%s: %s: in the folder or in CMakeLists.txt, not in both" % (folder, ", ".join(odd)))
    return Model([read_schema(os.path.join(folder, stem + ".avsc")) for stem in there])
