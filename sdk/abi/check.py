#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Guards the plugin ABI.

check.py layout            compares the layout of every struct in plugin.h with the golden list, on this machine by a
                           program and for x86-64 and aarch64 by static assertions
check.py layout --update   writes the golden list and the assertions anew: an announced change, which needs a decision
                           note and, once a version is released, a new minor
check.py types             compares the types of plugin.h with types-0.1.abi by abidiff, which sees more than the layout: the
                           signatures of the slots, const, signedness
check.py types --update    writes that file anew (abidw), as above
check.py matrix            compiles each SDK header alone, with every compiler and standard that it promises
"""
import argparse
import itertools
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

SDK = Path(__file__).resolve().parent.parent
HEADER = SDK / "include/braid/plugin.h"
GOLDEN = SDK / "abi/layout-0.1.txt"
ASSERTS = SDK / "abi/layout-0.1.c"
TYPES = SDK / "abi/types-0.1.abi"
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"]


def structs(text):
    """[(struct, [field])] in the header's order; fields are found by parsing, so that a new one cannot be forgotten."""
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    out = []
    for name, body in re.findall(r"typedef struct (\w+) \{(.*?)\} \1;", text, re.S):
        fields = []
        for declaration in body.split(";"):
            declaration = " ".join(declaration.split())
            if not declaration:
                continue
            function = re.search(r"\(BRAID_CALL \*(\w+)\)", declaration)
            if function:
                fields.append(function.group(1))
                continue
            for part in declaration.split(","):
                fields.append(re.search(r"(\w+)(\[\w+\])?$", part.strip()).group(1))
        out.append((name, fields))
    return out


def layout_program(found):
    lines = ["#include <braid/plugin.h>", "#include <stddef.h>", "#include <stdio.h>",
             "#define F(s, f) printf(\"%s.%s offset %u size %u\\n\", #s, #f, (unsigned)offsetof(s, f), "
             "(unsigned)sizeof(((s*)0)->f));",
             "#define S(s) { struct a { char c; s v; }; printf(\"%s size %u align %u\\n\", #s, (unsigned)sizeof(s), "
             "(unsigned)offsetof(struct a, v)); }", "int main(void) {"]
    for name, fields in found:
        lines.append(f"S({name})")
        lines += [f"F({name}, {field})" for field in fields]
    return "\n".join(lines + ["return 0; }\n"])


def assertions(golden):
    lines = ["/* SPDX-License-Identifier: Apache-2.0 */", "/* clang-format off */",
             "/* The layout of the ABI as assertions, written by check.py: for machines that are only compiled for. */",
             "#include <braid/plugin.h>", "#include <stddef.h>"]
    for line in golden.splitlines():
        name, *rest = line.split()
        if "." in name:
            struct, field = name.split(".")
            condition = f"offsetof({struct}, {field}) == {rest[1]} && sizeof((({struct}*)0)->{field}) == {rest[3]}"
        else:
            condition = f"sizeof({name}) == {rest[1]} && _Alignof({name}) == {rest[3]}"
        lines.append(f'_Static_assert({condition}, "{line}");')
    return "\n".join(lines) + "\n"


def run(command, **kw):
    return subprocess.run([str(c) for c in command], capture_output=True, text=True, **kw)


def layout(update):
    text = HEADER.read_text()
    version = ".".join(re.search(rf"#define BRAID_ABI_{part} (\d+)u", text).group(1) for part in ("MAJOR", "MINOR"))
    if f"layout-{version}.txt" != GOLDEN.name:
        return [f"plugin.h speaks ABI {version}, the golden list is {GOLDEN.name}"]
    found = structs(text)
    declared = len(re.findall(r"^typedef struct (\w+) \{", text, re.M))
    if len(found) != declared:
        return [f"found {len(found)} of {declared} structs in plugin.h"]
    with tempfile.TemporaryDirectory() as folder:
        source, program = Path(folder, "layout.c"), Path(folder, "layout")
        source.write_text(layout_program(found))
        compiler = shutil.which("gcc") or shutil.which("cc") or shutil.which("clang")
        built = run([compiler, "-std=c11", "-I", SDK / "include", source, "-o", program])
        if built.returncode:
            return [built.stderr]
        now = run([program]).stdout
    if update:
        GOLDEN.write_text(now)
        ASSERTS.write_text(assertions(now))
        print(f"wrote {len(now.splitlines())} lines")
        return []
    problems = []
    golden = GOLDEN.read_text().splitlines()
    if now.splitlines() != golden:
        problems += [f"- {line}" for line in golden if line not in now.splitlines()]
        problems += [f"+ {line}" for line in now.splitlines() if line not in golden]
        problems.append("the layout of the ABI changed (or only its order); see docs/abi/versions.md")
    if ASSERTS.read_text() != assertions(GOLDEN.read_text()):
        problems.append(f"{ASSERTS.name} does not belong to {GOLDEN.name}")
    clang = shutil.which("clang")
    for target in ("x86_64-linux-gnu", "aarch64-linux-gnu"):
        if clang is None:
            print(f"layout for {target}: not checked, no clang")
            continue
        checked = run([clang, f"--target={target}", "-std=c11", "-ffreestanding", "-fsyntax-only", "-I", SDK / "include", ASSERTS])
        if checked.returncode:
            problems.append(f"{target}: {checked.stderr}")
    print(f"layout: {len(golden)} facts of {len(found)} structs")
    return problems


