#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""ONNX Runtime's CPU provider as the peer of `braid conformance --peer onnxruntime`.

Reads requests from standard input and writes replies to standard output until the input ends. Both are
messages: a length of 64 bits, then that many bytes; numbers are little-endian. The other side is
conformance/peer/peer.cc.

  hello (first): u8 status, text: name and version, a line each, or why it does not start
  request: bytes model; u32 n, text output names; u32 runs; for each: u32 n, (text name, value)
  reply:   u8 status; text if it is not 0; else for each run and output a value
  value:   i32 kind, i32 type; of a tensor u32 rank, i64 extents, bytes; of others u32 n, values
  text and bytes: u64 length, bytes. Elements of string tensors are texts one after another.
"""

import ctypes
import io
import os
import struct
import sys

TENSOR, SEQUENCE, OPTIONAL, MAP = range(4)  # GRAPH_* of braid/graph.h
DONE, UNSUPPORTED, FAILED, MEMORY = range(4)
STRING = 8  # onnx.TensorProto.STRING
THREADS = 2
# What a runtime says of a model that it does not take, as opposed to one that it takes and then fails.
REFUSALS = (
    "NOT_IMPLEMENTED",
    "No Op registered for",
    "is not a registered function/op",
    "Unsupported model IR version",
    "only *guarantees* support",
    "is under development",
    "not currently supported",
    "is not supported",
    "not implemented",
    "is not currently registered or supported",
    "Unsupported pooling size",
)


class Refused(Exception):
    """A value of a kind that Python's interface of the runtime does not take."""


class Reader:
    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def number(self, form: str) -> int:
        value = struct.unpack_from("<" + form, self.data, self.at)[0]
        self.at += struct.calcsize("<" + form)
        return value

    def bytes(self) -> bytes:
        n = self.number("Q")
        self.at += n
        return self.data[self.at - n : self.at]

    def text(self) -> str:
        return self.bytes().decode("utf-8", "surrogateescape")

    def value(self) -> tuple:
        """(kind, type, extents, bytes) or (kind, type, values)."""
        kind, element = self.number("i"), self.number("i")
        count = self.number("I")
        if kind == TENSOR:
            dims = [self.number("q") for _ in range(count)]
            return kind, element, dims, self.bytes()
        return kind, element, [self.value() for _ in range(count)]


def packed(data: bytes) -> bytes:
    return struct.pack("<Q", len(data)) + data


