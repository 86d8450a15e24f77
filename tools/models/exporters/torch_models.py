#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Cases of torch modules, each by both exporters where both can: torch_models.py [--compare] [NAME...]

torch_script_NAME comes from the exporter over TorchScript, torch_NAME from the one over torch.export.
"""

import contextlib
import io
import logging
import math
import os
import warnings

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import nn
from torch.nn import functional as F

from cases import SEED, NotExported, case, main

torch.set_num_threads(1)
logging.disable(logging.WARNING)
Dim = torch.export.Dim


def tensor(value):
    """As a message: NumPy knows no bfloat16."""
    if not isinstance(value, torch.Tensor):
        return np.asarray(value)
    value = value.detach().contiguous()
    if value.dtype == torch.bfloat16:
        return onnx.helper.make_tensor("", onnx.TensorProto.BFLOAT16, value.shape, value.view(torch.uint16).numpy().tobytes(), raw=True)
    return value.numpy()


def flat(value):
    if isinstance(value, (list, tuple)):
        return [leaf for item in value for leaf in flat(item)]
    return [value]


def export(module, inputs, dynamo, dynamic, opset, names=None, outputs=None):
    """`dynamic`: a set of axes for each input, or None."""
    path = io.BytesIO()
    options = {"input_names": names, "output_names": outputs, "opset_version": opset}
    if dynamo:
        if dynamic:
            shapes = tuple({axis: Dim.DYNAMIC for axis in axes} if axes else None for axes in dynamic)
            options["dynamic_shapes"] = (shapes,) if isinstance(module, Small) else shapes
    elif dynamic:
        options["dynamic_axes"] = {name: {axis: f"{name}_{axis}" for axis in axes} for name, axes in zip(names, dynamic) if axes}
    try:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            program = torch.onnx.export(module, tuple(inputs), None if dynamo else path, dynamo=dynamo, **({"verbose": False} if dynamo else {}), **options)
    except Exception as error:
        if os.environ.get("TRACE"):
            raise
        cause = error.__cause__ or error
        raise NotExported(f"{type(cause).__name__}: {' '.join(str(cause).split())[:300]}") from error
    return program.model_proto if dynamo else onnx.load_from_string(path.getvalue())


def made(make, sets, dynamo, dynamic, opset):
    torch.manual_seed(SEED)
    module = make()
    if isinstance(module, nn.Module):
        module = module.eval()
        # Norms with statistics of their own say more than those of a fresh module.
        for part in module.modules():
            if isinstance(part, nn.modules.batchnorm._BatchNorm) and part.running_mean is not None:
                part.running_mean.normal_(0, 0.3)
                part.running_var.uniform_(0.5, 1.5)
    torch.manual_seed(SEED + 1)
    values = [list(inputs) for inputs in sets()]
    names = [f"in_{i}" for i in range(len(flat(values[0])))]
    model = export(module, values[0], dynamo, dynamic, opset, names)
    with torch.no_grad():
        answers = [flat(module(*(x.clone() if isinstance(x, torch.Tensor) else x for x in inputs))) for inputs in values]
    kept = {i.name for i in model.graph.input} - {t.name for t in model.graph.initializer}
    used = [i for i, name in enumerate(names) if name in kept]
    if len(used) != len(kept):
        raise ValueError(f"inputs are {sorted(kept)}")
    return model, [([tensor(flat(inputs)[i]) for i in used], [tensor(value) for value in out]) for inputs, out in zip(values, answers)]


def both(name, make, sets, dynamic=None, opset=(20, 17), exporters=(True, False), **tolerance):
    """`sets` gives lists of inputs; more than one wants `dynamic`."""
    for dynamo, version in zip((True, False), opset):
        if dynamo in exporters:
            label = f"torch_{name}" if dynamo else f"torch_script_{name}"
            case(label, **tolerance)(lambda dynamo=dynamo, version=version: made(make, sets, dynamo, dynamic, version))


def rand(*shape):
    return torch.randn(*shape)


# ---- Networks ----


class Residual(nn.Module):
    def __init__(self, channels, stride):
        super().__init__()
        self.a = nn.Sequential(nn.Conv2d(channels, channels, 3, stride, 1, bias=False), nn.BatchNorm2d(channels), nn.ReLU(), nn.Conv2d(channels, channels, 3, 1, 1, bias=False), nn.BatchNorm2d(channels))
        self.b = nn.Sequential(nn.Conv2d(channels, channels, 1, stride, bias=False), nn.BatchNorm2d(channels))

    def forward(self, x):
        return F.relu(self.a(x) + self.b(x))


class Cnn(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 5, 2, 2), nn.BatchNorm2d(8), nn.ReLU6(), nn.MaxPool2d(3, 2, 1))
        self.body = nn.Sequential(Residual(8, 1), Residual(8, 2), nn.Conv2d(8, 8, 3, padding=2, dilation=2, groups=8), nn.Hardswish())
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.2), nn.Linear(8, 5), nn.Softmax(-1))

    def forward(self, x):
        return self.head(self.body(self.stem(x)))


both("cnn", Cnn, lambda: [[rand(2, 3, 32, 32)], [rand(1, 3, 32, 32)], [rand(3, 3, 48, 40)]], [{0, 2, 3}])
both("cnn_static", Cnn, lambda: [[rand(1, 3, 32, 32)]], opset=(18, 9))


class Attention(nn.Module):
    """With scaled_dot_product_attention, or written out."""

    def __init__(self, width, heads, fused=True):
        super().__init__()
        self.heads, self.fused = heads, fused
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x, mask=None):
        b, t, c = x.shape
        q, k, v = self.qkv(x).view(b, t, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4).unbind(0)
        if self.fused:
            y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        else:
            scores = q @ k.transpose(-2, -1) / math.sqrt(c // self.heads)
            if mask is not None:
                scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
            y = scores.softmax(-1) @ v
        return self.out(y.transpose(1, 2).reshape(b, t, c))


class Block(nn.Module):
    def __init__(self, width, heads, fused=True):
        super().__init__()
        self.n1, self.n2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = Attention(width, heads, fused)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, x, mask=None):
        x = x + self.attention(self.n1(x), mask)
        return x + self.mlp(self.n2(x))


class Vit(nn.Module):
    def __init__(self):
        super().__init__()
        self.patches = nn.Conv2d(3, 16, 4, 4)
        self.first = nn.Parameter(torch.randn(1, 1, 16))
        self.place = nn.Parameter(torch.randn(1, 17, 16) * 0.1)
        self.blocks = nn.ModuleList([Block(16, 2), Block(16, 2)])
        self.norm, self.head = nn.LayerNorm(16), nn.Linear(16, 4)

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.first.expand(x.shape[0], -1, -1), x], 1) + self.place
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x)[:, 0])


both("vit", Vit, lambda: [[rand(2, 3, 16, 16)], [rand(1, 3, 16, 16)], [rand(4, 3, 16, 16)]], [{0}])
both("vit_opset23", Vit, lambda: [[rand(2, 3, 16, 16)], [rand(3, 3, 16, 16)]], [{0}], opset=(23, 23), exporters=(True,))


class Bert(nn.Module):
    def __init__(self, fused=True):
        super().__init__()
        self.words, self.places, self.kinds = nn.Embedding(50, 16, padding_idx=0), nn.Embedding(32, 16), nn.Embedding(2, 16)
        self.norm = nn.LayerNorm(16, eps=1e-12)
        self.blocks = nn.ModuleList([Block(16, 4, fused), Block(16, 4, fused)])
        self.pool = nn.Linear(16, 16)

    def forward(self, ids, attention_mask, token_type_ids):
        place = torch.arange(ids.shape[1], device=ids.device).unsqueeze(0)
        x = self.norm(self.words(ids) + self.places(place) + self.kinds(token_type_ids))
        mask = attention_mask[:, None, None, :].bool()
        for block in self.blocks:
            x = block(x, mask)
        weights = attention_mask.unsqueeze(-1).to(x.dtype)
        mean = (x * weights).sum(1) / weights.sum(1).clamp(min=1e-9)
        return x, torch.tanh(self.pool(x[:, 0])), F.normalize(mean, dim=-1)


def sentences(*shapes):
    out = []
    for b, t in shapes:
        lengths = torch.randint(2, t + 1, (b,))
        lengths[0] = t
        mask = (torch.arange(t)[None] < lengths[:, None]).long()
        out.append([torch.randint(1, 50, (b, t)) * mask, mask, torch.randint(0, 2, (b, t))])
    return out


both("bert", Bert, lambda: sentences((2, 7), (1, 4), (3, 12)), [{0, 1}] * 3)
both("bert_written_out", lambda: Bert(False), lambda: sentences((2, 7), (1, 4), (3, 12)), [{0, 1}] * 3, opset=(18, 13))
both("bert_opset23", Bert, lambda: sentences((2, 7), (3, 12)), [{0, 1}] * 3, opset=(23, 23), exporters=(True,))


class Gpt(nn.Module):
    """Past keys and values in, present ones out; a prompt has an empty past."""

    def __init__(self, rotary=False):
        super().__init__()
        self.rotary = rotary
        self.words, self.places = nn.Embedding(40, 16), nn.Embedding(32, 16)
        self.norms = nn.ModuleList([nn.LayerNorm(16) for _ in range(5)])
        self.qkv = nn.ModuleList([nn.Linear(16, 48) for _ in range(2)])
        self.out = nn.ModuleList([nn.Linear(16, 16) for _ in range(2)])
        self.mlp = nn.ModuleList([nn.Sequential(nn.Linear(16, 32), nn.GELU(approximate="tanh"), nn.Linear(32, 16)) for _ in range(2)])

    def turn(self, x, place):
        angle = place[:, None].float() * torch.exp(torch.arange(0, 8, 2).float() * (-math.log(100.0) / 8))
        cos, sin = angle.cos().repeat(1, 2), angle.sin().repeat(1, 2)
        return x * cos + torch.cat([-x[..., 4:], x[..., :4]], -1) * sin

    def forward(self, ids, k0, v0, k1, v1):
        b, t = ids.shape
        past = k0.shape[2]
        place = torch.arange(past, past + t)
        x = self.words(ids)
        if not self.rotary:
            x = x + self.places(place)
        allowed = place[:, None] >= torch.arange(past + t)[None, :]
        present = []
        for i, (pk, pv) in enumerate(((k0, v0), (k1, v1))):
            q, k, v = self.qkv[i](self.norms[2 * i](x)).view(b, t, 3, 2, 8).permute(2, 0, 3, 1, 4).unbind(0)
            if self.rotary:
                q, k = self.turn(q, place), self.turn(k, place)
            k, v = torch.cat([pk, k], 2), torch.cat([pv, v], 2)
            present += [k, v]
            y = F.scaled_dot_product_attention(q, k, v, attn_mask=allowed)
            x = x + self.out[i](y.transpose(1, 2).reshape(b, t, 16))
            x = x + self.mlp[i](self.norms[2 * i + 1](x))
        return self.norms[4](x) @ self.words.weight.T, *present


def conversation(rotary):
    """A first set that fits any trace, then a prompt and two steps that go on from it."""

    def sets():
        torch.manual_seed(SEED)
        model = Gpt(rotary).eval()
        state = [rand(2, 2, 3, 8) for _ in range(4)]
        out = [[torch.randint(0, 40, (2, 5)), *state]]
        state = [torch.zeros(1, 2, 0, 8) for _ in range(4)]
        ids = torch.randint(0, 40, (1, 6))
        with torch.no_grad():
            for _ in range(3):
                out.append([ids, *state])
                logits, *state = model(ids, *state)
                ids = logits[:, -1].argmax(-1, keepdim=True)
        return out

    return sets


PAST = [{0, 1}] + [{0, 2}] * 4
both("gpt", Gpt, conversation(False), PAST, opset=(20, 14))
both("gpt_rotary", lambda: Gpt(True), conversation(True), PAST)
both("gpt_opset23", Gpt, conversation(False), PAST, opset=(23, 23), exporters=(True,))


class Recurrent(nn.Module):
    def __init__(self, kind, **options):
        super().__init__()
        self.cell = getattr(nn, kind)(5, 6, **options)
        self.head = nn.Linear(12 if options.get("bidirectional") else 6, 3)

    def forward(self, x):
        y, state = self.cell(x)
        return self.head(y), *(state if isinstance(state, tuple) else (state,))


def steps():
    return [[rand(2, 7, 5)], [rand(1, 4, 5)], [rand(3, 11, 5)]]


for kind in ("LSTM", "GRU", "RNN"):
    # torch.export keeps the number of steps of a plain RNN fixed.
    lengths = [{0}] if kind == "RNN" else [{0, 1}]
    both(f"{kind.lower()}_bidirectional", lambda kind=kind: Recurrent(kind, batch_first=True, bidirectional=True), (lambda: [[rand(2, 7, 5)], [rand(3, 7, 5)]]) if kind == "RNN" else steps, lengths)
    both(f"{kind.lower()}_two_layers", lambda kind=kind: Recurrent(kind, num_layers=2), steps, [{0, 1}], opset=(18, 11), exporters=(False,) if kind == "RNN" else (True, False))
both("lstm_static", lambda: Recurrent("LSTM", batch_first=True), lambda: [[rand(2, 7, 5)]], opset=(18, 14))


class Stateful(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell = nn.LSTM(5, 6, 1)

    def forward(self, x, h, c):
        y, (h, c) = self.cell(x, (h, c))
        return y, h, c


both("lstm_states", Stateful, lambda: [[rand(3, 2, 5), rand(1, 2, 6), rand(1, 2, 6)], [rand(6, 1, 5), rand(1, 1, 6), rand(1, 1, 6)]], [{0, 1}, {1}, {1}])


class EncoderDecoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.model = nn.Transformer(16, 2, 1, 1, 24, 0.0, batch_first=True, norm_first=True)

    def forward(self, source, target):
        mask = torch.triu(torch.full((target.shape[1], target.shape[1]), float("-inf")), 1)
        return self.model(source, target, tgt_mask=mask, tgt_is_causal=True)


both("transformer", EncoderDecoder, lambda: [[rand(2, 6, 16), rand(2, 4, 16)], [rand(1, 3, 16), rand(1, 7, 16)]], [{0, 1}, {0, 1}], exporters=(True,))
both("transformer_static", EncoderDecoder, lambda: [[rand(2, 6, 16), rand(2, 4, 16)]])


class Heads(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention = nn.MultiheadAttention(16, 4, batch_first=True, kdim=12, vdim=10)

    def forward(self, q, k, v, padding):
        return self.attention(q, k, v, key_padding_mask=padding, average_attn_weights=False)


both("multihead_attention", Heads, lambda: [[rand(2, 5, 16), rand(2, 6, 12), rand(2, 6, 10), torch.arange(6)[None] >= torch.tensor([[4], [6]])], [rand(1, 3, 16), rand(1, 8, 12), rand(1, 8, 10), torch.arange(8)[None] >= 5]], [{0, 1}] * 4)


class Unet(nn.Module):
    def __init__(self):
        super().__init__()
        self.down = nn.Sequential(nn.Conv2d(2, 6, 3, 2, 1), nn.GroupNorm(3, 6), nn.SiLU())
        self.middle = nn.Sequential(nn.Conv2d(6, 6, 3, 1, 1, padding_mode="reflect"), nn.InstanceNorm2d(6, affine=True), nn.PReLU(6))
        self.up = nn.ConvTranspose2d(6, 4, 4, 2, 1)
        self.out = nn.Conv2d(6, 1, 1)

    def forward(self, x):
        y = self.up(self.middle(self.down(x)))
        return torch.sigmoid(self.out(torch.cat([x, y], 1)))


both("unet", Unet, lambda: [[rand(2, 2, 16, 16)], [rand(1, 2, 8, 24)]], [{0, 2, 3}])


class Small(nn.Module):
    """A function as a module."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *inputs):
        return self.function(*inputs)


