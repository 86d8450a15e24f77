#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes tools/braid/operators.txt: a model of one node for each cell of type_cases.py.

A line is: operator, domain, type constraint, types, model; tabs between. In the model, in ONNX's text form, {T} stands
for the type and {N} for its number. Small inputs whose values matter (shapes, axes) are constants in it. Where the
model differs between types by more than that, they have lines of their own; what the text form cannot say is there in
base64.
"""

import base64
import collections
import pathlib
import re

import onnx
from onnx import TensorProto, helper, numpy_helper

import places
import type_cases

TARGET = pathlib.Path(__file__).resolve().parents[1] / "braid" / "operators.txt"
SMALL = 16
LINE_LIMIT = 4000


def model_of(cell) -> onnx.ModelProto:
    folder = places.CASES / "types" / cell.name
    model = onnx.load(folder / "model.onnx")
    del model.graph.value_info[:]
    model.ClearField("producer_name")
    model.ClearField("doc_string")
    graph = model.graph
    node = graph.node[0]
    node.doc_string = graph.doc_string = ""
    graph.name = "g"
    bound = type_cases.formals(cell.schema, cell.schema.inputs, node.input)
    kept = []
    for i, entry in enumerate(graph.input):
        kind = entry.type.WhichOneof("value")
        if kind == "tensor_type":
            value = numpy_helper.to_array(onnx.load_tensor(folder / "test_data_set_0" / f"input_{i}.pb"))
            number = entry.type.tensor_type.elem_type
            other = bound.get(entry.name) != cell.constraint and i > 0
            if other and value.size <= SMALL and number in (TensorProto.INT64, TensorProto.INT32):
                graph.initializer.append(numpy_helper.from_array(value, entry.name))
                continue
            entry.type.CopyFrom(helper.make_tensor_type_proto(number, value.shape))
        kept.append(entry)
    del graph.input[:]
    graph.input.extend(kept)
    return model


def text_of(model: onnx.ModelProto) -> str:
    return re.sub(r"\s+", " ", onnx.printer.to_text(model)).strip()


def name_of(cell) -> str:
    """The element type, of a map's values."""
    return (re.search(r"tensor\((\w+)\)", cell.type) or re.search(r"(\w+)\)*$", cell.type))[1]


def is_told_by(text: str, model: onnx.ModelProto) -> bool:
    """Whether the text form says all of the model: it has no tensors of complex and of narrow floats."""
    try:
        read = onnx.parser.parse_model(text)
    except onnx.parser.ParseError:
        return False
    return (
        onnx.printer.to_text(read) == onnx.printer.to_text(model)
        and "..." not in text.replace("[...]", "")
        and all(same_node(a, b) for a, b in zip(read.graph.node, model.graph.node))
    )


def same_node(a: onnx.NodeProto, b: onnx.NodeProto) -> bool:
    """Tensors in attributes may be written in other fields."""
    for one, other in zip(sorted(a.attribute, key=lambda x: x.name), sorted(b.attribute, key=lambda x: x.name)):
        if one.type != other.type:
            return False
        if one.HasField("t") and (
            one.t.data_type != other.t.data_type
            or numpy_helper.to_array(one.t).tobytes() != numpy_helper.to_array(other.t).tobytes()
        ):
            return False
    return len(a.attribute) == len(b.attribute)


def main() -> None:
    lines = collections.OrderedDict()
    for cell in type_cases.cells():
        model = model_of(cell)
        text = text_of(model)
        if not is_told_by(text, model):
            text = base64.b64encode(model.SerializeToString(deterministic=True)).decode()
            lines[cell.op, cell.domain or "ai.onnx", cell.constraint, cell.type, text] = [name_of(cell)]
            continue
        name = name_of(cell)
        number = type_cases.NAMES[name]
        pattern = re.sub(rf"(?<![\w.\"]){name}(?=[\s,\[)(]|$)", "{T}", text)
        pattern = re.sub(rf"((?:to|dtype|output_dtype|output_datatype): int = ){number}\b", r"\1{N}", pattern)
        assert pattern.replace("{T}", name).replace("{N}", str(number)) == text
        kind = cell.type.replace(name, "{T}")
        lines.setdefault((cell.op, cell.domain or "ai.onnx", cell.constraint, kind, pattern), []).append(name)
    with TARGET.open("w") as file:
        file.write("# Made by tools/models/operator_examples.py\n")
        for (op, domain, constraint, kind, pattern), types in lines.items():
            assert len(pattern) < LINE_LIMIT, (op, len(pattern))
            file.write("\t".join((op, domain, constraint, kind, ",".join(types), pattern)) + "\n")
    print(f"{sum(map(len, lines.values()))} cells in {len(lines)} lines, {TARGET.stat().st_size} bytes")


if __name__ == "__main__":
    main()
