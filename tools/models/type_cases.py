#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes a case for every type that an operator's schema allows: type_cases.py [--again] [--list] [NAME...]

    $BRAID_CACHE/cases/types/OPERATOR-CONSTRAINT-TYPE/   model.onnx, data.json, test_data_set_0/

A cell is an operator of the newest opset, one of its type constraints, and one type of those that it allows. Its case
is an official one (or one of attribute_cases.py) with the values that the constraint binds turned into that type.
What the outputs should be is asked, in this order, of onnx.reference, of ONNX Runtime, and of both again with a wider
type in the place of one that they lack: the numbers that the narrow inputs stand for, and the result rounded to
the narrow type. Random results are compared by their shape. What only moves values is worked out here.

--list prints the cells that the schemas have, one a line, and writes nothing. tools/testing/cells.py compares.
"""

import argparse
import collections
import copy
import fnmatch
import json
import pathlib
import re
import shutil
import sys
import tempfile
import warnings
import zlib

import ml_dtypes
import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, defs, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

import places

onnxruntime.set_default_logger_severity(4)
IR_VERSION = 14
ATTRIBUTES = ("to", "dtype", "output_dtype", "output_datatype")  # that name a type
RANDOM = {"Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"}
# Types that only a session of training has, and a result that is a graph of gradients: refused by Braid.
NOT_HERE = {"Gradient"}

# Of complex numbers, the parts go through them side by side.
LINEAR = {"Resize", "GridSample"}
# ONNX's function body of it is of float alone, which its strict inference holds against the node.
LOOSE = {"MeanVarianceNormalization"}
# Constraints that ONNX's inference wants to be of one type.
TOGETHER = {"RMSNormalization": ("T", "V")}
WIDE_FLOATS = (TensorProto.FLOAT, TensorProto.DOUBLE)
WIDE_INTS = (TensorProto.INT32, TensorProto.INT64)

DTYPES = {
    TensorProto.FLOAT: np.float32,
    TensorProto.DOUBLE: np.float64,
    TensorProto.FLOAT16: np.float16,
    TensorProto.BFLOAT16: ml_dtypes.bfloat16,
    TensorProto.FLOAT8E4M3FN: ml_dtypes.float8_e4m3fn,
    TensorProto.FLOAT8E4M3FNUZ: ml_dtypes.float8_e4m3fnuz,
    TensorProto.FLOAT8E5M2: ml_dtypes.float8_e5m2,
    TensorProto.FLOAT8E5M2FNUZ: ml_dtypes.float8_e5m2fnuz,
    TensorProto.FLOAT8E8M0: ml_dtypes.float8_e8m0fnu,
    TensorProto.FLOAT4E2M1: ml_dtypes.float4_e2m1fn,
    TensorProto.FLOAT6E2M3: ml_dtypes.float6_e2m3fn,
    TensorProto.FLOAT6E3M2: ml_dtypes.float6_e3m2fn,
    TensorProto.INT8: np.int8,
    TensorProto.INT16: np.int16,
    TensorProto.INT32: np.int32,
    TensorProto.INT64: np.int64,
    TensorProto.UINT8: np.uint8,
    TensorProto.UINT16: np.uint16,
    TensorProto.UINT32: np.uint32,
    TensorProto.UINT64: np.uint64,
    TensorProto.INT4: ml_dtypes.int4,
    TensorProto.UINT4: ml_dtypes.uint4,
    TensorProto.INT2: ml_dtypes.int2,
    TensorProto.UINT2: ml_dtypes.uint2,
    TensorProto.BOOL: np.bool_,
    TensorProto.COMPLEX64: np.complex64,
    TensorProto.COMPLEX128: np.complex128,
    TensorProto.STRING: object,
}
NAMES = {"float": TensorProto.FLOAT, "double": TensorProto.DOUBLE} | {
    TensorProto.DataType.Name(number).lower(): number for number in DTYPES if number not in (TensorProto.FLOAT, TensorProto.DOUBLE)
}
# The relative distance of neighbours, some times over: sums and functions of rounded numbers are rounded again.
RTOL = {
    TensorProto.FLOAT16: 5e-3,
    TensorProto.BFLOAT16: 3e-2,
    TensorProto.FLOAT8E4M3FN: 0.13,
    TensorProto.FLOAT8E4M3FNUZ: 0.13,
    TensorProto.FLOAT8E5M2: 0.26,
    TensorProto.FLOAT8E5M2FNUZ: 0.26,
    TensorProto.DOUBLE: 1e-5,
}


# ---- Types and values ----


def type_of(text: str) -> onnx.TypeProto:
    """ "seq(tensor(float))" as a message; tensors of any shape."""
    if inner := re.fullmatch(r"tensor\((.*)\)", text):
        return helper.make_tensor_type_proto(NAMES[inner[1]], None)
    if inner := re.fullmatch(r"seq\((.*)\)", text):
        return helper.make_sequence_type_proto(type_of(inner[1]))
    if inner := re.fullmatch(r"optional\((.*)\)", text):
        return helper.make_optional_type_proto(type_of(inner[1]))
    key, value = re.fullmatch(r"map\((\w+),\s*(.*)\)", text).groups()
    inner = re.fullmatch(r"(?:tensor\()?(\w+)\)?", value)[1]
    return helper.make_map_type_proto(NAMES[key], helper.make_tensor_type_proto(NAMES[inner], []))


def turned(array: np.ndarray, number: int) -> np.ndarray:
    """The numbers in another type, near what they were, and inside the type's range."""
    dtype = DTYPES[number]
    name = TensorProto.DataType.Name(number)
    array = np.asarray(array)
    if number == TensorProto.STRING:
        return np.array([str(v) for v in array.ravel()], object).reshape(array.shape)
    if array.dtype == object or array.dtype.kind in "US":
        # Letters have numbers of their own.
        array = np.array([zlib.crc32(str(s).encode()) % 7 for s in array.ravel()], np.float64).reshape(array.shape)
    if array.dtype.kind == "c" and not name.startswith("COMPLEX"):
        array = array.real
    if name.startswith("COMPLEX"):
        return (array if array.dtype.kind == "c" else array.astype(np.float64) * (1 + 0.5j)).astype(dtype)
    wide = array.astype(np.float64)
    if number == TensorProto.BOOL:
        return wide != 0
    if name.startswith(("INT", "UINT")):
        info = ml_dtypes.iinfo(dtype)
        if array.dtype.kind in "iu" and array.dtype.itemsize == 8 and info.bits == 64:
            return array.astype(dtype)
        whole = np.sign(np.nan_to_num(wide)) * np.ceil(np.abs(np.nan_to_num(wide, nan=0, posinf=100, neginf=-100)))
        if int(info.min) == 0:
            whole = np.abs(whole)
        return np.clip(whole, max(int(info.min), -(2**40)), min(int(info.max), 2**40)).astype(np.int64).astype(dtype)
    if number == TensorProto.FLOAT8E8M0:
        exponent = np.round(np.log2(np.maximum(np.abs(np.nan_to_num(wide, nan=1)), 2.0**-8)))
        return (2.0 ** np.clip(exponent, -8, 8)).astype(np.float32).astype(dtype)
    limit = float(ml_dtypes.finfo(dtype).max)
    if name.startswith(("FLOAT4", "FLOAT6")):
        wide = np.nan_to_num(wide)
    return np.clip(wide, -limit, limit).astype(np.float32 if number != TensorProto.DOUBLE else np.float64).astype(dtype)


