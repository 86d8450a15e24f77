# SPDX-License-Identifier: Apache-2.0
"""DFT, STFT, MelWeightMatrix and the window functions."""

import itertools

import ml_dtypes
import numpy as np
from onnx import TensorProto

from . import ORT, normal, scalar

ORT_INVERSE = {ORT: "its inverse of a one-sided spectrum is right for the default length alone"}
ORT_LENGTH = {ORT: "its sums for lengths that are no power of two are off by 3e-5"}


def cases(add):
    transforms(add)
    frames(add)
    windows(add)
    mel(add)


def pairs(z: np.ndarray) -> np.ndarray:
    return np.stack([z.real, z.imag], -1)


def whole(x: np.ndarray) -> np.ndarray:
    """The complex numbers of an input whose last axis is 1 or 2 wide."""
    return x[..., 0].astype(np.complex128) if x.shape[-1] == 1 else x[..., 0] + 1j * x[..., 1].astype(np.float64)


def transforms(add):
    def formula(inverse, onesided):
        def run(x, length=None, axis=None):
            axis = -2 if axis is None else int(axis)
            axis = axis + 1 if axis < 0 else axis  # of the numbers, without the axis of their parts
            z, n = whole(x), None if length is None else int(length)
            if onesided:
                y = np.fft.irfft(z, n, axis)[..., None] if inverse else pairs(np.fft.rfft(z.real, n, axis))
            else:
                y = pairs((np.fft.ifft if inverse else np.fft.fft)(z, n, axis))
            return y.astype(x.dtype)

        return run

    for parts, inverse, onesided, length, axis in itertools.product((1, 2), (0, 1), (0, 1), (None, 4, 7, 8, 12), (None, 1, -3, -2)):
        if onesided and parts != 1 + inverse:
            continue
        x = normal(f"dft{parts}{inverse}{onesided}", 2, 6, 5, parts)
        if inverse and onesided:  # what no real signal has, imaginary parts of the first and last number, is not given
            at = 2 if axis in (None, -2) else 1
            for place in (0, *range(1, x.shape[at])):
                if place == 0 or (length is None and place == x.shape[at] - 1) or (length and length % 2 == 0 and place == length // 2):
                    x[(slice(None),) * at + (place,)][..., 1] = 0
        inputs = [x, None if length is None else scalar(length, np.int64), None if axis is None else scalar(axis, np.int64)]
        while inputs[-1] is None:
            inputs.pop()
        name = f"{'real' if parts == 1 else 'complex'}_inverse{inverse}_onesided{onesided}_{length or 'whole'}_{'unset' if axis is None else f'axis{axis}'.replace('-', 'm')}"
        add("DFT", name, inputs, {"inverse": inverse, "onesided": onesided}, formula=formula(inverse, onesided), without=ORT_INVERSE if inverse and onesided and length else {})
    for length in (1, 2, 13, 16, 30):
        x = normal(length, 2, length, 2)
        add("DFT", f"length{length}", [x], {}, formula=formula(0, 0), without=ORT_LENGTH if length == 30 else {})
        add("DFT", f"length{length}_inverse", [x], {"inverse": 1}, formula=formula(1, 0))
    add("DFT", "double", [normal(5, 1, 9, 1, dtype=np.float64)], {"onesided": 1}, formula=formula(0, 1), rtol=1e-9)
    add("DFT", "int32_length", [normal(6, 1, 9, 1), scalar(6, np.int32)], {}, formula=formula(0, 0))


def frames(add):
    def formula(onesided):
        def run(signal, step, window=None, length=None):
            z, step = whole(signal), int(step)
            size = int(length) if length is not None else len(window) if window is not None else z.shape[1]
            window = np.ones(size) if window is None else window.astype(np.float64)
            count = (z.shape[1] - size) // step + 1
            cut = np.stack([z[:, f * step : f * step + size] * window for f in range(count)], 1)
            y = np.fft.rfft(cut.real) if onesided else np.fft.fft(cut)
            return pairs(y).astype(signal.dtype)

        return run

    window = np.abs(normal("window", 6)) + np.float32(0.1)
    for parts, onesided, step, form in itertools.product((1, 2), (None, 0, 1), (1, 3), ("window", "length", "both", "neither")):
        if parts == 2 and onesided != 0:
            continue
        x = normal(f"stft{parts}", 2, 17, parts)
        inputs = [x, scalar(step, np.int64), window if form in ("window", "both") else None, scalar(6, np.int64) if form in ("length", "both") else None]
        while inputs[-1] is None:
            inputs.pop()
        name = f"{'real' if parts == 1 else 'complex'}_{'unset' if onesided is None else f'onesided{onesided}'}_step{step}_{form}"
        add("STFT", name, inputs, {} if onesided is None else {"onesided": onesided}, formula=formula(onesided is None or onesided == 1))
    add("STFT", "double", [normal(7, 1, 12, 1, dtype=np.float64), scalar(2, np.int64), None, scalar(5, np.int64)], {"onesided": 1}, formula=formula(1), rtol=1e-9)


def windows(add):
    """By the specification's formulas, which are functions of Cos; N is the size, and one less if not periodic."""
    terms = {"HannWindow": (0.5, 0.5, 0.0), "HammingWindow": (25 / 46, 21 / 46, 0.0), "BlackmanWindow": (0.42, 0.5, 0.08)}
    types = {
        None: np.float32, TensorProto.FLOAT: np.float32, TensorProto.DOUBLE: np.float64,
        TensorProto.FLOAT16: np.float16, TensorProto.BFLOAT16: ml_dtypes.bfloat16, TensorProto.INT32: np.int32, TensorProto.UINT8: np.uint8,
    }  # fmt: skip
    for (op, (a, b, c)), periodic, (kind, dtype), size in itertools.product(terms.items(), (None, 0, 1), types.items(), (1, 2, 7, 9, 10)):
        if size == 1 and periodic == 0:
            continue  # the formula divides by zero
        # Sizes without a middle: there the formula gives 1, but for rounding, which would tell what an integer is.
        if kind not in (None, TensorProto.DOUBLE) and size != (10 if periodic == 0 else 9):
            continue
        attributes = {**({} if periodic is None else {"periodic": periodic}), **({} if kind is None else {"output_datatype": kind})}

        def formula(n, a=a, b=b, c=c, periodic=periodic, dtype=dtype):
            angle = 2 * np.pi * np.arange(int(n)) / (int(n) if periodic != 0 else int(n) - 1)
            return np.asarray(a - b * np.cos(angle) + c * np.cos(2 * angle)).astype(dtype)

        loose = {TensorProto.FLOAT16: {"rtol": 2e-3, "atol": 1e-3}, TensorProto.BFLOAT16: {"rtol": 1e-2, "atol": 4e-3}}.get(kind, {"atol": 1e-6})
        add(op, f"size{size}_{'unset' if periodic is None else f'periodic{periodic}'}_{'unset' if kind is None else np.dtype(dtype).name}", [scalar(size, np.int64)], attributes, formula=formula, **loose)
        if kind is None and size == 7:
            add(op, f"int32_{'unset' if periodic is None else f'periodic{periodic}'}", [scalar(size, np.int32)], attributes, formula=formula, atol=1e-6)


def mel(add):
    for bins, length, rate, low, high in ((8, 16, 8192, 0.0, 4096.0), (5, 64, 16000, 125.0, 7600.0), (20, 32, 8000, 20.0, 3999.0), (1, 9, 8000, 300.0, 3000.0)):
        inputs = [scalar(bins, np.int64), scalar(length, np.int64), scalar(rate, np.int64), scalar(low), scalar(high)]
        for kind in (None, TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16, TensorProto.BFLOAT16):
            loose = {TensorProto.FLOAT16: {"rtol": 1e-3}, TensorProto.BFLOAT16: {"rtol": 1e-2}}.get(kind, {})
            add("MelWeightMatrix", f"bins{bins}_{'unset' if kind is None else TensorProto.DataType.Name(kind).lower()}", inputs, {} if kind is None else {"output_datatype": kind}, **loose)
