#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Cases of Keras models and TensorFlow functions, exported by tf2onnx: tensorflow_models.py [--compare] [NAME...]"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
os.environ["KERAS_BACKEND"] = "tensorflow"

import logging
import subprocess
import sys
import tempfile

import keras
import numpy as np
import onnx
import tensorflow as tf
import tf2onnx
from keras import layers

from cases import SEED, NotExported, case, main

tf.config.threading.set_intra_op_parallelism_threads(1)
tf.config.threading.set_inter_op_parallelism_threads(1)
logging.getLogger("tf2onnx").setLevel(logging.ERROR)


def values(*shape, low=-1.0, high=1.0):
    return np.random.uniform(low, high, shape).astype(np.float32)


def converted(function, signature, sets, opset, layout=None, tables=None):
    graph = tf.function(function, input_signature=signature)
    try:
        options = {"inputs_as_nchw": [f"{s.name}:0" for s in signature]} if layout else {}
        model, storage = tf2onnx.convert.from_function(graph, input_signature=signature, opset=opset, **options)
    except Exception as error:
        if os.environ.get("TRACE"):
            raise
        raise NotExported(f"{type(error).__name__}: {str(error)[:300]}") from error
    if storage:
        raise ValueError("the model has files beside it")
    names = [value.name for value in model.graph.input]
    made = []
    for inputs in sets:
        out = tf.nest.flatten(graph(*(tf.constant(x) for x in inputs)))
        given = dict(zip([s.name for s in signature], inputs))
        if layout:
            given = {name: x.transpose(0, 3, 1, 2) for name, x in given.items()}
        # An input that nothing reads is left out.
        made.append(([given[name.split(":")[0]] for name in names], [x.numpy() for x in out]))
    return model, made


def function(name, f, signature, sets, opset=15, layout=None, **tolerance):
    """`signature`: (shape, type) of each input."""

    def make():
        tf.random.set_seed(SEED)
        specs = [tf.TensorSpec(shape, dtype, name=f"x{i}") for i, (shape, dtype) in enumerate(signature)]
        return converted(f, specs, sets(), opset, layout)

    case(f"tensorflow_{name}", **tolerance)(make)


def network(name, make, signature, sets, opset=15, layout=None, **tolerance):
    def made():
        keras.utils.set_random_seed(SEED)
        keras.backend.clear_session()
        model = make()
        # Statistics of their own for the norms.
        for layer in model._flatten_layers():
            if isinstance(layer, layers.BatchNormalization):
                layer.moving_mean.assign(values(*layer.moving_mean.shape, low=-0.3, high=0.3))
                layer.moving_variance.assign(values(*layer.moving_variance.shape, low=0.5, high=1.5))
        specs = [tf.TensorSpec(shape, dtype, name=f"x{i}") for i, (shape, dtype) in enumerate(signature)]
        return converted(lambda *x: model(list(x) if len(x) > 1 else x[0], training=False), specs, sets(), opset, layout)

    case(f"keras_{name}", **tolerance)(made)


IMAGE = [((None, 16, 16, 3), tf.float32)]


def images(height=16, width=16):
    return lambda: [[values(2, height, width, 3)], [values(1, height, width, 3)]]


def cnn():
    return keras.Sequential(
        [
            keras.Input((16, 16, 3)),
            layers.Conv2D(6, 3, strides=2, padding="same", use_bias=False),
            layers.BatchNormalization(),
            layers.ReLU(max_value=6),
            layers.MaxPooling2D(),
            layers.Conv2D(8, 3, padding="valid", activation="swish"),
            layers.Dropout(0.3),
            layers.Flatten(),
            layers.Dense(5, activation="softmax"),
        ]
    )


def inverted(x, expand, out, stride):
    """MobileNetV2's block."""
    y = layers.Conv2D(expand, 1, use_bias=False)(x)
    y = layers.ReLU(6.0)(layers.BatchNormalization()(y))
    if stride == 2:
        y = layers.ZeroPadding2D(((0, 1), (0, 1)))(y)
    y = layers.DepthwiseConv2D(3, stride, "same" if stride == 1 else "valid", use_bias=False)(y)
    y = layers.ReLU(6.0)(layers.BatchNormalization()(y))
    y = layers.BatchNormalization()(layers.Conv2D(out, 1, use_bias=False)(y))
    return layers.Add()([x, y]) if stride == 1 and x.shape[-1] == out else y


