# SPDX-License-Identifier: Apache-2.0
"""QuantizeLinear and DequantizeLinear, DynamicQuantizeLinear, MatMulInteger, QLinearMatMul, Cast, CastLike, BitCast."""

import itertools

import ml_dtypes
import numpy as np
from onnx import TensorProto

from . import ONNX, element, f32, integers, normal, scalar, text

INTEGERS = {np.uint8: (0, 255), np.int8: (-128, 127), np.uint16: (0, 65535), np.int16: (-32768, 32767)}
NIBBLES = {ml_dtypes.uint4: (0, 15), ml_dtypes.int4: (-8, 7), ml_dtypes.uint2: (0, 3), ml_dtypes.int2: (-2, 1)}
FLOATS8 = (ml_dtypes.float8_e4m3fn, ml_dtypes.float8_e4m3fnuz, ml_dtypes.float8_e5m2, ml_dtypes.float8_e5m2fnuz)
ONNX_WRAP = {ONNX: "it adds the zero point in 32 bits, which wraps"}
ONNX_PRECISION = {ONNX: "it divides in the wider of the two types; the specification does in y_scale's"}
ONNX_INFINITY = {ONNX: "it gives NaN for infinity; by the specification's table that is the greatest number"}


def cases(add):
    quantize(add)
    dequantize(add)
    products(add)
    casts(add)
    special(add)


def name(dtype) -> str:
    return np.dtype(dtype).name