def number_of(array: np.ndarray) -> int:
    array = np.asarray(array)
    if array.dtype == object or array.dtype.kind in "US":
        return TensorProto.STRING
    return helper.np_dtype_to_tensor_dtype(array.dtype)


def map_message(value: dict, declared: onnx.TypeProto) -> onnx.MapProto:
    message = onnx.MapProto(key_type=declared.map_type.key_type)
    element = declared.map_type.value_type.tensor_type.elem_type
    if message.key_type == TensorProto.STRING:
        message.string_keys.extend(key.encode() for key in value)
    else:
        message.keys.extend(value)
    values = [numpy_helper.from_array(np.asarray(v, DTYPES[element])) for v in value.values()]
    message.values.CopyFrom(onnx.SequenceProto(elem_type=onnx.SequenceProto.TENSOR, tensor_values=values))
    return message


def message_of(value, declared: onnx.TypeProto, name: str = ""):
    """The message for the .pb file: None is an empty optional, a list a sequence, a dict a map."""
    kind = declared.WhichOneof("value")
    if kind == "tensor_type":
        return numpy_helper.from_array(np.require(value, requirements="C"), name)
    if kind == "sequence_type":
        inner = declared.sequence_type.elem_type
        if inner.HasField("map_type"):
            message = onnx.SequenceProto(name=name, elem_type=onnx.SequenceProto.MAP)
            message.map_values.extend(map_message(v, inner) for v in value)
            return message
        message = onnx.SequenceProto(name=name, elem_type=onnx.SequenceProto.TENSOR)
        message.tensor_values.extend(message_of(v, inner) for v in value)
        return message
    if kind == "map_type":
        return map_message(value, declared)
    message = onnx.OptionalProto(name=name)
    inner = declared.optional_type.elem_type
    sequence = inner.HasField("sequence_type")
    message.elem_type = onnx.OptionalProto.SEQUENCE if sequence else onnx.OptionalProto.TENSOR
    if value is not None:
        field = message.sequence_value if sequence else message.tensor_value
        field.CopyFrom(message_of(value, inner))
    return message


class Cell:
    def __init__(self, schema, constraint: str, type_text: str):
        self.schema, self.constraint, self.type = schema, constraint, type_text
        self.op, self.domain = schema.name, schema.domain
        short = re.sub(r"tensor\((\w+)\)", r"\1", type_text)
        self.name = re.sub(r"[(), ]+", "_", f"{schema.name}-{constraint}-{short}").strip("_")
        inner = re.fullmatch(r"tensor\((.*)\)", type_text)
        self.element = NAMES[inner[1]] if inner else None


def cells() -> list[Cell]:
    newest = {}
    for schema in defs.get_all_schemas():
        newest[schema.domain, schema.name] = schema
    out = []
    for (domain, op), schema in sorted(newest.items()):
        if schema.deprecated or op in NOT_HERE:
            continue
        for constraint in schema.type_constraints:
            for text in constraint.allowed_type_strs:
                out.append(Cell(schema, constraint.type_param_str, text))
    return out


# ---- From a case of the same operator ----


