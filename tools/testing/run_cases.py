#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs `braid verify` where its cases and devices are: run_cases.py --braid PROGRAM --cases DIR --device LIST [--at-least N] [-- ARGUMENT...]
Without --cases it runs `braid conformance` on the device.

Where the cases were not made, or a device of the list is not on this machine, it says so and counts as one skipped.
--at-least: fewer passed cases than that are a failure, so that skips cannot hide what was lost.
"""

import argparse
import json
import pathlib
import re
import subprocess
import sys


def skip(reason: str) -> int:
    print(f"skipped: {reason}\n0 passed, 0 failed, 1 skipped")
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--braid", required=True)
    parser.add_argument("--cases", type=pathlib.Path)
    parser.add_argument("--device", required=True)
    parser.add_argument("--at-least", type=int, default=1)
    parser.add_argument("arguments", nargs="*", help="more of `braid verify`'s, or of `braid conformance`'s")
    args = parser.parse_args()
    if args.cases and not args.cases.is_dir():
        return skip(f"{args.cases} is not there; tools/setup/test_data makes it")
    answer = subprocess.run([args.braid, "devices", "--json"], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
    devices = [d["id"] for d in json.loads(answer.stdout or b"[]")]
    for wanted in args.device.split(","):
        if not any(d == wanted or d.startswith(f"{wanted}:") for d in devices):
            return skip(f"there is no device '{wanted}' on this machine; there are {', '.join(devices) or 'none'}")
    what = ["verify", args.cases] if args.cases else ["conformance"]
    command = [args.braid, *what, "--device", args.device, *args.arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
    last = ""
    for line in process.stdout:
        if last:
            print(last)
        last = line.rstrip("\n")
    status = process.wait()
    summary = re.fullmatch(r"(\d+) passed, (\d+) failed, (\d+) skipped", last)
    if not summary:
        print(last)
        return status or 1
    passed, failed, skipped = map(int, summary.groups())
    if passed < args.at_least:
        print(f"failed: only {passed} cases passed, {args.at_least} are expected at least")
        failed += 1
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else status


if __name__ == "__main__":
    sys.exit(main())
