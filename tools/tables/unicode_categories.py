#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes plugins/reference/ops/unicode_categories.inc: the general category of each code point.

Run it with a Python whose unicodedata has the version of Unicode that is wanted.
"""

import pathlib
import sys
import unicodedata

TARGET = pathlib.Path(__file__).resolve().parents[2] / "plugins/reference/ops/unicode_categories.inc"
NAMES = "Cc Cf Cn Co Cs Ll Lm Lo Lt Lu Mc Me Mn Nd Nl No Pc Pd Pe Pf Pi Po Ps Sc Sk Sm So Zl Zp Zs".split()
BITS = 5
LAST = 0x10FFFF


def runs() -> list[tuple[int, int]]:
    """(first, code): up to the next run's first. The codes past the names are upper and lower case in turns."""
    turns = {"Lu": len(NAMES), "Ll": len(NAMES) + 1}
    names = [unicodedata.category(chr(c)) for c in range(LAST + 1)]
    out: list[tuple[int, int]] = []
    at = 0
    while at <= LAST:
        first, name = at, names[at]
        other = {"Lu": "Ll", "Ll": "Lu"}.get(name)
        while other and at <= LAST and names[at] == (other if (at - first) % 2 else name):
            at += 1
        # The last of those in turns may begin a longer run.
        if at - first > 1 and at <= LAST and names[at] == names[at - 1]:
            at -= 1
        if at - first >= 3:
            out.append((first, turns[name]))
            continue
        at = first
        while at <= LAST and names[at] == name:
            at += 1
        out.append((first, NAMES.index(name)))
    return out


def filled(entries: list[str]) -> str:
    lines = [""]
    for entry in entries:
        if len(lines[-1]) + len(entry) > 110:
            lines.append("")
        lines[-1] += entry
    return "\n".join(lines)


def main() -> int:
    text = f"""// SPDX-License-Identifier: Apache-2.0
//
// Made by tools/tables/{pathlib.Path(__file__).name} of Unicode {unicodedata.unidata_version}. Each run goes up to the next one's
// first code point: first << {BITS} | category. Two more categories are Lu and Ll in turns, from Lu or from Ll on.
constexpr const char* kCategoryNames[] = {{
{filled([f'"{name}",' for name in NAMES])}
}};
constexpr uint32_t kUppercase = {NAMES.index("Lu")}, kLowercase = {NAMES.index("Ll")};
constexpr int kCategoryBits = {BITS};
constexpr uint32_t kCategoryRuns[] = {{
{filled([f"0x{first << BITS | code:x}," for first, code in runs()])}
}};
"""
    TARGET.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
