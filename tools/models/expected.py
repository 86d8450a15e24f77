#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes a test case of each model, with the answers of ONNX Runtime: expected.py [NAME...]

    $BRAID_CACHE/cases/models/NAME/model.onnx              a link to $BRAID_CACHE/models/NAME.onnx
    $BRAID_CACHE/cases/models/NAME/test_data_set_K/{input,output}_J.pb
    $BRAID_CACHE/cases/models/NAME/data.json               tolerances: {"rtol": ..., "atol": ...}

Inputs are of the kind that the model was made for (a scanned page, voice-like sound, text), small, and the same on
every run; a model of dynamic shape gets several. atol is 1e-4 of the largest magnitude of the output that has the
smallest; rtol is 1e-3. That holds for the model with int8 weights too: it computes in float.
"""

import argparse
import json
import os
import pathlib
import shutil
import struct
import sys
import tempfile
import zlib

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper

import places

RECIPE = "5"  # raise when inputs or tolerances change

RTOL, ATOL_OF_SCALE = 1e-3, 1e-4


def read_png(path: pathlib.Path) -> np.ndarray:
    """An 8-bit grey PNG without interlace as uint8[height, width]."""
    data = path.read_bytes()
    position, packed, width, height = 8, b"", 0, 0
    while position < len(data):
        (length,), kind = struct.unpack(">I", data[position : position + 4]), data[position + 4 : position + 8]
        body = data[position + 8 : position + 8 + length]
        if kind == b"IHDR":
            width, height, depth, colour, _, _, interlace = struct.unpack(">IIBBBBB", body)
            if (depth, colour, interlace) != (8, 0, 0):
                raise ValueError(f"{path}: not an 8-bit grey PNG without interlace")
        elif kind == b"IDAT":
            packed += body
        position += 12 + length
    rows = np.frombuffer(zlib.decompress(packed), np.uint8).reshape(height, width + 1)
    image = np.zeros((height + 1, width + 1), np.int32)  # a row and a column of zeros before the first
    for y in range(1, height + 1):
        kind, line = rows[y - 1, 0], rows[y - 1, 1:].astype(np.int32)
        for x in range(1, width + 1):
            left, up, corner = image[y, x - 1], image[y - 1, x], image[y - 1, x - 1]
            if kind == 4:
                estimate = left + up - corner
                near = [abs(estimate - left), abs(estimate - up), abs(estimate - corner)]
                predicted = (left, up, corner)[near.index(min(near))]
            else:
                predicted = (0, left, up, (left + up) // 2)[kind]
            image[y, x] = (line[x - 1] + predicted) & 255
    return image[1:, 1:].astype(np.uint8)


def resize(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Bilinear, float32[height, width]."""
    y = np.clip((np.arange(height) + 0.5) * image.shape[0] / height - 0.5, 0, image.shape[0] - 1)
    x = np.clip((np.arange(width) + 0.5) * image.shape[1] / width - 0.5, 0, image.shape[1] - 1)
    y0, x0 = y.astype(int), x.astype(int)
    y1, x1 = np.minimum(y0 + 1, image.shape[0] - 1), np.minimum(x0 + 1, image.shape[1] - 1)
    dy, dx = (y - y0)[:, None], (x - x0)[None]
    image = image.astype(np.float32)
    top = image[y0][:, x0] * (1 - dx) + image[y0][:, x1] * dx
    return (top * (1 - dy) + (image[y1][:, x0] * (1 - dx) + image[y1][:, x1] * dx) * dy).astype(np.float32)


def page(top: int, bottom: int, left: int, right: int, height: int, width: int) -> np.ndarray:
    """A part of the scanned page as float32[1, 3, height, width] in -1..1."""
    if not hasattr(page, "image"):
        page.image = read_png(places.MODELS / "page.png")
    grey = resize(page.image[top:bottom, left:right], height, width) / 127.5 - 1
    return np.repeat(grey[None, None], 3, axis=1).astype(np.float32)


def picture(seed: int, batch: int, side: int, low=0.0, high=1.0) -> np.ndarray:
    """Blotches of colour of many sizes, float32[batch, 3, side, side] in low..high."""
    generator = np.random.default_rng(seed)
    total = np.zeros((batch, 3, side, side), np.float32)
    for cells in (4, 8, 32, side):
        coarse = generator.random((batch, 3, cells, cells), np.float32)
        for n in range(batch):
            for c in range(3):
                total[n, c] += resize(coarse[n, c], side, side)
    return (low + (high - low) * total / 4).astype(np.float32)


