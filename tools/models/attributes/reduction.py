# SPDX-License-Identifier: Apache-2.0
"""Reductions, ArgMax and ArgMin, running sums, TopK, Unique, NonMaxSuppression, and what normalizes along axes."""

import itertools

import numpy as np

from . import ONNX, ORT, f32, i64, integers, normal, scalar

REDUCTIONS = {
    "ReduceL1": lambda x, a, k: np.abs(x).sum(a, keepdims=k),
    "ReduceL2": lambda x, a, k: np.sqrt((x**2).sum(a, keepdims=k)),
    "ReduceLogSum": lambda x, a, k: np.log(x.sum(a, keepdims=k)),
    "ReduceLogSumExp": lambda x, a, k: np.log(np.exp(x).sum(a, keepdims=k)),
    "ReduceMax": lambda x, a, k: x.max(a, keepdims=k),
    "ReduceMean": lambda x, a, k: x.mean(a, keepdims=k),
    "ReduceMin": lambda x, a, k: x.min(a, keepdims=k),
    "ReduceProd": lambda x, a, k: x.prod(a, keepdims=k),
    "ReduceSum": lambda x, a, k: x.sum(a, keepdims=k),
    "ReduceSumSquare": lambda x, a, k: (x**2).sum(a, keepdims=k),
}


def cases(add):
    reductions(add)
    positions(add)
    running(add)
    selection(add)
    normalizations(add)


def reductions(add):
    for op, function in REDUCTIONS.items():
        x = normal(op, 2, 3, 4)
        x = np.abs(x) + np.float32(0.1) if op == "ReduceLogSum" else x

        def reduced(axes, keep, noop=0, function=function):
            def run(x, given=None):
                wide = x.astype(np.float64)
                # By the specification what is done to each element is still done: a sum of squares is a square.
                taken = tuple(axes) if axes else () if noop else None
                return np.asarray(function(wide, taken, bool(keep))).astype(x.dtype)

            return run

        for keep, axes in itertools.product((None, 0, 1), (None, [1], [-1, 0], [0, 1, 2], [])):
            attributes = {} if keep is None else {"keepdims": keep}
            what = f"{'unset' if keep is None else f'keep{keep}'}_{'all' if axes is None else 'axes' + ''.join(str(a).replace('-', 'm') for a in axes)}"
            inputs = [x] if axes is None else [x, i64(*axes)]
            add(op, what, inputs, attributes, formula=reduced(axes, 1 if keep is None else keep))
        for keep, axes in itertools.product((0, 1), (None, [], [1])):
            inputs = [x] if axes is None else [x, i64(*axes)]
            what = f"noop_keep{keep}_{'omitted' if axes is None else 'empty' if not axes else 'given'}"
            add(op, what, inputs, {"keepdims": keep, "noop_with_empty_axes": 1}, formula=reduced(axes, keep, 1))
        add(op, "scalar", [scalar(1.5)], {}, formula=reduced(None, 1))
        if op not in ("ReduceLogSum", "ReduceLogSumExp", "ReduceMean"):
            add(op, "int32", [integers(op, -9, 9, 3, 4, dtype=np.int32), i64(0)], {"keepdims": 0}, formula=reduced([0], 0), without=ONNX_TYPE if op == "ReduceSumSquare" else {})
    for op, value in (("ReduceSum", 0), ("ReduceL1", 0), ("ReduceProd", 1), ("ReduceMax", -np.inf), ("ReduceMin", np.inf), ("ReduceLogSumExp", -np.inf)):
        add(op, "of_nothing", [np.zeros((2, 0, 3), np.float32), i64(1)], {"keepdims": 0}, formula=lambda x, a, value=value: np.full((2, 3), value, np.float32))


