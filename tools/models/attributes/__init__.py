# SPDX-License-Identifier: Apache-2.0
"""Test cases of single operators whose expectation is worked out by somebody else: the families of attribute_cases.py.

A family is a module with `def cases(add)`, which calls `add` once for each case:

    add("Conv", "bias", [x, w, b], {"group": 2})

What the outputs should be is asked of every oracle that runs the model:

    ONNX Runtime     CPU provider, optimisations off, at the newest opset at which it has the operator
    onnx.reference   the evaluator of the onnx package
    formula          a function of the case, written from the specification's text: formula(*inputs) -> outputs

All that answer must agree: `attribute_cases.py --check` fails where they do not, and where nobody answers. One that
is wrong by the specification is not asked; the case tells why: `without={ONNX: "..."}`. Written is what the formula
says, else ONNX Runtime, else onnx.reference. Which of them agreed, and why one was left out, stands in doc_string.
"""

import json
import pathlib
import warnings
import zlib

import ml_dtypes
import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, defs, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

ORT, ONNX, FORMULA = "ort", "onnx", "formula"
NAMES = {
    ORT: f"ONNX Runtime {onnxruntime.__version__}",
    ONNX: f"onnx.reference {onnx.__version__}",
    FORMULA: "NumPy, by the specification's text",
}
onnxruntime.set_default_logger_severity(4)
NEWEST = {"": defs.onnx_opset_version(), "ai.onnx.ml": 5, "ai.onnx.preview": 1, "ai.onnx.preview.training": 1}
IR_VERSION = 14
Option = defs.OpSchema.FormalParameterOption


def type_of(value) -> onnx.TypeProto:
    """The type that a model declares for a value: an array, a list of them (a sequence), or a dict (a map)."""
    if isinstance(value, list):
        return helper.make_sequence_type_proto(helper.make_tensor_type_proto(element(value[0]), None))
    if isinstance(value, dict):
        made = onnx.TypeProto()
        keys = np.array(list(value))
        made.map_type.key_type = TensorProto.STRING if keys.dtype.kind in "UO" else TensorProto.INT64
        values = np.array(list(value.values()))
        kind = TensorProto.STRING if values.dtype.kind in "UO" else element(values)
        made.map_type.value_type.CopyFrom(helper.make_tensor_type_proto(kind, []))
        return made
    return helper.make_tensor_type_proto(element(value), value.shape)


def element(array) -> int:
    array = np.asarray(array)
    return TensorProto.STRING if array.dtype.kind in "UOS" else helper.np_dtype_to_tensor_dtype(array.dtype)


def whole(value):
    """An oracle's answer as arrays, lists of arrays or dicts."""
    if isinstance(value, (list, tuple)):
        return [whole(v) for v in value]
    if isinstance(value, dict) or value is None:
        return value
    array = np.asarray(value)
    return array.astype(object) if array.dtype.kind in "US" else array


# What ONNX Runtime gives as uint8.
BYTES = {
    "tensor(float8e4m3fn)": ml_dtypes.float8_e4m3fn, "tensor(float8e4m3fnuz)": ml_dtypes.float8_e4m3fnuz,
    "tensor(float8e5m2)": ml_dtypes.float8_e5m2, "tensor(float8e5m2fnuz)": ml_dtypes.float8_e5m2fnuz,
}  # fmt: skip


def named_type(value, kind: str):
    return value.view(BYTES[kind]) if kind in BYTES and value.dtype == np.uint8 else value