def function(name, f, sets, dynamic=None, **options):
    both(name, lambda: Small(f), sets, dynamic, **options)


# ---- Image operators ----
for mode in ("bilinear", "nearest", "bicubic"):
    for padding, corners in (("zeros", False), ("border", True), ("reflection", False)):
        function(f"grid_sample_{mode}_{padding}", lambda x, g, mode=mode, padding=padding, corners=corners: F.grid_sample(x, g, mode, padding, corners), lambda: [[rand(2, 3, 5, 6), rand(2, 4, 7, 2) * 0.7], [rand(1, 3, 8, 4), rand(1, 3, 3, 2)]], [{0, 2, 3}, {0, 1, 2}], opset=(20, 16), exporters=(True, False) if padding != "border" else (False,))
function("affine_grid", lambda theta: F.affine_grid(theta, (2, 3, 4, 5), False), lambda: [[rand(2, 2, 3)]], opset=(20, 20))
for name, options in {
    "nearest": {"scale_factor": 2.0, "mode": "nearest"},
    "nearest_exact": {"scale_factor": 1.5, "mode": "nearest-exact"},
    "bilinear": {"scale_factor": 1.7, "mode": "bilinear", "align_corners": False},
    "bilinear_corners": {"size": (9, 11), "mode": "bilinear", "align_corners": True},
    "bicubic": {"scale_factor": 1.5, "mode": "bicubic", "align_corners": False},
    "antialias": {"size": (3, 4), "mode": "bilinear", "antialias": True},
    "antialias_bicubic": {"size": (4, 3), "mode": "bicubic", "antialias": True},
    "area": {"size": (2, 3), "mode": "area"},
}.items():
    sizes = [(2, 2, 6, 9)] if name == "area" else [(2, 2, 6, 7), (1, 2, 5, 8)]
    function(f"interpolate_{name}", lambda x, options=options: F.interpolate(x, **options), lambda sizes=sizes: [[rand(*s)] for s in sizes], [{0, 2, 3}] if len(sizes) > 1 else None, opset=(20, 18), exporters=(True,) if name.startswith("antialias") or name == "nearest_exact" else (True, False))
