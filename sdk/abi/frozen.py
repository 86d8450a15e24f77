#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Binaries of the present ABI, kept and run against the Braid of today: a rehearsal of the freeze.

frozen.py check --braid PROGRAM --plugin LIBRARY   runs the kept plugin under `braid conformance` (kind abi, level smoke),
                                                   and the kept host with the plugin LIBRARY
frozen.py make                                     makes the kept binaries of this machine's architecture anew

sdk/abi/frozen/README.md says when to make them anew. Ends with `N passed, N failed, N skipped`.
"""
import argparse
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
from pathlib import Path

SDK = Path(__file__).resolve().parent.parent
HERE = SDK / "abi/frozen"
MACHINES = {"x86_64": "x86-64", "aarch64": "aarch64"}


def version():
    text = (SDK / "include/braid/plugin.h").read_text()
    return ".".join(re.search(rf"#define BRAID_ABI_{part} (\d+)u", text).group(1) for part in ("MAJOR", "MINOR"))


def run(command, **environment):
    return subprocess.run([str(c) for c in command], capture_output=True, text=True, env={**os.environ, **environment})


def make(folder):
    """The plugin is the C template under the name `frozen`; neither binary needs more than the C library."""
    flags = ["-std=c99", "-O2", "-g0", "-Wall", "-Wextra", "-Werror", "-ffile-prefix-map=" + str(SDK) + "=sdk", "-I", SDK / "include", "-s"]
    folder.mkdir(parents=True, exist_ok=True)
    template = SDK / "template/c"
    with tempfile.TemporaryDirectory() as work:
        source = Path(work, "frozen.c")
        source.write_text((template / "plugin.c.in").read_text().replace("{{name}}", "frozen"))
        exports = Path(work, "frozen.map")
        exports.write_text("{ global: braid_plugin_query; local: *; };\n")
        for command in (
            ["cc", *flags, "-fPIC", "-shared", "-fvisibility=hidden", f"-Wl,--version-script={exports}", "-Wl,-z,defs", source, "-o", folder / "libbraid_frozen.so"],
            ["cc", *flags, HERE / "host.c", "-ldl", "-o", folder / "host"],
        ):
            built = run(command)
            if built.returncode:
                sys.exit(built.stderr)
    manifest = (template / "plugin.braid.json.in.in").read_text().replace("{{name}}", "frozen")
    manifest = manifest.replace("@BRAID_PLUGIN_NAME@", "frozen").replace("@BRAID_PLUGIN_LIBRARY@", "libbraid_frozen.so")
    (folder / "frozen.braid.json").write_text(manifest)
    for file in sorted(folder.iterdir()):
        print(f"wrote {file.relative_to(SDK)}, {file.stat().st_size} bytes")


def old_plugin(folder, braid):
    """The kept plugin on today's core: no contract case fails."""
    answer = run([braid, "conformance", "--plugin", folder, "--level", "smoke", "--kind", "abi", "--json"], BRAID_PLUGIN_PATH="")
    if not answer.stdout.startswith("{"):
        return f"no report: {answer.stdout[-500:]}{answer.stderr[-500:]}"
    results = [r for device in json.loads(answer.stdout)["devices"] for r in device["cases"]]
    bad = [f"{r['id']}: {r['outcome']} {r.get('text', '')}" for r in results if r["outcome"] not in ("pass", "unsupported")]
    passed = sum(r["outcome"] == "pass" for r in results)
    print(f"  the kept plugin: {passed} contract cases passed, {len(bad)} did not")
    if passed < 50:
        bad.append(f"only {passed} contract cases passed; was there a device?")
    return "\n".join(bad)


def old_host(folder, plugin):
    answer = run([folder / "host", plugin])
    print(f"  the kept host with {plugin.name}: {answer.stdout.strip()}")
    return "" if answer.returncode == 0 and answer.stdout == "11 22 33 44\n" else f"exit status {answer.returncode}: {answer.stdout}{answer.stderr}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["check", "make"])
    parser.add_argument("--braid", type=Path)
    parser.add_argument("--plugin", type=Path)
    arguments = parser.parse_args()
    machine = MACHINES.get(platform.machine(), platform.machine())
    if arguments.what == "make":
        make(HERE / version() / machine)
        return 0
    if arguments.braid is None or arguments.plugin is None:
        parser.error("check needs --braid and --plugin")
    passed = failed = skipped = 0
    # While the ABI is 0.x, older minors need not work; from 1.0 on every folder of the major must.
    kept = [HERE / version()] if version().startswith("0.") else sorted(HERE.glob(f"{version().split('.')[0]}.*"))
    for folder in (k / machine for k in kept):
        if not folder.is_dir():
            print(f"skipped {folder.relative_to(HERE)}: nothing is kept for this machine")
            skipped += 2
            continue
        for name, wrong in (("plugin", old_plugin(folder, arguments.braid)), ("host", old_host(folder, arguments.plugin))):
            failed += bool(wrong)
            passed += not wrong
            print(f"{'FAILED' if wrong else 'passed'} {folder.relative_to(HERE)} {name}" + (f"\n{wrong}" if wrong else ""))
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
