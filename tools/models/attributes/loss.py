# SPDX-License-Identifier: Apache-2.0
"""NegativeLogLikelihoodLoss, SoftmaxCrossEntropyLoss, and the optimizers of ai.onnx.preview.training."""

import itertools

import numpy as np

from . import ONNX, f32, i64, integers, normal, scalar

REDUCTIONS = (None, "none", "mean", "sum")
ONNX_MINUS = {ONNX: "it counts targets of -1, which are ignored, in the mean"}
ONNX_LOG = {ONNX: "it takes the logarithm of the softmax, which underflows"}
ONNX_TYPE = {ONNX: "it gives double for float"}


def cases(add):
    likelihood(add)
    entropy(add)
    optimizers(add)


def losses(chances, target, weight, reduction, ignored):
    """loss = -chances[n, c, ...] * weight[c], 0 where ignored. The mean is over the weights of those not ignored."""
    count = chances.shape[1]
    keep = np.ones(target.shape, bool) if ignored is None else target != ignored
    inside = np.where(keep, target, 0)
    picked = np.take_along_axis(chances, inside[:, None], 1)[:, 0]
    weights = (np.ones(count) if weight is None else weight.astype(np.float64))[inside] * keep
    loss = -picked * weights
    if reduction == "none":
        return loss
    return np.asarray(loss.sum() if reduction == "sum" else loss.sum() / weights.sum())


def forms():
    for reduction, weighted, ignored, rank in itertools.product(REDUCTIONS, (False, True), (None, 2, -100, -1), (0, 1, 3)):
        name = f"{reduction or 'unset'}_{'weight' if weighted else 'plain'}_{'all' if ignored is None else f'ignore{ignored}'.replace('-', 'm')}_{rank}d"
        extents = (3, 2, 4)[:rank]
        target = integers("t" + name, 0, 5, 4, *extents)
        if ignored is not None:
            target.ravel()[::3] = ignored
        attributes = {**({} if reduction is None else {"reduction": reduction}), **({} if ignored is None else {"ignore_index": ignored})}
        weight = np.abs(normal("w" + name, 5)) + np.float32(0.1) if weighted else None
        yield name, normal("x" + name, 4, 5, *extents), target, weight, attributes, reduction or "mean", ignored


def likelihood(add):
    for name, x, target, weight, attributes, reduction, ignored in forms():
        if name.endswith("3d"):
            target = target.astype(np.int32)

        def formula(x, t, w=None, reduction=reduction, ignored=ignored):
            return losses(x.astype(np.float64), t, w, reduction, ignored).astype(x.dtype)

        add("NegativeLogLikelihoodLoss", name, [x, target, *([] if weight is None else [weight])], attributes, formula=formula, without=ONNX_MINUS if ignored == -1 and reduction == "mean" and weight is None else {})
    x = normal("double", 3, 4, 2, dtype=np.float64)
    add("NegativeLogLikelihoodLoss", "double", [x, integers("d", 0, 4, 3, 2)], {}, formula=lambda x, t: losses(x, t, None, "mean", None), rtol=1e-9)


def entropy(add):
    for (name, x, target, weight, attributes, reduction, ignored), both in itertools.product(list(forms()), (False, True)):
        if name.endswith("3d"):
            target = target.astype(np.int32)

        def formula(x, t, w=None, reduction=reduction, ignored=ignored, both=both):
            wide = x.astype(np.float64)
            chances = wide - wide.max(1, keepdims=True)
            chances -= np.log(np.exp(chances).sum(1, keepdims=True))
            loss = losses(chances, t, w, reduction, ignored).astype(x.dtype)
            return (loss, chances.astype(x.dtype)) if both else loss

        add("SoftmaxCrossEntropyLoss", name + ("_log" if both else ""), [x, target, *([] if weight is None else [weight])], attributes, 1 + both, formula=formula)
    # Scores whose exponentials a float does not hold.
    x = f32([1000, 0, -1000], [-500, 900, 901])
    expected = lambda x, t: (f32(0, 1 + np.log1p(np.exp(-1.0))), f32([0, -1000, -2000], [-1401.3132617, -1.3132617, -0.3132617]))
    add("SoftmaxCrossEntropyLoss", "large_scores", [x, i64(0, 1)], {"reduction": "none"}, 2, formula=expected, without=ONNX_LOG)