def types(update):
    for tool in ("abidw", "abidiff", "gcc"):
        if shutil.which(tool) is None:
            print(f"types: not compared, {tool} is not installed (abigail-tools has abidw and abidiff)")
            return []
    found = structs(HEADER.read_text())
    with tempfile.TemporaryDirectory() as folder:
        source, library = Path(folder, "plugin.c"), Path(folder, "libplugin.so")
        # A function for each struct: whatever it holds is among the library's types then.
        source.write_text("#include <braid/plugin.h>\n" + "".join(f"BRAID_EXPORT void takes_{name}({name}* p);\nvoid takes_{name}({name}* p) {{ (void)p; }}\n" for name, _ in found))
        built = run(["gcc", "-std=c99", "-g", "-O0", "-fPIC", "-shared", "-I", SDK / "include", source, "-o", library])
        if built.returncode:
            return [built.stderr]
        if update:
            written = run(["abidw", "--no-corpus-path", "--no-comp-dir-path", "--no-show-locs", "--no-architecture", "--type-id-style", "hash", "--out-file", TYPES, library])
            print(f"wrote {TYPES.name}, {TYPES.stat().st_size} bytes")
            return [written.stderr] if written.returncode else []
        compared = run(["abidiff", "--no-show-locs", "--no-architecture", TYPES, library])
    if compared.returncode:
        return [compared.stdout + compared.stderr, "the types of the ABI changed; see docs/abi/versions.md"]
    print(f"types: those of {len(found)} structs are as in {TYPES.name}")
    return []


def initialisers(text):
    """A body that uses every INIT macro."""
    lines = []
    for macro, struct in re.findall(r"#define (BRAID_\w+_INIT) (?:\\\n)?\s*\{sizeof\((\w+)\)", text):
        lines.append(f"  {{ {struct} v = {macro}; if (v.size != sizeof v) return 1; }}")
    return "\n".join(lines)


def matrix():
    problems, count = [], 0
    c_standards, cxx_standards = ["c99", "c11", "c17"], ["c++11", "c++14", "c++17", "c++20"]
    headers = []
    for path in sorted((SDK / "include").rglob("*.h")):
        headers.append((path, SDK / "include", c_standards + cxx_standards, path == HEADER or "ext" in path.parts))
    for path in sorted((SDK / "include").rglob("*.hpp")):
        headers.append((path, SDK / "include", ["c++20"], False))
    for path in sorted((SDK / "kit/include").rglob("*.h")):
        headers.append((path, SDK / "kit/include", ["c++20"], False))
    with tempfile.TemporaryDirectory() as folder:
        for path, root, standards, padded in headers:
            body = f"#include <{path.relative_to(root)}>\nint main(void);\nint main(void) {{\n"
            if path == HEADER:
                body += initialisers(path.read_text())
            body += "\n  return 0;\n}\n"
            for compiler, standard in itertools.product(("gcc", "clang"), standards):
                if shutil.which(compiler) is None:
                    continue  # told below
                source = Path(folder, "alone.cc" if "++" in standard else "alone.c")
                source.write_text(body)
                command = [compiler, "-x", "c++" if "++" in standard else "c", f"-std={standard}", *WARNINGS, "-fsyntax-only",
                           "-I", SDK / "include", "-I", SDK / "kit/include", source]
                if padded:
                    command.insert(4, "-Wpadded")
                count += 1
                built = run(command)
                if built.returncode:
                    problems.append(f"{path.name}, {compiler} {standard}:\n{built.stderr}")
    for compiler in ("gcc", "clang"):
        if shutil.which(compiler) is None:
            print(f"matrix: {compiler} is not installed; its half was not tried")
    print(f"matrix: {count} compilations of {len(headers)} headers")
    return problems


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["layout", "types", "matrix"])
    parser.add_argument("--update", action="store_true")
    arguments = parser.parse_args()
    problems = {"layout": lambda: layout(arguments.update), "types": lambda: types(arguments.update), "matrix": matrix}[arguments.what]()
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
