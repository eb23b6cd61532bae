"""Avro's rules of schema resolution: can a reader with one schema read what a writer with another
wrote? (Avro 1.11 specification, "Schema Resolution".)"""

PROMOTIONS = {
    "int": {"long", "float", "double"}, "long": {"float", "double"}, "float": {"double"},
    "string": {"bytes"}, "bytes": {"string"},
}


def problems(reader, writer):
    """Why `reader` (parsed JSON) cannot read every value of `writer`; empty when it can."""
    return list(_compare(reader, writer, names(reader), names(writer), "", set()))


def names(schema, namespace=None, found=None):
    """Named types of a schema: {full name and short name: definition}."""
    found = {} if found is None else found
    if isinstance(schema, list):
        for branch in schema:
            names(branch, namespace, found)
    elif isinstance(schema, dict):
        namespace = schema.get("namespace", namespace)
        if schema.get("type") in ("record", "enum", "fixed"):
            found[schema["name"]] = schema
            found[f"{namespace}.{schema['name']}"] = schema
        for field in schema.get("fields", []):
            names(field["type"], namespace, found)
        for part in ("items", "values", "type"):
            if isinstance(schema.get(part), (dict, list)):
                names(schema[part], namespace, found)
    return found


def kind(schema, known):
    """(name of the type, its definition or None)"""
    if isinstance(schema, list):
        return "union", schema
    if isinstance(schema, dict):
        if isinstance(schema["type"], (dict, list)):
            return kind(schema["type"], known)
        return schema["type"], schema
    if schema in known:
        return known[schema]["type"], known[schema]
    return schema, None


def _compare(reader, writer, rnames, wnames, where, seen):
    (rkind, rtype), (wkind, wtype) = kind(reader, rnames), kind(writer, wnames)
    if wkind == "union":
        for branch in wtype:
            yield from _compare(reader, branch, rnames, wnames, where, seen)
    elif rkind == "union":
        if all(list(_compare(branch, writer, rnames, wnames, where, set(seen)))
               for branch in rtype):
            yield f"{where or 'the schema'}: no branch of the union takes {wkind}"
    elif rkind != wkind:
        if rkind not in PROMOTIONS.get(wkind, ()):
            yield f"{where or 'the schema'}: {wkind} became {rkind}"
    elif rkind == "record":
        yield from _records(rtype, wtype, rnames, wnames, where, seen)
    elif rkind == "enum":
        yield from _enums(rtype, wtype, where)
    elif rkind == "fixed":
        if (rtype["name"], rtype["size"]) != (wtype["name"], wtype["size"]):
            yield f"{where}: another fixed type"
    elif rkind in ("array", "map"):
        part = "items" if rkind == "array" else "values"
        yield from _compare(rtype[part], wtype[part], rnames, wnames, f"{where}[]", seen)


def _records(reader, writer, rnames, wnames, where, seen):
    if reader["name"] != writer["name"]:
        yield f"{where or 'the schema'}: record {writer['name']} became {reader['name']}"
        return
    if (where, reader["name"]) in seen or len(seen) > 1000:
        return
    seen.add((where, reader["name"]))
    written = {f["name"]: f for f in writer["fields"]}
    for field in reader["fields"]:
        path = f"{where}.{field['name']}".lstrip(".")
        other = next((written[n] for n in [field["name"], *field.get("aliases", [])]
                      if n in written), None)
        if other:
            yield from _compare(field["type"], other["type"], rnames, wnames, path, seen)
        elif "default" not in field:
            yield f"{path}: is new and has no default"


def _enums(reader, writer, where):
    if reader["name"] != writer["name"]:
        yield f"{where}: enum {writer['name']} became {reader['name']}"
    lost = [s for s in writer["symbols"] if s not in reader["symbols"]]
    if lost and "default" not in reader:
        yield f"{where}: enum lost {', '.join(lost)} and has no default"