class Peer:
    def __init__(self) -> None:
        import numpy
        import onnx
        import onnxruntime

        self.numpy, self.onnx, self.ort = numpy, onnx, onnxruntime
        onnxruntime.set_default_logger_severity(4)

    def version(self) -> str:
        return f"ONNX Runtime, CPUExecutionProvider\n{self.ort.__version__}"

    # ---- Values that go in ----

    def strings(self, dims: list, data: bytes):
        reader, texts = Reader(data), []
        while reader.at < len(data):
            texts.append(reader.text())
        array = self.numpy.empty(len(texts), dtype=object)
        array[:] = texts
        return array.reshape(dims)

    def ort_value(self, value: tuple):
        """An OrtValue of a tensor of any type but strings."""
        _, element, dims, data = value
        made = self.ort.OrtValue.ortvalue_from_shape_and_type(dims, element)
        if made.tensor_size_in_bytes() != len(data):
            raise Refused(f"its tensors of type {element} have another size")
        if data:
            ctypes.memmove(made.data_ptr(), data, len(data))
        return made

    def python_value(self, value: tuple):
        """What `InferenceSession.run` takes: arrays, lists, dictionaries, None."""
        kind, element = value[:2]
        if kind == TENSOR:
            if element == STRING:
                return self.strings(value[2], value[3])
            return self.numpy.frombuffer(value[3], self.plain_type(element)).reshape(value[2]).copy()
        if kind == SEQUENCE:
            return [self.python_value(item) for item in value[2]]
        if kind == OPTIONAL:
            return self.python_value(value[2][0]) if value[2] else None
        keys, values = (self.python_value(item).ravel().tolist() for item in value[2])
        return dict(zip(keys, values))

    def plain_type(self, element: int):
        found = self.onnx.helper.tensor_dtype_to_np_dtype(element)
        if found.isbuiltin != 1:
            raise Refused(f"Python's interface has no sequences of type {element}")
        return found

    # ---- Values that come out ----

    def of_array(self, array) -> bytes:
        array = self.numpy.asarray(array)
        if array.dtype.kind in "OU":
            data = b"".join(packed(str(t).encode("utf-8", "surrogateescape")) for t in array.ravel().tolist())
            element = STRING
        else:
            data = self.numpy.ascontiguousarray(array).tobytes()
            element = self.onnx.helper.np_dtype_to_tensor_dtype(array.dtype)
        return self.tensor(element, array.shape, data)

    @staticmethod
    def tensor(element: int, dims, data: bytes) -> bytes:
        head = struct.pack("<iiI", TENSOR, element, len(dims)) + struct.pack(f"<{len(dims)}q", *dims)
        return head + packed(data)

    def of_ort_value(self, value) -> bytes:
        if value.element_type() == STRING:
            return self.of_array(value.numpy())
        size = value.tensor_size_in_bytes()
        data = ctypes.string_at(value.data_ptr(), size) if size else b""
        return self.tensor(value.element_type(), value.shape(), data)

    def of_python(self, value, declared) -> bytes:
        """`declared`: the TypeProto of the value."""
        kind = declared.WhichOneof("value")
        if kind == "optional_type":
            inner = declared.optional_type.elem_type
            items = [] if value is None else [self.of_python(value, inner)]
            return struct.pack("<iiI", OPTIONAL, self.element(inner), len(items)) + b"".join(items)
        if kind == "sequence_type":
            inner = declared.sequence_type.elem_type
            items = [self.of_python(item, inner) for item in value]
            return struct.pack("<iiI", SEQUENCE, self.element(inner), len(items)) + b"".join(items)
        if kind == "map_type":
            keys = self.array(list(value), declared.map_type.key_type)
            values = self.array(list(value.values()), self.element(declared.map_type.value_type))
            return struct.pack("<iiI", MAP, 0, 2) + self.of_array(keys) + self.of_array(values)
        return self.of_array(value)

    def array(self, items: list, element: int):
        return self.numpy.array(items, object if element == STRING else self.plain_type(element))

    def element(self, declared) -> int:
        kind = declared.WhichOneof("value")
        if kind == "tensor_type":
            return declared.tensor_type.elem_type
        return 0 if kind == "map_type" else self.element(getattr(declared, kind).elem_type)

    # ---- A case ----

    def run(self, model: bytes, outputs: list, runs: list) -> bytes:
        options = self.ort.SessionOptions()
        options.intra_op_num_threads = THREADS
        options.inter_op_num_threads = 1
        options.log_severity_level = 4
        session = self.ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        out = io.BytesIO()
        graph = self.onnx.load_model_from_string(model).graph
        declared = {value.name: value.type for value in graph.output}
        tensors = all(t.WhichOneof("value") == "tensor_type" for t in declared.values())
        for inputs in runs:
            # Its OrtValues hold every type but strings, what `run` takes every kind but a few types.
            if tensors and all(value[0] == TENSOR and value[1] != STRING for _, value in inputs):
                feed = {name: self.ort_value(value) for name, value in inputs}
                for value in session.run_with_ort_values(outputs, feed):
                    out.write(self.of_ort_value(value))
            else:
                feed = {name: self.python_value(value) for name, value in inputs}
                for name, value in zip(outputs, session.run(outputs, feed)):
                    out.write(self.of_python(value, declared[name]))
        return out.getvalue()

    def serve(self, request: bytes) -> bytes:
        reader = Reader(request)
        model = reader.bytes()
        outputs = [reader.text() for _ in range(reader.number("I"))]
        runs = []
        for _ in range(reader.number("I")):
            runs.append([(reader.text(), reader.value()) for _ in range(reader.number("I"))])
        try:
            return bytes([DONE]) + self.run(model, outputs, runs)
        except Refused as e:
            return failure(UNSUPPORTED, str(e))
        except MemoryError as e:
            return failure(MEMORY, str(e))
        except Exception as e:  # whatever the runtime throws is its answer
            text = " ".join(str(e).split())
            refused = type(e).__name__ == "NotImplemented" or any(part in text for part in REFUSALS)
            return failure(UNSUPPORTED if refused else FAILED, f"{type(e).__name__}: {text}")


def failure(status: int, text: str) -> bytes:
    return bytes([status]) + packed(text.encode("utf-8", "surrogateescape")[:4000])


def main() -> int:
    requests = os.fdopen(os.dup(0), "rb")
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not come between

    def reply(body: bytes) -> None:
        replies.write(packed(body))
        replies.flush()

    try:
        peer = Peer()
    except Exception as e:
        reply(failure(FAILED, f"{type(e).__name__}: {e}"))
        return 1
    reply(failure(DONE, peer.version()))
    while True:
        head = requests.read(8)
        if len(head) < 8:
            return 0
        reply(peer.serve(requests.read(struct.unpack("<Q", head)[0])))


if __name__ == "__main__":
    sys.exit(main())
