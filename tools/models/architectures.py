#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Builds ResNet-50, MobileNetV3-Large and YOLO11n as ONNX models: architectures.py [NAME...]

The graphs follow the published architectures, batch normalisation folded into the convolutions. The weights are not
trained: each tensor is drawn from a generator seeded by its name, scaled so that activations neither vanish nor grow.
So everybody gets the same bytes; what the models answer means nothing, their numerics and their speed do.
Written to $BRAID_CACHE/models: resnet50.onnx, mobilenet_v3_large.onnx, yolo11n.onnx.

Sources: He et al., "Deep Residual Learning for Image Recognition" (2015), table 1, stride on the 3x3 convolution;
Howard et al., "Searching for MobileNetV3" (2019), table 1; the YOLO11 model description (scale n: depth 0.50, width
0.25).
"""

import sys
import zlib

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

import places

OPSET = 17
IR_VERSION = 8
RECIPE = "braid-5"  # raise when a model changes; it stands in the model as producer version


class Builder:
    """Collects nodes and seeded weights. A value is its name; methods return the name of what they made."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: dict[str, onnx.TensorProto] = {}

    def op(self, kind: str, inputs: list[str], name: str, outputs: int = 1, **attributes):
        names = [f"{name}_out{i}" if outputs > 1 else f"{name}_out" for i in range(outputs)]
        self.nodes.append(helper.make_node(kind, inputs, names, name=name, **attributes))
        return names if outputs > 1 else names[0]

    def constant(self, name: str, value: np.ndarray) -> str:
        if name not in self.initializers:
            self.initializers[name] = numpy_helper.from_array(value, name)
        return name

    def weight(self, name: str, shape: tuple[int, ...], std: float, mean: float = 0.0) -> str:
        generator = np.random.default_rng(zlib.crc32(name.encode()))
        return self.constant(name, (generator.standard_normal(shape) * std + mean).astype(np.float32))

    def conv(self, x, name, channels_in, channels_out, kernel, stride=1, groups=1, act=None, gain=1.0, bias=(0.0, 0.1)):
        """Convolution with "same" padding; weights of deviation gain/sqrt(fan-in), bias of (mean, deviation)."""
        shape = (channels_out, channels_in // groups, kernel, kernel)
        std = gain / np.sqrt(shape[1] * kernel * kernel)
        inputs = [x, self.weight(f"{name}.weight", shape, std), self.weight(f"{name}.bias", (channels_out,), bias[1], bias[0])]
        attributes = dict(kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=[kernel // 2] * 4, dilations=[1, 1], group=groups)
        y = self.op("Conv", inputs, name, **attributes)
        return y if act is None else getattr(self, act)(y, name)

    def gemm(self, x, name, features_in, features_out, gain):
        weight = self.weight(f"{name}.weight", (features_out, features_in), gain / np.sqrt(features_in))
        return self.op("Gemm", [x, weight, self.weight(f"{name}.bias", (features_out,), 0.1)], name, transB=1)

    def relu(self, x, name):
        return self.op("Relu", [x], f"{name}.relu")

    def hardswish(self, x, name):
        return self.op("HardSwish", [x], f"{name}.hardswish")

    def silu(self, x, name):
        return self.op("Mul", [x, self.op("Sigmoid", [x], f"{name}.sigmoid")], f"{name}.silu")

    def add(self, a, b, name):
        return self.op("Add", [a, b], f"{name}.add")

    def concat(self, values, name, axis=1):
        return self.op("Concat", values, f"{name}.concat", axis=axis)

    def split(self, x, sizes, name, axis=1):
        shape = self.constant(f"{name}.sizes", np.array(sizes, np.int64))
        return self.op("Split", [x, shape], f"{name}.split", outputs=len(sizes), axis=axis)

    def reshape(self, x, shape, name):
        return self.op("Reshape", [x, self.constant(f"{name}.shape", np.array(shape, np.int64))], f"{name}.reshape")

    def model(self, name, inputs, outputs) -> onnx.ModelProto:
        """inputs and outputs: [(name, shape)], all float; the last node's outputs are renamed to them by the caller."""
        infos = [
            [helper.make_tensor_value_info(n, TensorProto.FLOAT, shape) for n, shape in values]
            for values in (inputs, outputs)
        ]
        graph = helper.make_graph(self.nodes, name, *infos, list(self.initializers.values()))
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
        model.producer_name, model.producer_version = "braid tools/models", RECIPE
        onnx.checker.check_model(model, full_check=True)
        return model

    def rename_last(self, name: str) -> None:
        self.nodes[-1].output[0] = name


# A rectified unit passes half the variance of its input on, so a gain of sqrt(2) before it keeps the scale.
RELU_GAIN = np.sqrt(2.0)
# Adding a branch of this gain to a residual stream lets its variance grow by about a tenth a block.
BRANCH_GAIN = 0.4


def resnet50() -> onnx.ModelProto:
    b = Builder()
    x = b.conv("input", "conv1", 3, 64, 7, stride=2, act="relu", gain=RELU_GAIN)
    x = b.op("MaxPool", [x], "maxpool", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    channels = 64
    for stage, (width, blocks) in enumerate([(64, 3), (128, 4), (256, 6), (512, 3)], start=1):
        for block in range(blocks):
            name = f"layer{stage}.{block}"
            stride = 2 if stage > 1 and block == 0 else 1
            y = b.conv(x, f"{name}.conv1", channels, width, 1, act="relu", gain=RELU_GAIN)
            y = b.conv(y, f"{name}.conv2", width, width, 3, stride=stride, act="relu", gain=RELU_GAIN)
            y = b.conv(y, f"{name}.conv3", width, 4 * width, 1, gain=BRANCH_GAIN)
            if block == 0:
                x = b.conv(x, f"{name}.downsample", channels, 4 * width, 1, stride=stride)
            channels = 4 * width
            x = b.relu(b.add(y, x, name), name)
    x = b.op("Flatten", [b.op("GlobalAveragePool", [x], "avgpool")], "flatten", axis=1)
    b.gemm(x, "fc", 2048, 1000, gain=6.0)
    b.rename_last("output")
    return b.model("resnet50", [("input", ["N", 3, 224, 224])], [("output", ["N", 1000])])


# kernel, expanded channels, output channels, squeeze-and-excite, activation, stride (table 1 of the paper)
MOBILENET_V3_LARGE = [
    (3, 16, 16, False, "relu", 1),
    (3, 64, 24, False, "relu", 2),
    (3, 72, 24, False, "relu", 1),
    (5, 72, 40, True, "relu", 2),
    (5, 120, 40, True, "relu", 1),
    (5, 120, 40, True, "relu", 1),
    (3, 240, 80, False, "hardswish", 2),
    (3, 200, 80, False, "hardswish", 1),
    (3, 184, 80, False, "hardswish", 1),
    (3, 184, 80, False, "hardswish", 1),
    (3, 480, 112, True, "hardswish", 1),
    (3, 672, 112, True, "hardswish", 1),
    (5, 672, 160, True, "hardswish", 2),
    (5, 960, 160, True, "hardswish", 1),
    (5, 960, 160, True, "hardswish", 1),
]


def eighths(channels: float) -> int:
    """The nearest multiple of 8 that is not more than a tenth below."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels else rounded


def mobilenet_v3_large() -> onnx.ModelProto:
    b = Builder()
    gain = {"relu": 1.3, "hardswish": 1.5}
    x = b.conv("input", "features.0", 3, 16, 3, stride=2, act="hardswish", gain=gain["hardswish"])
    channels = 16
    for i, (kernel, expanded, out, excite, act, stride) in enumerate(MOBILENET_V3_LARGE, start=1):
        name = f"features.{i}"
        y = x
        if expanded != channels:
            y = b.conv(y, f"{name}.expand", channels, expanded, 1, act=act, gain=gain[act])
        y = b.conv(y, f"{name}.depthwise", expanded, expanded, kernel, stride=stride, groups=expanded, act=act, gain=gain[act])
        if excite:
            squeezed = eighths(expanded / 4)
            s = b.op("GlobalAveragePool", [y], f"{name}.pool")
            s = b.conv(s, f"{name}.fc1", expanded, squeezed, 1, act="relu", gain=RELU_GAIN)
            s = b.conv(s, f"{name}.fc2", squeezed, expanded, 1, gain=2.0, bias=(1.0, 0.5))
            s = b.op("HardSigmoid", [s], f"{name}.hardsigmoid", alpha=1.0 / 6.0)
            y = b.op("Mul", [s, y], f"{name}.scale")
        residual = stride == 1 and channels == out
        y = b.conv(y, f"{name}.project", expanded, out, 1, gain=0.5 if residual else 1.2)
        x = b.add(x, y, name) if residual else y
        channels = out
    x = b.conv(x, "features.16", 160, 960, 1, act="hardswish", gain=1.2)
    x = b.op("Flatten", [b.op("GlobalAveragePool", [x], "avgpool")], "flatten", axis=1)
    x = b.hardswish(b.gemm(x, "classifier.0", 960, 1280, gain=3.0), "classifier.0")
    b.gemm(x, "classifier.3", 1280, 1000, gain=3.0)
    b.rename_last("output")
    return b.model("mobilenet_v3_large", [("input", [1, 3, 224, 224])], [("output", [1, 1000])])


# SiLU passes 0.36 of a unit variance on and up to half of a large one. With this gain and bias the scale stays near 1
# through all layers, and differences between places of the picture are neither lost nor amplified.
SILU_GAIN = 1.6
SILU_BIAS = (0.0, 0.25)
CLASSES = 80
BINS = 16  # of the distribution over each side's distance
STRIDES = (8, 16, 32)
SIDE = 640


class Yolo11n(Builder):
    """The blocks of YOLO11. `act` is SiLU everywhere but where it says none."""

    def cbs(self, x, name, channels_in, channels_out, kernel=1, stride=1, groups=1):
        return self.conv(x, name, channels_in, channels_out, kernel, stride, groups, act="silu", gain=SILU_GAIN, bias=SILU_BIAS)

    def bottleneck(self, x, name, channels, expansion):
        hidden = int(channels * expansion)
        y = self.cbs(x, f"{name}.cv1", channels, hidden, 3)
        y = self.conv(y, f"{name}.cv2", hidden, channels, 3, act="silu", gain=0.8)
        return self.add(x, y, name)

    def c3k(self, x, name, channels):
        hidden = channels // 2
        y = self.cbs(x, f"{name}.cv1", channels, hidden)
        for i in range(2):
            y = self.bottleneck(y, f"{name}.m.{i}", hidden, 1.0)
        y = self.concat([y, self.cbs(x, f"{name}.cv2", channels, hidden)], name)
        return self.cbs(y, f"{name}.cv3", 2 * hidden, channels)

    def c3k2(self, x, name, channels_in, channels_out, deep, expansion=0.5):
        hidden = int(channels_out * expansion)
        a, c = self.split(self.cbs(x, f"{name}.cv1", channels_in, 2 * hidden), [hidden, hidden], name)
        y = self.c3k(c, f"{name}.m.0", hidden) if deep else self.bottleneck(c, f"{name}.m.0", hidden, 0.5)
        return self.cbs(self.concat([a, c, y], name), f"{name}.cv2", 3 * hidden, channels_out)

    def sppf(self, x, name, channels):
        hidden = channels // 2
        pyramid = [self.cbs(x, f"{name}.cv1", channels, hidden)]
        for i in range(3):
            pooled = self.op("MaxPool", [pyramid[-1]], f"{name}.m.{i}", kernel_shape=[5, 5], strides=[1, 1], pads=[2] * 4)
            pyramid.append(pooled)
        return self.conv(self.concat(pyramid, name), f"{name}.cv2", 4 * hidden, channels, 1, act="silu", gain=0.8)

    def attention(self, x, name, channels, side):
        heads = channels // 64
        width, key = channels // heads, channels // heads // 2
        qkv = self.conv(x, f"{name}.qkv", channels, channels + 2 * key * heads, 1, gain=1.2)
        qkv = self.reshape(qkv, [1, heads, 2 * key + width, side * side], f"{name}.heads")
        q, k, v = self.split(qkv, [key, key, width], name, axis=2)
        scores = self.op("MatMul", [self.op("Transpose", [q], f"{name}.q", perm=[0, 1, 3, 2]), k], f"{name}.scores")
        scores = self.op("Mul", [scores, self.constant(f"{name}.scale", np.array(key**-0.5, np.float32))], f"{name}.scaled")
        weights = self.op("Softmax", [scores], f"{name}.softmax", axis=-1)
        y = self.op("MatMul", [v, self.op("Transpose", [weights], f"{name}.t", perm=[0, 1, 3, 2])], f"{name}.mix")
        y = self.reshape(y, [1, channels, side, side], f"{name}.y")
        positions = self.reshape(v, [1, channels, side, side], f"{name}.v")
        positions = self.conv(positions, f"{name}.pe", channels, channels, 3, groups=channels, gain=0.5)
        return self.conv(self.add(y, positions, f"{name}.pe"), f"{name}.proj", channels, channels, 1, gain=0.7)

    def c2psa(self, x, name, channels, side):
        hidden = channels // 2
        a, c = self.split(self.cbs(x, f"{name}.cv1", channels, channels), [hidden, hidden], name)
        c = self.add(c, self.attention(c, f"{name}.attn", hidden, side), f"{name}.attn")
        y = self.conv(self.cbs(c, f"{name}.ffn.0", hidden, 2 * hidden), f"{name}.ffn.1", 2 * hidden, hidden, 1, gain=0.7)
        c = self.add(c, y, f"{name}.ffn")
        return self.cbs(self.concat([a, c], name), f"{name}.cv2", channels, channels)

    def upsample(self, x, name):
        scales = self.constant("upsample.scales", np.array([1, 1, 2, 2], np.float32))
        modes = dict(mode="nearest", nearest_mode="floor", coordinate_transformation_mode="asymmetric")
        return self.op("Resize", [x, "", scales], name, **modes)

    def detect(self, levels, name):
        """levels: [(value, channels)] of strides 8, 16, 32 -> [1, 4 + classes, anchors]: box (cx, cy, w, h) in pixels,
        class scores in 0..1."""
        box_width, class_width = max(16, levels[0][1] // 4, 4 * BINS), max(levels[0][1], min(CLASSES, 100))
        flat = []
        for i, (x, channels) in enumerate(levels):
            box = self.cbs(x, f"{name}.cv2.{i}.0", channels, box_width, 3)
            box = self.cbs(box, f"{name}.cv2.{i}.1", box_width, box_width, 3)
            box = self.conv(box, f"{name}.cv2.{i}.2", box_width, 4 * BINS, 1, gain=5.0, bias=(0.0, 0.5))
            score = self.cbs(x, f"{name}.cv3.{i}.0.0", channels, channels, 3, groups=channels)
            score = self.cbs(score, f"{name}.cv3.{i}.0.1", channels, class_width)
            score = self.cbs(score, f"{name}.cv3.{i}.1.0", class_width, class_width, 3, groups=class_width)
            score = self.cbs(score, f"{name}.cv3.{i}.1.1", class_width, class_width)
            score = self.conv(score, f"{name}.cv3.{i}.2", class_width, CLASSES, 1, gain=6.0, bias=(-12.0, 1.0))
            both = self.concat([box, score], f"{name}.{i}")
            flat.append(self.reshape(both, [1, 4 * BINS + CLASSES, -1], f"{name}.{i}"))
        box, score = self.split(self.concat(flat, name, axis=2), [4 * BINS, CLASSES], name)

        # The expected bin of each side's distribution, in units of the level's stride.
        anchors = [(SIDE // s) ** 2 for s in STRIDES]
        box = self.reshape(box, [1, 4, BINS, sum(anchors)], f"{name}.dfl.in")
        box = self.op("Softmax", [self.op("Transpose", [box], f"{name}.dfl.t", perm=[0, 2, 1, 3])], f"{name}.dfl.softmax", axis=1)
        bins = self.constant(f"{name}.dfl.weight", np.arange(BINS, dtype=np.float32).reshape(1, BINS, 1, 1))
        box = self.op("Conv", [box, bins], f"{name}.dfl", kernel_shape=[1, 1])
        box = self.reshape(box, [1, 4, sum(anchors)], f"{name}.dfl.out")

        grids = [np.stack(np.meshgrid(*[np.arange(SIDE // s) + 0.5] * 2)).reshape(2, -1) for s in STRIDES]
        centres = self.constant(f"{name}.anchors", np.concatenate(grids, 1)[None].astype(np.float32))
        strides = np.concatenate([np.full(n, s, np.float32) for n, s in zip(anchors, STRIDES)])
        near = self.slice(box, 0, 2, f"{name}.near")
        far = self.slice(box, 2, 4, f"{name}.far")
        near = self.op("Sub", [centres, near], f"{name}.corner0")
        far = self.op("Add", [centres, far], f"{name}.corner1")
        middle = self.op("Add", [near, far], f"{name}.sum")
        middle = self.op("Div", [middle, self.constant(f"{name}.two", np.array(2, np.float32))], f"{name}.middle")
        size = self.op("Sub", [far, near], f"{name}.size")
        boxes = self.concat([middle, size], f"{name}.boxes")
        boxes = self.op("Mul", [boxes, self.constant(f"{name}.strides", strides[None, None])], f"{name}.pixels")
        return self.concat([boxes, self.op("Sigmoid", [score], f"{name}.scores")], f"{name}.output")

    def slice(self, x, start, end, name, axis=1):
        limits = [self.constant(f"{name}.{k}", np.array([v], np.int64)) for k, v in (("start", start), ("end", end), ("axis", axis))]
        return self.op("Slice", [x, *limits], name)


def yolo11n() -> onnx.ModelProto:
    b = Yolo11n()
    x = b.cbs("images", "model.0", 3, 16, 3, 2)
    x = b.cbs(x, "model.1", 16, 32, 3, 2)
    x = b.c3k2(x, "model.2", 32, 64, False, 0.25)
    x = b.cbs(x, "model.3", 64, 64, 3, 2)
    p3 = b.c3k2(x, "model.4", 64, 128, False, 0.25)
    x = b.cbs(p3, "model.5", 128, 128, 3, 2)
    p4 = b.c3k2(x, "model.6", 128, 128, True)
    x = b.cbs(p4, "model.7", 128, 256, 3, 2)
    x = b.c3k2(x, "model.8", 256, 256, True)
    x = b.sppf(x, "model.9", 256)
    p5 = b.c2psa(x, "model.10", 256, SIDE // 32)
    x = b.concat([b.upsample(p5, "model.11"), p4], "model.12")
    n4 = b.c3k2(x, "model.13", 384, 128, False)
    x = b.concat([b.upsample(n4, "model.14"), p3], "model.15")
    n3 = b.c3k2(x, "model.16", 256, 64, False)
    x = b.concat([b.cbs(n3, "model.17", 64, 64, 3, 2), n4], "model.18")
    m4 = b.c3k2(x, "model.19", 192, 128, False)
    x = b.concat([b.cbs(m4, "model.20", 128, 128, 3, 2), p5], "model.21")
    m5 = b.c3k2(x, "model.22", 384, 256, True)
    b.detect([(n3, 64), (m4, 128), (m5, 256)], "model.23")
    b.rename_last("output0")
    return b.model("yolo11n", [("images", [1, 3, SIDE, SIDE])], [("output0", [1, 4 + CLASSES, 8400])])


ALL = {"resnet50": resnet50, "mobilenet_v3_large": mobilenet_v3_large, "yolo11n": yolo11n}


def up_to_date(name: str) -> bool:
    path = places.MODELS / f"{name}.onnx"
    return path.exists() and RECIPE.encode() in path.read_bytes()[:200]


def main() -> None:
    names = sys.argv[1:] or list(ALL)
    if unknown := [name for name in names if name not in ALL]:
        sys.exit(f"{__doc__}\nunknown: {', '.join(unknown)}; known: {', '.join(ALL)}")
    for name in names:
        if not up_to_date(name):
            print(f"models: building {name}", flush=True)
            places.write(places.MODELS / f"{name}.onnx", ALL[name]().SerializeToString(deterministic=True))
    print(f"models: {', '.join(names)} in {places.MODELS}")


if __name__ == "__main__":
    main()