def difference(got, expected, rtol: float, atol: float) -> str:
    """Where two answers differ, or nothing."""
    if isinstance(expected, list):
        if not isinstance(got, list) or len(got) != len(expected):
            return "another number of items"
        return next((d for d in (difference(g, e, rtol, atol) for g, e in zip(got, expected)) if d), "")
    if isinstance(expected, dict):
        if not isinstance(got, dict) or got.keys() != expected.keys():
            return "other keys"
        return next((d for k in expected if (d := difference(np.asarray(got[k]), np.asarray(expected[k]), rtol, atol))), "")
    if expected is None:
        return "" if got is None else "a value where there is none"
    if element(got) != element(expected):
        return f"element type {got.dtype}, not {expected.dtype}"
    if got.shape != expected.shape:
        return f"shape {got.shape}, not {expected.shape}"
    if expected.dtype.kind in "fcV" and expected.dtype.names is None:
        wide = np.complex128 if expected.dtype.kind == "c" else np.float64
        with np.errstate(all="ignore"):
            same = np.isclose(got.astype(wide), expected.astype(wide), rtol, atol, equal_nan=True)
    else:
        same = np.asarray(got == expected)
    if same.all():
        return ""
    at = tuple(int(i) for i in np.argwhere(~same)[0])
    return f"{got[at]} at {list(at)}, not {expected[at]}; {int((~same).sum())} of {same.size} differ"


