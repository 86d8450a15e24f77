#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What of ONNX's operators the cases exercise: coverage.py [--cases DIR] [--except FILE] [--list]

From the schemas of the newest opsets: every attribute of every operator, every value of an attribute that the
specification lists, every optional input and every optional output. Something is exercised by a case that has it (an
attribute with another value than its default, for one that has a default) and whose expected numbers are not ours:
ONNX's node cases, those of tools/models/attributes and type_cases.py, and the exported models.

An attribute that is a string must be in VALUES, with the values that its text lists, or in TEXTS. What no case has is
printed and fails, unless FILE (tests/known/coverage.txt) excepts it: one a line, "NAME  # reason". An exception that
is not needed fails too. Ends with `N passed, N failed, N skipped`.
"""

import argparse
import pathlib
import sys

try:
    import onnx
    from onnx import defs, helper
except ImportError as missing:
    print(f"skipped: {missing}; tools/setup/python installs it\n0 passed, 0 failed, 1 skipped")
    sys.exit(0)

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools" / "models"))
import places  # noqa: E402

Option = defs.OpSchema.FormalParameterOption

PADS = ["NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"]
REDUCTIONS = ["none", "add", "mul", "max", "min"]
LOSSES = ["none", "sum", "mean"]
POST = ["NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT"]
ACTIVATIONS = [
    "Relu",
    "Tanh",
    "Sigmoid",
    "Affine",
    "LeakyRelu",
    "ThresholdedRelu",
    "ScaledTanh",
    "HardSigmoid",
    "Elu",
    "Softsign",
    "Softplus",
]
KERNELS = ["LINEAR", "POLY", "RBF", "SIGMOID"]
# The values that the specification's text lists.
VALUES = {
    **{
        (op, "auto_pad"): PADS
        for op in ("Conv", "ConvInteger", "ConvTranspose", "QLinearConv", "AveragePool", "MaxPool", "LpPool")
    },
    **{(op, "reduction"): REDUCTIONS for op in ("ScatterElements", "ScatterND")},
    **{(op, "reduction"): LOSSES for op in ("NegativeLogLikelihoodLoss", "SoftmaxCrossEntropyLoss")},
    **{(op, "direction"): ["forward", "reverse", "bidirectional"] for op in ("RNN", "GRU", "LSTM")},
    **{(op, "activations"): ACTIVATIONS for op in ("RNN", "GRU", "LSTM")},
    **{(op, "layout"): [0, 1] for op in ("RNN", "GRU", "LSTM")},
    **{(op, "round_mode"): ["up", "down", "nearest"] for op in ("Cast", "CastLike")},
    **{(op, "mode"): ["DCR", "CRD"] for op in ("DepthToSpace", "SpaceToDepth")},
    ("BitShift", "direction"): ["LEFT", "RIGHT"],
    ("CausalConvWithState", "activation"): ["none", "silu", "swish"],
    ("Gelu", "approximate"): ["none", "tanh"],
    ("GridSample", "mode"): ["linear", "nearest", "cubic"],
    ("GridSample", "padding_mode"): ["zeros", "border", "reflection"],
    ("ImageDecoder", "pixel_format"): ["RGB", "BGR", "Grayscale"],
    ("LinearAttention", "update_rule"): ["linear", "gated", "delta", "gated_delta"],
    ("Mod", "fmod"): [0, 1],
    ("Pad", "mode"): ["constant", "reflect", "edge", "wrap"],
    ("Resize", "mode"): ["nearest", "linear", "cubic"],
    ("Resize", "coordinate_transformation_mode"): [
        "half_pixel",
        "half_pixel_symmetric",
        "pytorch_half_pixel",
        "align_corners",
        "asymmetric",
        "tf_crop_and_resize",
    ],
    ("Resize", "nearest_mode"): ["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"],
    ("Resize", "keep_aspect_ratio_policy"): ["stretch", "not_larger", "not_smaller"],
    ("RoiAlign", "mode"): ["avg", "max"],
    ("RoiAlign", "coordinate_transformation_mode"): ["half_pixel", "output_half_pixel"],
    ("StringNormalizer", "case_change_action"): ["NONE", "LOWER", "UPPER"],
    ("TensorScatter", "mode"): ["linear", "circular"],
    ("TfIdfVectorizer", "mode"): ["TF", "IDF", "TFIDF"],
    ("Attention", "qk_matmul_output_mode"): [0, 1, 2, 3],
    ("CastMap", "cast_to"): ["TO_FLOAT", "TO_STRING", "TO_INT64"],
    ("CastMap", "map_form"): ["DENSE", "SPARSE"],
    ("Normalizer", "norm"): ["MAX", "L1", "L2"],
    ("LinearClassifier", "post_transform"): POST,
    ("LinearRegressor", "post_transform"): POST,
    ("SVMClassifier", "post_transform"): POST,
    ("SVMRegressor", "post_transform"): POST,
    ("SVMClassifier", "kernel_type"): KERNELS,
    ("SVMRegressor", "kernel_type"): KERNELS,
    ("TreeEnsemble", "aggregate_function"): [0, 1, 2, 3],
    ("TreeEnsemble", "post_transform"): [0, 1, 2, 3, 4],
    ("TreeEnsemble", "nodes_modes"): [0, 1, 2, 3, 4, 5, 6],
    ("Momentum", "mode"): ["standard", "nesterov"],
}
# Strings that may be any text, or that an environment defines.
TEXTS = {
    ("CategoryMapper", "cats_strings"),
    ("CategoryMapper", "default_string"),
    ("Constant", "value_string"),
    ("Constant", "value_strings"),
    ("DictVectorizer", "string_vocabulary"),
    ("Einsum", "equation"),
    ("LabelEncoder", "default_string"),
    ("LabelEncoder", "keys_strings"),
    ("LabelEncoder", "values_strings"),
    ("LinearClassifier", "classlabels_strings"),
    ("OneHotEncoder", "cats_strings"),
    ("RegexFullMatch", "pattern"),
    ("SVMClassifier", "classlabels_strings"),
    ("StringNormalizer", "locale"),
    ("StringNormalizer", "stopwords"),
    ("StringSplit", "delimiter"),
    ("TfIdfVectorizer", "pool_strings"),
    ("ZipMap", "classlabels_strings"),
}


def newest() -> dict:
    """The newest schema of every operator; those that ONNX has given up are no longer operators."""
    schemas = {}
    for schema in defs.get_all_schemas():
        schemas[schema.domain, schema.name] = schema
    # Gradient is refused: its result is another graph.
    return {key: s for key, s in schemas.items() if not s.deprecated and s.name != "Gradient"}


def wanted(schemas: dict) -> set[str]:
    out = set()
    for (_, op), schema in schemas.items():
        for name in schema.attributes:
            out.add(f"{op}.{name}")
            for value in VALUES.get((op, name), []):
                out.add(f"{op}.{name}={value}")
        for formal in schema.inputs:
            if formal.option == Option.Optional:
                out.add(f"{op}.{formal.name} given")
                out.add(f"{op}.{formal.name} absent")
        for formal in schema.outputs:
            if formal.option == Option.Optional:
                out.add(f"{op}.{formal.name} asked for")
    return out


def unlisted(schemas: dict) -> list[str]:
    """What is wrong with VALUES and TEXTS: every attribute that is a string stands in one, and nothing else."""
    kinds = (defs.OpSchema.AttrType.STRING, defs.OpSchema.AttrType.STRINGS)
    all_ = {(op, name): a.type in kinds for (_, op), s in schemas.items() for name, a in s.attributes.items()}
    out = [f"{op}.{name} is neither in VALUES nor in TEXTS" for (op, name), of_text in all_.items() if of_text and not {(op, name)} & (VALUES.keys() | TEXTS)]
    out += [f"{op}.{name} is in VALUES and in TEXTS" for op, name in VALUES.keys() & TEXTS]
    out += [f"{op}.{name} is nothing of ONNX" for op, name in (VALUES.keys() | TEXTS) - all_.keys()]
    return sorted(out)


def text(value) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def note(node: onnx.NodeProto, schema, found: set[str]) -> None:
    op = schema.name
    given = {}
    for attribute in node.attribute:
        if attribute.name not in schema.attributes:
            continue
        value = None if attribute.HasField("g") or attribute.graphs else helper.get_attribute_value(attribute)
        given[attribute.name] = value
        default = schema.attributes[attribute.name].default_value
        usual = helper.get_attribute_value(default) if default.type else None
        if usual is None or value != usual:
            found.add(f"{op}.{attribute.name}")
    for (name, attribute), values in VALUES.items():
        if name != op:
            continue
        value = given.get(attribute)
        if value is None and attribute in schema.attributes:
            default = schema.attributes[attribute].default_value
            value = helper.get_attribute_value(default) if default.type else None
        if isinstance(value, onnx.TensorProto):
            value = onnx.numpy_helper.to_array(value).ravel().tolist()
        for one in value if isinstance(value, list) else [value]:
            found.add(f"{op}.{attribute}={text(one)}")
    for i, formal in enumerate(schema.inputs):
        if formal.option == Option.Optional:
            there = i < len(node.input) and node.input[i] != ""
            found.add(f"{op}.{formal.name} {'given' if there else 'absent'}")
    for i, formal in enumerate(schema.outputs):
        if formal.option == Option.Optional and i < len(node.output) and node.output[i] != "":
            found.add(f"{op}.{formal.name} asked for")


def walk(nodes, opsets: dict, schemas: dict, found: set[str]) -> None:
    for node in nodes:
        domain = "" if node.domain == "ai.onnx" else node.domain
        schema = schemas.get((domain, node.op_type))
        # An older version of the operator tells nothing of the newest.
        if schema is not None and opsets.get(domain, 0) >= schema.since_version:
            note(node, schema, found)
        for attribute in node.attribute:
            for graph in [attribute.g] if attribute.HasField("g") else attribute.graphs:
                walk(graph.node, opsets, schemas, found)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=pathlib.Path, default=places.CASES)
    parser.add_argument("--except", dest="known", type=pathlib.Path, default=ROOT / "tests" / "known" / "coverage.txt")
    parser.add_argument("--list", action="store_true", help="print all that is wanted and end")
    args = parser.parse_args()
    schemas = newest()
    all_ = wanted(schemas)
    if args.list:
        print("\n".join(sorted(all_)))
        return 0
    folders = [args.cases / f"onnx-{onnx.__version__}" / "node", args.cases / "attributes", args.cases / "types"]
    for folder in folders:
        if not folder.is_dir():
            print(f"skipped: {folder} is not there; tools/setup/test_data makes it\n0 passed, 0 failed, 1 skipped")
            return 0
    found: set[str] = set()
    for folder in [*folders, ROOT / "tests" / "exporters"]:
        for path in sorted(folder.glob("*/model.onnx")):
            model = onnx.load(path)
            opsets = {"" if o.domain == "ai.onnx" else o.domain: o.version for o in model.opset_import}
            walk(model.graph.node, opsets, schemas, found)
            for function in model.functions:
                walk(function.node, {o.domain: o.version for o in function.opset_import}, schemas, found)
    known = {}
    if args.known.exists():
        for line in args.known.read_text().splitlines():
            name, _, reason = line.partition("#")
            if name.strip():
                known[name.strip()] = reason.strip()
    lists = unlisted(schemas)
    for line in lists:
        print(f"failed: {line}")
    failed = sorted(all_ - found - known.keys())
    stale = sorted(name for name in known if name in found or name not in all_)
    for name in failed:
        print(f"failed: no case has {name}")
    for name in stale:
        print(f"failed: {args.known.name} excepts {name}, which {'cases have' if name in found else 'is nothing of ONNX'}")
    skipped = sorted((known.keys() & all_) - found)
    for name in skipped:
        print(f"skipped {name}: {known[name]}")
    print(f"{len(all_ & found)} passed, {len(failed) + len(stale) + len(lists)} failed, {len(skipped)} skipped")
    return 1 if failed or stale or lists else 0


if __name__ == "__main__":
    sys.exit(main())