def positions(add):
    x = integers("arg", 0, 4, 3, 4, 5).astype(np.float32)  # with equal elements
    for op, axis, keep, last in itertools.product(("ArgMax", "ArgMin"), (0, 1, -1), (0, 1), (0, 1)):
        add(op, f"axis{str(axis).replace('-', 'm')}_keep{keep}_last{last}", [x], {"axis": axis, "keepdims": keep, "select_last_index": last})
    for op in ("ArgMax", "ArgMin"):
        add(op, "unset", [x])
        add(op, "int32", [integers(op, -5, 5, 4, 3, dtype=np.int32)], {"axis": 1})


def running(add):
    x = normal("cum", 3, 4, 2)
    for op, axis, exclusive, reverse in itertools.product(("CumSum", "CumProd"), (0, 1, -1), (0, 1), (0, 1)):
        def formula(x, axis, op=op, exclusive=exclusive, reverse=reverse):
            wide, axis = x.astype(np.float64), int(axis)
            wide = np.flip(wide, axis) if reverse else wide
            if exclusive:
                first = np.full_like(np.take(wide, [0], axis), 0 if op == "CumSum" else 1)
                wide = np.concatenate([first, np.take(wide, range(wide.shape[axis] - 1), axis)], axis)
            total = (np.cumsum if op == "CumSum" else np.cumprod)(wide, axis)
            return (np.flip(total, axis) if reverse else total).astype(x.dtype)

        add(op, f"axis{str(axis).replace('-', 'm')}_exclusive{exclusive}_reverse{reverse}", [x, scalar(axis, np.int64)], {"exclusive": exclusive, "reverse": reverse}, formula=formula)
    for op in ("CumSum", "CumProd"):
        add(op, "int32_axis", [integers(op, -3, 4, 2, 5, dtype=np.int32), scalar(1, np.int32)])


def selection(add):
    x = np.random.default_rng(5).permutation(60).reshape(3, 4, 5).astype(np.float32)
    for axis, largest, k in itertools.product((0, 1, -1), (0, 1), (1, 3)):
        add("TopK", f"axis{str(axis).replace('-', 'm')}_largest{largest}_k{k}", [x, i64(k)], {"axis": axis, "largest": largest}, 2)
    add("TopK", "unset", [x, i64(2)], {}, 2)
    add("TopK", "sorted", [x, i64(2)], {"sorted": 1}, 2)
    # Unsorted: any order will do, unless there is one element, or all that are asked for are equal.
    add("TopK", "unsorted_one", [x, i64(1)], {"sorted": 0, "axis": 0}, 2)
    add("TopK", "none", [x, i64(0)], {}, 2, formula=lambda x, k: (np.zeros((3, 4, 0), np.float32), np.zeros((3, 4, 0), np.int64)))
    ties = f32([1, 2, 2, 1], [3, 3, 3, 3])
    for largest in (0, 1):
        add("TopK", f"ties_largest{largest}", [ties, i64(3)], {"largest": largest}, 2)
    add("TopK", "int64", [integers(6, -50, 50, 2, 9), i64(4)], {"largest": 0}, 2)
    y = integers("unique", 0, 4, 3, 4).astype(np.float32)
    rows = f32([1, 0, 0], [1, 0, 0], [2, 3, 4], [0, 9, 9])
    for ordered, axis in itertools.product((None, 0, 1), (None, 0, 1, -1)):
        attributes = {} if ordered is None else {"sorted": ordered}
        what = f"{'unset' if ordered is None else f'sorted{ordered}'}_{'flat' if axis is None else f'axis{axis}'.replace('-', 'm')}"
        add("Unique", what, [rows if axis == 0 else y], {**attributes, **({} if axis is None else {"axis": axis})}, 4)
    for i, outputs in enumerate(([True], [True, True], [True, False, True], [True, False, False, True])):
        add("Unique", f"outputs{i}", [y], {}, outputs)
    boxes = np.random.default_rng(8).uniform(0, 1, (2, 12, 4)).astype(np.float32)
    boxes[..., 2:] = boxes[..., :2] + boxes[..., 2:] * np.float32(0.6) + np.float32(0.1)
    scores = np.random.default_rng(9).permutation(72).reshape(2, 3, 12).astype(np.float32) / 72
    most, iou, least = i64(4), f32(0.3), f32(0.4)
    for center, given in itertools.product((0, 1), itertools.product((False, True), repeat=3)):
        if not given[0] and any(given):
            continue
        inputs = [boxes, scores, *(v if g else None for v, g in zip((most, iou, least), given))]
        while inputs[-1] is None:
            inputs.pop()
        add("NonMaxSuppression", f"center{center}_{''.join('01'[g] for g in given)}", inputs, {"center_point_box": center})
    add("NonMaxSuppression", "unset", [boxes, scores, most, iou, least])
    add("NonMaxSuppression", "corners_swapped", [boxes[..., [2, 3, 0, 1]].copy(), scores, most, iou])
    # Without max_output_boxes_per_class none is selected.
    add("NonMaxSuppression", "without_most", [boxes, scores, None, iou, least], formula=lambda *x: np.zeros((0, 3), np.int64))


