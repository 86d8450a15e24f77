#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Puts a share of the suite's cases through ONNX Runtime and holds the disagreements against known.txt.

peer_test.py --braid PROGRAM [--shard I/N | --all] [--report REPORT.JSON]

known.txt has a line for each group of cases in which the two are known to differ: "GLOB  # who is right, and
why"; docs/reference/conformance-peer.md has them in full. A case that fails and matches no glob fails the
test, and where all were run a glob that no case needs any more. --report takes a report that is there
already. Ends with `N passed, N failed, N skipped`.
"""

import argparse
import fnmatch
import json
import os
import pathlib
import subprocess
import sys

KNOWN = pathlib.Path(__file__).parent / "known.txt"
FAILED = ("fail", "crash", "hang", "resource", "invalid")


def known_globs() -> list:
    globs = []
    for number, line in enumerate(KNOWN.read_text().splitlines(), 1):
        glob, _, reason = line.partition("#")
        if not glob.strip():
            continue
        if not reason.strip():
            sys.exit(f"{KNOWN}:{number}: '{glob.strip()}' has no reason (GLOB  # reason)")
        globs.append(glob.strip())
    return globs


def report_of(braid: str, shard: str | None) -> dict:
    command = [braid, "conformance", "--peer", "onnxruntime", "-j", "2", "--json"]
    done = subprocess.run(command + (["--shard", shard] if shard else []), capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):
        sys.exit(f"{' '.join(command)}: {done.stderr}")
    return json.loads(done.stdout)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--braid", required=True)
    parser.add_argument("--shard", default="1/60")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--report")
    options = parser.parse_args()

    os.environ.setdefault("BRAID_PEER_PYTHON", sys.executable)
    if not options.report:
        probe = [os.environ["BRAID_PEER_PYTHON"], "-c", "import numpy, onnx, onnxruntime"]
        found = subprocess.run(probe, capture_output=True, text=True, check=False)
        if found.returncode != 0:
            print(f"skipped: no ONNX Runtime in {probe[0]}: {found.stderr.strip().splitlines()[-1]}")
            print("0 passed, 0 failed, 1 skipped")
            return 77
    if options.report:
        report = json.loads(pathlib.Path(options.report).read_text())
    else:
        report = report_of(options.braid, None if options.all else options.shard)

    globs, used, fresh = known_globs(), set(), []
    counts = {"passed": 0, "known": 0, "skipped": 0}
    for case in report["devices"][0]["cases"]:
        if case["outcome"] not in FAILED:
            counts["passed" if case["outcome"] == "pass" else "skipped"] += 1
            continue
        matching = [glob for glob in globs if fnmatch.fnmatchcase(case["id"], glob)]
        used.update(matching)
        if matching:
            counts["known"] += 1
        else:
            fresh.append(case)
    for case in fresh:
        print(f"not in known.txt: {case['id']}: {case['outcome']}: {case.get('text', '')}")
    kinds = report["devices"][0]["kinds"]
    # What was not run tells nothing; --all has no official cases.
    stale = [g for g in globs if g not in used and (not g.startswith("official/") or "official" in kinds)] if report["complete"] else []
    for glob in stale:
        print(f"stale in known.txt: no case that matches {glob} fails")
    print(f"{counts['known']} disagreements are known")
    print(f"{counts['passed']} passed, {len(fresh) + len(stale)} failed, {counts['skipped']} skipped")
    return 1 if fresh or stale or counts["passed"] == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