function("interpolate_opset11", lambda x: F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False), lambda: [[rand(1, 2, 4, 5)], [rand(2, 2, 3, 3)]], [{0, 2, 3}], opset=(18, 11), exporters=(False,))
function("interpolate_opset10", lambda x: F.interpolate(x, scale_factor=2.0, mode="nearest"), lambda: [[rand(1, 2, 4, 5)], [rand(2, 2, 3, 3)]], [{0, 2, 3}], opset=(18, 10), exporters=(False,))
function("interpolate_opset9", lambda x: F.interpolate(x, size=(8, 10), mode="nearest"), lambda: [[rand(1, 2, 4, 5)]], opset=(18, 9), exporters=(False,))
function("interpolate_3d", lambda x: F.interpolate(x, scale_factor=2.0, mode="trilinear", align_corners=False), lambda: [[rand(1, 2, 3, 4, 2)]])
function("pads", lambda x: (F.pad(x, (1, 2, 0, 1), "reflect"), F.pad(x, (2, 1, 1, 1), "replicate"), F.pad(x, (1, -1, 2, 0), value=3.0), F.pad(x, (1, 1, 2, 1), "circular")), lambda: [[rand(1, 2, 4, 5)], [rand(2, 2, 5, 6)]], [{0, 2, 3}], opset=(20, 19))
function("pixel_shuffle", lambda x: (F.pixel_shuffle(x, 2), F.pixel_unshuffle(F.pixel_shuffle(x, 2), 2)), lambda: [[rand(1, 8, 3, 4)], [rand(2, 8, 2, 5)]], [{0, 2, 3}])
function("pools", lambda x: (F.max_pool2d(x, 3, 2, 1, ceil_mode=True), F.avg_pool2d(x, 3, 2, 1, ceil_mode=True, count_include_pad=False), F.lp_pool2d(x.abs(), 2.0, 2), F.adaptive_avg_pool2d(x, (3, 3)), F.max_pool2d(x, 2, return_indices=True)), lambda: [[rand(2, 2, 9, 6)]])
function("unfold_fold", lambda x: (F.unfold(x, 3, 1, 1, 2), F.fold(F.unfold(x, 2), (5, 6), 2)), lambda: [[rand(1, 2, 5, 6)]], opset=(18, 18))
both("conv_transpose", lambda: nn.Sequential(nn.ConvTranspose2d(3, 4, 3, 2, 1, 1, groups=1), nn.ELU(), nn.ConvTranspose2d(4, 4, 3, 1, 2, dilation=2, groups=2, bias=False)), lambda: [[rand(1, 3, 5, 6)], [rand(2, 3, 4, 4)]], [{0, 2, 3}])
both("conv_1d_3d", lambda: nn.Sequential(nn.Conv1d(3, 4, 5, padding="same"), nn.BatchNorm1d(4), nn.LeakyReLU(0.2), nn.Unflatten(2, (2, 2, 3)), nn.Conv3d(4, 2, 2, padding=1), nn.Softplus()), lambda: [[rand(2, 3, 12)]])