class Seed:
    """A case of one node, with its data."""

    def __init__(self, folder: pathlib.Path, model: onnx.ModelProto):
        self.folder, self.model, self.node = folder, model, model.graph.node[0]
        self.oracles = None
        self.size = sum(path.stat().st_size for path in folder.glob("test_data_set_0/input_*.pb"))

    def inputs(self) -> dict:
        values = {}
        for i, info in enumerate(self.model.graph.input):
            if info.type.WhichOneof("value") != "tensor_type":
                return {}
            values[info.name] = numpy_helper.to_array(onnx.load_tensor(self.folder / "test_data_set_0" / f"input_{i}.pb"))
        return values


def formals(schema, actual, names) -> dict[str, str]:
    """The type constraint of each value that a node has."""
    out = {}
    for i, name in enumerate(names):
        if name and actual:
            out[name] = actual[min(i, len(actual) - 1)].type_str
    return out


def seeds() -> dict:
    found = collections.defaultdict(list)
    node = next(iter(sorted(places.CASES.glob(f"onnx-{onnx.__version__}/node"))))
    for folder in sorted([*node.iterdir(), *(places.CASES / "attributes").iterdir()]):
        if not (folder / "model.onnx").exists():
            continue
        model = onnx.load(folder / "model.onnx")
        if len(model.graph.node) != 1 or model.functions:
            continue
        seed = Seed(folder, model)
        found[seed.node.domain, seed.node.op_type].append(seed)
    for list_ in found.values():
        list_.sort(key=lambda seed: seed.size)
    return found


def by_onnx(model: onnx.ModelProto, inputs: dict) -> list:
    names = [o.name for o in model.graph.output]
    answers = ReferenceEvaluator(model).run(names, {k: v.copy() for k, v in inputs.items()})
    declared = [o.type.tensor_type.elem_type for o in model.graph.output]
    # Of ai.onnx.ml it often gives doubles for floats.
    return [np.asarray(a, np.float32) if d == TensorProto.FLOAT and np.asarray(a).dtype == np.float64 else np.asarray(a) for a, d in zip(answers, declared)]


def by_ort(model: onnx.ModelProto, inputs: dict) -> list:
    """At the newest opset that ONNX Runtime has."""
    for back in range(8):
        older = copy.deepcopy(model)
        for entry in older.opset_import:
            if not entry.domain:
                entry.version -= back
        older.ir_version = 10
        try:
            session = onnxruntime.InferenceSession(older.SerializeToString(), providers=["CPUExecutionProvider"])
            return session.run(None, inputs)
        except Exception as error:
            reason = error
    raise reason


ORACLES = {"onnx.reference": by_onnx, "ONNX Runtime": by_ort}


def evaluate(model: onnx.ModelProto, inputs: dict, oracles) -> list:
    """The first answer of the right types."""
    errors = []
    for name in oracles:
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                answers = ORACLES[name](model, inputs)
            if all(agrees(a, o.type) for a, o in zip(answers, model.graph.output)):
                return answers
            errors.append(f"{name}: another type")
        except Exception as error:
            errors.append(f"{name}: {type(error).__name__} {str(error)[:80]}")
    raise ValueError("; ".join(errors))


def same_types(a: onnx.ModelProto, b: onnx.ModelProto) -> bool:
    return [o.type.tensor_type.elem_type for o in a.graph.output] == [o.type.tensor_type.elem_type for o in b.graph.output]


def trusted(seed: Seed) -> list[str]:
    """The oracles that answer the seed itself as it says."""
    if seed.oracles is None:
        seed.oracles = []
        wanted = shapes_of(seed)
        for name in ORACLES:
            try:
                answers = evaluate(seed.model, seed.inputs(), [name])
                if all(same(a, w) for a, w in zip(answers, wanted)):
                    seed.oracles.append(name)
            except ValueError:
                continue
    return seed.oracles


def same(a, b) -> bool:
    if a.shape != b.shape:
        return False
    if number_of(a) == TensorProto.STRING:
        return a.tolist() == b.tolist()
    wide = np.complex128 if a.dtype.kind == "c" else np.float64
    return np.allclose(a.astype(wide), b.astype(wide), 1e-3, 1e-5, equal_nan=True)


def agrees(array, declared: onnx.TypeProto) -> bool:
    if number_of(array) != declared.tensor_type.elem_type:
        return False
    return array.dtype != object or all(isinstance(v, (str, bytes)) for v in array.ravel())


def set_int(node, name: str, value: int) -> None:
    kept = [a for a in node.attribute if a.name != name]
    del node.attribute[:]
    node.attribute.extend([*kept, helper.make_attribute(name, value)])