def optimizers(add):
    def training(op, what, inputs, attributes, outputs, formula):
        add(op, what, inputs, attributes, outputs, domain="ai.onnx.preview.training", formula=formula, without=ONNX_TYPE if op == "Adam" and len(inputs) == 6 else {})

    shapes = ((3, 2), (4,))
    for count, step, given in itertools.product((1, 2), (0, 3), (False, True)):
        what = f"{'one' if count == 1 else 'two'}_step{step}_{'set' if given else 'unset'}"
        draw = lambda kind, positive=False: [np.abs(normal(kind + what, *s)) if positive else normal(kind + what, *s) for s in shapes[:count]]
        x, g, h, v = draw("x"), draw("g"), draw("h", True), draw("v")
        rate, at = scalar(0.1), scalar(step, np.int64)

        def adagrad(r, t, *values, given=given, count=count):
            norm, decay, epsilon = (0.01, 0.1, 1e-3) if given else (0.0, 0.0, 1e-6)
            xs, gs, hs = (values[i * count : (i + 1) * count] for i in range(3))
            made, squares = [], []
            for x, g, h in zip(xs, gs, hs):
                wide = norm * x.astype(np.float64) + g
                squares.append(h + wide * wide)
                made.append(x - r / (1 + int(t) * decay) * wide / (np.sqrt(squares[-1]) + epsilon))
            return tuple(np.asarray(y).astype(np.float32) for y in made + squares)

        training("Adagrad", what, [rate, at, *x, *g, *h], {"norm_coefficient": 0.01, "decay_factor": 0.1, "epsilon": 1e-3} if given else {}, 2 * count, adagrad)

        def adam(r, t, *values, given=given, count=count):
            norm, post, alpha, beta, epsilon = (0.01, 0.02, 0.8, 0.95, 1e-3) if given else (0, 0, np.float32(0.9), np.float32(0.999), 1e-6)
            xs, gs, vs, hs = (values[i * count : (i + 1) * count] for i in range(4))
            made, averages, squares = [], [], []
            for x, g, v, h in zip(xs, gs, vs, hs):
                wide = norm * x.astype(np.float64) + g
                averages.append(alpha * v + (1 - alpha) * wide)
                squares.append(beta * h + (1 - beta) * wide * wide)
                rate = r * np.sqrt(1 - float(beta) ** int(t)) / (1 - float(alpha) ** int(t)) if t > 0 else r
                made.append((1 - post) * (x - rate * averages[-1] / (np.sqrt(squares[-1]) + epsilon)))
            return tuple(np.asarray(y).astype(np.float32) for y in made + averages + squares)

        training("Adam", what, [rate, at, *x, *g, *v, *h], {"norm_coefficient": 0.01, "norm_coefficient_post": 0.02, "alpha": 0.8, "beta": 0.95, "epsilon": 1e-3} if given else {}, 3 * count, adam)
        for mode in ("standard", "nesterov") if given else ():

            def momentum(r, t, *values, mode=mode, count=count):
                xs, gs, vs = (values[i * count : (i + 1) * count] for i in range(3))
                made, momenta = [], []
                for x, g, v in zip(xs, gs, vs):
                    wide = 0.01 * x.astype(np.float64) + g
                    momenta.append(0.9 * v + (0.7 if t > 0 else 1) * wide)
                    made.append(x - r * (momenta[-1] if mode == "standard" else wide + 0.9 * momenta[-1]))
                return tuple(y.astype(np.float32) for y in made + momenta)

            training("Momentum", f"{mode}_{what}", [rate, at, *x, *g, *v], {"norm_coefficient": 0.01, "alpha": 0.9, "beta": 0.7, "mode": mode}, 2 * count, momentum)