# ---- Norms and activations ----
both("norms", lambda: nn.Sequential(nn.GroupNorm(2, 6), nn.InstanceNorm2d(6), nn.BatchNorm2d(6), nn.LayerNorm([4, 5]), nn.LocalResponseNorm(3)), lambda: [[rand(2, 6, 4, 5)], [rand(1, 6, 4, 5)]], [{0}])
both("rms_norm", lambda: nn.RMSNorm(8), lambda: [[rand(2, 3, 8)], [rand(4, 1, 8)]], [{0, 1}], opset=(23, 17))
ACTIVATIONS = ("celu", "elu", "gelu", "glu", "hardsigmoid", "hardswish", "hardtanh", "hardshrink", "leaky_relu", "logsigmoid", "mish", "relu6", "selu", "silu", "softplus", "softshrink", "softsign", "tanhshrink")
function("activations", lambda x: tuple(getattr(F, name)(x) for name in ACTIVATIONS), lambda: [[rand(3, 8) * 3], [rand(5, 8) * 3]], [{0}])
function("softmaxes", lambda x: (x.softmax(1), x.log_softmax(-1), F.softmin(x, 0), x.logsumexp(1), x.cumsum(0)), lambda: [[rand(3, 4, 5)], [rand(2, 4, 3)]], [{0, 2}], opset=(20, 11))