def with_type(seed: Seed, cell: Cell, number: int) -> onnx.ModelProto | None:
    """The seed's model with what the constraint binds in this type; None if it binds nothing there."""
    model = copy.deepcopy(seed.model)
    node = model.graph.node[0]
    inputs = formals(cell.schema, cell.schema.inputs, node.input)
    outputs = formals(cell.schema, cell.schema.outputs, node.output)
    also = TOGETHER.get(cell.op, (cell.constraint,))
    bound = {n for n, c in {**inputs, **outputs}.items() if c in also}
    if not bound:
        return None
    by_input = cell.constraint in inputs.values()
    for info in [*model.graph.input, *model.graph.output]:
        if info.name in bound:
            if not info.type.HasField("tensor_type"):
                return None
            info.type.tensor_type.elem_type = number
    names = {"Imputer": {"imputed_value_floats": "imputed_value_int64s", "replaced_value_float": "replaced_value_int64"}}.get(cell.op, {})
    for attribute in [a for a in node.attribute if a.name in names and number in (TensorProto.INT32, TensorProto.INT64)]:
        values = helper.get_attribute_value(attribute)
        whole = [int(np.nan_to_num(v)) for v in values] if isinstance(values, list) else int(np.nan_to_num(values))
        attribute.CopyFrom(helper.make_attribute(names[attribute.name], whole))
    if cell.op == "TfIdfVectorizer" and number == TensorProto.STRING:
        for attribute in [a for a in node.attribute if a.name == "pool_int64s"]:
            attribute.CopyFrom(helper.make_attribute("pool_strings", [str(v) for v in attribute.ints]))
    if cell.op == "TreeEnsemble":
        for attribute in node.attribute:
            if attribute.HasField("t") and attribute.t.data_type == TensorProto.FLOAT:
                attribute.t.CopyFrom(numpy_helper.from_array(turned(numpy_helper.to_array(attribute.t), number), attribute.t.name))
    if cell.op == "LayerNormalization" and cell.constraint == "U":
        set_int(node, "stash_type", number)
    if cell.op == "DequantizeLinear" and number == TensorProto.FLOAT8E8M0:
        set_int(node, "output_dtype", TensorProto.FLOAT)
        model.graph.output[0].type.tensor_type.elem_type = TensorProto.FLOAT
    for attribute in node.attribute:
        # Of an operator that says the type of its output itself.
        if attribute.name in ATTRIBUTES and attribute.type == onnx.AttributeProto.INT and not by_input:
            attribute.i = number
        if attribute.name == "value" and attribute.type == onnx.AttributeProto.TENSOR and not by_input:
            attribute.t.CopyFrom(numpy_helper.from_array(turned(numpy_helper.to_array(attribute.t), number), "value"))
    if not by_input and not any(a.name in (*ATTRIBUTES, "value") for a in node.attribute):
        names = [a for a in ATTRIBUTES if a in cell.schema.attributes]
        if names:
            node.attribute.append(helper.make_attribute(names[0], number))
        elif "value" in cell.schema.attributes:
            node.attribute.append(helper.make_attribute("value", numpy_helper.from_array(turned(np.array([2.0]), number), "value")))
    if cell.op == "BitCast":  # as many bits on both sides
        model.graph.input[0].type.tensor_type.elem_type = model.graph.output[0].type.tensor_type.elem_type = number
        node.attribute[0].i = number
    # What other outputs are may follow (DequantizeLinear's from its scale); the schema infers them where it can.
    before = {info.name: copy.deepcopy(info) for info in model.graph.output}
    for info in model.graph.output:
        if info.name not in bound:
            info.type.Clear()
    model.ir_version = IR_VERSION
    del model.graph.value_info[:]
    try:
        known = onnx.shape_inference.infer_shapes(model, strict_mode=False).graph.output
    except Exception:
        return None
    for info, better in zip(model.graph.output, known):
        if info.name not in bound:
            shape = before[info.name].type.tensor_type.shape
            info.CopyFrom(better if better.type.HasField("tensor_type") else before[info.name])
            if not info.type.tensor_type.HasField("shape"):
                info.type.tensor_type.shape.CopyFrom(shape)
    return model


def is_valid(model: onnx.ModelProto) -> bool:
    try:
        onnx.checker.check_model(model)
        if model.graph.node[0].op_type not in LOOSE:
            onnx.shape_inference.infer_shapes(model, strict_mode=True, check_type=True)
        return all(o.type.HasField("tensor_type") and o.type.tensor_type.elem_type for o in model.graph.output)
    except Exception:
        return False


