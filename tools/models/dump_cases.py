#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the official ONNX node cases as files: dump_cases.py [--again]

The onnx package makes its 1,884 node cases in Python; no file of them is shipped. This runs them once and writes
each in ONNX's layout for test cases, which `braid verify` reads:

    $BRAID_CACHE/cases/onnx-VERSION/node/NAME/model.onnx
    $BRAID_CACHE/cases/onnx-VERSION/node/NAME/test_data_set_K/{input,output}_J.pb
    $BRAID_CACHE/cases/onnx-VERSION/node/NAME/data.json      only where the case sets tolerances other than 1e-3, 1e-7

Each .pb holds the message that the model declares for that value: TensorProto, SequenceProto or OptionalProto.
"""

import json
import pathlib
import shutil
import sys
import tempfile
import warnings

import numpy as np
import onnx
from onnx import numpy_helper

import places

RECIPE = "2"  # raise when what is written changes


def message(value, info: onnx.ValueInfoProto) -> bytes:
    """The serialized message for `value`, of the kind and the element type that `info` declares."""
    kind = info.type.WhichOneof("value")
    if hasattr(value, "SerializeToString"):
        named = type(value)()
        named.CopyFrom(value)
        named.name = info.name
    elif kind == "sequence_type":
        named = numpy_helper.from_list(list(value), info.name)
    elif kind == "optional_type":
        element = info.type.optional_type.elem_type.WhichOneof("value")
        if value is None:
            # An empty optional carries what it would hold, when the type is known.
            named = onnx.OptionalProto(name=info.name)
            named.elem_type = (
                onnx.OptionalProto.SEQUENCE if element == "sequence_type" else onnx.OptionalProto.TENSOR
            )
        else:
            named = numpy_helper.from_optional(value, info.name)
    elif kind == "map_type":
        named = numpy_helper.from_dict(value, info.name)
    else:
        named = numpy_helper.from_array(np.asarray(value), info.name)
        declared = info.type.tensor_type.elem_type
        if named.data_type != declared:
            raise TypeError(f"{info.name}: made element type {named.data_type}, the model declares {declared}")
    return named.SerializeToString()


def dump(case, folder: pathlib.Path) -> None:
    folder.mkdir()
    (folder / "model.onnx").write_bytes(case.model.SerializeToString())
    if (case.rtol, case.atol) != (1e-3, 1e-7):
        (folder / "data.json").write_text(json.dumps({"rtol": case.rtol, "atol": case.atol}))
    for k, (inputs, outputs) in enumerate(case.data_sets):
        data = folder / f"test_data_set_{k}"
        data.mkdir()
        for what, values, infos in (
            ("input", inputs, case.model.graph.input),
            ("output", outputs, case.model.graph.output),
        ):
            for j, (value, info) in enumerate(zip(values, infos, strict=True)):
                (data / f"{what}_{j}.pb").write_bytes(message(value, info))


def main() -> None:
    target = places.CASES / f"onnx-{onnx.__version__}" / "node"
    marker = target / ".complete"
    if "--again" not in sys.argv and marker.exists() and marker.read_text().startswith(f"recipe {RECIPE} "):
        print(f"node cases: {marker.read_text().split()[2]} are in {target}")
        return

    from onnx.backend.test.loader import load_model_tests

    print(f"node cases: making those of onnx {onnx.__version__}", flush=True)
    np.seterr(all="ignore")  # some cases are about overflow and 1/0
    warnings.simplefilter("ignore")
    np.random.seed(0)
    cases = load_model_tests(kind="node")
    target.parent.mkdir(parents=True, exist_ok=True)
    staged = pathlib.Path(tempfile.mkdtemp(dir=target.parent, prefix=".new-"))
    staged.chmod(0o755)
    try:
        for i, case in enumerate(sorted(cases, key=lambda c: c.name)):
            dump(case, staged / case.name)
            if i % 500 == 499:
                print(f"node cases: {i + 1} of {len(cases)} written", flush=True)
        (staged / ".complete").write_text(f"recipe {RECIPE} {len(cases)} cases\n")
        places.replace_folder(staged, target)
    finally:
        shutil.rmtree(staged, ignore_errors=True)
    print(f"node cases: {len(cases)} written to {target}")


if __name__ == "__main__":
    main()
