#!/usr/bin/env python3
"""Makes C structs, the table of topics and TOPICS.md from the Avro schemas. See README.md."""

import argparse
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from generator import c, model, page, topics  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))


def write_if_changed(path, text):
    """Leaves the time of an unchanged file alone, so that nothing is compiled again."""
    try:
        with open(path, encoding="utf-8") as f:
            if f.read() == text:
                return
    except FileNotFoundError:
        pass
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)


def options():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--avro", default=os.path.join(HERE, "avro"), help="folder of the .avsc files")
    p.add_argument("--out", help="write C to OUT/<folder>/")
    p.add_argument("--folder", default="avro", help="the folder that the headers are included from")
    p.add_argument("--topics", help="the table of topics (topics.json): C of it too")
    p.add_argument("--page", action="store_true", help="write TOPICS.md")
    p.add_argument("--check", action="store_true", help="fail when TOPICS.md is not what --page would write")
    p.add_argument("stems", nargs="*", help="the schemas that must be there, without .avsc")
    return p.parse_args()


def write_c(args, schemas):
    files = c.files(schemas, args.folder)
    if args.topics:
        table = topics.load(args.topics, schemas)
        files["topics.h"], files["topics.c"] = topics.header(table), topics.source(table)
    for name, text in files.items():
        write_if_changed(os.path.join(args.out, args.folder, name), text)


def check_page(path, text):
    try:
        with open(path, encoding="utf-8") as f:
            fresh = f.read() == text
    except FileNotFoundError:
        fresh = False
    if not fresh:
        raise model.SchemaError("%s is stale: run schemas/generate.py --page" % path)


def main():
    args = options()
    schemas = model.load(args.avro, args.stems)
    if args.out:
        write_c(args, schemas)
    if args.page or args.check:
        table = topics.load(args.topics or os.path.join(HERE, "topics.json"), schemas)
        path, text = os.path.join(HERE, "TOPICS.md"), page.page(table)
        if args.page:
            write_if_changed(path, text)
        else:
            check_page(path, text)


if __name__ == "__main__":
    try:
        main()
    except model.SchemaError as e:
        sys.exit("generate.py: %s" % e)