def from_seed(cell: Cell, candidates: list) -> tuple:
    """(model, inputs, outputs, what was asked)"""
    reasons = []
    string = cell.element == TensorProto.STRING
    name = TensorProto.DataType.Name(cell.element)

    def unlike(seed: Seed) -> bool:
        """Whether the seed has numbers where the cell has strings, or the reverse."""
        bound = formals(cell.schema, cell.schema.inputs, seed.node.input)
        types = {i.name: i.type.tensor_type.elem_type for i in seed.model.graph.input}
        return any((types.get(n) == TensorProto.STRING) != string for n, c in bound.items() if c == cell.constraint)

    for seed in sorted(candidates, key=unlike)[:80]:
        values = seed.inputs()
        if len(values) != len(seed.model.graph.input):
            continue
        ordered = any(a.name == "reduction" and a.s in (b"max", b"min", b"mul", b"add") for a in seed.node.attribute)
        if ordered and name.startswith(("COMPLEX", "STRING", "BOOL")):
            continue
        mode = next((a.s for a in seed.node.attribute if a.name == "mode"), b"linear")
        if cell.op == "GridSample" and name.startswith(("INT", "UINT")) and mode != b"nearest":
            continue  # onnx.reference interpolates integers by integers
        model = with_type(seed, cell, cell.element)
        if model is None or not is_valid(model):
            reasons.append("no valid model")
            continue
        types = {i.name: i.type.tensor_type.elem_type for i in model.graph.input}
        given = {n: turned(v, types[n]) if types[n] != number_of(v) else v for n, v in values.items()}
        if cell.op == "QLinearMatMul":  # zero points of floats are zero
            given = {n: np.zeros_like(v) if "zero_point" in n and types[n] not in (TensorProto.INT8, TensorProto.UINT8) else v for n, v in given.items()}
        if cell.op in RANDOM:
            return with_shapes(model), given, [np.array(v.shape, np.int64) for v in shapes_of(seed)], "shape"
        if all(number_of(v) == types[n] for n, v in values.items()) and same_types(model, seed.model):
            return model, given, shapes_of(seed), "the case"
        oracles = trusted(seed)
        if not oracles:
            reasons.append("no oracle answers the case itself")
        if name.startswith("COMPLEX") and cell.op in LINEAR:
            parts = [with_type(seed, cell, TensorProto.FLOAT)] * 2
            try:
                real, imaginary = (
                    evaluate(part, {n: (side(v).astype(np.float32) if v.dtype.kind == "c" else v) for n, v in given.items()}, oracles)
                    for part, side in zip(parts, (np.real, np.imag))
                )
                return model, given, [(a + 1j * b).astype(DTYPES[cell.element]) for a, b in zip(real, imaginary)], "parts"
            except ValueError as error:
                reasons.append(str(error))
                continue
        whole = name.startswith(("INT", "UINT"))
        try:
            return model, given, evaluate(model, given, oracles), "itself"
        except ValueError as error:
            reasons.append(str(error))
        if spelled := spelled_out(model):
            return model, given, evaluate(spelled, given, ["onnx.reference"]), "spelled out"
        if string:
            numbers = with_type(seed, cell, TensorProto.FLOAT)
            if numbers is not None and is_valid(numbers):
                try:
                    return model, given, strings_moved(numbers, given, oracles), "letters"
                except ValueError as error:
                    reasons.append(str(error))
            continue
        floats = not whole or cell.domain == "ai.onnx.ml"
        for wide in WIDE_FLOATS if floats else WIDE_INTS:
            wider = with_type(seed, cell, wide)
            if wider is None or not is_valid(wider):
                continue
            try:
                meant = {n: (v.astype(DTYPES[wide]) if number_of(v) == cell.element and types[n] == cell.element else v) for n, v in given.items()}
                answers = evaluate(wider, meant, oracles)
            except (ValueError, TypeError) as error:
                reasons.append(str(error))
                continue
            wanted = [o.type.tensor_type.elem_type for o in model.graph.output]
            answers = [a if number_of(a) == w else narrowed(a, w) for a, w in zip(answers, wanted)]
            return model, given, answers, TensorProto.DataType.Name(wide)
    raise ValueError("; ".join(dict.fromkeys(reasons)) or "no case of the operator binds the constraint")


def strings_moved(model, given: dict, oracles) -> list:
    """Of an operator that moves its elements: each string is a number on its way; zero is the empty one."""
    words = sorted({w for v in given.values() if number_of(v) == TensorProto.STRING for w in v.ravel()} - {""})
    number = {word: i + 1.0 for i, word in enumerate(words)} | {"": 0.0}
    meant = {
        n: np.array([number[w] for w in v.ravel()], np.float32).reshape(v.shape) if number_of(v) == TensorProto.STRING else v
        for n, v in given.items()
    }
    back = {value: word for word, value in number.items()}
    out = []
    for answer in evaluate(model, meant, oracles):
        if answer.dtype != np.float32:
            out.append(answer)
            continue
        if any(v not in back for v in answer.ravel().tolist()):
            raise ValueError("it does not only move its elements")
        out.append(np.array([back[v] for v in answer.ravel().tolist()], object).reshape(answer.shape))
    return out


def spelled_out(model: onnx.ModelProto) -> onnx.ModelProto | None:
    """The same by operators that onnx.reference has in more types."""
    node = model.graph.node[0]
    if node.op_type != "QLinearMatMul":
        return None
    a, a_scale, a_zero, b, b_scale, b_zero, y_scale, y_zero = node.input
    nodes = [
        helper.make_node("DequantizeLinear", [a, a_scale, a_zero], ["wide_a"]),
        helper.make_node("DequantizeLinear", [b, b_scale, b_zero], ["wide_b"]),
        helper.make_node("MatMul", ["wide_a", "wide_b"], ["wide_y"]),
        helper.make_node("QuantizeLinear", ["wide_y", y_scale, y_zero], list(node.output)),
    ]
    made = copy.deepcopy(model)
    del made.graph.node[:]
    made.graph.node.extend(nodes)
    return made


def narrowed(array: np.ndarray, number: int) -> np.ndarray:
    if number in (TensorProto.STRING, TensorProto.BOOL):
        return array.astype(DTYPES[number])
    if TensorProto.DataType.Name(number).startswith(("INT", "UINT")):
        return array.astype(np.int64).astype(DTYPES[number])
    return array.astype(np.float32).astype(DTYPES[number]) if number != TensorProto.DOUBLE else array.astype(np.float64)


def shapes_of(seed: Seed) -> list:
    return [numpy_helper.to_array(onnx.load_tensor(p)) for p in sorted(seed.folder.glob("test_data_set_0/output_*.pb"))]


def with_shapes(model: onnx.ModelProto) -> onnx.ModelProto:
    """The shapes of the results in their place."""
    for info in model.graph.output:
        node = helper.make_node("Shape", [info.name], [info.name + "_shape"])
        model.graph.value_info.append(copy.deepcopy(info))
        model.graph.node.append(node)
        info.CopyFrom(helper.make_tensor_value_info(info.name + "_shape", TensorProto.INT64, [None]))
    return model