def voice(seed: int, frames: int) -> np.ndarray:
    """Frames of 576 samples at 16 kHz, harmonics with noise that swell and fade: float32[frames, 576] in -1..1."""
    generator = np.random.default_rng(seed)
    t = np.arange(frames * 576) / 16000
    pitch = 120 + 30 * np.sin(2 * np.pi * 1.5 * t)
    phase = 2 * np.pi * np.cumsum(pitch) / 16000
    sound = sum(np.sin(k * phase) / k for k in range(1, 12)) * np.sin(np.pi * np.arange(len(t)) / len(t)) ** 0.5
    sound = 0.2 * sound + 0.01 * generator.standard_normal(len(t))
    return sound.reshape(frames, 576).astype(np.float32)


def file_bytes(texts: list[bytes]) -> np.ndarray:
    """What magika reads of files: their first and last 1024 bytes as int32[files, 2048], 256 where there is none."""
    rows = np.full((len(texts), 2048), 256, np.int32)
    for row, text in zip(rows, texts):
        head, tail = text.lstrip()[:1024], text.rstrip()[-1024:]
        row[: len(head)] = list(head)
        row[2048 - len(tail) :] = list(tail)
    return rows


def tokens(seed: int, lengths: list[int]) -> list[np.ndarray]:
    """Token numbers, mask and segment numbers of a batch of padded sentences: three int64[batch, longest]."""
    generator = np.random.default_rng(seed)
    shape = (len(lengths), max(lengths))
    mask = (np.arange(shape[1])[None] < np.array(lengths)[:, None]).astype(np.int64)
    numbers = generator.integers(1000, 29000, shape) * mask
    numbers[:, 0] = 101
    for row, length in zip(numbers, lengths):
        row[length - 1] = 102
    return [numbers.astype(np.int64), mask, np.zeros(shape, np.int64)]


def states(seed: int, shape: tuple[int, ...]) -> np.ndarray:
    return (0.3 * np.random.default_rng(seed).standard_normal(shape)).astype(np.float32)


RATE = np.array(16000, np.int64)
LIGHT_RAMP = (np.arange(3 * 224 * 224).reshape(1, 3, 224, 224) / (3 * 224 * 224)).astype(np.float32)

SCRIPT = b"#!/usr/bin/env python3\nimport sys\n\n\ndef main():\n    for line in sys.stdin:\n        print(line.upper())\n\n\nmain()\n"
# A single character makes this network ill-conditioned: ONNX Runtime is then 0.007 off what float64 gives.
LETTER = b"Dear all,\nplease find below the minutes of the meeting.\nKind regards\n"
MARKUP = b"<!DOCTYPE html>\n<html><head><title>A page</title></head>\n<body>" + b"<p>Some words.</p>\n" * 90 + b"</body></html>\n"
# No shorter: magika's variances nearly vanish for a file of one byte, and the answers in float32, ONNX Runtime's too,
# then differ from the one in double by more than the tolerance.
TABLE = b"id,name,price\n" + b"".join(b"%d,part %d,%d.50\n" % (i, i * 7, i * i) for i in range(40))

# model: function that gives its data sets, each a list of inputs in the model's order
INPUTS = {
    "ppocr_det": lambda: [
        [page(0, 191, 0, 384, 192, 384)],
        [np.concatenate([page(20, 90, 10, 180, 64, 96), page(90, 180, 100, 370, 64, 96)])],
        [page(0, 191, 0, 384, 320, 640)],
    ],
    "ppocr_rec": lambda: [
        [page(28, 58, 20, 370, 48, 320)],
        [np.concatenate([page(55, 80, 10, 160, 48, 160), page(80, 105, 150, 330, 48, 160)])],
    ],
    "ppocr_cls": lambda: [
        [page(28, 58, 20, 140, 48, 192)],
        [np.concatenate([page(55, 80, 10, 130, 48, 192), page(80, 105, 150, 270, 48, 192)[:, :, ::-1, ::-1]])],
    ],
    # At 16 kHz and at 8 kHz: each takes a branch of its own, for whose frames the other does not fit.
    "silero_default": lambda: [
        [voice(1, 1), np.zeros((2, 1, 128), np.float32), RATE],
        [voice(9, 3), states(10, (2, 3, 128)), RATE],
        [voice(11, 2)[1:, ::2].copy(), states(12, (2, 1, 128)), np.array(8000, np.int64)],
    ],
    "silero_op15": lambda: [
        [voice(1, 1), np.zeros((2, 1, 128), np.float32), RATE],
        [voice(2, 9)[4:5], states(3, (2, 1, 128)), RATE],
        [voice(4, 3), states(5, (2, 3, 128)), RATE],
    ],
    "silero_sequence": lambda: [
        [voice(1, 1), np.zeros((1, 1, 128), np.float32), np.zeros((1, 1, 128), np.float32)],
        [voice(6, 31), states(7, (1, 1, 128)), states(8, (1, 1, 128))],
    ],
    "magika": lambda: [
        [file_bytes([SCRIPT])],
        [file_bytes([MARKUP, SCRIPT, bytes(range(256)) * 9, TABLE])],
    ],
    "minilm_int8": lambda: [tokens(1, [12]), tokens(2, [33, 7]), tokens(3, [128])],
    "resnet50": lambda: [[picture(1, 1, 224, -2, 2)], [picture(2, 3, 224, -2, 2)]],
    "mobilenet_v3_large": lambda: [[picture(1, 1, 224, -2, 2)]],
    "yolo11n": lambda: [[picture(1, 1, 640)]],
}


