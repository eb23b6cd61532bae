#!/usr/bin/env python3
"""Makes the tables of prefixes (tables.h) from Debian's python3-phonenumbers. See README.md."""

import argparse
import os
import re
import sys

# Behind everything else: the Python that runs this need not be Debian's, and the package is data.
sys.path.append("/usr/lib/python3/dist-packages")

try:
    from phonenumbers.geodata import GEOCODE_DATA
    from phonenumbers.tzdata import TIMEZONE_DATA
except ImportError:
    sys.exit("lib/phone/generate.py: no module phonenumbers: apt-get install python3-phonenumbers")

PREFIX_MAX = 9  # TL_PHONE_PREFIX_MAX: fits an uint32_t
ZONES_MAX = 64  # TL_PHONE_ZONES_MAX
AREA_CODE = 4  # digits of "1" and an area code of North America

STATES = {
    "Alabama": "AL", "Alaska": "AK", "Arizona": "AZ", "Arkansas": "AR", "California": "CA", "Colorado": "CO",
    "Connecticut": "CT", "Delaware": "DE", "Washington D.C.": "DC", "Florida": "FL", "Georgia": "GA",
    "Hawaii": "HI", "Idaho": "ID", "Illinois": "IL", "Indiana": "IN", "Iowa": "IA", "Kansas": "KS",
    "Kentucky": "KY", "Louisiana": "LA", "Maine": "ME", "Maryland": "MD", "Massachusetts": "MA",
    "Michigan": "MI", "Minnesota": "MN", "Mississippi": "MS", "Missouri": "MO", "Montana": "MT",
    "Nebraska": "NE", "Nevada": "NV", "New Hampshire": "NH", "New Jersey": "NJ", "New Mexico": "NM",
    "New York": "NY", "North Carolina": "NC", "North Dakota": "ND", "Ohio": "OH", "Oklahoma": "OK",
    "Oregon": "OR", "Pennsylvania": "PA", "Philadelphia": "PA", "Rhode Island": "RI", "South Carolina": "SC",
    "South Dakota": "SD", "Tennessee": "TN", "Texas": "TX", "Utah": "UT", "Vermont": "VT", "Virginia": "VA",
    "Washington State": "WA", "West Virginia": "WV", "Wisconsin": "WI", "Wyoming": "WY",
}


def zones():
    """{prefix: zones}. Exchanges of North America say less than they seem to, since numbers are moved within
    and between rate centres: all of an area code have all its zones."""
    found = {}
    for prefix, names in TIMEZONE_DATA.items():
        if prefix.startswith("1"):
            prefix = prefix[:AREA_CODE]
        found.setdefault(prefix, set()).update(names)
    for prefix, names in found.items():
        if len(prefix) > PREFIX_MAX or len(names) > ZONES_MAX:
            sys.exit("lib/phone/generate.py: prefix %s does not fit" % prefix)
    return {int(prefix): tuple(sorted(names)) for prefix, names in found.items()}


def state_of(description):
    short = re.search(r", ([A-Z]{2})$", description)
    if short:
        return short.group(1) if short.group(1) in STATES.values() else None
    return STATES.get(description)


def states():
    """{1 and area code: state}: what is said of the area code itself, else what all its exchanges agree on."""
    own, parts = {}, {}
    for prefix, descriptions in GEOCODE_DATA.items():
        if prefix[0] != "1" or len(prefix) < AREA_CODE or "en" not in descriptions:
            continue
        state = state_of(descriptions["en"])
        if len(prefix) == AREA_CODE:
            own[int(prefix)] = state
        else:
            parts.setdefault(int(prefix[:AREA_CODE]), set()).add(state)
    agreed = {prefix: next(iter(found)) for prefix, found in parts.items() if len(found) == 1}
    return {prefix: state for prefix, state in {**agreed, **own}.items() if state}


def zone_lines(table):
    """Equal lists of names stand once."""
    first, names = {}, []
    for found in table.values():
        if found not in first:
            first[found] = len(names)
            names.extend(found)
    yield "const struct tl_phone_zone_row tl_phone_zone_rows[] = {"
    for prefix in sorted(table):
        found = table[prefix]
        yield "    {%d, %d, %d}," % (prefix, first[found], len(found))
    yield "};"
    yield "const size_t tl_phone_zone_rows_n = %d;" % len(table)
    yield "const char *const tl_phone_zone_names[] = {"
    for name in names:
        yield '    "%s",' % name
    yield "};"


def state_lines(table):
    yield "const struct tl_phone_state_row tl_phone_state_rows[] = {"
    for prefix in sorted(table):
        yield '    {%d, "US-%s"},' % (prefix, table[prefix])
    yield "};"
    yield "const size_t tl_phone_state_rows_n = %d;" % len(table)


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--out", required=True, help="the C file")
    args = p.parse_args()
    lines = ["/* Made by lib/phone/generate.py; not to be edited. */", '#include "phone/tables.h"', ""]
    lines += zone_lines(zones())
    lines += state_lines(states())
    with open(args.out + ".part", "w", encoding="utf-8") as f:
        f.write("\n".join(lines) + "\n")
    os.replace(args.out + ".part", args.out)


if __name__ == "__main__":
    main()