def normalizations(add):
    x = normal("normalize", 2, 4, 3, 5)
    for op in ("Softmax", "LogSoftmax", "Hardmax"):
        for axis in (None, 0, 1, 2, -1, -3):
            add(op, "unset" if axis is None else f"axis{axis}".replace("-", "m"), [x], {} if axis is None else {"axis": axis})
    add("Hardmax", "ties", [f32([1, 3, 3], [2, 2, 2])])
    for p, axis in itertools.product((1, 2), (0, 1, -1)):
        add("LpNormalization", f"p{p}_axis{axis}".replace("-", "m"), [x], {"p": p, "axis": axis}, without=ONNX_SIGN if p == 1 else {})
    add("LpNormalization", "unset", [x])
    for size, alpha in itertools.product((1, 2, 3, 5), (1e-4, 0.3)):
        add("LRN", f"size{size}_alpha{'small' if alpha < 0.1 else 'large'}", [x], {"size": size, "alpha": alpha, "beta": 0.6, "bias": 1.5}, formula=lrn(size, alpha, 0.6, 1.5), without={**ONNX_LRN, **(ORT_EVEN if size == 2 else {})})
    add("LRN", "unset", [x], {"size": 3}, without=ONNX_LRN)
    for axes in ([0, 2, 3], [1], [0, 1, 2, 3], [-1, -2], [0]):
        def formula(x, axes=tuple(axes)):
            wide = x.astype(np.float64)
            mean = wide.mean(axes, keepdims=True)
            return ((wide - mean) / np.sqrt(((wide - mean) ** 2).mean(axes, keepdims=True))).astype(x.dtype)

        add("MeanVarianceNormalization", f"axes{''.join(str(a).replace('-', 'm') for a in axes)}", [x], {"axes": axes}, formula=formula, without=ONNX_EPSILON if axes == [0] else {})
    add("MeanVarianceNormalization", "unset", [x])
    for axis, bias, outputs in itertools.product((None, 1, 2, -1, -2, 0), (False, True), ([True], [True, True, True])):
        shape = x.shape[-1 if axis is None else axis :]
        inputs = [x, normal(1, *shape)] + ([normal(2, *shape)] if bias else [])
        attributes = {} if axis is None else {"axis": axis, "epsilon": 0.01}
        what = f"{'unset' if axis is None else f'axis{axis}'.replace('-', 'm')}_{'bias' if bias else 'plain'}_{len(outputs)}"
        add("LayerNormalization", what, inputs, attributes, outputs)
        if len(outputs) == 1 and not bias:
            add("RMSNormalization", what, inputs, attributes)
    add("LayerNormalization", "mean_alone", [x, normal(1, 5)], {}, [True, True])
    add("LayerNormalization", "deviation_alone", [x, normal(1, 5)], {}, [True, False, True])
    for dtype, stash in ((np.float64, 1), (np.float64, 11), (np.float32, 11)):
        what, y = f"{dtype.__name__}_stash{stash}", x.astype(dtype)
        layer = lambda x, s, b: ((x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5) * s + b).astype(x.dtype)
        rms = lambda x, s: (x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-5) * s).astype(x.dtype)
        add("LayerNormalization", what, [y, normal(1, 5, dtype=dtype), normal(2, 5, dtype=dtype)], {"stash_type": stash}, formula=layer)
        add("RMSNormalization", what, [y, normal(1, 5, dtype=dtype)], {"stash_type": stash}, formula=rms)

        def group(x, s, b):
            parts = x.astype(np.float64).reshape(2, 2, -1)
            made = (parts - parts.mean(-1, keepdims=True)) / np.sqrt(parts.var(-1, keepdims=True) + 1e-5)
            return (made.reshape(x.shape) * s[:, None, None] + b[:, None, None]).astype(x.dtype)

        add("GroupNormalization", what, [y, normal(3, 4, dtype=dtype), normal(4, 4, dtype=dtype)], {"num_groups": 2, "stash_type": stash}, formula=group)
    for groups in (1, 2, 4):
        add("GroupNormalization", f"groups{groups}", [x, normal(3, 4), normal(4, 4)], {"num_groups": groups, "epsilon": 0.05})
    add("GroupNormalization", "3d", [normal(5, 2, 6, 7), normal(6, 6), normal(7, 6)], {"num_groups": 3})
    for rank in (3, 4, 5):
        y = normal(rank, 2, 3, *(4, 5, 2)[: rank - 2])
        add("InstanceNormalization", f"{rank}d", [y, normal(8, 3), normal(9, 3)], {"epsilon": 0.02})
        inputs = [y, normal(1, 3), normal(2, 3), normal(3, 3), np.abs(normal(4, 3)) + np.float32(0.1)]
        add("BatchNormalization", f"{rank}d", inputs, {"epsilon": 0.01})
        add("BatchNormalization", f"{rank}d_training", inputs, {"training_mode": 1, "momentum": 0.7, "epsilon": 0.02}, 3, formula=batch(0.7, 0.02))
    add("BatchNormalization", "2d", [normal(5, 4, 3), *inputs[1:]])
    add("BatchNormalization", "momentum_unset", inputs, {"training_mode": 1}, 3, formula=batch(0.9, 1e-5))


