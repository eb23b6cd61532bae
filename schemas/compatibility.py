#!/usr/bin/env python3
"""Says whether each schema in avro/ may take the place of every version in released/.

FULL_TRANSITIVE: the new schema reads what any earlier version wrote, and every earlier version reads
what the new one writes, by Avro's rules of schema resolution. Needs neither git nor a registry.

    compatibility.py              check all; exit status 1 and a line per problem
    compatibility.py --release    keep each changed schema as its next version
"""

import argparse
import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
PRIMITIVES = {"null", "boolean", "int", "long", "float", "double", "string", "bytes"}
PROMOTED = {  # writer -> readers that take it besides its own kind (Avro 1.11, schema resolution)
    "int": {"long", "float", "double"},
    "long": {"float", "double"},
    "float": {"double"},
    "string": {"bytes"},
    "bytes": {"string"},
}


class Names:
    """A schema with its named types, so that references can be followed."""

    def __init__(self, schema):
        self.types = {}
        self.root = schema
        self.collect(schema, "")

    def collect(self, t, namespace):
        if isinstance(t, list):
            for branch in t:
                self.collect(branch, namespace)
        if not isinstance(t, dict):
            return
        kind = t.get("type")
        if kind in ("record", "enum", "fixed"):
            namespace = self.define(t, namespace)
        for field in t.get("fields", []):
            self.collect(field["type"], namespace)
        for key in ("items", "values"):
            self.collect(t.get(key), namespace)
        if isinstance(kind, (dict, list)):
            self.collect(kind, namespace)

    def define(self, t, namespace):
        name = t["name"]
        if "." in name:
            namespace = name.rsplit(".", 1)[0]
        else:
            namespace = t.get("namespace", namespace)
        self.types[short(name)] = t
        return namespace

    def follow(self, t):
        """The definition behind a type; primitives as {"type": name}."""
        while True:
            if isinstance(t, str):
                t = {"type": t} if t in PRIMITIVES else self.types[short(t)]
            elif isinstance(t, dict) and isinstance(t["type"], (dict, list)):
                t = t["type"]
            elif isinstance(t, dict) and t["type"] not in PRIMITIVES | {"record", "enum", "fixed", "array", "map"}:
                t = self.types[short(t["type"])]
            else:
                return t


def short(name):
    return name.rsplit(".", 1)[-1]


class Check:
    """Whether data of one schema can be read with another; problems are (path, why)."""

    def __init__(self, writer, reader):
        self.writer, self.reader = Names(writer), Names(reader)
        self.problems = []
        self.seen = set()

    def run(self):
        self.types(self.writer.root, self.reader.root, short(self.reader.root["name"]))
        return self.problems

    def problem(self, path, why):
        self.problems.append((path, why))

    def types(self, w, r, path):
        w, r = self.writer.follow(w), self.reader.follow(r)
        if (id(w), id(r)) in self.seen:
            return
        if isinstance(w, dict) and isinstance(r, dict) and "name" in w and "name" in r:
            self.seen.add((id(w), id(r)))
        if isinstance(w, list):
            for branch in w:
                self.types(branch, r, path)
        elif isinstance(r, list):
            self.into_union(w, r, path)
        else:
            self.plain(w, r, path)

    def into_union(self, w, r, path):
        """Avro takes the first branch that fits."""
        for branch in r:
            attempt = Check(self.writer.root, self.reader.root)
            attempt.writer, attempt.reader = self.writer, self.reader
            attempt.seen = set(self.seen)
            attempt.types(w, branch, path)
            if not attempt.problems:
                return
            if self.reader.follow(branch)["type"] == w["type"] and w["type"] not in PRIMITIVES:
                self.problems += attempt.problems  # the branch that was meant: say what is wrong within
                return
        self.problem(path, "%s is in no branch of the reader's union" % name_of(w))

    def plain(self, w, r, path):
        if w["type"] != r["type"]:
            if r["type"] not in PROMOTED.get(w["type"], ()):
                self.problem(path, "%s cannot be read as %s" % (name_of(w), name_of(r)))
            return
        compare = getattr(self, "compare_" + w["type"], None)
        if compare:
            compare(w, r, path)

    def names(self, w, r, path):
        if short(w["name"]) != short(r["name"]):
            self.problem(path, "%s was renamed to %s" % (name_of(w), name_of(r)))

    def compare_record(self, w, r, path):
        self.names(w, r, path)
        written = {f["name"]: f for f in w["fields"]}
        for field in r["fields"]:
            here = "%s.%s" % (path, field["name"])
            if field["name"] in written:
                self.types(written[field["name"]]["type"], field["type"], here)
            elif "default" not in field:
                self.problem(here, "the writer lacks the field, and the reader has no default for it")

    def compare_enum(self, w, r, path):
        self.names(w, r, path)
        missing = [s for s in w["symbols"] if s not in r["symbols"]]
        if missing and r.get("default") not in r["symbols"]:
            self.problem(path, "the reader lacks %s and has no default" % ", ".join(missing))

    def compare_fixed(self, w, r, path):
        self.names(w, r, path)
        if w["size"] != r["size"]:
            self.problem(path, "size %d cannot be read as %d" % (w["size"], r["size"]))

    def compare_array(self, w, r, path):
        self.types(w["items"], r["items"], path + "[]")

    def compare_map(self, w, r, path):
        self.types(w["values"], r["values"], path + "{}")


