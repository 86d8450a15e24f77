# SPDX-License-Identifier: Apache-2.0
"""Operators that move, pick and make elements."""

import itertools

import numpy as np
import onnx
from onnx import TensorProto, helper

from . import ONNX, ORT, f32, i64, integers, normal, scalar, text


def cases(add):
    shapes(add)
    pads(add)
    gathers(add)
    scatters(add)
    makers(add)


def m(number) -> str:
    return str(number).replace("-", "m")


def shapes(add):
    x = normal("shapes", 2, 3, 4)
    add("Concat", "one", [x], {"axis": 1})
    for axis in (0, 1, -1):
        add("Concat", f"three_axis{m(axis)}", [x, normal(1, 2, 3, 4), normal(2, 2, 3, 4)], {"axis": axis})
        add("Split", f"uneven_axis{m(axis)}", [normal(3, 7, 7, 7)], {"axis": axis, "num_outputs": 3}, 3)
        add("Split", f"sizes_axis{m(axis)}", [normal(3, 7, 7, 7), i64(1, 0, 6)], {"axis": axis}, 3)
        for keep in (None, 0, 1):
            attributes = {"axis": axis} if keep is None else {"axis": axis, "keepdims": keep}
            add("SplitToSequence", f"each_axis{m(axis)}_{'unset' if keep is None else f'keep{keep}'}", [x], attributes)
        add("SplitToSequence", f"chunks_axis{m(axis)}", [x, scalar(2, np.int64)], {"axis": axis})
    add("SplitToSequence", "unset", [x])
    add("SplitToSequence", "sizes", [x, i64(1, 1)], {"keepdims": 0}, formula=lambda x, s: ([x[:1], x[1:]],))
    add("SplitToSequence", "scalar_one", [x, scalar(1, np.int64)], {"axis": 1, "keepdims": 0}, without=ORT_KEEP)
    add("Split", "one", [x], {"num_outputs": 1})
    add("Split", "unset", [x, i64(1, 1)], {}, 2)
    y = normal(4, 1, 3, 1, 2, 1)
    add("Squeeze", "all", [y])
    add("Squeeze", "some", [y, i64(-1, 0)])
    add("Unsqueeze", "unordered", [x, i64(4, 0, -4)])
    for axis in (None, 0, 1, 2, 3, -1, -2):
        add("Flatten", "unset" if axis is None else f"axis{m(axis)}", [x], {} if axis is None else {"axis": axis})
    for start, end in ((None, None), (1, None), (None, 2), (-2, -1), (1, 1), (-9, 9), (2, 1)):
        attributes = {k: v for k, v in (("start", start), ("end", end)) if v is not None}
        add("Shape", f"{m(start)}_{m(end)}".lower(), [x], attributes)
    for zero, shape in ((0, [0, -1]), (0, [2, 0, -1]), (1, [2, -1]), (0, [-1]), (1, [4, 6])):
        add("Reshape", f"allow{zero}_{'_'.join(m(s) for s in shape)}", [x, i64(*shape)], {"allowzero": zero})
    add("Reshape", "allow1_empty", [np.zeros((0, 3), np.float32), i64(3, 0)], {"allowzero": 1})
    add("Transpose", "unset", [x])
    for perm in itertools.permutations(range(3)):
        add("Transpose", "".join(map(str, perm)), [x], {"perm": list(perm)})
    z = normal(5, 2, 8, 2, 6)
    for mode in (None, "DCR", "CRD"):
        attributes = {"blocksize": 2} if mode is None else {"blocksize": 2, "mode": mode}
        add("DepthToSpace", (mode or "unset").lower(), [z], attributes)
        for size in (1, 2):
            def formula(x, mode=mode, size=size):
                n, c, h, w = x.shape
                parts = x.reshape(n, c, h // size, size, w // size, size)
                order = (0, 1, 3, 5, 2, 4) if mode == "CRD" else (0, 3, 5, 1, 2, 4)
                return parts.transpose(order).reshape(n, c * size * size, h // size, w // size)

            add("SpaceToDepth", f"{(mode or 'unset').lower()}_{size}", [z], {**attributes, "blocksize": size}, formula=formula)
    for k, upper in itertools.product((None, -2, -1, 0, 1, 5), (None, 0, 1)):
        attributes = {} if upper is None else {"upper": upper}
        add("Trilu", f"k{'_unset' if k is None else m(k)}_{'unset' if upper is None else f'upper{upper}'}", [x] if k is None else [x, scalar(k, np.int64)], attributes)
    for k, dtype in itertools.product((None, -1, 0, 2), (None, TensorProto.FLOAT, TensorProto.INT32)):
        attributes = {**({} if k is None else {"k": k}), **({} if dtype is None else {"dtype": dtype})}
        add("EyeLike", f"k{'_unset' if k is None else m(k)}_{'same' if dtype is None else f'type{dtype}'}", [np.zeros((3, 4), np.int64)], attributes)
    lengths = i64(1, 3, 2)
    w = normal(6, 3, 3, 2)
    add("ReverseSequence", "unset", [w, lengths])
    for time, batch in ((0, 1), (1, 0)):
        add("ReverseSequence", f"time{time}_batch{batch}", [w, lengths], {"time_axis": time, "batch_axis": batch})
    add("Expand", "smaller", [normal(7, 3, 1), i64(1, 1, 4)])
    add("Expand", "scalar", [scalar(2.5), i64(2, 3)])
    add("Tile", "zero", [normal(8, 2, 3), i64(2, 0)])
    add("Tile", "3d", [x, i64(1, 3, 2)])
    add("Slice", "no_axes", [x, i64(0, 1), i64(2, 3)])
    add("Slice", "axes_no_steps", [x, i64(1), i64(-1), i64(-1)])
    for start, end, step in ((-1, -9, -1), (0, 9, 2), (3, 0, -2), (9, -9, -3), (2, 2, 1), (-3, 2**62, 1)):
        add("Slice", f"{m(start)}_{m(end)}_{m(step)}", [x, i64(start), i64(end), i64(2), i64(step)])
    add("Slice", "int32", [x, np.array([1], np.int32), np.array([3], np.int32), np.array([2], np.int32), np.array([1], np.int32)])
    for axis in (None, 0, 1, -1):
        condition = np.array([False, True] if axis == 0 else [True, False, True])
        add("Compress", "flat" if axis is None else f"axis{m(axis)}", [x, condition], {} if axis is None else {"axis": axis})
    add("NonZero", "scalar", [scalar(3.0)], formula=lambda x: np.zeros((0, 1), np.int64), without=ORT_RANK)
    add("NonZero", "none", [np.zeros((2, 3), np.float32)])


def pads(add):
    x = normal("pad", 2, 3, 4)
    for mode, axes in itertools.product((None, "constant", "reflect", "edge", "wrap"), (None, [0, 2], [-1], [2, 1])):
        before = [1, 0, 3] if axes is None else [1, 2][: len(axes)]
        after = [0, 2, 1] if axes is None else [0, 1][: len(axes)]
        if mode == "reflect":  # at most the extent less 1
            before, after = ([1, 0, 3], [0, 2, 1]) if axes is None else ([1, 2][: len(axes)], [1, 1][: len(axes)])
        attributes = {} if mode is None else {"mode": mode}
        inputs = [x, i64(*before, *after), scalar(9.5) if mode == "constant" else None, None if axes is None else i64(*axes)]
        while inputs[-1] is None:
            inputs.pop()
        add("Pad", f"{mode or 'unset'}_{'all' if axes is None else 'axes' + ''.join(m(a) for a in axes)}", inputs, attributes)
    add("Pad", "negative", [x, i64(0, -1, 2, -1, 0, -1), scalar(1.5)])
    add("Pad", "negative_edge", [x, i64(0, -1, 2, 1, 1, -2)], {"mode": "edge"}, formula=lambda x, p: np.pad(x[:, 1:, :2], ((0, 1), (0, 1), (2, 0)), "edge"))
    add("Pad", "int64", [integers(1, 0, 9, 2, 2), i64(1, 0, 0, 1), scalar(-3, np.int64)])


def gathers(add):
    x = normal("gather", 3, 4, 5)
    for axis in (None, 0, 1, 2, -1):
        attributes = {} if axis is None else {"axis": axis}
        add("Gather", "unset" if axis is None else f"axis{m(axis)}", [x, np.array([[0, 2], [-1, 1]])], attributes)
        shape = [3, 4, 5]
        shape[axis or 0] = 2
        add("GatherElements", "unset" if axis is None else f"axis{m(axis)}", [x, integers(f"g{axis}", -3, 3, *shape)], attributes)
    add("Gather", "scalar_index", [x, scalar(1, np.int32)], {"axis": 1})
    for dims in (None, 0, 1, 2):
        index = integers("gnd", -3, 3, *[3, 4][: dims or 0], 2, 1) if dims else integers("gnd", -3, 3, 4, 2)
        add("GatherND", "unset" if dims is None else f"batch{dims}", [x, index], {} if dims is None else {"batch_dims": dims})
    for axis in (None, 0, 1, -1, -2):
        attributes = {} if axis is None else {"axis": axis}
        add("OneHot", "unset" if axis is None else f"axis{m(axis)}", [np.array([[1, -1], [7, -5]]), scalar(5, np.int64), f32(-1, 2)], attributes)
    add("OneHot", "floats", [f32(0, 2, -1), scalar(3.0), i64(0, 1)])


def scatters(add):
    x = normal("scatter", 3, 4, 5)
    for op, reduction in itertools.product(("ScatterElements", "ScatterND"), (None, "none", "add", "mul", "max", "min")):
        attributes = {} if reduction is None else {"reduction": reduction}
        once = reduction in (None, "none")  # the order of equal indices is not specified
        if op == "ScatterND":
            index = np.array([[0, 1], [2, -1], [1, 0]] if once else [[0, 1], [2, -1], [0, 1]])
            add(op, (reduction or "unset"), [x, index, normal(1, 3, 5)], attributes)
            add(op, f"{reduction or 'unset'}_int32", [integers(2, -9, 9, 6, dtype=np.int32), np.array([[4], [1], [-1]] if once else [[4], [1], [4]]), integers(3, -9, 9, 3, dtype=np.int32)], attributes)
            continue
        for axis in (None, 0, 1, -1):
            at = {} if axis is None else {"axis": axis}
            extent = [3, 4, 5][axis or 0]
            order = np.random.default_rng(4).permutation(extent)[:2]
            index = np.empty((2, 2, 2), np.int64)
            for i in np.ndindex(2, 2, 2):
                index[i] = order[i[axis or 0]] - (extent if i[1] else 0) if once else order[(i[0] + i[1] + i[2]) % 2]
            add(op, f"{reduction or 'unset'}_{'unset' if axis is None else f'axis{m(axis)}'}", [x, index, normal(5, 2, 2, 2)], {**attributes, **at})
    add("Scatter", "unset", [x, np.array([[[0], [1]]]), normal(6, 1, 2, 1)], opset=10)
    add("Scatter", "axis", [x, np.array([[[0, 2], [1, 4]]]), normal(7, 1, 2, 2)], {"axis": 2}, opset=10)
    past, update = normal(8, 2, 3, 6, 4), normal(9, 2, 3, 2, 4)
    for mode, axis, given in itertools.product((None, "linear", "circular"), (None, -2, 2, 1), (False, True)):
        attributes = {**({} if mode is None else {"mode": mode}), **({} if axis is None else {"axis": axis})}
        new = normal(10, 2, 2, 6, 4) if axis == 1 else update
        at = i64(0, 1) if axis == 1 else i64(5, 2) if mode == "circular" else i64(3, 0)
        add("TensorScatter", f"{mode or 'unset'}_{'unset' if axis is None else f'axis{m(axis)}'}_{'given' if given else 'zero'}", [past, new, *([at] if given else [])], attributes)


def makers(add):
    for what, values in (("float", f32(1, 9, 2.5)), ("down", f32(3, -2, -0.75)), ("double", np.array([0.5, 3, 0.5]))):
        for stash in (None, 1, 11):
            if stash == 11 and what != "double":
                continue
            add("Range", f"{what}_{'unset' if stash is None else f'stash{stash}'}", [v.reshape(()) for v in values], {} if stash is None else {"stash_type": stash})
    add("Range", "int64_none", [scalar(3, np.int64), scalar(3, np.int64), scalar(1, np.int64)])
    add("ConstantOfShape", "unset", [i64(2, 3)])
    for value in (f32(2.5), i64(-7), np.array([True]), np.array([3], np.uint8)):
        add("ConstantOfShape", str(value.dtype), [i64(2, 0, 3) if value.dtype == bool else i64(2, 2)], {"value": onnx.numpy_helper.from_array(value, "value")})
    add("ConstantOfShape", "scalar", [np.zeros(0, np.int64)], {"value": onnx.numpy_helper.from_array(f32(4), "value")})
    sparse = helper.make_sparse_tensor(
        helper.make_tensor("values", TensorProto.FLOAT, [3], [1.5, -2.0, 3.0]), helper.make_tensor("indices", TensorProto.INT64, [3], [1, 3, 5]), [2, 3]
    )
    pairs = helper.make_sparse_tensor(
        helper.make_tensor("values", TensorProto.INT64, [2], [7, 8]), helper.make_tensor("indices", TensorProto.INT64, [2, 2], [0, 2, 1, 1]), [2, 3]
    )
    for what, attributes, expected in (
        ("value", {"value": onnx.numpy_helper.from_array(np.array([[1, 2]], np.int32), "v")}, np.array([[1, 2]], np.int32)),
        ("float", {"value_float": 2.5}, scalar(2.5)),
        ("floats", {"value_floats": [1.5, -2.0]}, f32(1.5, -2)),
        ("int", {"value_int": -(2**40)}, scalar(-(2**40), np.int64)),
        ("ints", {"value_ints": [3, 2**40]}, i64(3, 2**40)),
        ("string", {"value_string": "ein Wörtchen"}, np.array("ein Wörtchen", object)),
        ("strings", {"value_strings": ["a", "", "ß"]}, text("a", "", "ß")),
        ("sparse", {"sparse_value": sparse}, f32([0, 1.5, 0], [-2, 0, 3])),
        ("sparse_pairs", {"sparse_value": pairs}, np.array([[0, 0, 7], [0, 8, 0]])),
    ):
        add("Constant", what, [], attributes, formula=lambda expected=expected: expected, without=SPARSE if "sparse" in what else {})


SPARSE = {ORT: "it gives the sparse tensor itself where the graph's output is it", ONNX: "it gives no tensor for a sparse one"}
ORT_KEEP = {ORT: "it heeds keepdims where split is given; the specification says that it is ignored then"}
ORT_RANK = {ORT: "it gives a scalar's index the rank 1"}