def mobile_net():
    x = first = keras.Input((None, None, 3))
    x = layers.Conv2D(8, 3, 2, "same", use_bias=False)(x)
    x = layers.ReLU(6.0)(layers.BatchNormalization()(x))
    for expand, out, stride in ((16, 8, 1), (16, 12, 2), (24, 12, 1)):
        x = inverted(x, expand, out, stride)
    # Squeeze and excite.
    gate = layers.GlobalAveragePooling2D(keepdims=True)(x)
    gate = layers.Conv2D(12, 1, activation="hard_sigmoid")(layers.Conv2D(3, 1, activation="relu")(gate))
    x = layers.Multiply()([x, gate])
    return keras.Model(first, layers.Dense(4)(layers.GlobalAveragePooling2D()(x)))


def unet():
    x = first = keras.Input((12, 8, 2))
    a = layers.Conv2D(4, 3, padding="same", activation="relu")(x)
    b = layers.Conv2D(8, 3, padding="same", activation="leaky_relu")(layers.AveragePooling2D(2)(a))
    c = layers.Conv2DTranspose(4, 3, 2, "same")(b)
    d = layers.UpSampling2D(2, interpolation="bilinear")(b)
    e = layers.Concatenate()([a, c, d])
    return keras.Model(first, layers.Conv2D(1, 1, activation="sigmoid")(layers.SpatialDropout2D(0.1)(e)))


def transformer():
    ids, mask = keras.Input((None,), dtype="int32"), keras.Input((None,), dtype="bool")
    x = layers.Embedding(30, 12)(ids)
    y = layers.MultiHeadAttention(3, 4)(x, x, attention_mask=mask[:, None, :])
    x = layers.LayerNormalization(epsilon=1e-6)(x + y)
    y = layers.Dense(12)(layers.Dense(24, activation=lambda x: keras.activations.gelu(x, approximate=True))(x))
    x = layers.LayerNormalization()(x + y)
    return keras.Model([ids, mask], [x, layers.Dense(2)(layers.GlobalAveragePooling1D()(x))])


def recurrent(layer):
    return lambda: keras.Sequential([keras.Input((None, 4)), layer(5, return_sequences=True), layers.Bidirectional(layer(3)), layers.Dense(2)])


STEPS = [((None, None, 4), tf.float32)]


def steps():
    return [[values(2, 6, 4)], [values(1, 3, 4)], [values(3, 9, 4)]]


network("cnn", cnn, IMAGE, images())
network("cnn_opset9", cnn, IMAGE, images(), opset=9)
network("cnn_opset18", cnn, IMAGE, images(), opset=18)
network("cnn_nchw", cnn, IMAGE, images(), layout="nchw")
network("mobile_net", mobile_net, [((None, None, None, 3), tf.float32)], lambda: [[values(1, 24, 24, 3)], [values(2, 32, 20, 3)]])
network("unet", unet, [((None, 12, 8, 2), tf.float32)], lambda: [[values(1, 12, 8, 2)], [values(2, 12, 8, 2)]])
network("transformer", transformer, [((None, None), tf.int32), ((None, None), tf.bool)], lambda: [[np.random.randint(0, 30, (b, t)).astype(np.int32), np.arange(t)[None] < np.random.randint(2, t + 1, (b, 1))] for b, t in ((2, 6), (1, 9))])
for name, layer in (("lstm", layers.LSTM), ("gru", layers.GRU), ("rnn", layers.SimpleRNN)):
    network(f"{name}", recurrent(layer), STEPS, steps)