# ---- What only moves values ----


def sample(text: str, salt: int = 0):
    """A value of the type."""
    if inner := re.fullmatch(r"tensor\((.*)\)", text):
        return turned(np.array([1.0, 0.0, 3.0, 2.0])[[salt % 4, (salt + 1) % 4, (salt + 3) % 4]], NAMES[inner[1]])
    if inner := re.fullmatch(r"seq\((.*)\)", text):
        return [sample(inner[1], salt), sample(inner[1], salt + 1)]
    if inner := re.fullmatch(r"optional\((.*)\)", text):
        return sample(inner[1], salt)
    raise ValueError(text)


def info(name: str, text: str) -> onnx.ValueInfoProto:
    return helper.make_value_info(name, type_of(text))


def graph_model(nodes, inputs: dict, outputs: dict, initializers=()) -> onnx.ModelProto:
    graph = helper.make_graph(nodes, "g", [info(n, t) for n, t in inputs.items()], [info(n, t) for n, t in outputs.items()], list(initializers))
    opsets = [helper.make_opsetid("", defs.onnx_opset_version()), helper.make_opsetid("ai.onnx.ml", 5)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)


def scalar(name: str, value, number=TensorProto.INT64) -> TensorProto:
    return helper.make_tensor(name, number, [], [value])


def passing(text: str) -> onnx.GraphProto:
    """The body of a Loop that hands its value on."""
    return helper.make_graph(
        [helper.make_node("Identity", ["go"], ["on"])],
        "turn",
        [info("i", "tensor(int64)"), info("go", "tensor(bool)"), info("s", text)],
        [info("on", "tensor(bool)"), info("s", text)],
    )


def element_of(text: str) -> str:
    return re.search(r"tensor\((\w+)\)", text)[0]


