# SPDX-License-Identifier: Apache-2.0
"""Writes an exported model and its framework's own answers as an ONNX test case: shared by the scripts of this folder.

    tests/exporters/NAME/model.onnx
    tests/exporters/NAME/test_data_set_K/{input,output}_J.pb    TensorProto or, where the model says so, SequenceProto or MapProto
    tests/exporters/NAME/data.json                               tolerances: {"rtol": ..., "atol": ...}

atol is a part of the largest magnitude among the floating-point outputs. Files over LIMIT are refused: the cases are
committed.
"""

import argparse
import fnmatch
import json
import os
import pathlib
import shutil
import sys
import tempfile
import traceback
import warnings

import numpy as np
import onnx
from onnx import numpy_helper

TARGET = pathlib.Path(__file__).resolve().parents[3] / "tests" / "exporters"
LIMIT = 200_000
SEED = 20260101

RECIPES = {}


class NotExported(Exception):
    """The exporter itself refuses; the text says why."""


def case(name: str, **options):
    """Registers a function that makes the case `name`: it returns (model, data sets), or those and tolerances. A data
    set is (inputs, outputs): each a list in the model's order, or a dict by name."""

    def register(function):
        if name in RECIPES:
            raise ValueError(f"case {name} is there twice")
        RECIPES[name] = (function, options)
        return function

    return register


def _element(value) -> np.ndarray:
    return value if isinstance(value, np.ndarray) else np.asarray(value)


def _message(value, info: onnx.ValueInfoProto):
    kind = info.type.WhichOneof("value")
    if isinstance(value, onnx.TensorProto):
        value.name = info.name
        return value
    if kind == "sequence_type":
        element = info.type.sequence_type.elem_type.WhichOneof("value")
        if element == "map_type":
            message = onnx.SequenceProto(name=info.name, elem_type=onnx.SequenceProto.MAP)
            message.map_values.extend(_map(item, info.type.sequence_type.elem_type.map_type) for item in value)
            return message
        return numpy_helper.from_list([_element(item) for item in value], info.name)
    if kind == "map_type":
        message = _map(value, info.type.map_type)
        message.name = info.name
        return message
    array = _element(value)
    declared = info.type.tensor_type.elem_type
    wanted = onnx.helper.tensor_dtype_to_np_dtype(declared)
    if array.dtype != wanted:
        text = array.dtype.kind in "OUS" and declared == onnx.TensorProto.STRING
        if not text and not (array.dtype.kind == wanted.kind and array.dtype.kind in "iuf"):
            raise TypeError(f"{info.name}: the value is {array.dtype}, the model declares {wanted}")
        array = array.astype(wanted)
    return numpy_helper.from_array(np.require(array, requirements="C"), info.name)


def _map(value: dict, declared) -> onnx.MapProto:
    """A map of the key and value types that the model declares."""
    dtype = onnx.helper.tensor_dtype_to_np_dtype(declared.value_type.tensor_type.elem_type)
    message = onnx.MapProto(key_type=declared.key_type)
    if declared.key_type == onnx.TensorProto.STRING:
        message.string_keys.extend(str(key).encode() for key in value)
    else:
        message.keys.extend(int(key) for key in value)
    values = [numpy_helper.from_array(np.asarray(v, dtype)) for v in value.values()]
    message.values.CopyFrom(onnx.SequenceProto(elem_type=onnx.SequenceProto.TENSOR, tensor_values=values))
    return message


def _ordered(values, infos) -> list:
    if isinstance(values, dict):
        if unknown := set(values) - {info.name for info in infos}:
            raise ValueError(f"the model has no {sorted(unknown)}, only {[info.name for info in infos]}")
        values = [values[info.name] for info in infos]
    if len(values) != len(infos):
        raise ValueError(f"{len(values)} values for {[info.name for info in infos]}")
    return list(values)


def strip(model: onnx.ModelProto) -> onnx.ModelProto:
    """Without what the exporters note of the machine: file names, lines of source text."""

    def graphs(graph):
        graph.doc_string = ""
        for value in [*graph.input, *graph.output, *graph.value_info]:
            value.doc_string = ""
            del value.metadata_props[:]
        del graph.metadata_props[:]
        nodes(graph.node)

    def nodes(list_):
        for node in list_:
            node.doc_string = ""
            del node.metadata_props[:]
            for attribute in node.attribute:
                attribute.doc_string = ""
                if attribute.HasField("g"):
                    graphs(attribute.g)
                for graph in attribute.graphs:
                    graphs(graph)

    graphs(model.graph)
    model.doc_string = ""
    del model.metadata_props[:]
    for tensor in model.graph.initializer:
        tensor.doc_string = ""
        del tensor.metadata_props[:]
    for function in model.functions:
        function.doc_string = ""
        del function.metadata_props[:]
        nodes(function.node)
    return model


def _scale(messages) -> float:
    """The largest magnitude of the floating-point tensors; 1 if there are none or all are zero."""
    largest = 0.0
    for message in messages:
        if isinstance(message, onnx.SequenceProto):
            largest = max([largest, *(_scale([item]) for item in [*message.tensor_values, *message.map_values])])
        elif isinstance(message, onnx.MapProto):
            largest = max(largest, _scale(message.values.tensor_values))
        else:
            array = numpy_helper.to_array(message)
            if array.dtype.kind in "OUSbiu" or array.size == 0:
                continue
            array = np.abs(array.astype(np.float64))
            finite = array[np.isfinite(array)]
            largest = max(largest, float(finite.max()) if finite.size else 0.0)
    return largest


