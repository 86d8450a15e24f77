#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Cases of onnxscript functions, with control flow and functions of the model: onnxscript_models.py [--compare] [NAME...]

What they are expected to give is written again in NumPy.
"""

import numpy as np
import onnx
import onnxscript
from onnxscript import BOOL, FLOAT, INT64, STRING, script
from onnxscript import opset9, opset11, opset13, opset15, opset17, opset18, opset19, opset20, opset21, opset22, opset23
from onnxscript.onnx_opset import opset_ai_onnx_ml3

from cases import case, main

local = onnxscript.values.Opset("example.local", 1)


def values(*shape):
    return np.random.standard_normal(shape).astype(np.float32)


def exported(function, inputs=None, outputs=None, **options):
    """`function` annotates its values, or `inputs` and `outputs` tell their types."""
    options.setdefault("ir_version", 8)
    return function.to_model_proto(**({"input_types": inputs} if inputs else {}), **({"output_types": outputs} if outputs else {}), **options)


# ---- Functions that call functions ----


@script(local, default_opset=opset18)
def scaled(x, alpha: float = 2.0):
    return x * opset18.CastLike(opset18.Constant(value_float=alpha), x)


@script(local, default_opset=opset18)
def gelu_by_hand(x, alpha: float = 1.0):
    inner = opset18.Erf(scaled(x, alpha=0.7071067811865476))
    return scaled(x, alpha=0.5) * (inner + 1.0) * opset18.Constant(value_float=alpha)


@script(local, default_opset=opset18)
def layer(x, weight, bias):
    return gelu_by_hand(opset18.MatMul(x, weight) + bias, alpha=1.5)


@script(default_opset=opset18)
def functions(x: FLOAT["N", 4], weight: FLOAT[4, 3], bias: FLOAT[3]) -> FLOAT["N", 3]:
    first = layer(x, weight, bias)
    return layer(opset18.Concat(first, x[:, 0:1], axis=1), weight, bias) - scaled(first)


@case("onnxscript_functions")
def _functions():
    from math import erf

    gelu = lambda x: 1.5 * 0.5 * x * (np.vectorize(erf)(x * 0.5**0.5) + 1)
    sets = []
    for n in (2, 5):
        x, w, b = values(n, 4), values(4, 3), values(3)
        first = gelu(x.astype(np.float64) @ w + b)
        sets.append(([x, w, b], [(gelu(np.concatenate([first, x[:, :1]], 1) @ w + b) - 2 * first).astype(np.float32)]))
    return exported(functions), sets


# ---- Control flow ----


@script(default_opset=opset15)
def power(x: FLOAT["N"], n: INT64) -> FLOAT["N"]:
    y = opset15.Identity(x) * 0.0 + 1.0
    for i in range(n):
        y = y * x
    return y


@script(default_opset=opset17)
def until(x: FLOAT["N"], limit: FLOAT) -> (FLOAT["N"], INT64):
    count = opset17.Constant(value_int=0)
    going = opset17.ReduceMax(opset17.Abs(x), keepdims=0) < limit
    while going:
        x = x * 2.0
        count = count + 1
        going = opset17.ReduceMax(opset17.Abs(x), keepdims=0) < limit
    return x, count


@script(default_opset=opset18)
def nested(x: FLOAT["N", "M"], rounds: INT64, bound: FLOAT) -> (FLOAT["N", "M"], FLOAT):
    """Branches within loops within a loop; the innermost uses values of all that surround it."""
    total = opset18.ReduceSum(x * 0.0, keepdims=0)
    for i in range(rounds):
        step = opset18.Cast(i, to=1)
        for j in range(i):
            if total > bound:
                x = x - step
            else:
                if opset18.Mod(i + j, opset18.Constant(value_int=2)) == opset18.Constant(value_int=0):
                    x = x + bound * 0.1
                else:
                    x = x * 1.1
            total = total + opset18.ReduceMean(x, keepdims=0)
    return x, total


def nested_numpy(x, rounds, bound):
    total = 0.0
    for i in range(rounds):
        for j in range(i):
            x = x - i if total > bound else x + bound * 0.1 if (i + j) % 2 == 0 else x * 1.1
            total += x.mean()
    return x, total


@script(default_opset=opset13)
def branches(x: FLOAT["N"]) -> (FLOAT["N"], INT64):
    zero = opset13.Constant(value_float=0.0)
    if opset13.ReduceSum(x, keepdims=0) > zero:
        y = opset13.Relu(x)
        which = opset13.Constant(value_int=1)
    else:
        if opset13.ReduceMax(x, keepdims=0) > zero:
            y = opset13.Neg(x)
            which = opset13.Constant(value_int=2)
        else:
            y = opset13.Exp(x)
            which = opset13.Constant(value_int=3)
    return y, which


@case("onnxscript_power")
def _power():
    return exported(power), [([x, np.array(n)], [x**n]) for x, n in ((values(4), 3), (values(2), 0), (values(6), 7))]


@case("onnxscript_until")
def _until():
    sets = []
    for x, limit in ((values(3), 100.0), (values(1) * 50, 1.0), (values(5), 7.0)):
        y, count = x, 0
        while np.abs(y).max() < limit:
            y, count = y * 2, count + 1
        sets.append(([x, np.float32(limit)], [y, np.array(count)]))
    return exported(until), sets


@case("onnxscript_nested")
def _nested():
    sets = []
    for shape, rounds, bound in (((2, 3), 4, 0.5), ((1, 2), 0, 1.0), ((3, 1), 6, 30.0)):
        x = values(*shape)
        y, total = nested_numpy(x.astype(np.float64), rounds, bound)
        sets.append(([x, np.array(rounds), np.float32(bound)], [y.astype(np.float32), np.float32(total)]))
    return exported(nested), sets


@case("onnxscript_branches")
def _branches():
    sets = []
    for x in (np.array([3, -1], np.float32), np.array([-5, 1, 2], np.float32), np.array([-1, -2], np.float32)):
        y, which = (np.maximum(x, 0), 1) if x.sum() > 0 else (-x, 2) if x.max() > 0 else (np.exp(x), 3)
        sets.append(([x], [y, np.array(which)]))
    return exported(branches), sets


# ---- A loop within a function that is called twice, with an attribute inside the body ----


@script(local, default_opset=opset20)
def newton(x, rounds: int = 3):
    """Square roots."""
    y = x * 0.5 + 0.5
    for i in range(opset20.Constant(value_int=rounds)):
        y = (y + x / y) * 0.5
    return y


@script(default_opset=opset20)
def roots(x: FLOAT["N"]) -> (FLOAT["N"], FLOAT["N"]):
    return newton(x, rounds=8), newton(newton(x, rounds=8), rounds=8)


@case("onnxscript_loop_in_function")
def _roots():
    return exported(roots), [([x], [np.sqrt(x), x**0.25]) for x in (np.abs(values(4)) + 0.2, np.abs(values(1)) + 1)]


# ---- Sequences, strings, classical operators ----


@script(default_opset=opset17)
def sequences(x: FLOAT["N", "M"]) -> (FLOAT["K", "M"], INT64):
    parts = opset17.SplitToSequence(x, opset17.Constant(value_int=2), axis=0)
    count = opset17.SequenceLength(parts)
    made = opset17.SequenceEmpty(dtype=1)
    for i in range(count):
        part = opset17.SequenceAt(parts, i)
        made = opset17.SequenceInsert(made, opset17.ReduceSum(part, opset17.Constant(value_ints=[0]), keepdims=1))
    return opset17.ConcatFromSequence(made, axis=0), count


@script(default_opset=opset20)
def words(text: STRING["N"]) -> (STRING["N", "K"], INT64["N"], BOOL["N"], STRING["N"]):
    """Split, counted, compared with a pattern, joined."""
    lower = opset20.StringNormalizer(text, case_change_action="LOWER")
    parts, counts = opset20.StringSplit(lower, delimiter=" ")
    return parts, counts, opset20.RegexFullMatch(lower, pattern="[a-z ]+"), opset20.StringConcat(lower, opset20.Constant(value_strings=["!"]))


@script(default_opset=opset20)
def bag_of_words(text: STRING["N"]) -> FLOAT["N", 4]:
    parts, counts = opset20.StringSplit(opset20.StringNormalizer(text, case_change_action="LOWER"))
    return opset20.TfIdfVectorizer(parts, mode="TFIDF", min_gram_length=1, max_gram_length=1, max_skip_count=0, ngram_counts=[0], ngram_indexes=[0, 1, 2, 3], pool_strings=["cat", "dog", "the", "a"], weights=[1.5, 2.0, 0.25, 0.5])


@case("onnxscript_sequences")
def _sequences():
    sets = []
    for n in (5, 2):
        x = values(n, 3)
        parts = [x[i : i + 2] for i in range(0, n, 2)]
        sets.append(([x], [np.stack([p.sum(0) for p in parts]), np.array(len(parts))]))
    return exported(sequences), sets


@case("onnxscript_words")
def _words():
    sets = []
    for text in (["The Cat sat", "on 3 mats", "ok"], ["One"]):
        lower = [t.lower() for t in text]
        split = [t.split(" ") for t in lower]
        width = max(map(len, split))
        rows = [row + [""] * (width - len(row)) for row in split]
        matched = [all(c.isascii() and (c.islower() or c == " ") for c in t) for t in lower]
        sets.append(([np.array(text, object)], [np.array(rows, object), np.array([len(s) for s in split]), np.array(matched), np.array([t + "!" for t in lower], object)]))
    return exported(words), sets


@case("onnxscript_bag_of_words")
def _bag():
    sets = []
    weights = {"cat": 1.5, "dog": 2.0, "the": 0.25, "a": 0.5}
    for text in (["The cat saw a dog and the dog", "nothing here"], ["A cat"]):
        sets.append(([np.array(text, object)], [np.array([[t.lower().split().count(w) * f for w, f in weights.items()] for t in text], np.float32)]))
    return exported(bag_of_words), sets


@script(default_opset=opset15)
def scaled_labels(x: FLOAT["N", 2]) -> (FLOAT["N", 2], STRING["N"]):
    scaled = opset_ai_onnx_ml3.Scaler(x, offset=[1.0, -1.0], scale=[2.0, 0.5])
    best = opset15.ArgMax(scaled, axis=1, keepdims=0)
    return scaled, opset_ai_onnx_ml3.LabelEncoder(best, keys_int64s=[0, 1], values_strings=["left", "right"])


@case("onnxscript_scaled_labels")
def _labels():
    sets = []
    for n in (3, 1):
        x = values(n, 2)
        y = (x - np.array([1, -1])) * np.array([2, 0.5])
        sets.append(([x], [y.astype(np.float32), np.array([["left", "right"][i] for i in y.argmax(1)], object)]))
    return exported(scaled_labels), sets


# ---- The same arithmetic in opsets far apart ----


THREE = onnx.helper.make_tensor("three", onnx.TensorProto.FLOAT, [], [3.0])
ZERO = onnx.helper.make_tensor("zero", onnx.TensorProto.FLOAT, [], [0.0])


def before_18(op):
    """Axes are an attribute."""

    @script(default_opset=op)
    def mixed(x: FLOAT["N", 4]) -> (FLOAT["N", 4], FLOAT["N"]):
        y = op.Softmax(x, axis=1) * op.Sigmoid(x) - op.Tanh(x) / op.Constant(value=THREE)
        return op.Where(x > op.Constant(value=ZERO), y, op.Neg(y)), op.ReduceMax(y, axes=[1], keepdims=0)

    return mixed


def from_18(op):
    """Axes are an input."""

    @script(default_opset=op)
    def mixed(x: FLOAT["N", 4]) -> (FLOAT["N", 4], FLOAT["N"]):
        y = op.Softmax(x, axis=1) * op.Sigmoid(x) - op.Tanh(x) / 3.0
        return op.Where(x > 0.0, y, op.Neg(y)), op.ReduceMax(y, op.Constant(value_ints=[1]), keepdims=0)

    return mixed


OPSETS = (opset9, opset11, opset13, opset17, opset18, opset19, opset21, opset22, opset23)
for op in OPSETS:

    @case(f"onnxscript_opset{op.version}")
    def _mixed(op=op):
        sets = []
        for n in (3, 1):
            x = values(n, 4)
            e = np.exp(x - x.max(1, keepdims=True))
            y = e / e.sum(1, keepdims=True) / (1 + np.exp(-x)) - np.tanh(x) / 3
            sets.append(([x], [np.where(x > 0, y, -y), y.max(1)]))
        return exported((before_18 if op.version < 18 else from_18)(op)), sets


if __name__ == "__main__":
    main(__doc__)
