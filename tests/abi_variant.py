#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes a plugin.h of another age: abi_variant.py larger|smaller IN OUT

larger: each struct but the four that never change has a field, or slot, more at its end.
smaller: structs that a plugin receives or tells lack their last fields, where the example in plain C does not use them.
A plugin that is built with either must work with the host of this tree: tests/CMakeLists.txt.
"""
import pathlib
import re
import sys

NEVER = ("braid_str", "braid_bytes", "braid_span", "braid_option")
# What is cut off; each must be the end of its struct.
LAST = {
    "braid_dim": "uint32_t symbol, reserved;",
    "braid_value": "uint64_t constant;",
    "braid_node": "uint32_t older;",
    "braid_graph": "void* host_data;",
    "braid_cost": ", workspace, resident;",
    "braid_link": "uint64_t latency_ns, bytes_per_second;",
    "braid_device_info": "uint64_t import_alignment;",
    "braid_transfer": "braid_fence* const* waits;",
    "braid_completion": "uint64_t start_ns, end_ns;",
}


def changed(name, body, age):
    if name in NEVER:
        return body
    if age == "larger":
        return body.rstrip() + "\n  uint64_t appended[3];\n"
    if name not in LAST:
        return body
    cut = LAST[name]
    if body.count(cut) != 1 or body.split(cut)[1].strip():
        sys.exit(f"{name} does not end with {cut!r}; this script must follow plugin.h")
    return body.replace(cut, ";" if cut.startswith(",") else "")


def main():
    age, source, target = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
    text = re.sub(r"/\*.*?\*/", "", source.read_text(), flags=re.S)
    text, count = re.subn(r"typedef struct (\w+) \{(.*?)\} \1;", lambda m: f"typedef struct {m[1]} {{{changed(m[1], m[2], age)}}} {m[1]};", text, flags=re.S)
    # The initialisers name every field: size alone is enough, the rest is zero.
    text = re.sub(r"(#define BRAID_\w+_INIT) (?:\\\n)?\s*\{(sizeof\(\w+\)).*\}", r"\1 {\2}", text)
    if count < 20 or "_INIT {sizeof(braid_graph)}" not in text:
        sys.exit("plugin.h is not as this script knows it")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text("/* Written by abi_variant.py. */\n" + text)


if __name__ == "__main__":
    main()