# ---- Indexing, sorting, shapes that depend on data ----
function("topk_sort", lambda x: (*x.topk(3, 1), *x.sort(1, descending=True), x.argsort(0), *x.max(1), *x.min(0), x.argmax(1)), lambda: [[rand(4, 6)], [rand(2, 5)]], [{0, 1}])
function("nonzero", lambda x: (torch.nonzero(x > 0.3), x[x > 0.3], torch.where(x > 0, x, -x)), lambda: [[rand(4, 6)], [rand(2, 5)], [-torch.ones(3, 2)]], [{0, 1}])
function("masked_select", lambda x: torch.masked_select(x, x < 0), lambda: [[rand(4, 6)], [rand(2, 5)]], [{0, 1}], exporters=(False,))
function("unique", lambda x: torch.unique(x, return_inverse=True, return_counts=True), lambda: [[torch.randint(0, 6, (12,))], [torch.randint(0, 4, (7,))]], [{0}])
function("index_put", lambda x, i, v: (x.clone().index_put((i,), v), x.clone().index_put((i,), v, accumulate=True), x.index_select(0, i), x[i, :2]), lambda: [[rand(5, 4), torch.tensor([0, 3, 2]), rand(3, 4)], [rand(7, 4), torch.tensor([6, 1]), rand(2, 4)]], [{0}, {0}, {0}])
function("index_put_mask", lambda x, m: (x.clone().masked_fill(m, -1.5), torch.where(m, x, torch.tensor(2.0)), x.masked_scatter(m, x * 2)), lambda: [[rand(4, 5), rand(4, 5) > 0], [rand(2, 3), rand(2, 3) > 0]], [{0, 1}] * 2)
function("slice_assign", lambda x: _assigned(x), lambda: [[rand(4, 6)], [rand(5, 6)]], [{0}])
function("scatter_gather", lambda x, i, s: (x.scatter(1, i, s), x.scatter_add(1, i, s), x.gather(1, i), x.scatter_reduce(1, i, s, "amax"), x.scatter_reduce(1, i, s, "prod")), lambda: [[rand(3, 6), torch.tensor([[0, 1], [5, 5], [2, 0]]), rand(3, 2)], [rand(2, 4), torch.tensor([[3, 1], [0, 2]]), rand(2, 2)]], [{0, 1}, {0}, {0}], opset=(20, 18))
function("einsum", lambda a, b, c: (torch.einsum("bij,bjk->bik", a, b), torch.einsum("bij,bkj->bk", a, c), torch.einsum("...ij->...ji", a), torch.einsum("bii->bi", torch.bmm(a, a.transpose(1, 2)))), lambda: [[rand(2, 3, 4), rand(2, 4, 5), rand(2, 6, 4)], [rand(1, 2, 3), rand(1, 3, 4), rand(1, 2, 3)]], [{0, 1, 2}] * 3)
function("buckets", lambda x: (torch.bucketize(x, torch.tensor([-1.0, 0.0, 0.5, 2.0])), torch.bucketize(x, torch.tensor([-1.0, 0.0, 0.5, 2.0]), right=True)), lambda: [[rand(3, 4)], [torch.tensor([[0.0, 0.5, -1.0, 9.0]])]], [{0}])
function("relative_buckets", lambda x: _relative(x), lambda: [[rand(1, 9, 2)], [rand(2, 14, 2)]], [{0, 1}])
function("one_hot_tril", lambda x, i: (F.one_hot(i, 5), x.tril(1), x.triu(-1), torch.diagonal(x), x.roll(1, 0), x.flip(1), x.repeat(2, 1), x.repeat_interleave(2, 1), x.expand(2, -1, -1)), lambda: [[rand(4, 4), torch.tensor([4, 0, 2])]])
function("shapes", lambda x: (x.reshape(x.shape[0], -1), x.flatten(1), *x.chunk(3, 2), *x.split([1, 3], 1), torch.stack([x, x], 1), x.unfold(2, 3, 2), x.unsqueeze(0).squeeze(0), x.movedim(0, 2), x.new_full((x.shape[0], 2), 7.0), torch.arange(x.shape[1]), torch.linspace(0, 1, 5)), lambda: [[rand(3, 4, 6)], [rand(5, 4, 6)]], [{0}])
function("reductions", lambda x: (x.mean(1), x.std(1), x.var(0, unbiased=False), x.norm(dim=1), x.norm(p=1, dim=0), x.prod(1), x.amax((0, 1)), (x > 0).any(1), (x > -9).all(), x.sum(), x.cumsum(1)), lambda: [[rand(3, 5)], [rand(6, 4)]], [{0, 1}])
function("arithmetic", lambda a, b: (a // b, a % b, torch.fmod(a, b), torch.remainder(-a, b), torch.floor_divide(a, b), torch.pow(a.abs(), b), a.clamp(-0.5, 0.5), torch.atan2(a, b), torch.addcmul(a, a, b), torch.lerp(a, b, 0.3), a.round(), torch.round(a, decimals=1), a.sign(), a.trunc(), a.frac(), torch.logaddexp(a, b), torch.erf(a), torch.expm1(a), torch.log1p(a.abs())), lambda: [[rand(3, 4), rand(3, 4) + 2.5], [rand(2, 1), rand(1, 5) + 2.5]], [{0, 1}, {0, 1}], exporters=(True,))
function("arithmetic_script", lambda a, b: (a % b, torch.remainder(-a, b), torch.pow(a.abs(), b), a.clamp(-0.5, 0.5), torch.addcmul(a, a, b), torch.lerp(a, b, 0.3), a.round(), a.sign(), torch.erf(a), torch.log1p(a.abs()), torch.atan2(a, b), torch.true_divide(a, b), a.abs().rsqrt()), lambda: [[rand(3, 4), rand(3, 4) + 2.5], [rand(2, 5), rand(2, 5) + 2.5]], [{0, 1}, {0, 1}], opset=(20, 13), exporters=(False,))
function("integers", lambda a, b: (a // b, a % b, a + b, a * b, a & b, a | b, a ^ b, ~a, a << 2, a >> 1, a / b, torch.div(a, b, rounding_mode="trunc"), a == b, a.to(torch.int32), a.float().to(torch.int8), -a, a.abs()), lambda: [[torch.randint(-50, 50, (3, 4)), torch.randint(1, 7, (3, 4))], [torch.randint(-50, 50, (2, 2)), torch.randint(1, 7, (2, 2))]], [{0, 1}] * 2, opset=(20, 18))
function("complex_fft", lambda x: (torch.fft.rfft(x).abs(), torch.fft.irfft(torch.fft.rfft(x), 16), torch.view_as_real(torch.fft.fft(x))), lambda: [[rand(2, 16)]], exporters=(True,), rtol=1e-3)
function("stft", lambda x: torch.view_as_real(torch.stft(x, 16, 4, window=torch.hann_window(16), center=False, onesided=True, return_complex=True)), lambda: [[rand(2, 64)]], exporters=(True,))
function("losses", lambda x, t: (F.cross_entropy(x, t), F.nll_loss(x.log_softmax(1), t, reduction="none"), F.mse_loss(x, x * 0.5), F.binary_cross_entropy_with_logits(x, (x > 0).float()), F.cosine_similarity(x, x.flip(1)), F.pairwise_distance(x, x.flip(0))), lambda: [[rand(4, 5), torch.tensor([1, 0, 4, 2])]])


def _assigned(x):
    x = x.clone()
    x[:, 1:5:2] = 7.0
    x[1:, 0] += x[:-1, 5]
    x[..., -1] = x[..., 0] * 2
    return x


def _relative(x):
    """The buckets of distances of T5."""
    t = x.shape[1]
    distance = torch.arange(t)[None, :] - torch.arange(t)[:, None]
    bucket = (distance > 0).long() * 8
    distance = distance.abs()
    large = 4 + (torch.log(distance.float() / 4 + 1e-9) / math.log(16 / 4) * 4).long()
    return bucket + torch.where(distance < 4, distance, torch.clamp(large, max=7)), x.sum(1)


# ---- Control flow ----
class Conditional(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x):
        return torch.cond(x.sum() > 0, lambda x: torch.relu(self.a(x)), lambda x: self.b(x) - 1.0, (x,))


both("cond", Conditional, lambda: [[torch.ones(2, 4)], [-torch.ones(3, 4)], [torch.full((1, 4), 2.0)]], [{0}], exporters=(True,))


class Scripted(nn.Module):
    """A loop whose count is an input, with a branch inside and values from outside."""

    def forward(self, x: torch.Tensor, n: torch.Tensor):
        total = torch.zeros_like(x)
        for i in range(int(n)):
            if i % 2 == 0:
                total = total + x * i
            else:
                total = total - x.sum() * 0.1
        return total


class ScriptedWhile(nn.Module):
    def __init__(self):
        super().__init__()
        self.step = nn.Linear(3, 3)

    def forward(self, x: torch.Tensor):
        count = 0
        while bool((x * x).sum() < 400.0) and count < 30:
            x = x * 1.5 + torch.tanh(self.step(x))
            count += 1
        return x, torch.tensor(count)


class ScriptedLists(nn.Module):
    """Grows a list: a sequence in ONNX."""

    def forward(self, x: torch.Tensor):
        rows: list[torch.Tensor] = []
        last = torch.zeros_like(x[0])
        for i in range(x.shape[0]):
            last = last * 0.5 + x[i]
            rows.append(last)
        return torch.stack(rows)


both("loop", lambda: torch.jit.script(Scripted()), lambda: [[rand(2, 3), torch.tensor(5)], [rand(1, 4), torch.tensor(0)], [rand(4, 2), torch.tensor(8)]], [{0, 1}, None], exporters=(False,))
both("while", lambda: torch.jit.script(ScriptedWhile()), lambda: [[rand(2, 3)], [rand(1, 3) * 9], [rand(5, 3) * 0.1]], [{0}], exporters=(False,))
both("list", lambda: torch.jit.script(ScriptedLists()), lambda: [[rand(4, 3)], [rand(1, 5)], [rand(9, 2)]], [{0, 1}], exporters=(False,))


class WhileLoop(nn.Module):
    def forward(self, x):
        from torch._higher_order_ops.while_loop import while_loop

        return while_loop(lambda i, y: i < 5, lambda i, y: (i + 1, y * 1.5 + 0.1), (torch.tensor(0), x))


both("while_loop", WhileLoop, lambda: [[rand(2, 3)]], exporters=(True,))


class ScanModule(nn.Module):
    def forward(self, x):
        from torch._higher_order_ops.scan import scan

        return scan(lambda carry, y: (carry * 0.5 + y, (carry + y).tanh()), torch.zeros(3), x)


both("scan", ScanModule, lambda: [[rand(5, 3)]], exporters=(True,))

# ---- Other number types ----
for name, dtype, tolerance in (("half", torch.float16, 2e-2), ("bfloat16", torch.bfloat16, 4e-2), ("double", torch.float64, 1e-9)):
    both(f"mlp_{name}", lambda dtype=dtype: nn.Sequential(nn.Linear(8, 12), nn.LayerNorm(12), nn.GELU(), nn.Linear(12, 4)).to(dtype), lambda dtype=dtype: [[rand(3, 8).to(dtype)], [rand(1, 8).to(dtype)]], [{0}], rtol=tolerance, atol_of_scale=tolerance)
    both(f"cnn_{name}", lambda dtype=dtype: nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm2d(4) if dtype != torch.bfloat16 else nn.GroupNorm(2, 4), nn.SiLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(64, 3)).to(dtype), lambda dtype=dtype: [[rand(2, 2, 8, 8).to(dtype)]], exporters=(True, False) if dtype != torch.bfloat16 else (True,), rtol=tolerance, atol_of_scale=tolerance)
both("vit_half", lambda: Vit().half(), lambda: [[rand(2, 3, 16, 16).half()], [rand(1, 3, 16, 16).half()]], [{0}], rtol=3e-2, atol_of_scale=3e-2)


class FakeQuantised(nn.Module):
    """Weights and activations rounded to 8 bits as training for quantisation does: pairs of QuantizeLinear and
    DequantizeLinear."""

    def __init__(self):
        super().__init__()
        self.conv, self.fc = nn.Conv2d(2, 4, 3), nn.Linear(64, 3)

    def forward(self, x):
        x = torch.fake_quantize_per_tensor_affine(x, 0.05, 3, -128, 127)
        scale = self.conv.weight.detach().abs().amax((1, 2, 3)) / 127
        weight = torch.fake_quantize_per_channel_affine(self.conv.weight, scale, torch.zeros(4, dtype=torch.int32), 0, -128, 127)
        x = torch.relu(F.conv2d(x, weight, self.conv.bias))
        x = torch.fake_quantize_per_tensor_affine(x, 0.03, 0, 0, 255)
        return self.fc(x.flatten(1))


both("fake_quantised", FakeQuantised, lambda: [[rand(2, 2, 6, 6)]], exporters=(True, False), opset=(20, 13))


class DynamicInt8(nn.Module):
    def forward(self, x, w):
        scale = x.abs().max() / 127
        q = torch.clamp(torch.round(x / scale), -128, 127).to(torch.int8)
        return q.to(torch.float32) * scale @ w, q


both("to_int8", DynamicInt8, lambda: [[rand(3, 4), rand(4, 2)], [rand(1, 6), rand(6, 5)]], [{0, 1}] * 2)


class Mlp(nn.Module):
    """Arguments as a list and a dict, an unused input, a constant output, one output twice, an input as an output."""

    def forward(self, parts, more):
        total = parts[0] + parts[1] * more["scale"]
        return total, total, torch.ones(2), parts[0]


case("torch_nested_inputs")(lambda: _nested())


def _nested():
    module = Mlp()
    a, b, s = torch.tensor([1.0, 2.0]), torch.tensor([3.0, 5.0]), torch.tensor([0.5, -1.0])
    with contextlib.redirect_stdout(io.StringIO()):
        program = torch.onnx.export(module, ([a, b], {"scale": s}, {}), None, dynamo=True, verbose=False)
    return program.model_proto, [([tensor(x) for x in (a, b, s)], [tensor(x) for x in module([a, b], {"scale": s})])]


if __name__ == "__main__":
    main(__doc__)