def spread(scale, shape, axis, block):
    """A scale or zero point, repeated to a shape."""
    if scale.ndim == 0 or scale.size == 1 and not block:
        return scale.reshape(())
    if block:
        return np.take(scale, np.arange(shape[axis]) // block, axis)
    return scale.reshape([-1 if i == axis % len(shape) else 1 for i in range(len(shape))])


def quantized(kind, axis=1, block=0, precision=None):
    """saturate(round_half_even(x / y_scale) + y_zero_point), the division in y_scale's type unless precision is given."""
    low, high = (INTEGERS | NIBBLES)[kind]

    def run(x, scale, zero=None):
        exact = precision or scale.dtype
        ratio = x.astype(exact) / spread(scale, x.shape, axis, block).astype(exact)
        zeros = 0 if zero is None else spread(zero, x.shape, axis, block).astype(np.int64)
        return np.clip(np.rint(ratio.astype(np.float64)) + zeros, low, high).astype(np.int64).astype(kind)

    return run


def scales_of(form, shape, seed, axis=1, block=0):
    shape = {"tensor": (), "axis": (shape[axis],), "block": tuple(-(-e // block) if i == axis % len(shape) else e for i, e in enumerate(shape)) if block else ()}[form]
    return np.abs(normal(seed, *shape, scale=0.1)).astype(np.float32) + np.float32(0.02)


def quantize(add):
    shape = (3, 5, 4)
    for (kind, (low, high)), form, zero in itertools.product((INTEGERS | NIBBLES).items(), ("tensor", "axis", "block"), ("zero", "output_dtype", "both")):
        attributes = {"block_size": 2} if form == "block" else {}
        scale = scales_of(form, shape, f"{kind}{form}", block=2)
        x = normal(f"q{kind}", *shape, scale=0.1 * (high - low))
        inputs = [x, scale]
        if zero != "output_dtype":
            inputs.append(integers(f"z{kind}{form}", max(low, -9), min(high, 9) + 1, *scale.shape).astype(kind))
        if zero != "zero":
            attributes["output_dtype"] = element(np.zeros(0, kind))
        add("QuantizeLinear", f"{name(kind)}_{form}_{zero}", inputs, attributes, formula=quantized(kind, 1, 2 if form == "block" else 0))
    x = normal("qx", *shape, scale=4)
    add("QuantizeLinear", "all_unset", [x, scalar(0.05)], formula=quantized(np.uint8))
    for axis, form, block in ((0, "axis", 0), (2, "axis", 0), (-1, "axis", 0), (-2, "axis", 0), (0, "block", 2), (-1, "block", 3), (2, "block", 4), (-2, "block", 5)):
        scale = scales_of(form, shape, f"{axis}{form}", axis, block)
        attributes = {"axis": axis, **({"block_size": block} if block else {})}
        add("QuantizeLinear", f"axis_{axis}_{form}{block}".replace("-", "m"), [x, scale, integers("za", 90, 110, *scale.shape, dtype=np.uint8)], attributes, formula=quantized(np.uint8, axis, block))
    # Ties to even, and what saturates.
    ties = np.arange(-9, 10, dtype=np.float32) / 2
    add("QuantizeLinear", "ties", [ties, scalar(1.0), scalar(0, np.int8)], formula=quantized(np.int8))
    add("QuantizeLinear", "ties_odd_zero", [ties, scalar(1.0), scalar(3, np.int8)], formula=quantized(np.int8))
    add("QuantizeLinear", "saturates", [f32(-np.inf, -1e30, -129, -128.5, 127.4, 127.5, 1e30, np.inf), scalar(1.0), scalar(0, np.int8)], formula=lambda x, s, z: np.array([-128, -128, -128, -128, 127, 127, 127, 127], np.int8), without=ONNX_WRAP)
    types = {1: np.float32, 10: np.float16, 11: np.float64, 16: ml_dtypes.bfloat16}
    for of_x, of_scale, precision in itertools.product((1, 10, 16), (1, 10, 16), (None, 1, 10, 16)):
        x, scale = normal("p", 4, 6, scale=3).astype(types[of_x]), np.asarray(0.07, types[of_scale])
        attributes = {} if precision is None else {"precision": precision}
        what = f"precision_{name(types[of_x])}_by_{name(types[of_scale])}_in_{'unset' if precision is None else name(types[precision])}"
        add("QuantizeLinear", what, [x, scale, scalar(100, np.uint8)], attributes, formula=quantized(np.uint8, precision=types.get(precision)), without=ONNX_PRECISION if of_scale == 16 and of_x != 16 and precision is None else {})
    for kind, saturate in itertools.product(FLOATS8, (None, 0, 1)):
        largest = float(ml_dtypes.finfo(kind).max)
        x = np.concatenate([normal("f8", 20, scale=largest / 3), f32(largest, -largest, 2 * largest, -3 * largest, 0, np.inf, -np.inf, np.nan)])
        attributes = {} if saturate is None else {"saturate": saturate}
        add("QuantizeLinear", f"{name(kind)}_{'unset' if saturate is None else f'saturate{saturate}'}", [x, scalar(1.5), scalar(0, kind)], attributes, formula=lambda x, s, z, kind=kind, on=saturate != 0: to_float8((x / s).astype(np.float32), kind, on))
    for kind in (ml_dtypes.float4_e2m1fn, ml_dtypes.float6_e2m3fn, ml_dtypes.float6_e3m2fn):
        x = normal("f4", 4, 8, scale=4)
        for form in ("tensor", "block"):
            scale = scales_of(form, x.shape, "f4s", 1, 4) * np.float32(8)
            attributes = {"output_dtype": element(np.zeros(0, kind)), **({"block_size": 4} if form == "block" else {})}
            add("QuantizeLinear", f"{name(kind)}_{form}", [x, scale], attributes, formula=lambda x, s, kind=kind, block=4 if form == "block" else 0: limited(x / spread(s, x.shape, 1, block), kind))
    add("QuantizeLinear", "int32", [integers("qi", -900, 900, 3, 4, dtype=np.int32), scalar(5.5), scalar(7, np.int8)], formula=quantized(np.int8))


def limited(x, kind):
    largest = float(ml_dtypes.finfo(kind).max)
    return np.clip(x, -largest, largest).astype(kind)


def to_float8(x, kind, saturate):
    """The tables of Cast. Rounding is ml_dtypes' (nearest, ties to even), which does not saturate."""
    y = x.astype(kind)
    largest = ml_dtypes.finfo(kind).max
    out = (~np.isfinite(y.astype(np.float32)) | (np.abs(y.astype(np.float32)) > float(largest))) & ~np.isnan(x)
    if saturate:
        y[out] = np.where(x[out] > 0, largest, -largest).astype(kind)
    return y


def dequantize(add):
    shape = (3, 5, 4)
    types = {1: np.float32, 10: np.float16, 16: ml_dtypes.bfloat16}

    def formula(axis=1, block=0, to=None):
        def run(x, scale, zero=None):
            zeros = 0 if zero is None else spread(zero, x.shape, axis, block).astype(np.float64)
            exact = to or scale.dtype
            less = (x.astype(np.float64) - zeros).astype(np.float32)
            return (less * spread(scale, x.shape, axis, block).astype(np.float32)).astype(exact)

        return run

    for (kind, (low, high)), form, zero in itertools.product((INTEGERS | NIBBLES).items(), ("tensor", "axis", "block"), (False, True)):
        scale = scales_of(form, shape, f"d{kind}{form}", block=2)
        x = integers(f"dx{kind}", low, high + 1, *shape).astype(kind)
        inputs = [x, scale, *([integers(f"dz{kind}{form}", max(low, -9), min(high, 9) + 1, *scale.shape).astype(kind)] if zero else [])]
        add("DequantizeLinear", f"{name(kind)}_{form}_{'zero' if zero else 'plain'}", inputs, {"block_size": 2} if form == "block" else {}, formula=formula(1, 2 if form == "block" else 0))
    x = integers("da", 0, 256, *shape, dtype=np.uint8)
    for axis, form, block in ((0, "axis", 0), (2, "axis", 0), (-1, "axis", 0), (0, "block", 2), (-1, "block", 3), (2, "block", 4), (-2, "block", 5)):
        scale = scales_of(form, shape, f"d{axis}{form}", axis, block)
        attributes = {"axis": axis, **({"block_size": block} if block else {})}
        add("DequantizeLinear", f"axis_{axis}_{form}{block}".replace("-", "m"), [x, scale, integers("za", 90, 110, *scale.shape, dtype=np.uint8)], attributes, formula=formula(axis, block))
    for of_scale, to in itertools.product(types, (None, *types)):
        scale = np.asarray(0.0625, types[of_scale])
        attributes = {} if to is None else {"output_dtype": to}
        add("DequantizeLinear", f"scale_{name(types[of_scale])}_to_{'unset' if to is None else name(types[to])}", [x, scale, scalar(128, np.uint8)], attributes, formula=formula(to=types.get(to)), rtol=1e-2)
    add("DequantizeLinear", "int32", [integers("di", -(2**20), 2**20, 3, 4, dtype=np.int32), scalar(0.25)], formula=formula())
    for kind in (*FLOATS8, ml_dtypes.float4_e2m1fn, ml_dtypes.float6_e2m3fn, ml_dtypes.float6_e3m2fn):
        x = limited(normal("d8", 4, 6, scale=3), kind)
        add("DequantizeLinear", name(kind), [x, scalar(0.75)], formula=formula())
        add("DequantizeLinear", f"{name(kind)}_block", [x, scales_of("block", x.shape, "d8s", 1, 3)], {"block_size": 3}, formula=formula(1, 3))


def products(add):
    """Sums of products, exact in 64 bits."""
    less = lambda a, zero: a.astype(np.int64) - (0 if zero is None else zero.astype(np.int64))
    for (a_kind, b_kind), zeros in itertools.product(itertools.product((np.uint8, np.int8), repeat=2), ("none", "a", "b", "both", "rows", "columns")):
        a, b = integers("a", *((0, 256) if a_kind == np.uint8 else (-128, 128)), 2, 3, 5, dtype=a_kind), integers("b", *((96, 160) if b_kind == np.uint8 else (-32, 32)), 5, 4, dtype=b_kind)
        a_zero = integers("az", 1, 9, 3, 1, dtype=a_kind) if zeros == "rows" else scalar(7, a_kind) if zeros in ("a", "both") else None
        b_zero = integers("bz", 1, 9, 4, dtype=b_kind) if zeros == "columns" else scalar(5, b_kind) if zeros in ("b", "both") else None
        if zeros == "rows":
            a, a_zero = a[0].copy(), a_zero[:, 0].copy()
        inputs = [a, b, a_zero, b_zero]
        while inputs[-1] is None:
            inputs.pop()
        rows = zeros == "rows"
        formula = lambda a, b, az=None, bz=None, rows=rows, less=less: (less(a, az[:, None] if rows else az) @ less(b, bz)).astype(np.int32)
        add("MatMulInteger", f"{name(a_kind)}_{name(b_kind)}_{zeros}", inputs, {}, formula=formula)
    for kind, rank in itertools.product((np.uint8, np.int8), (2, 3)):
        low, high = INTEGERS[kind]
        a, b = integers("qa", low, high + 1, *(2, 3, 5)[3 - rank :], dtype=kind), integers("qb", low // 4, high // 4, 5, 4, dtype=kind)
        scales = [scalar(v) for v in (0.03, 0.02, 0.11)]
        zeros = [scalar(v, kind) for v in (3, 2, 5)]
        given = [a, scales[0], zeros[0], b, scales[1], zeros[1], scales[2], zeros[2]]

        def formula(a, sa, za, b, sb, zb, sy, zy, kind=kind):
            low, high = INTEGERS[kind]
            product = less(a, za) @ less(b, zb)
            return np.clip(np.rint(product * (np.float64(sa) * np.float64(sb) / np.float64(sy))) + int(zy), low, high).astype(kind)

        add("QLinearMatMul", f"{name(kind)}_{rank}d", given, {}, formula=formula)
        given[4], given[5] = f32(0.02, 0.03, 0.01, 0.05), integers("qz", 0, 9, 4, dtype=kind)
        add("QLinearMatMul", f"{name(kind)}_{rank}d_columns", given, {}, formula=formula)
    for what, x in {"mixed": normal("dyn", 3, 4, scale=3), "positive": np.abs(normal("dyn", 7)) + 1, "negative": -np.abs(normal("dyn", 7)) - 1}.items():

        def formula(x):
            low, high = min(float(x.min()), 0), max(float(x.max()), 0)
            scale = np.float32((np.float32(high) - np.float32(low)) / np.float32(255))
            zero = np.clip(np.rint(-np.float32(low) / scale), 0, 255)
            y = np.clip(np.rint(x / scale) + zero, 0, 255)
            return y.astype(np.uint8), np.asarray(scale), np.asarray(zero, np.uint8)

        add("DynamicQuantizeLinear", what, [x.astype(np.float32)], {}, 3, formula=formula)


def casts(add):
    numbers = (np.uint8, np.int8, np.uint16, np.int16, np.uint32, np.int32, np.uint64, np.int64, np.float16, ml_dtypes.bfloat16, np.float32, np.float64, bool)
    for source, to in itertools.product(numbers, numbers):
        signed = source not in (np.uint8, np.uint16, np.uint32, np.uint64, bool)
        if np.dtype(source).kind in "iu":  # out of range: the higher bits are discarded
            info = np.iinfo(source)
            x = np.array([0, 1, 100, info.max, info.max - 1, info.min, info.min // 2 if signed else info.max // 3], source)
            if to in (np.float16, ml_dtypes.bfloat16):
                x = x[:3]  # NumPy rounds them twice, and the specification does not say how they are rounded
        elif source is bool:
            x = np.array([True, False])
        else:  # out of range is undefined
            x = np.array([0, 1, -1.5, 2.75, 100.5, -0.0][: 6 if to not in (np.uint8, np.uint16, np.uint32, np.uint64) else 2] + [3.999, 77], source)
        add("Cast", f"{name(source)}_to_{name(to)}", [x], {"to": element(np.zeros(0, to))}, formula=lambda x, to=to: x.astype(to))
        if source in (np.float32, np.int32) and to is not bool:
            add("CastLike", f"{name(source)}_to_{name(to)}", [x, np.zeros(2, to)], {}, formula=lambda x, like: x.astype(like.dtype))
    add("Cast", "not_a_number_to_bool", [f32(np.nan, np.inf, -0.0, 1e-45)], {"to": TensorProto.BOOL}, formula=lambda x: np.array([True, True, False, True]))
    words = text("3.14", "-1e-5", "1E8", "+INF", "-inf", "NaN", "inf", "0", "-0.0")
    meant = [3.14, -1e-5, 1e8, np.inf, -np.inf, np.nan, np.inf, 0.0, -0.0]
    for to in (np.float16, ml_dtypes.bfloat16, np.float32, np.float64):
        add("Cast", f"string_to_{name(to)}", [words], {"to": element(np.zeros(0, to))}, formula=lambda x, to=to: np.array(meant).astype(to))
    for to in (np.uint8, np.int8, np.uint16, np.int16, np.uint32, np.int32, np.uint64, np.int64):
        info = np.iinfo(to)
        add("Cast", f"string_to_{name(to)}", [text("0", "17", str(info.max), str(info.min))], {"to": element(np.zeros(0, to))}, formula=lambda x, to=to, info=info: np.array([0, 17, info.max, info.min], to))
    for source, values in ((np.int64, [0, -7, 2**62]), (np.uint8, [0, 255]), (np.int32, [-(2**31)]), (np.uint64, [2**64 - 1])):
        add("Cast", f"{name(source)}_to_string", [np.array(values, source)], {"to": TensorProto.STRING}, formula=lambda x: text(*[str(v) for v in x]))
    add("Cast", "float32_to_string", [f32(0.5, -2.25, 314.15926)], {"to": TensorProto.STRING})
    add("CastLike", "string_to_float32", [text("2.5", "-inf"), f32(0)], {}, formula=lambda x, like: f32(2.5, -np.inf))
    nan = np.nan
    for source, kind, saturate in itertools.product((np.float32, np.float16, ml_dtypes.bfloat16, np.float64), FLOATS8, (None, 0, 1)):
        largest = float(ml_dtypes.finfo(kind).max)
        exact = np.concatenate([normal("c8", 24, scale=largest / 4), f32(largest, -largest, largest * 1.03, largest * 1.3, -largest * 1.5, 0, -0.0, np.inf, -np.inf, nan, 1e-3, 2e-6, 1e-7)])
        with np.errstate(over="ignore"):
            x = exact.astype(source)
        attributes = {} if saturate is None else {"saturate": saturate}
        what = f"{name(source)}_to_{name(kind)}_{'unset' if saturate is None else f'saturate{saturate}'}"
        formula = lambda x, *_, kind=kind, on=saturate != 0: to_float8(x.astype(np.float64), kind, on)
        add("Cast", what, [x], {"to": element(np.zeros(0, kind)), **attributes}, formula=formula)
        if source is np.float32:
            add("CastLike", what, [x, np.zeros(1, kind)], attributes, formula=formula)


def to_scale(x, mode, saturate):
    """float8e8m0: powers of 2 from -127 to 127. up, down: away from and towards zero; nearest: to the nearer of the two
    powers, upwards from half-way."""
    bits = np.zeros(x.shape, np.uint8)
    for i, value in np.ndenumerate(x.astype(np.float64)):
        if np.isnan(value) or (not saturate and not np.isfinite(value)) or (not saturate and value == 0):
            bits[i] = 255
            continue
        if value == 0:
            continue
        if np.isinf(value):
            bits[i] = 254
            continue
        mantissa, exponent = np.frexp(value)  # 0.5 <= mantissa < 1
        low = exponent - 1
        power = low if mantissa == 0.5 or mode == "down" or (mode == "nearest" and mantissa < 0.75) else low + 1
        if power > 127:
            bits[i] = 254 if saturate else 255
        elif power < -127:
            bits[i] = 0 if saturate else 255
        else:
            bits[i] = power + 127
    return bits.view(ml_dtypes.float8_e8m0fnu)


def special(add):
    kind = ml_dtypes.float8_e8m0fnu
    for source, mode, saturate in itertools.product((np.float32, np.float16, ml_dtypes.bfloat16), (None, "up", "down", "nearest"), (None, 0, 1)):
        x = np.concatenate([np.abs(normal("e8", 20)), 2.0 ** np.arange(-6, 7), f32(1.5, 3, 0.75, 1.49, 1.51, 100, np.nan, np.inf, 0 if saturate != 0 and mode in (None, "up") else 1)]).astype(source)
        attributes = {**({} if mode is None else {"round_mode": mode}), **({} if saturate is None else {"saturate": saturate})}
        what = f"{name(source)}_to_e8m0_{mode or 'unset'}_{'unset' if saturate is None else f'saturate{saturate}'}"
        formula = lambda x, *_, mode=mode or "up", on=saturate != 0: to_scale(x, mode, on)
        without = ONNX_INFINITY if mode in (None, "up") and saturate != 0 else {}
        add("Cast", what, [x], {"to": TensorProto.FLOAT8E8M0, **attributes}, formula=formula, without=without)
        if source is np.float32:
            add("CastLike", what, [x, np.zeros(1, kind)], attributes, formula=formula, without=without)
    for mode, saturate in (("up", 1), ("nearest", 0)):
        add("Cast", f"far_to_e8m0_{mode}_saturate{saturate}", [f32(3e38, 1e-45, 2.0**127, 2.0**-126)], {"to": TensorProto.FLOAT8E8M0, "round_mode": mode, "saturate": saturate}, formula=lambda x, mode=mode, on=saturate: to_scale(x, mode, on))
    add("Cast", "e8m0_to_float32", [np.arange(0, 256, 5, dtype=np.uint8).view(kind)], {"to": TensorProto.FLOAT}, formula=lambda x: x.astype(np.float32))
    for source, to in (
        (np.float32, np.int32), (np.int32, np.float32), (np.float32, np.uint32), (np.float64, np.int64), (np.uint64, np.float64), (np.float16, np.int16),
        (np.int16, ml_dtypes.bfloat16), (np.uint8, np.int8), (np.int8, np.uint8), (np.uint8, ml_dtypes.float8_e4m3fn), (np.float16, np.uint16),
    ):  # fmt: skip
        width = np.dtype(source).itemsize
        x = integers(f"bits{width}", 0, 256, 4 * width, dtype=np.uint8).view(source)
        add("BitCast", f"{name(source)}_to_{name(to)}", [x], {"to": element(np.zeros(0, to))}, formula=lambda x, to=to: x.view(to))