def light_inputs(name: str) -> list[list[np.ndarray]]:
    return [[LIGHT_RAMP], [picture(1, 1, 224, -2, 2)]]


def light_outputs(name: str) -> list[np.ndarray]:
    """The answer to the ramp that the onnx package ships with the model."""
    folder = pathlib.Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
    return [numpy_helper.to_array(onnx.load_tensor(folder / f"{name}_output_0.pb"))]


def answers(session: onnxruntime.InferenceSession, inputs: list[np.ndarray]) -> list[np.ndarray]:
    names = [i.name for i in session.get_inputs()]
    if len(names) != len(inputs):
        raise ValueError(f"the model has inputs {names}, {len(inputs)} values were made")
    return session.run(None, dict(zip(names, inputs)))


def make(name: str) -> None:
    model = places.MODELS / f"{name}.onnx"
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    is_light = name.startswith("light_")
    parent = places.CASES / "models"
    parent.mkdir(parents=True, exist_ok=True)
    staged = pathlib.Path(tempfile.mkdtemp(dir=parent, prefix=".new-"))
    try:
        staged.chmod(0o755)
        scale = np.inf
        for k, inputs in enumerate(light_inputs(name) if is_light else INPUTS[name]()):
            outputs = light_outputs(name) if is_light and k == 0 else answers(session, inputs)
            folder = staged / f"test_data_set_{k}"
            folder.mkdir()
            for what, values, infos in (
                ("input", inputs, session.get_inputs()),
                ("output", outputs, session.get_outputs()),
            ):
                for j, (value, info) in enumerate(zip(values, infos, strict=True)):
                    tensor = numpy_helper.from_array(np.require(value, requirements="C"), info.name)
                    (folder / f"{what}_{j}.pb").write_bytes(tensor.SerializeToString())
            for info, value in zip(session.get_outputs(), outputs):
                if not np.isfinite(value).all():
                    raise ValueError(f"{name}: output {info.name} of data set {k} is not finite")
                scale = min(scale, float(np.abs(value).max()))
        (staged / "data.json").write_text(json.dumps({"rtol": RTOL, "atol": ATOL_OF_SCALE * scale}) + "\n")
        os.symlink(os.path.relpath(model, parent / name), staged / "model.onnx")
        (staged / ".recipe").write_text(recipe(name))
        places.replace_folder(staged, parent / name)
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def recipe(name: str) -> str:
    digest = zlib.crc32((places.MODELS / f"{name}.onnx").read_bytes())
    return f"{RECIPE} {onnxruntime.__version__} {digest:08x}\n"


def main() -> None:
    light = sorted(path.stem for path in places.MODELS.glob("light_*.onnx"))
    known = [*INPUTS, *light]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help=f"none: all of {', '.join(known)}")
    names = parser.parse_args().names or known
    if unknown := [name for name in names if name not in known]:
        parser.error(f"unknown: {', '.join(unknown)}; known: {', '.join(known)}")
    for name in names:
        if not (places.MODELS / f"{name}.onnx").exists():
            sys.exit(f"cases: {name}.onnx is not in {places.MODELS}; run fetch.py and architectures.py first")
        note = places.CASES / "models" / name / ".recipe"
        if not note.exists() or note.read_text() != recipe(name):
            print(f"cases: asking ONNX Runtime about {name}", flush=True)
            make(name)
    print(f"cases: {len(names)} models in {places.CASES / 'models'}")


if __name__ == "__main__":
    main()
