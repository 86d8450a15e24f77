#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes tests/fuzz/corpus anew: make_corpus.py [--build build-fuzz] [--cases DIR]

From ONNX's node cases (loader: their models; files: their .pb files, and the same as .npy), bytes from a seed for each
version of each operator, some options, and what the fuzzer has learnt in DIR/fuzz. Of these libFuzzer keeps the fewest
that cover as much. Nothing is larger than 4,000 bytes; where a target's files are more than its share, those that cover
what others do not come first.
"""

import argparse
import io
import os
import pathlib
import random
import shutil
import subprocess
import tempfile

import numpy
import onnx
import onnx.numpy_helper

HERE = pathlib.Path(__file__).resolve().parent
LARGEST = 4000
SHARES = {"loader": 420_000, "operators": 250_000, "files": 60_000}  # bytes
OPTIONS = [
    b"reference\nauto\n",
    b"reference:0\nrandom:7\n",
    b"auto\n\n\nreference:threads=1\nreference:0:key=value",
    b"sim\nrandom:x\nrelative",
    b"reference,reference\nauto\n\nreference:=\n:a=b\nreference:9:k=v",
]


def loader(cases: pathlib.Path) -> list[bytes]:
    return [path.read_bytes() for path in sorted(cases.glob("*/model.onnx"))]


def operators(_: pathlib.Path) -> list[bytes]:
    draw = random.Random(1)
    count = len(onnx.defs.get_all_schemas_with_history())
    return [i.to_bytes(2, "little") + draw.randbytes(draw.randrange(16, 80)) for i in range(count) for _ in range(8)]


def files(cases: pathlib.Path) -> list[bytes]:
    out = [b"\2\0\0\0\0\0" + text for text in OPTIONS]
    kinds = {"tensor_type": 0, "sequence_type": 1, "optional_type": 2, "map_type": 3, "sparse_tensor_type": 4}
    for path in sorted(cases.glob("*/model.onnx")):
        for k, value in enumerate(onnx.load(path).graph.input):
            pb = path.parent / "test_data_set_0" / f"input_{k}.pb"
            kind = value.type.WhichOneof("value")
            if not pb.exists() or pb.stat().st_size > LARGEST or kind not in kinds:
                continue
            out.append(bytes([1, kinds[kind], value.type.tensor_type.elem_type]) + pb.read_bytes())
            if kind == "tensor_type":
                array = onnx.numpy_helper.to_array(onnx.TensorProto.FromString(pb.read_bytes()))
                if array.dtype.kind in "fiubcO":
                    npy = io.BytesIO()
                    array = array.astype(str) if array.dtype.kind == "O" else array
                    numpy.save(npy, numpy.asfortranarray(array) if k % 2 else array)
                    out.append(b"\0" + npy.getvalue())
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=HERE.parents[1] / "build-fuzz")
    cache = pathlib.Path(os.environ.get("BRAID_CACHE") or pathlib.Path.home() / ".cache" / "braid")
    parser.add_argument("--cases", type=pathlib.Path, default=cache / "cases" / f"onnx-{onnx.__version__}" / "node")
    args = parser.parse_args()
    for target, make in (("loader", loader), ("operators", operators), ("files", files)):
        with tempfile.TemporaryDirectory() as folder:
            seeds, kept = pathlib.Path(folder) / "seeds", pathlib.Path(folder) / "kept"
            seeds.mkdir()
            kept.mkdir()
            for i, content in enumerate(make(args.cases)):
                if len(content) <= LARGEST:
                    (seeds / f"{i:06}").write_bytes(content)
            learnt = [p for p in [args.build / "fuzz" / target] if p.is_dir()]
            subprocess.run(
                [args.build / "tests" / f"fuzz_{target}", "-set_cover_merge=1", f"-max_len={LARGEST}", kept, seeds, *learnt],
                check=True,
                stdin=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            out = HERE / "corpus" / target
            shutil.rmtree(out, ignore_errors=True)
            out.mkdir(parents=True)
            # The merge writes them in the order in which they add the most.
            left = SHARES[target]
            for path in sorted(kept.iterdir(), key=lambda p: p.stat().st_mtime_ns):
                if path.stat().st_size <= left:
                    left -= path.stat().st_size
                    shutil.copyfile(path, out / f"{path.name[:16]}.bin")
            print(f"{target}: {len(list(out.iterdir()))} files, {SHARES[target] - left} bytes")


if __name__ == "__main__":
    main()
