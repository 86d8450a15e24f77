# SPDX-License-Identifier: Apache-2.0
"""Attention, FlexAttention, LinearAttention, RotaryEmbedding."""

import itertools

import ml_dtypes
import numpy as np
from onnx import TensorProto, helper

from . import ONNX, i64, integers, normal

PRECISIONS = {1: np.float32, 10: np.float16, 11: np.float64, 16: ml_dtypes.bfloat16}
ONNX_CAP = {ONNX: "its raw product, mode 0, is capped too"}
ONNX_ROWS = {ONNX: "it takes the causal mask to a mask of one row, which keeps its first row alone"}


def cases(add):
    plain(add)
    cached(add)
    flexible(add)
    linear(add)
    rotary(add)


def attention(
    q, k, v, mask=None, past_key=None, past_value=None, lengths=None, *, is_causal=0, scale=None, softcap=0.0, q_num_heads=0,
    kv_num_heads=0, qk_matmul_output_mode=0, softmax_precision=None, left_window_size=-1, right_window_size=-1,
):  # fmt: skip
    """The four outputs, one query at a time, in double but for the softmax where a lower precision is asked for."""
    packed, kind = q.ndim == 3, q.dtype
    if packed:
        split = lambda x, heads: x.reshape(*x.shape[:2], heads, -1).transpose(0, 2, 1, 3)
        q, k, v = split(q, q_num_heads), split(k, kv_num_heads), split(v, kv_num_heads)
    offsets = np.zeros(q.shape[0], np.int64)
    if past_key is not None:
        offsets[:] = past_key.shape[2]
        k, v = np.concatenate([past_key, k], 2), np.concatenate([past_value, v], 2)
    elif lengths is not None:
        offsets = lengths - q.shape[2]
    batch, heads, rows, _ = q.shape
    total, group = k.shape[2], heads // k.shape[1]
    scale = 1 / np.sqrt(q.shape[3]) if scale is None else np.float32(scale)
    y, debug = np.zeros((batch, heads, rows, v.shape[3])), np.zeros((batch, heads, rows, total))
    bias = np.zeros((batch, heads, rows, total))
    if mask is not None:
        given = np.where(mask, 0.0, -np.inf) if mask.dtype == bool else mask.astype(np.float64)
        short = total - given.shape[-1]
        given = np.concatenate([given, np.full((*given.shape[:-1], short), -np.inf)], -1) if short else given
        bias += given
    for n, h, i in np.ndindex(batch, heads, rows):
        at = offsets[n] + i
        scores = k[n, h // group].astype(np.float64) @ q[n, h, i].astype(np.float64) * scale
        capped = softcap * np.tanh(scores / softcap) if softcap else scores
        biased = capped + bias[n, h, i]
        for j in range(total):
            if (
                (is_causal and j > at)
                or (left_window_size >= 0 and j < at - left_window_size)
                or (right_window_size >= 0 and j > at + right_window_size)
                or (lengths is not None and j >= lengths[n])
            ):
                biased[j] = -np.inf
        if np.all(biased == -np.inf):
            chances = np.zeros(total)
        else:
            low = biased.astype(PRECISIONS[softmax_precision]).astype(np.float64) if softmax_precision else biased
            chances = np.exp(low - low.max())
            chances /= chances.sum()
        debug[n, h, i] = (scores, capped, biased, chances)[qk_matmul_output_mode]
        y[n, h, i] = chances @ v[n, h // group].astype(np.float64)
    if packed:
        y = y.transpose(0, 2, 1, 3).reshape(batch, rows, -1)
    return y.astype(kind), k, v, debug.astype(kind)


def one(add, what, inputs, attributes, outputs=(True, False, False, True), without=None, **more):
    inputs = list(inputs)
    while inputs[-1] is None:
        inputs.pop()

    def formula(*values):
        return tuple(v for v, asked in zip(attention(*values, **attributes), outputs) if asked)

    outputs = list(outputs)
    while not outputs[-1]:
        outputs.pop()
    add("Attention", what, inputs, attributes, outputs, formula=formula, without=without, **more)


def plain(add):
    q, k, v = normal("q", 2, 4, 3, 6), normal("k", 2, 4, 5, 6), normal("v", 2, 4, 5, 3)
    one(add, "unset", [q, k, v], {}, (True, False, False, False))
    for mode, causal, cap in itertools.product((0, 1, 2, 3), (0, 1), (0.0, 1.5)):
        mask = normal("mask", 2, 1, 3, 5)
        attributes = {"qk_matmul_output_mode": mode, "is_causal": causal, "softcap": cap, "scale": 0.7}
        one(add, f"mode{mode}_causal{causal}_{'capped' if cap else 'plain'}", [q, k, v, mask], attributes, without=ONNX_CAP if mode == 0 and cap else {})
    for groups, scale, causal in itertools.product((4, 2, 1), (None, 0.25), (0, 1)):
        attributes = {"is_causal": causal} if scale is None else {"scale": scale, "is_causal": causal}
        one(add, f"groups{groups}_{'unset' if scale is None else 'scale'}_causal{causal}", [q, k[:, :groups].copy(), v[:, :groups].copy()], attributes)
        packed = [x.transpose(0, 2, 1, 3).reshape(2, x.shape[2], -1).copy() for x in (q, k[:, :groups], v[:, :groups])]
        one(add, f"packed_groups{groups}_{'unset' if scale is None else 'scale'}_causal{causal}", packed, {**attributes, "q_num_heads": 4, "kv_num_heads": groups})
    for form, shape in {"2d": (3, 5), "3d": (4, 3, 5), "4d": (2, 4, 3, 5), "heads_broadcast": (2, 1, 3, 5), "rows_broadcast": (2, 4, 1, 5), "1d": (1, 5), "short": (2, 1, 3, 3)}.items():
        chosen = integers(f"chosen{form}", 0, 2, *shape).astype(bool)
        chosen[..., 0] = True
        for causal in (0, 1):
            without = ONNX_ROWS if causal and form in ("rows_broadcast", "1d") else {}
            one(add, f"bool_{form}_causal{causal}", [q, k, v, chosen], {"is_causal": causal, "qk_matmul_output_mode": 3}, without=without)
            one(add, f"float_{form}_causal{causal}", [q, k, v, normal(f"bias{form}", *shape)], {"is_causal": causal, "qk_matmul_output_mode": 2}, without=without)
    nothing = np.ones((2, 1, 3, 5), bool)
    nothing[0, :, 1] = nothing[1, :, 2] = False
    for mode in (2, 3):
        one(add, f"masked_rows_mode{mode}", [q, k, v, nothing], {"qk_matmul_output_mode": mode})
    infinite = np.where(nothing, np.float32(0), np.float32(-np.inf))
    one(add, "masked_rows_float", [q, k, v, infinite], {"qk_matmul_output_mode": 3})
    # Where no query may see a key from the right of it, those of before do: -inf + -inf stays -inf.
    one(add, "masked_rows_float_causal", [q, k, v, infinite], {"qk_matmul_output_mode": 3, "is_causal": 1})
    for left, right, causal in itertools.product((-1, 0, 1), (-1, 0, 1), (0, 1)):
        one(add, f"window_{left}_{right}_causal{causal}".replace("-", "m"), [q, k, v], {"left_window_size": left, "right_window_size": right, "is_causal": causal, "qk_matmul_output_mode": 3})
    one(add, "window_bool", [q, k, v, nothing], {"left_window_size": 1, "right_window_size": 0, "qk_matmul_output_mode": 3})
    for precision, kind in PRECISIONS.items():
        loose = {1: {}, 11: {}, 10: {"rtol": 1e-2, "atol": 2e-3}, 16: {"rtol": 3e-2, "atol": 2e-2}}[precision]
        for mode in (0, 3):
            one(add, f"softmax_{np.dtype(kind).name}_mode{mode}", [q, k, v], {"softmax_precision": precision, "qk_matmul_output_mode": mode, "is_causal": 1}, **loose)
    large = {"rtol": 1e-3}
    one(add, "large_scores", [q * np.float32(60), k * np.float32(60), v], {"qk_matmul_output_mode": 3}, **large)
    # The product of unscaled queries and keys would be out of float16's range.
    q16, k16 = (np.full((1, 1, n, 64), 40, np.float16) for n in (2, 3))
    v16 = normal("v16", 1, 1, 3, 4, dtype=np.float16)
    one(add, "half_scaled_before_product", [q16, k16, v16], {"scale": 0.125}, (True, False, False, False), rtol=2e-3)
    for kind in (np.float16, np.float64):
        three = [x.astype(kind) for x in (q, k, v)]
        one(add, f"{kind.__name__}", three, {"is_causal": 1}, rtol=1e-2 if kind == np.float16 else 1e-6, **({"atol": 3e-3} if kind == np.float16 else {}))
    one(add, "half_values_apart", [q, k, v.astype(np.float16)], {}, (True, False, False, False), rtol=2e-3)


def cached(add):
    q, k, v = normal("cq", 2, 4, 3, 4), normal("ck", 2, 2, 3, 4), normal("cv", 2, 2, 3, 5)
    past_k, past_v = normal("pk", 2, 2, 4, 4), normal("pv", 2, 2, 4, 5)
    every = (True, True, True, True)
    for causal, form in itertools.product((0, 1), ("none", "bool", "float")):
        mask = {"none": None, "bool": integers("cm", 0, 2, 2, 1, 3, 7).astype(bool), "float": normal("cm", 3, 7)}[form]
        if form == "bool":
            mask[..., 0] = True
        one(add, f"past_{form}_causal{causal}", [q, k, v, mask, past_k, past_v], {"is_causal": causal, "qk_matmul_output_mode": 2}, every)
    packed = [x.transpose(0, 2, 1, 3).reshape(2, 3, -1).copy() for x in (q, k, v)]
    one(add, "past_packed", [*packed, None, past_k, past_v], {"is_causal": 1, "q_num_heads": 4, "kv_num_heads": 2}, (True, True, True, False))
    one(add, "past_empty", [q, k, v, None, past_k[:, :, :0].copy(), past_v[:, :, :0].copy()], {"is_causal": 1}, (True, True, True, False))
    one(add, "past_window", [q, k, v, None, past_k, past_v], {"left_window_size": 2, "right_window_size": 1, "qk_matmul_output_mode": 3}, every)
    keys, values = normal("ek", 3, 2, 6, 4), normal("ev", 3, 2, 6, 5)
    q = normal("eq", 3, 4, 3, 4)
    lengths = i64(6, 3, 2)  # the last one shorter than there are queries
    for causal, left, form in itertools.product((0, 1), (-1, 1), ("none", "float", "short")):
        mask = {"none": None, "float": normal("em", 3, 1, 3, 6), "short": normal("es", 3, 1, 3, 6)}[form]
        one(add, f"nonpad_{form}_causal{causal}_{'window' if left >= 0 else 'all'}", [q, keys, values, mask, None, None, lengths], {"is_causal": causal, "left_window_size": left, "qk_matmul_output_mode": 3})
    one(add, "nonpad_mask_shorter", [q, keys[:, :, :5].copy(), values[:, :, :5].copy(), normal("em4", 3, 1, 3, 4), None, None, i64(4, 3, 1)], {"qk_matmul_output_mode": 3})


def graph(name, kind, *nodes):
    info = [helper.make_tensor_value_info(n, kind, [None] * 4) for n in ("scores", "changed")]
    return helper.make_graph(list(nodes), name, info[:1], info[1:])


def flexible(add):
    q, k, v = normal("fq", 1, 4, 3, 6), normal("fk", 1, 2, 5, 6), normal("fv", 1, 2, 5, 3)

    def formula(scale, score=lambda s: s, chance=lambda p: p):
        def run(q, k, v):
            group = q.shape[1] // k.shape[1]
            wide = [x.astype(np.float64) for x in (q, k.repeat(group, 1), v.repeat(group, 1))]
            scores = score(wide[0] @ wide[1].swapaxes(2, 3) * (np.float32(scale) if scale else 1 / np.sqrt(q.shape[3])))
            chances = np.exp(scores - scores.max(-1, keepdims=True))
            return (chance(chances / chances.sum(-1, keepdims=True)) @ wide[2]).astype(q.dtype)

        return run

    def flex(what, inputs, attributes, made, **more):
        add("FlexAttention", what, inputs, attributes, domain="ai.onnx.preview", formula=made, **more)

    flex("unset", [q, k, v], {}, formula(None))
    flex("scale", [q, k, v], {"scale": 0.3}, formula(0.3))
    for precision, kind in PRECISIONS.items():
        loose = {10: {"rtol": 1e-2, "atol": 3e-3}, 16: {"rtol": 3e-2, "atol": 3e-2}}.get(precision, {})
        halved = graph("score", precision, helper.make_node("Tanh", ["scores"], ["changed"]))
        squared = graph("chance", precision, helper.make_node("Mul", ["scores", "scores"], ["changed"]))
        name = np.dtype(kind).name
        flex(f"{name}_plain", [q, k, v], {"softmax_precision": precision}, formula(None), **loose)
        flex(f"{name}_score", [q, k, v], {"softmax_precision": precision, "score_mod": halved}, formula(None, np.tanh), **loose)
        flex(f"{name}_chance", [q, k, v], {"softmax_precision": precision, "prob_mod": squared}, formula(None, chance=np.square), **loose)
        flex(f"{name}_both", [q, k, v], {"softmax_precision": precision, "score_mod": halved, "prob_mod": squared, "scale": 0.5}, formula(0.5, np.tanh, np.square), **loose)
    wide = [x.astype(np.float64) for x in (q, k, v)]
    flex("double", wide, {}, formula(None), rtol=1e-7)


def linear(add):
    def formula(q, k, v, past=None, decay=None, beta=None, *, q_num_heads, kv_num_heads, update_rule="gated_delta", scale=0.0, chunk_size=64):
        """S_t = [exp(g_t)] S + [beta_t] k (v - [S^T k]); o_t = scale * q^T S_t."""
        unpack = lambda x, heads: x.astype(np.float64).reshape(*x.shape[:2], heads, -1)
        kind, (batch, steps, _) = q.dtype, q.shape
        q, k, v = unpack(q, q_num_heads), unpack(k, kv_num_heads), unpack(v, kv_num_heads)
        scale = np.float32(scale) or 1 / np.sqrt(q.shape[-1])
        states = np.zeros((batch, kv_num_heads, k.shape[-1], v.shape[-1])) if past is None else past.astype(np.float64)
        y = np.zeros((batch, steps, q_num_heads, v.shape[-1]))
        group = q_num_heads // kv_num_heads
        for n, t, h in itertools.product(range(batch), range(steps), range(kv_num_heads)):
            state = states[n, h]
            if "gated" in update_rule:
                by = np.exp(unpack(decay, kv_num_heads)[n, t, h])  # one number, or one a key dimension
                state = by[:, None] * state
            new = v[n, t, h]
            if "delta" in update_rule:
                rate = beta.astype(np.float64).reshape(batch, steps, -1)[n, t]
                new = (rate[h] if rate.size > 1 else rate[0]) * (new - state.T @ k[n, t, h])
            states[n, h] = state + np.outer(k[n, t, h], new)
            for g in range(group):
                y[n, t, h * group + g] = scale * q[n, t, h * group + g] @ states[n, h]
        return y.reshape(batch, steps, -1).astype(kind), states.astype(kind)

    heads, dk, dv, steps = 2, 3, 4, 5
    for rule, group, past, scale in itertools.product((None, "linear", "gated", "delta", "gated_delta"), (1, 2), (False, True), (None, 0.4)):
        name = f"{rule or 'unset'}_group{group}_{'past' if past else 'zero'}_{'scale' if scale else 'unscaled'}"
        q, k, v = normal("lq" + name, 2, steps, heads * group * dk), normal("lk" + name, 2, steps, heads * dk, scale=0.5), normal("lv" + name, 2, steps, heads * dv)
        inputs = [q, k, v, normal("ls" + name, 2, heads, dk, dv) if past else None]
        gated, delta = rule in (None, "gated", "gated_delta"), rule in (None, "delta", "gated_delta")
        for form in ("head", "key") if gated else ("",):
            decay = -np.abs(normal("ld" + name, 2, steps, heads * (dk if form == "key" else 1))) if gated else None
            given = inputs + [decay, np.abs(normal("lb" + name, 2, steps, heads, scale=0.5)) if delta else None]
            while given[-1] is None:
                given.pop()
            attributes = {"q_num_heads": heads * group, "kv_num_heads": heads}
            attributes |= {} if rule is None else {"update_rule": rule}
            attributes |= {} if scale is None else {"scale": scale, "chunk_size": 2}
            add("LinearAttention", name + (f"_decay_{form}" if form else ""), given, attributes, 2, formula=lambda *x, attributes=attributes: formula(*x, **attributes))


def rotary(add):
    """The specification has the formula as NumPy code, which is onnx.reference's."""
    for packed, interleaved, partial, placed in itertools.product((False, True), (None, 0, 1), (None, 0, 4), (False, True)):
        half = (partial or 8) // 2
        x = normal("rotary", 2, 3, 5, 8)
        cache = (7, half) if placed else (2, 5, half)
        if packed:
            x = x.transpose(0, 2, 1, 3).reshape(2, 5, 24).copy()
        attributes = {"num_heads": 3} if packed else {}
        attributes |= {} if interleaved is None else {"interleaved": interleaved}
        attributes |= {} if partial is None else {"rotary_embedding_dim": partial}
        inputs = [x, np.cos(normal("angle", *cache)), np.sin(normal("angle", *cache)), *([integers("places", 0, 7, 2, 5)] if placed else [])]
        name = f"{'packed' if packed else 'heads'}_{'unset' if interleaved is None else f'interleaved{interleaved}'}_{'all' if partial is None else f'partial{partial}'}_{'placed' if placed else 'cache'}"
        add("RotaryEmbedding", name, inputs, attributes)