network("lstm_opset10", recurrent(layers.LSTM), STEPS, steps, opset=10)
network("gru_reset_before", lambda: keras.Sequential([keras.Input((5, 4)), layers.GRU(3, reset_after=False, return_sequences=True, go_backwards=True)]), [((None, 5, 4), tf.float32)], lambda: [[values(2, 5, 4)], [values(1, 5, 4)]])
network("lstm_masked", lambda: keras.Sequential([keras.Input((None,), dtype="int32"), layers.Embedding(20, 4, mask_zero=True), layers.LSTM(3)]), [((None, None), tf.int32)], lambda: [[np.array([[3, 4, 0, 0], [5, 6, 7, 8]], np.int32)], [np.array([[1, 0], [2, 3]], np.int32)]])
network("conv_1d_3d", lambda: keras.Sequential([keras.Input((12, 3)), layers.Conv1D(4, 3, padding="causal", dilation_rate=2, activation="elu"), layers.MaxPooling1D(2), layers.Reshape((3, 2, 4, 1)), layers.Conv3D(2, 2, padding="same"), layers.GlobalMaxPooling3D()]), [((None, 12, 3), tf.float32)], lambda: [[values(2, 12, 3)], [values(1, 12, 3)]])
network("separable", lambda: keras.Sequential([keras.Input((9, 8, 3)), layers.SeparableConv2D(4, 3, depth_multiplier=2), layers.PReLU(shared_axes=[1, 2]), layers.GroupNormalization(2), layers.Cropping2D(1), layers.Permute((3, 1, 2))]), [((None, 9, 8, 3), tf.float32)], lambda: [[values(2, 9, 8, 3)], [values(1, 9, 8, 3)]])
network("preprocess", lambda: keras.Sequential([keras.Input((10, 12, 3)), layers.Rescaling(1 / 127.5, -1), layers.CenterCrop(8, 8), layers.Resizing(6, 7)]), [((None, 10, 12, 3), tf.float32)], lambda: [[values(2, 10, 12, 3, low=0, high=255)], [values(1, 10, 12, 3, low=0, high=255)]], rtol=1e-3, atol_of_scale=1e-4)
network("wide_deep", lambda: wide_deep(), [((None, 4), tf.float32), ((None, 1), tf.int64)], lambda: [[values(3, 4), np.array([[0], [4], [2]])], [values(1, 4), np.array([[1]])]])


def wide_deep():
    numbers, group = keras.Input((4,)), keras.Input((1,), dtype="int64")
    deep = layers.Dense(8, activation="tanh")(layers.Concatenate()([numbers, layers.Flatten()(layers.Embedding(5, 3)(group))]))
    return keras.Model([numbers, group], [layers.Dense(1, activation="sigmoid")(deep), layers.Dense(3, activation="softplus")(numbers)])


# ---- Functions ----
F, I, L, B, S = tf.float32, tf.int32, tf.int64, tf.bool, tf.string
for method in ("bilinear", "nearest", "bicubic"):
    function(f"resize_{method}", lambda x, method=method: tf.image.resize(x, [9, 5], method), [((None, 6, 7, 2), F)], lambda: [[values(1, 6, 7, 2)], [values(3, 6, 7, 2)]], **({"rtol": 1e-3, "atol_of_scale": 1e-3} if method == "bicubic" else {}))
function("resize_dynamic", lambda x, size: tf.image.resize(x, size), [((None, None, None, 1), F), ((2,), I)], lambda: [[values(1, 4, 6, 1), np.array([8, 3], np.int32)], [values(2, 5, 5, 1), np.array([7, 10], np.int32)]])
function("resize_v1_corners", lambda x: (tf.compat.v1.image.resize_bilinear(x, [7, 9], align_corners=True), tf.compat.v1.image.resize_nearest_neighbor(x, [8, 12]), tf.compat.v1.image.resize_bilinear(x, [8, 6])), [((None, 4, 6, 2), F)], lambda: [[values(1, 4, 6, 2)], [values(2, 4, 6, 2)]], opset=11)
function("crop_and_resize", lambda x, boxes, which: tf.image.crop_and_resize(x, boxes, which, [3, 4]), [((None, 8, 9, 2), F), ((None, 4), F), ((None,), I)], lambda: [[values(2, 8, 9, 2), np.array([[0.1, 0.1, 0.7, 0.9], [0, 0, 1, 1], [0.3, 0.5, 0.9, 0.6]], np.float32), np.array([0, 1, 1], np.int32)]], rtol=1e-3, atol_of_scale=1e-4)
function("non_max_suppression", lambda boxes, scores: tf.image.non_max_suppression(boxes, scores, 5, 0.4, 0.2), [((None, 4), F), ((None,), F)], lambda: [[_boxes(12), values(12, low=0)], [_boxes(4), values(4, low=0)]])
function("space_depth", lambda x: (tf.nn.space_to_depth(x, 2), tf.nn.depth_to_space(x, 2), tf.nn.max_pool2d(x, 3, 2, "SAME"), tf.nn.avg_pool2d(x, 3, 2, "SAME"), tf.nn.local_response_normalization(x)), [((None, 6, 8, 4), F)], lambda: [[values(1, 6, 8, 4)], [values(2, 6, 8, 4)]])
function("space_to_batch", lambda x: (tf.space_to_batch(x, [2, 2], [[0, 0], [0, 0]]), tf.nn.conv2d(x, tf.ones([3, 3, 4, 2]), 1, "SAME", dilations=2), tf.reverse(x, [1]), tf.roll(x, 2, 1), tf.pad(x, [[0, 0], [1, 2], [2, 1], [0, 0]], "REFLECT"), tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]], "SYMMETRIC")), [((2, 6, 8, 4), F)], lambda: [[values(2, 6, 8, 4)]])
function("while_loop", lambda x, n: tf.while_loop(lambda i, y: i < n, lambda i, y: (i + 1, y * 1.1 + tf.cast(i, F) * x), [tf.constant(0), tf.zeros_like(x)]), [((None, 3), F), ((), I)], lambda: [[values(2, 3), np.array(4, np.int32)], [values(1, 3), np.array(0, np.int32)], [values(5, 3), np.array(9, np.int32)]])