class Case:
    """One node with its inputs. See Suite.add."""

    def __init__(self, op, what, inputs, attributes, outputs, domain, without, formula, rtol, atol, opset, types, signs):
        self.op, self.domain, self.attributes, self.formula = op, domain, attributes, formula
        self.name = f"{op.lower()}_{what}"
        self.inputs, self.without, self.rtol, self.atol = inputs, without or {}, rtol, atol
        self.opset = opset or NEWEST[domain]
        self.schema = defs.get_schema(op, self.opset, domain)
        self.types, self.signs = types or {}, signs
        self.input_names = self.named(self.schema.inputs, [i is not None for i in inputs])
        self.output_names = self.named(self.schema.outputs, [True] * outputs if isinstance(outputs, int) else outputs)

    @staticmethod
    def named(formals, given) -> list[str]:
        names = []
        for i, there in enumerate(given):
            formal = formals[min(i, len(formals) - 1)]
            variadic = formal.option == Option.Variadic
            names.append((f"{formal.name}_{i - len(formals) + 1}" if variadic else formal.name) if there else "")
        return names

    def model(self, opset: int, expected) -> onnx.ModelProto:
        """The model at an opset; output types are told where the expected values are known."""
        node = helper.make_node(self.op, self.input_names, self.output_names, domain=self.domain, **self.attributes)
        infos = []
        for i, (name, value) in enumerate(zip(self.input_names, self.inputs)):
            if name:
                infos.append(helper.make_value_info(name, self.types.get(name) or type_of(value)))
        outputs = []
        asked = [name for name in self.output_names if name]
        for i, name in enumerate(asked):
            if name in self.types:
                outputs.append(helper.make_value_info(name, self.types[name]))
            elif expected is not None:
                outputs.append(helper.make_value_info(name, type_of(expected[i])))
            else:
                outputs.append(onnx.ValueInfoProto(name=name))
        nodes = [node]
        if self.signs:
            nodes.append(helper.make_node("Reciprocal", ["zeros"], [node.output[0]]))
            node.output[0] = "zeros"
        graph = helper.make_graph(nodes, self.name, infos, outputs)
        imports = [helper.make_opsetid(self.domain, opset)]
        if self.domain:
            imports.append(helper.make_opsetid("", NEWEST[""]))
        return helper.make_model(graph, opset_imports=imports, ir_version=IR_VERSION, producer_name="attribute_cases")

    def feeds(self):
        return {name: value for name, value in zip(self.input_names, self.inputs) if name}

    def opsets(self):
        """The opsets that have this node, newest first: the newest of each version of the operator."""
        versions = sorted(
            {s.since_version for s in defs.get_all_schemas_with_history() if (s.domain, s.name) == (self.domain, self.op)}
        )
        below = self.opset
        for version in reversed(versions):
            if version > below:
                continue
            schema = defs.get_schema(self.op, version, self.domain)
            if set(self.attributes) <= set(schema.attributes) and len(self.inputs) <= schema.max_input:
                yield below
            below = version - 1

    def ask_ort(self):
        for opset in self.opsets():
            try:
                options = onnxruntime.SessionOptions()
                options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
                options.intra_op_num_threads = 1
                options.log_severity_level = 4
                model = onnx.shape_inference.infer_shapes(self.model(opset, None))
                model.ir_version = 10
                session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
                types = [o.type for o in session.get_outputs()]
                return [named_type(whole(v), t) for v, t in zip(session.run(None, self.feeds()), types)], f"opset {opset}"
            except Exception as error:  # whatever stops it: it does not run this model
                self.refusals[ORT] = str(error).splitlines()[0]
        return None

    def ask_onnx(self):
        try:
            evaluator = ReferenceEvaluator(self.model(self.opset, None))
            return [whole(v) for v in evaluator.run(None, self.feeds())], ""
        except Exception as error:  # whatever stops it: it does not run this model
            self.refusals[ONNX] = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
        return None

    def expected(self):
        """(expected outputs, the sources as text)."""
        answers, self.refusals, notes = {}, {}, {}
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            if self.formula is not None:
                made = self.formula(*self.inputs)
                answers[FORMULA] = [whole(v) for v in (made if isinstance(made, tuple) else (made,))]
                if self.signs:
                    answers[FORMULA][0] = np.reciprocal(answers[FORMULA][0])
            for oracle, ask in ((ORT, self.ask_ort), (ONNX, self.ask_onnx)):
                answer = None if oracle in self.without else ask()
                if answer:
                    answers[oracle], notes[oracle] = answer
        if not answers:
            raise ValueError(f"{self.name}: nobody runs it: {self.refusals}")
        chosen = next(iter(answers))
        best = answers[chosen]
        scale = [np.abs(v.astype(np.float64)) for v in best if isinstance(v, np.ndarray) and v.dtype.kind in "fV" and v.size]
        largest = max((float(np.max(v, where=np.isfinite(v), initial=0)) for v in scale), default=0)
        if self.atol is None:
            self.atol = max(1e-7, 1e-6 * largest)
        agree, differ = [chosen], []
        for oracle, answer in answers.items():
            if oracle == chosen:
                continue
            where = "another number of outputs" if len(answer) != len(best) else ""
            for i, (got, wanted) in enumerate(zip(answer, best)):
                where = where or (f"output {i}: {d}" if (d := difference(got, wanted, self.rtol, self.atol)) else "")
            if where:
                differ.append(f"{NAMES[oracle]} differs ({where})")
            else:
                agree.append(oracle)
        self.complaint = f"{'; '.join(differ)} from {', '.join(NAMES[o] for o in agree)}" if differ else ""
        source = "Expected: " + ", ".join(NAMES[o] + (f" ({notes[o]})" if notes.get(o) else "") for o in agree) + "."
        source += "".join(f" {NAMES[o]} is not asked: {why}." for o, why in self.without.items())
        return best, source

    def write(self, folder: pathlib.Path) -> None:
        expected, source = self.expected()
        model = self.model(self.opset, expected)
        model.doc_string = source
        data = folder / self.name / "test_data_set_0"
        data.mkdir(parents=True)
        (folder / self.name / "model.onnx").write_bytes(model.SerializeToString(deterministic=True))
        (folder / self.name / "data.json").write_text(json.dumps({"rtol": self.rtol, "atol": self.atol}) + "\n")
        for what, infos, values in (
            ("input", model.graph.input, [v for n, v in zip(self.input_names, self.inputs) if n]),
            ("output", model.graph.output, expected),
        ):
            for j, (info, value) in enumerate(zip(infos, values, strict=True)):
                (data / f"{what}_{j}.pb").write_bytes(message(value, info).SerializeToString(deterministic=True))


def message(value, info: onnx.ValueInfoProto):
    kind = info.type.WhichOneof("value")
    if kind == "sequence_type":
        return numpy_helper.from_list(value, info.name)
    if kind == "optional_type":
        return numpy_helper.from_optional(value, info.name)
    if kind == "map_type":
        return numpy_helper.from_dict(value, info.name)
    return numpy_helper.from_array(np.asarray(value), info.name)