def moves(cell: Cell) -> tuple | None:
    """Of an operator of control flow, sequences, optionals or maps: (model, inputs, outputs)."""
    op, text = cell.op, cell.type
    x = None if text.startswith("map") else sample(text) if not text.startswith("seq(map") else None
    node = helper.make_node
    if op == "If":
        branches = {}
        for name in ("then_branch", "else_branch"):
            inner = node("Loop", ["one", "", "x"], [name], body=passing(text))
            branches[name] = helper.make_graph([inner], name, [], [info(name, text)])
        made = graph_model([node("If", ["c"], ["y"], **branches)], {"c": "tensor(bool)", "x": text}, {"y": text}, [scalar("one", 1)])
        return made, {"c": np.array(True), "x": x}, [x]
    if op == "Loop" and cell.constraint == "V":
        made = graph_model([node("Loop", ["n", "", "x"], ["y"], body=passing(text))], {"x": text}, {"y": text}, [scalar("n", 2)])
        return made, {"x": x}, [x]
    if op == "Loop":
        start = {"I": ["n", ""], "B": ["", "go"]}[cell.constraint]
        body = helper.make_graph(
            [node("Cast", ["i"], ["f"], to=1), node("Add", ["s", "f"], ["t"]), node("Less", ["t", "limit"], ["on"])],
            "turn",
            [info("i", "tensor(int64)"), info("go2", "tensor(bool)"), info("s", "tensor(float)")],
            [info("on", "tensor(bool)"), info("t", "tensor(float)")],
        )
        limit = helper.make_tensor("limit", TensorProto.FLOAT, [], [5.0])
        made = graph_model([node("Loop", [*start, "x"], ["y"], body=body)], {"x": "tensor(float)", (start[0] or start[1]): text}, {"y": "tensor(float)"}, [limit])
        given = {"x": np.float32(0), **({"n": np.array(3)} if start[0] else {"go": np.array(True)})}
        return made, given, [np.array(3 if start[0] else 6, np.float32)]
    if op == "Scan":
        body = helper.make_graph([node("Identity", ["a"], ["b"])], "turn", [info("a", text)], [info("b", text)])
        scanned = node("Scan", ["x"], ["y"], body=body, num_scan_inputs=1)
        return graph_model([scanned], {"x": text}, {"y": text}), {"x": x}, [x]
    if op == "SequenceMap":
        sequence = text if cell.constraint == "S" else "seq(tensor(float))"
        item = element_of(sequence)
        ins = {"s": sequence} if cell.constraint == "S" else {"s": sequence, "e": text}
        body = helper.make_graph([node("Identity", ["a"], ["b"])], "each", [info("a", item), *([info("f", text)] if "e" in ins else [])], [info("b", item)])
        values = {"s": sample(sequence)} | ({"e": x} if "e" in ins else {})
        return graph_model([node("SequenceMap", list(ins), ["y"], body=body)], ins, {"y": sequence}), values, [values["s"]]
    if op == "Optional":
        inner = text if cell.constraint == "V" else re.fullmatch(r"optional\((.*)\)", text)[1]
        value = sample(inner)
        return graph_model([node("Optional", ["x"], ["y"])], {"x": inner}, {"y": f"optional({inner})"}), {"x": value}, [value]
    if op == "OptionalHasElement":
        source = text if cell.constraint == "O" else "optional(tensor(float))"
        return graph_model([node(op, ["x"], ["y"])], {"x": source}, {"y": "tensor(bool)"}), {"x": sample(source)}, [np.array(True)]
    if op == "OptionalGetElement":
        source = text if cell.constraint == "O" else f"optional({text})"
        inner = re.fullmatch(r"optional\((.*)\)", source)
        return graph_model([node(op, ["x"], ["y"])], {"x": source}, {"y": inner[1] if inner else source}), {"x": sample(source)}, [sample(source)]
    if op == "Identity" and not text.startswith("tensor"):
        return graph_model([node(op, ["x"], ["y"])], {"x": text}, {"y": text}), {"x": x}, [x]
    if "Sequence" in op and op != "ReverseSequence":
        item = element_of(text) if cell.constraint in "ST" else "tensor(float)"
        if op == "SplitToSequence" and cell.constraint == "I":
            value = turned(np.array([1, 2]), cell.element)
            made = graph_model([node(op, ["x", "p"], ["y"])], {"x": item, "p": text}, {"y": f"seq({item})"})
            whole = sample(item)
            return made, {"x": whole, "p": value}, [[whole[:1], whole[1:]]]
        sequence, at = f"seq({item})", scalar("at", 1)
        if cell.constraint == "I" and op in ("SequenceAt", "SequenceErase", "SequenceInsert"):
            at = scalar("at", 1, cell.element)
        a, b, c = (sample(item, k) for k in range(3))
        ins, outs, inputs, expected = {
            "SequenceAt": (["s", "at"], item, {"s": [a, b, c]}, b),
            "SequenceConstruct": (["a", "b"], sequence, {"a": a, "b": b}, [a, b]),
            "SequenceErase": (["s", "at"], sequence, {"s": [a, b, c]}, [a, c]),
            "SequenceInsert": (["s", "a", "at"], sequence, {"s": [b, c], "a": a}, [b, a, c]),
            "SequenceLength": (["s"], "tensor(int64)", {"s": [a, b, c]}, np.array(3)),
            "SequenceEmpty": ([], sequence, {}, []),
            "ConcatFromSequence": (["s"], item, {"s": [a, b]}, np.concatenate([a, b])),
            "SplitToSequence": (["a"], sequence, {"a": a}, [a[0:1], a[1:2], a[2:3]]),
        }[op]
        attributes = {"SequenceEmpty": {"dtype": type_of(item).tensor_type.elem_type}, "ConcatFromSequence": {"axis": 0}}.get(op, {})
        types = {n: sequence if n == "s" else item for n in inputs}
        return graph_model([node(op, ins, ["y"], **attributes)], types, {"y": outs}, [at] if "at" in ins else []), inputs, [expected]
    if op in ("RandomNormal", "RandomUniform"):
        made = graph_model([node(op, [], ["y"], shape=[2, 3], dtype=cell.element)], {}, {"y": text})
        return with_shapes(made), {}, [np.array([2, 3])]
    if op in ("RandomNormalLike", "RandomUniformLike"):
        source, kind = (text, "tensor(float)") if cell.constraint == "T1" else ("tensor(float)", text)
        made = graph_model([node(op, ["x"], ["y"], dtype=NAMES[kind[7:-1]])], {"x": source}, {"y": kind})
        return with_shapes(made), {"x": sample(source)}, [np.array([3])]
    if op == "Multinomial":
        source, kind = (text, "tensor(int32)") if cell.constraint == "T1" else ("tensor(float)", text)
        made = graph_model([node(op, ["x"], ["y"], sample_size=5, dtype=NAMES[kind[7:-1]])], {"x": source}, {"y": kind})
        return with_shapes(made), {"x": sample(source)[None]}, [np.array([1, 5])]
    if op == "DFT" and cell.constraint == "T2":  # the transform of an impulse is flat
        impulse = np.eye(4, dtype=np.float32)[:1, :, None]
        made = graph_model([node(op, ["x", "n"], ["y"])], {"x": "tensor(float)", "n": text}, {"y": "tensor(float)"})
        return made, {"x": impulse, "n": turned(np.array(4), cell.element)}, [np.tile(np.array([1, 0], np.float32), (1, 4, 1))]
    if op in ("CastMap", "DictVectorizer", "ZipMap"):
        return maps(cell)
    if op == "Constant":
        value = sample(text)
        made = graph_model([node(op, [], ["y"], value=numpy_helper.from_array(value, "v"))], {}, {"y": text})
        return made, {}, [value]
    return None