def write(name: str, made, rtol=1e-4, atol_of_scale=1e-5) -> int:
    """Writes the case; returns its bytes."""
    model, sets = made[0], made[1]
    if len(made) > 2:
        rtol, atol_of_scale = made[2].get("rtol", rtol), made[2].get("atol_of_scale", atol_of_scale)
    strip(model)
    initializers = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in initializers]
    TARGET.mkdir(parents=True, exist_ok=True)
    staged = pathlib.Path(tempfile.mkdtemp(dir=TARGET, prefix=".new-"))
    staged.chmod(0o755)
    try:
        data = model.SerializeToString(deterministic=True)
        files = {"model.onnx": data}
        scales = []
        for k, (given, wanted) in enumerate(sets):
            for what, values, infos in (("input", given, inputs), ("output", wanted, model.graph.output)):
                messages = [_message(v, info) for v, info in zip(_ordered(values, infos), infos)]
                if what == "output":
                    scales.append(_scale(messages))
                for j, message in enumerate(messages):
                    files[f"test_data_set_{k}/{what}_{j}.pb"] = message.SerializeToString(deterministic=True)
        scale = min([s for s in scales if s > 0], default=1.0)
        atol = float(f"{atol_of_scale * scale:.1e}")
        files["data.json"] = (json.dumps({"rtol": rtol, "atol": atol}) + "\n").encode()
        for path, content in files.items():
            if len(content) > LIMIT:
                raise ValueError(f"{path} has {len(content)} bytes")
            (staged / path).parent.mkdir(exist_ok=True)
            (staged / path).write_bytes(content)
        if (TARGET / name).exists():
            shutil.rmtree(TARGET / name)
        os.replace(staged, TARGET / name)
        return sum(len(content) for content in files.values())
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def _tensors(value):
    """A message as ONNX Runtime takes and gives it."""
    if isinstance(value, onnx.SequenceProto):
        return [_tensors(item) for item in [*value.tensor_values, *value.map_values]]
    if isinstance(value, onnx.MapProto):
        keys = list(value.keys) or [key.decode() for key in value.string_keys]
        return dict(zip(keys, (numpy_helper.to_array(t).item() for t in value.values.tensor_values)))
    return numpy_helper.to_array(value)


def second_opinion(name: str) -> str:
    """What ONNX Runtime says of a written case: empty if it agrees with the framework. It tells an exporter's own
    mistake from ours; what it cannot load says nothing."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 4
    folder = TARGET / name
    tolerance = json.loads((folder / "data.json").read_text())
    try:
        session = onnxruntime.InferenceSession(
            folder / "model.onnx", options, providers=["CPUExecutionProvider"]
        )
        for data in sorted(folder.glob("test_data_set_*")):
            read = lambda path, info: _tensors(_parse(path.read_bytes(), info))
            given = {
                info.name: read(data / f"input_{j}.pb", info.type) for j, info in enumerate(session.get_inputs())
            }
            wanted = [read(data / f"output_{j}.pb", info.type) for j, info in enumerate(session.get_outputs())]
            for info, have, want in zip(session.get_outputs(), session.run(None, given), wanted):
                if isinstance(want, np.ndarray):
                    if have.dtype.kind in "OUS":
                        same = have.tolist() == want.tolist()
                    else:
                        kind = np.complex128 if have.dtype.kind == "c" else np.float64
                        same = have.shape == want.shape and np.allclose(
                            have.astype(kind), want.astype(kind), tolerance["rtol"], tolerance["atol"], equal_nan=True
                        )
                    if not same:
                        return f"{data.name} {info.name}: {have.ravel()[:6]} instead of {want.ravel()[:6]}"
                elif len(have) != len(want):
                    return f"{data.name} {info.name}: {len(have)} items instead of {len(want)}"
    except Exception as error:
        return f"not run: {str(error)[:200]}"
    return ""


def _parse(data: bytes, kind: str):
    message = onnx.SequenceProto() if kind.startswith("seq") else onnx.MapProto() if kind.startswith("map") else None
    message = onnx.TensorProto() if message is None else message
    message.ParseFromString(data)
    return message


def main(description: str) -> None:
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="cases, with * and ?; none: all")
    parser.add_argument("--compare", action="store_true", help="also ask ONNX Runtime")
    parser.add_argument("--list", action="store_true", help="print the names and end")
    args = parser.parse_args()
    names = [n for n in RECIPES if not args.names or any(fnmatch.fnmatch(n, glob) for glob in args.names)]
    if args.list:
        print("\n".join(names))
        return
    if not names:
        parser.error("no case has such a name")
    warnings.simplefilter("ignore")
    failed = 0
    for name in names:
        function, options = RECIPES[name]
        np.random.seed(SEED)
        try:
            size = write(name, function(), **options)
        except NotExported as error:
            shutil.rmtree(TARGET / name, ignore_errors=True)
            print(f"{name}: not exported: {error}", flush=True)
            continue
        except Exception as error:
            failed += 1
            print(f"{name}: FAILED: {type(error).__name__}: {str(error)[:600]}", flush=True)
            if os.environ.get("TRACE"):
                traceback.print_exc()
            continue
        opinion = second_opinion(name) if args.compare else ""
        print(f"{name}: {size} bytes{'; ONNX Runtime: ' + opinion if opinion else ''}", flush=True)
    print(f"{len(names) - failed} of {len(names)} written to {TARGET}")
    sys.exit(failed > 0)
