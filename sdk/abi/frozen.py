#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A header, a plugin and a host of the present ABI, kept and run against the Braid of today: a rehearsal of the freeze.

frozen.py check --braid PROGRAM --plugin LIBRARY   runs the kept plugin, as it was built then and built today with the kept header,
                                                   under `braid conformance` (kind abi, level smoke), and the kept host with
                                                   the plugin LIBRARY
frozen.py make                                     keeps today's header and plugin, and makes the binaries of this machine's architecture

sdk/abi/frozen/README.md says when to make them anew. Ends with `N passed, N failed, N skipped`.
"""
import argparse
import json
import os
import platform
import re
import shutil
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


FLAGS = ["-std=c99", "-O2", "-g0", "-Wall", "-Wextra", "-Werror", "-s"]


def compiler(*arguments):
    built = run(["cc", *FLAGS, *arguments])
    if built.returncode:
        sys.exit(built.stderr)


def build_plugin(kept, folder):
    """The plugin of `kept` with the header beside it, and its manifest, into `folder`; it needs no more than the C library."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as work:
        exports = Path(work, "frozen.map")
        exports.write_text("{ global: braid_plugin_query; local: *; };\n")
        compiler(f"-ffile-prefix-map={kept}=frozen", "-I", kept / "include", "-fPIC", "-shared", "-fvisibility=hidden",
                 f"-Wl,--version-script={exports}", "-Wl,-z,defs", kept / "plugin.c", "-o", folder / "libbraid_frozen.so")
    manifest = (SDK / "template/c/plugin.braid.json.in.in").read_text().replace("{{name}}", "frozen")
    manifest = manifest.replace("@BRAID_PLUGIN_NAME@", "frozen").replace("@BRAID_PLUGIN_LIBRARY@", "libbraid_frozen.so")
    (folder / "frozen.braid.json").write_text(manifest)


def make(kept, machine):
    """Keeps today's header and, under the name `frozen`, the C template; builds both binaries of `machine` from them."""
    (kept / "include/braid").mkdir(parents=True, exist_ok=True)
    shutil.copy(SDK / "include/braid/plugin.h", kept / "include/braid")
    source = (SDK / "template/c/plugin.c.in").read_text().replace("{{name}}", "frozen")
    (kept / "plugin.c").write_text("/* SPDX-License-Identifier: Apache-2.0 */\n" + source)
    build_plugin(kept, kept / machine)
    compiler("-I", kept / "include", HERE / "host.c", "-ldl", "-o", kept / machine / "host")
    for file in sorted(f for f in kept.rglob("*") if f.is_file()):
        print(f"{file.relative_to(SDK)}, {file.stat().st_size} bytes")


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
        make(HERE / version(), machine)
        return 0
    if arguments.braid is None or arguments.plugin is None:
        parser.error("check needs --braid and --plugin")
    passed = failed = skipped = 0
    # While the ABI is 0.x, older minors need not work; from 1.0 on every folder of the major must.
    kept = [HERE / version()] if version().startswith("0.") else sorted(HERE.glob(f"{version().split('.')[0]}.*"))
    for folder in kept:
        with tempfile.TemporaryDirectory() as rebuilt:
            build_plugin(folder, Path(rebuilt))
            checks = [("plugin, built with the kept header", lambda: old_plugin(Path(rebuilt), arguments.braid))]
            if (folder / machine).is_dir():
                checks += [("plugin", lambda: old_plugin(folder / machine, arguments.braid)), ("host", lambda: old_host(folder / machine, arguments.plugin))]
            else:
                print(f"skipped the binaries of {folder.name}: none are kept for {machine}")
                skipped += 2
            for name, check in checks:
                wrong = check()
                failed += bool(wrong)
                passed += not wrong
                print(f"{'FAILED' if wrong else 'passed'} {folder.name} {name}" + (f"\n{wrong}" if wrong else ""))
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