def batch(momentum, epsilon):
    """running_mean = input_mean * momentum + current_mean * (1 - momentum), the variance as well, of the population."""

    def run(x, scale, b, mean, var):
        wide, axes = x.astype(np.float64), (0, *range(2, x.ndim))
        wider = lambda v: v.reshape(-1, *[1] * (x.ndim - 2))
        now, spread = wide.mean(axes), wide.var(axes)
        y = (wide - wider(now)) / np.sqrt(wider(spread) + epsilon) * wider(scale) + wider(b)
        return y.astype(x.dtype), (mean * momentum + now * (1 - momentum)).astype(x.dtype), (var * momentum + spread * (1 - momentum)).astype(x.dtype)

    return run


def lrn(size, alpha, beta, bias):
    """square_sum of the channels max(0, c - floor((size - 1) / 2)) to min(C - 1, c + ceil((size - 1) / 2))."""

    def run(x):
        wide, y = x.astype(np.float64), np.zeros(x.shape)
        for c in range(x.shape[1]):
            low, high = max(0, c - (size - 1) // 2), min(x.shape[1] - 1, c - (-(size - 1) // 2))
            y[:, c] = wide[:, c] / (bias + alpha / size * (wide[:, low : high + 1] ** 2).sum(1)) ** beta
        return y.astype(x.dtype)

    return run


ONNX_SIGN = {ONNX: "its norm for p = 1 is the sum of the elements, not of their magnitudes"}
ONNX_LRN = {ONNX: "it normalizes as many channels as there are batches"}
ONNX_EPSILON = {ONNX: "it takes the variance as E[X^2] - E[X]^2 in float"}
ONNX_TYPE = {ONNX: "it gives int64 for int32"}
ORT_EVEN = {ORT: "it takes odd sizes alone"}