def maps(cell: Cell) -> tuple:
    ml = {"domain": "ai.onnx.ml"}
    if cell.op == "ZipMap":
        strings = "string" in cell.type
        labels = {"classlabels_strings": ["a", "b"]} if strings else {"classlabels_int64s": [7, 9]}
        text = f"seq(map({'string' if strings else 'int64'}, float))"
        x = np.array([[1, 2], [3, 4]], np.float32)
        keys = ["a", "b"] if strings else [7, 9]
        made = graph_model([helper.make_node("ZipMap", ["x"], ["y"], **ml, **labels)], {"x": "tensor(float)"}, {"y": text})
        return made, {"x": x}, [[dict(zip(keys, row)) for row in x.tolist()]]
    if cell.op == "CastMap":
        source = cell.type if cell.constraint == "T1" else "map(int64, float)"
        to = {"tensor(string)": "TO_STRING", "tensor(float)": "TO_FLOAT", "tensor(int64)": "TO_INT64"}[cell.type if cell.constraint == "T2" else "tensor(float)"]
        text = {"TO_STRING": "tensor(string)", "TO_FLOAT": "tensor(float)", "TO_INT64": "tensor(int64)"}[to]
        value = {3: "4", 1: "2"} if "string" in source else {3: 4.0, 1: 2.0}
        row = {"TO_STRING": ["2.0", "4.0"], "TO_FLOAT": [2, 4], "TO_INT64": [2, 4]}[to]
        made = graph_model([helper.make_node("CastMap", ["x"], ["y"], cast_to=to, **ml)], {"x": source}, {"y": text})
        return made, {"x": value}, [np.array([row], DTYPES[type_of(text).tensor_type.elem_type])]
    wanted = {"tensor(int64)": "map(string, int64)", "tensor(float)": "map(string, float)", "tensor(double)": "map(string, double)", "tensor(string)": "map(int64, string)"}
    source = cell.type if cell.constraint == "T1" else wanted[cell.type]
    key, element = re.fullmatch(r"map\((\w+),\s*(?:tensor\()?(\w+)\)?\)", source).groups()
    keys = ["a", "b"] if key == "string" else [7, 9]
    words = {"string_vocabulary": ["b", "x", "a"]} if key == "string" else {"int64_vocabulary": [9, 8, 7]}
    values = ["one", "two"] if element == "string" else [1, 2]
    row = ["two", "", "one"] if element == "string" else [2, 0, 1]
    made = graph_model([helper.make_node("DictVectorizer", ["x"], ["y"], **words, **ml)], {"x": source}, {"y": f"tensor({element})"})
    return made, {"x": dict(zip(keys, values))}, [np.array([row], DTYPES[NAMES[element]])]


# ---- Writing ----


def tolerance(outputs, cell: Cell) -> dict:
    rtol, scale = 1e-3, 0.0
    for value in outputs:
        if isinstance(value, np.ndarray) and number_of(value) != TensorProto.STRING:
            rtol = max(rtol, RTOL.get(number_of(value), 0))
            if value.dtype.kind in "fcV":
                finite = np.abs(np.asarray(value, np.complex128 if value.dtype.kind == "c" else np.float64))
                finite = finite[np.isfinite(finite)]
                scale = max(scale, float(finite.max()) if finite.size else 0)
    rtol = max(rtol, RTOL.get(cell.element, 0))
    return {"rtol": rtol, "atol": float(f"{max(1e-6, rtol * scale / 4):.2e}")}


def write(folder: pathlib.Path, cell: Cell, model, inputs: dict, outputs: list) -> None:
    files = {"model.onnx": model.SerializeToString(deterministic=True)}
    for what, infos, values in (("input", model.graph.input, [inputs[e.name] for e in model.graph.input]), ("output", model.graph.output, outputs)):
        for i, (entry, value) in enumerate(zip(infos, values)):
            message = message_of(value, entry.type, entry.name)
            files[f"test_data_set_0/{what}_{i}.pb"] = message.SerializeToString(deterministic=True)
    for path, data in files.items():
        (folder / cell.name / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / cell.name / path).write_bytes(data)
    (folder / cell.name / "data.json").write_text(json.dumps(tolerance(outputs, cell)) + "\n")


def recipe() -> str:
    seeds_ = (places.CASES / "attributes" / ".complete").read_text().split()[0]
    return f"{zlib.crc32(pathlib.Path(__file__).read_bytes()):08x} {seeds_} onnx {onnx.__version__} onnxruntime {onnxruntime.__version__}\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--again", action="store_true", help="also when nothing changed")
    parser.add_argument("--list", action="store_true", help="print the cells' names and end")
    parser.add_argument("names", nargs="*", help="only these (GLOBs), looked at and not written")
    args = parser.parse_args()
    chosen = [c for c in cells() if not args.names or any(fnmatch.fnmatchcase(c.name, g) for g in args.names)]
    if args.list:
        print("\n".join(cell.name for cell in chosen))
        return 0
    target = places.CASES / "types"
    marker = target / ".complete"
    if not args.again and not args.names and marker.exists() and marker.read_text() == recipe():
        print(f"type cases: they are in {target}")
        return 0
    print(f"type cases: making {len(chosen)} models and asking ONNX Runtime and onnx.reference", flush=True)
    found = seeds()
    failed = []
    asked = collections.Counter()
    target.parent.mkdir(parents=True, exist_ok=True)
    staged = pathlib.Path(tempfile.mkdtemp(dir=target.parent, prefix=".new-"))
    staged.chmod(0o755)
    try:
        for cell in chosen:
            try:
                made = moves(cell)
                if made is None:
                    *made, by = from_seed(cell, found[cell.domain, cell.op])
                else:
                    by = "moved"
                write(staged, cell, *made)
                asked[by] += 1
            except Exception as error:
                failed.append(f"{cell.name}: {type(error).__name__}: {str(error)[:300]}")
        print("\n".join(failed))
        print(f"type cases: {len(chosen) - len(failed)} of {len(chosen)} made; {dict(asked)}")
        if not args.names:
            (staged / ".complete").write_text(recipe())
            places.replace_folder(staged, target)
        elif not failed:
            shutil.rmtree(target.parent / "types_some", ignore_errors=True)
            staged.rename(target.parent / "types_some")
    finally:
        shutil.rmtree(staged, ignore_errors=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