def collatz(n):
    """Steps of each number till it is 1: a loop in a loop, as AutoGraph makes them of Python."""
    steps = tf.TensorArray(tf.int32, size=tf.shape(n)[0])
    for i in tf.range(tf.shape(n)[0]):
        x, count = n[i], tf.constant(0)
        while x > 1:
            if x % 2 == 0:
                x = x // 2
            else:
                x = 3 * x + 1
            count += 1
        steps = steps.write(i, count)
    return steps.stack()


def fibonacci(n):
    a, b = tf.constant(0), tf.constant(1)
    for _ in tf.range(n):
        a, b = b, a + b
    return a


function("loops_nested", tf.autograph.to_graph(collatz), [((None,), I)], lambda: [[np.array([6, 1, 27, 8], np.int32)], [np.array([19], np.int32)]])
function("loop_count", tf.autograph.to_graph(fibonacci), [((), I)], lambda: [[np.array(10, np.int32)], [np.array(0, np.int32)]])
function("cond", lambda x: tf.cond(tf.reduce_sum(x) > 0, lambda: x * 2.0, lambda: tf.cond(tf.reduce_max(x) > 0, lambda: x - 1.0, lambda: -x)), [((None, 3), F)], lambda: [[np.ones((2, 3), np.float32)], [-np.ones((1, 3), np.float32)], [np.array([[-5, 1, 1]], np.float32)]])
function("where_nonzero", lambda x: (tf.where(x > 0), tf.boolean_mask(x, x > 0), tf.where(x > 0, x, tf.zeros_like(x)), tf.math.top_k(x, 2), tf.argsort(x), tf.sort(x, direction="DESCENDING"), tf.argmax(x, 1)), [((None, 4), F)], lambda: [[values(3, 4)], [values(1, 4)]])
function("gather_scatter", lambda x, i: (tf.gather(x, i, axis=1), tf.gather_nd(x, tf.stack([i, i], 1)), tf.scatter_nd(i[:, None], tf.ones_like(i), [6]), tf.tensor_scatter_nd_update(x, i[:, None], tf.gather(x, i) * 2.0), tf.tensor_scatter_nd_add(x, i[:, None], tf.ones([tf.size(i), 5])), tf.one_hot(i, 6, 2.0, -1.0), tf.gather(x, tf.reshape(i, [-1, 1]), batch_dims=0)), [((5, 5), F), ((None,), I)], lambda: [[values(5, 5), np.array([1, 4, 0], np.int32)], [values(5, 5), np.array([3], np.int32)]], opset=18)
function("segments", lambda x: (tf.math.segment_sum(x, tf.constant([0, 0, 1, 3, 3])), tf.math.segment_max(x, tf.constant([0, 0, 1, 2, 2])), tf.math.unsorted_segment_sum(x, tf.constant([2, 0, 2, 1, 0]), 4)), [((5, 3), F)], lambda: [[values(5, 3)]])
function("slices", lambda x: (x[:, 1:4:2], x[..., ::-1], x[:, -1], x[:, tf.newaxis, 2:], tf.strided_slice(x, [0, 4], [2, 0], [1, -1]), tf.unstack(x, axis=1), tf.tile(x, [2, 1]), tf.split(x, [2, 3, 1], 1), tf.linalg.band_part(x[:2], 0, 1), tf.linalg.diag(x)), [((None, 6), F)], lambda: [[values(2, 6)], [values(4, 6)]])
function("arithmetic", lambda a, b: (a // b, a % b, tf.math.floormod(-a, b), tf.math.atan2(a, b), tf.pow(tf.abs(a), b), tf.math.squared_difference(a, b), tf.clip_by_value(a, -0.4, 0.4), tf.round(a * 3), tf.sign(a), tf.math.erf(a), tf.math.rsqrt(tf.abs(a)), tf.nn.softsign(a), tf.nn.selu(a), tf.nn.log_softmax(a), tf.math.cumsum(a, 1, exclusive=True, reverse=True), tf.reduce_logsumexp(a, 1), tf.math.reduce_std(a, 1), tf.norm(a, axis=1), tf.math.is_nan(a / (a - a)), tf.nn.l2_normalize(a, 1)), [((None, 5), F), ((None, 5), F)], lambda: [[values(2, 5), values(2, 5, low=0.5, high=2)], [values(4, 5), values(4, 5, low=0.5, high=2)]])
function("integers", lambda a, b: (tf.bitwise.bitwise_and(a, b), tf.bitwise.bitwise_xor(a, b), tf.bitwise.left_shift(b, b), a / b, tf.cast(a, tf.uint8), tf.cast(a, tf.int8), tf.maximum(a, b), tf.equal(a, b), tf.reduce_max(a, 0), tf.math.cumprod(b, 0)), [((None, 4), I), ((None, 4), I)], lambda: [[np.random.randint(-60, 60, (3, 4)).astype(np.int32), np.random.randint(1, 6, (3, 4)).astype(np.int32)], [np.random.randint(-60, 60, (1, 4)).astype(np.int32), np.random.randint(1, 6, (1, 4)).astype(np.int32)]], opset=18)
function("einsum", lambda a, b: (tf.einsum("bij,bjk->bik", a, b), tf.einsum("bij,bjk->ik", a, b), tf.matmul(a, a, transpose_b=True), tf.tensordot(a, b[0], 1), tf.linalg.matmul(b, a)), [((None, 3, 4), F), ((None, 4, 3), F)], lambda: [[values(2, 3, 4), values(2, 4, 3)], [values(1, 3, 4), values(1, 4, 3)]])
function("double", lambda a: (tf.nn.softmax(a @ tf.transpose(a)), tf.sqrt(tf.abs(a)), tf.reduce_mean(a, 0)), [((None, 4), tf.float64)], lambda: [[values(3, 4).astype(np.float64)], [values(1, 4).astype(np.float64)]], rtol=1e-9, atol_of_scale=1e-10)
function("half", lambda a: (tf.nn.relu(a @ tf.transpose(a)), tf.nn.softmax(a)), [((None, 4), tf.float16)], lambda: [[values(3, 4).astype(np.float16)], [values(1, 4).astype(np.float16)]], rtol=1e-2, atol_of_scale=1e-2)
function("fft", lambda x: (tf.abs(tf.signal.rfft(x)),), [((2, 16), F)], lambda: [[values(2, 16)]], rtol=1e-3, atol_of_scale=1e-4)
function("fake_quantised", lambda x: tf.nn.relu(tf.quantization.fake_quant_with_min_max_args(x, -6.0, 6.0) @ tf.quantization.fake_quant_with_min_max_args(tf.reshape(tf.range(12.0) / 5 - 1, [4, 3]), -1.0, 1.0, narrow_range=False)), [((None, 4), F)], lambda: [[values(3, 4, low=-7, high=7)], [values(1, 4)]])
function("strings", lambda words: (tf.identity(words), tf.reshape(words, [-1, 1]), tf.concat([words, words], 0)), [((None,), S)], lambda: [[np.array([b"yes", b"no", "Größe".encode()], object)], [np.array([b"no"], object)]])


class Lookup(tf.Module):
    """Words to numbers by a hash table, then an embedding."""

    def __init__(self):
        words = tf.lookup.KeyValueTensorInitializer(tf.constant(["red", "green", "blue"]), tf.constant([1, 2, 3], tf.int64))
        self.table = tf.lookup.StaticHashTable(words, 0)
        self.weights = tf.Variable(values(4, 3))

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="words")])
    def __call__(self, words):
        return tf.gather(self.weights, self.table.lookup(words))


def lookup():
    """A saved model, by the exporter's command."""
    module = Lookup()
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(module, folder)
        command = [sys.executable, "-m", "tf2onnx.convert", "--saved-model", folder, "--output", f"{folder}/model.onnx", "--opset", "15"]
        answer = subprocess.run(command, capture_output=True, text=True)
        if answer.returncode:
            raise NotExported(answer.stderr.strip().splitlines()[-1])
        model = onnx.load(f"{folder}/model.onnx")
    words = [np.array([b"red", b"pink", b"blue"], object), np.array([b"green"], object)]
    return model, [([w], [module(tf.constant(w)).numpy()]) for w in words]


case("tensorflow_lookup")(lookup)


def _boxes(count):
    corner = values(count, 2, low=0, high=0.6)
    return np.concatenate([corner, corner + values(count, 2, low=0.1, high=0.4)], 1)


if __name__ == "__main__":
    main(__doc__)