class Graph:
    """A model of several nodes with expected outputs that come from its specification. See Suite.graph."""

    complaint, refusals = "", {}

    def __init__(self, name: str, text: str, inputs: list, expected: list, source: str):
        self.name, self.inputs, self.expected, self.source = name, inputs, expected, source
        opsets = ", ".join(f'"{domain}": {version}' for domain, version in NEWEST.items())
        self.model = onnx.parser.parse_model(f"<ir_version: {IR_VERSION}, opset_import: [{opsets}]> {text}")
        self.model.graph.name = name

    def write(self, folder: pathlib.Path) -> None:
        self.model.doc_string = self.source
        data = folder / self.name / "test_data_set_0"
        data.mkdir(parents=True)
        (folder / self.name / "model.onnx").write_bytes(self.model.SerializeToString(deterministic=True))
        graph = self.model.graph
        for what, infos, values in (("input", graph.input, self.inputs), ("output", graph.output, self.expected)):
            for j, (info, value) in enumerate(zip(infos, values, strict=True)):
                (data / f"{what}_{j}.pb").write_bytes(message(value, info).SerializeToString(deterministic=True))


class Suite:
    """Takes the cases and writes them."""

    def __init__(self):
        self.cases: dict[str, Case | Graph] = {}

    def graph(self, name: str, text: str, inputs: list, expected: list, source: str) -> None:
        """Adds a case of a graph in ONNX's text form, without header; `source` says why `expected` is right."""
        if name in self.cases:
            raise ValueError(f"two cases are called {name}")
        self.cases[name] = Graph(name, text, [as_array(i) for i in inputs], [as_array(e) for e in expected], source)

    def __call__(
        self,
        op: str,
        what: str,
        inputs: list,
        attributes: dict | None = None,
        outputs: int | list[bool] = 1,
        domain: str = "",
        without: dict | None = None,
        formula=None,
        rtol: float = 1e-4,
        atol: float | None = None,
        opset: int = 0,
        types: dict | None = None,
        signs: bool = False,
    ) -> None:
        """Adds a case `<op>_<what>`. An input that is None is left out; outputs are a count, or for each whether it
        is asked for; types overrule what a value's own type is, by the name of the input or output; without tells which
        oracles are not to be asked, and why; with signs a Reciprocal follows, which tells 0 from -0. The absolute
        tolerance, unless given, is 1e-6 of the largest expected number."""
        inputs = [as_array(i) for i in inputs]
        case = Case(op, what, inputs, attributes or {}, outputs, domain, without, formula, rtol, atol, opset, types, signs)
        if case.name in self.cases:
            raise ValueError(f"two cases are called {case.name}")
        self.cases[case.name] = case


def as_array(value):
    if isinstance(value, (list, dict)) or value is None:
        return value
    value = np.asarray(value)
    return value.astype(object) if value.dtype.kind in "US" else value


def normal(seed, *shape, scale=1.0, dtype=np.float32) -> np.ndarray:
    """Normally distributed numbers that depend on the seed, a number or a text, alone."""
    key = zlib.crc32(seed.encode()) if isinstance(seed, str) else seed
    return (scale * np.random.default_rng(key).standard_normal(shape)).astype(dtype)


def integers(seed, low: int, high: int, *shape, dtype=np.int64) -> np.ndarray:
    """Integers of low to high - 1."""
    key = zlib.crc32(seed.encode()) if isinstance(seed, str) else seed
    return np.random.default_rng(key).integers(low, high, shape).astype(dtype)


def i64(*values) -> np.ndarray:
    return np.array(values, np.int64)


def f32(*values) -> np.ndarray:
    return np.array(values, np.float32)


def scalar(value, dtype=np.float32) -> np.ndarray:
    return np.array(value, dtype)


def text(*values) -> np.ndarray:
    return np.array(values, object)