def name_of(t):
    return "%s %s" % (t["type"], short(t["name"])) if "name" in t else t["type"]


def can_read(writer, reader):
    """Problems that the reader's schema has with data of the writer's."""
    return Check(writer, reader).run()


def house_rules(old, new):
    """Rules beyond Avro's: the meaning of what was released stays.
    Removed enum symbols come back as UNKNOWN, and positions of old ones are kept for readers that
    go by position; a later field is nullable."""
    problems = []
    old_names, new_names = Names(old), Names(new)
    for name, t in new_names.types.items():
        before = old_names.types.get(name)
        if not before or before["type"] != t["type"]:
            continue
        if t["type"] == "enum" and t["symbols"][: len(before["symbols"])] != before["symbols"]:
            problems.append((name, "symbols are only added, at the end"))
        if t["type"] == "record":
            problems += later_fields(name, before, t)
    return problems


def later_fields(name, before, after):
    had = {f["name"] for f in before["fields"]}
    for field in after["fields"]:
        nullable = isinstance(field["type"], list) and field["type"][0] == "null"
        if field["name"] not in had and not (nullable and field.get("default", 0) is None):
            yield "%s.%s" % (name, field["name"]), 'a later field must be ["null", …] with default null'


def check_pair(old, new):
    """Lines about what keeps `new` from following `old`."""
    lines = ["%s: old data: %s" % p for p in can_read(old, new)]
    lines += ["%s: old readers: %s" % p for p in can_read(new, old)]
    lines += ["%s: %s" % p for p in house_rules(old, new)]
    return lines


def read(path):
    with open(path, encoding="utf-8") as f:
        return json.load(f)


def versions(released, stem):
    """Numbers of the released versions of a schema, rising."""
    folder = os.path.join(released, stem)
    if not os.path.isdir(folder):
        return []
    return sorted(int(f[:-5]) for f in os.listdir(folder) if f.endswith(".avsc"))


def check_all(avro, released):
    """Lines about everything that is wrong with the schemas of a folder."""
    lines = []
    stems = sorted(f[:-5] for f in os.listdir(avro) if f.endswith(".avsc"))
    gone = sorted(set(os.listdir(released)) - set(stems)) if os.path.isdir(released) else []
    lines += ["%s.avsc: was released and is gone" % stem for stem in gone]
    for stem in stems:
        new = read(os.path.join(avro, stem + ".avsc"))
        for n in versions(released, stem):
            old = read(os.path.join(released, stem, "%d.avsc" % n))
            lines += ["%s.avsc: against version %d: %s" % (stem, n, line) for line in check_pair(old, new)]
    return lines


def release(avro, released):
    """Copies each schema that differs from its newest version; the lines say which."""
    lines = []
    for stem in sorted(f[:-5] for f in os.listdir(avro) if f.endswith(".avsc")):
        numbers = versions(released, stem)
        path = os.path.join(avro, stem + ".avsc")
        if numbers and read(os.path.join(released, stem, "%d.avsc" % numbers[-1])) == read(path):
            continue
        n = numbers[-1] + 1 if numbers else 1
        os.makedirs(os.path.join(released, stem), exist_ok=True)
        with open(path, "rb") as f, open(os.path.join(released, stem, "%d.avsc" % n), "wb") as out:
            out.write(f.read())
        lines.append("%s: version %d" % (stem, n))
    return lines


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--avro", default=os.path.join(HERE, "avro"), help="folder of the schemas")
    p.add_argument("--released", default=os.path.join(HERE, "released"), help="folder of their earlier versions")
    p.add_argument("--release", action="store_true", help="keep each changed schema as its next version")
    args = p.parse_args()
    problems = check_all(args.avro, args.released)
    for line in problems:
        print(line, file=sys.stderr)
    if problems:
        return 1
    if args.release:
        for line in release(args.avro, args.released):
            print(line)
    return 0


if __name__ == "__main__":
    sys.exit(main())
