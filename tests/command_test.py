#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tests of the command: command_test.py --braid PROGRAM [NAME...]

Each test runs the command as a user would, on models and files that the onnx and numpy packages write here. Ends with
`N passed, N failed, N skipped`.
"""

import argparse
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import traceback

try:
    import numpy as np
    import onnx
    import onnx.parser
    from onnx import TensorProto, helper, numpy_helper
except ImportError as missing:
    print(f"skipped: {missing}; tools/setup/python installs it\n0 passed, 0 failed, 1 skipped")
    sys.exit(0)

DONE, FAILED, USAGE = 0, 1, 2  # exit statuses


class Command:
    """The program, and a folder of its own for each test."""

    def __init__(self, program: str, folder: pathlib.Path) -> None:
        self.program, self.folder = program, folder

    def __call__(self, *arguments, status=DONE, stderr=subprocess.STDOUT) -> str:
        """Runs `braid ARGUMENTS` in the folder; its output, and errors where stderr sends them."""
        answer = subprocess.run(
            [self.program, *map(str, arguments)],
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            timeout=120,
        )
        text = answer.stdout.decode(errors="replace")
        assert answer.returncode == status, f"braid {arguments}: status {answer.returncode}, not {status}\n{text}"
        return text

    def json(self, *arguments, status=DONE):
        return json.loads(self(*arguments, "--json", status=status, stderr=subprocess.DEVNULL))

    def says(self, *arguments, status: int, words: list[str]) -> None:
        text = self(*arguments, status=status)
        for word in words:
            assert word in text, f"braid {arguments} does not say '{word}', but:\n{text}"
        assert len(text.strip().split("\n")) <= 2, f"more than a message:\n{text}"

    def model(self, text: str, name="model.onnx") -> pathlib.Path:
        model = onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["" : 21]> g {text}')
        onnx.checker.check_model(model)
        onnx.save(model, self.folder / name)
        return self.folder / name

    def relu(self) -> pathlib.Path:
        return self.model("(float[N, 3] x) => (float[N, 3] y) { y = Relu(x) }")


def identity(braid: Command, element: int) -> pathlib.Path:
    value = [helper.make_tensor_value_info(n, element, ["a", "b"]) for n in "xy"]
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "g", value[:1], value[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    onnx.save(model, braid.folder / "identity.onnx")
    return braid.folder / "identity.onnx"


def through(braid: Command, model: pathlib.Path, file: str) -> np.ndarray:
    braid("run", model, "--input", f"x={file}", "--output-dir", "out")
    return np.load(braid.folder / "out" / "y.npy")


def npy_of_every_type(braid: Command) -> None:
    for dtype in "f4 u1 i1 u2 i2 i4 i8 b1 f2 f8 u4 u8 c8 c16".split():
        x = (np.arange(6).reshape(2, 3) - (2 if dtype[0] in "ifc" else 0)).astype(dtype)
        if dtype[0] in "iu":
            x[0, 0], x[1, 2] = np.iinfo(dtype).min, np.iinfo(dtype).max
        if dtype[0] in "fc":
            x[0, 0], x[1, 2] = np.nan, -np.inf
        model = identity(braid, helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))
        for order in "CF":
            np.save(braid.folder / "x.npy", np.array(x, order=order))
            y = through(braid, model, "x.npy")
            assert y.dtype == x.dtype, f"{dtype}: came back as {y.dtype}"
            np.testing.assert_array_equal(y, x, err_msg=f"{dtype}, order {order}")


def npy_formats_and_shapes(braid: Command) -> None:
    x = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    model = braid.model("(float[a, b, c] x) => (float[a, b, c] y) { y = Identity(x) }")
    for version in (1, 0), (2, 0), (3, 0):
        with open(braid.folder / "x.npy", "wb") as file:
            np.lib.format.write_array(file, np.asfortranarray(x), version)
        np.testing.assert_array_equal(through(braid, model, "x.npy"), x)
    for shape in (0, 3, 4), (1, 1, 1):
        np.save(braid.folder / "x.npy", np.ones(shape, np.float32))
        assert through(braid, model, "x.npy").shape == shape
    scalar = braid.model("(float x) => (float y) { y = Identity(x) }")
    np.save(braid.folder / "x.npy", np.float32(2.5))
    y = through(braid, scalar, "x.npy")
    assert y.shape == () and y == 2.5


def npy_of_strings_and_types_that_numpy_lacks(braid: Command) -> None:
    x = np.array([["", "a", "grün"], ["水", "\U0001f980 x", "long " * 20]])
    np.save(braid.folder / "x.npy", x)
    np.testing.assert_array_equal(through(braid, identity(braid, TensorProto.STRING), "x.npy"), x)
    bits = np.array([[0x3F80, 0xC000]], np.uint16)  # 1 and -2 in bfloat16
    np.save(braid.folder / "x.npy", bits)
    np.testing.assert_array_equal(through(braid, identity(braid, TensorProto.BFLOAT16), "x.npy"), bits)
    cast = braid.model("(float[n] x) => (int4[n] y) { y = Cast<to = 22>(x) }")
    np.save(braid.folder / "x.npy", np.array([1, -2, 7], np.float32))
    y = through(braid, cast, "x.npy")  # one element a byte
    assert y.dtype == np.uint8 and list(y) == [1, 14, 7], y


def npy_that_is_bad(braid: Command) -> None:
    model = braid.relu()
    np.save(braid.folder / "good.npy", np.ones((2, 3), np.float32))
    good = (braid.folder / "good.npy").read_bytes()

    def header(text: str) -> bytes:
        return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode() + bytes(24)

    def of(descr="'<f4'", order="False", shape="(2, 3)") -> bytes:
        return header(f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}\n")

    for content, words in (
        (b"", "is no .npy file"),
        (b"PK\x03\x04" + bytes(40), "is no .npy file"),
        (good[:6] + b"\x09" + good[7:], "format 9"),
        (good[:50], "cut off"),
        (good[:-1], "holds 23 bytes"),
        (of("'>f4'"), "'>f4' is not supported"),
        (of("'|O'"), "'|O' is not supported"),
        (of("'<U0'"), "'<U0' is not supported"),
        (of("'<U99999999999999999999'"), "is not supported"),
        (of("[('a', '<f4')]"), "no descr"),
        (of(shape="(-1, 3)"), "shape is '(-1, 3)'"),
        (of(shape="7"), "no shape"),
        (of(shape="(999999999999, 999999999999)"), "overflows"),
        (of(shape="(999999999, 9)"), "its shape needs"),
        (of(shape="(" + "1, " * 70 + ")"), "rank 70 is too high"),
        (header("nothing of use"), "no descr"),
    ):
        (braid.folder / "bad.npy").write_bytes(content)
        braid.says("run", model, "--input", "x=bad.npy", status=USAGE, words=["bad.npy", words])
    braid.says("run", model, "--input", "x=absent.npy", status=USAGE, words=["absent.npy", "can't be read: No such file"])
    np.save(braid.folder / "f8.npy", np.ones((2, 3)))
    braid.says("run", model, "--input", "x=f8.npy", status=USAGE, words=["'x'", "wants float32, float64", "f8.npy", "(INVALID_ARGUMENT)"])
    np.save(braid.folder / "wide.npy", np.ones((2, 4), np.float32))
    braid.says("run", model, "--input", "x=wide.npy", status=USAGE, words=["'x'", "3", "4"])


def run_makes_inputs_and_files(braid: Command) -> None:
    model = braid.model("(float[N, 3] x, int64[N, 1] i) => (float[N, 3] out_a, int64[N, 1] b) { out_a = Relu(x) b = Identity(i) }")
    loaded = onnx.load(model)
    loaded.graph.output[0].name = loaded.graph.node[0].output[0] = "scope/a"
    onnx.save(loaded, model)
    first = braid.json("run", model, "--symbol", "N=4", "--output-dir", "one")
    assert [o["shape"] for o in first["outputs"]] == [[4, 3], [4, 1]] and first["run_ms"][0] > 0
    assert [i["type"] for i in first["inputs"]] == ["float32", "int64"]
    braid("run", model, "--shape", "x=4x3", "--shape", "i=4,1", "--output-dir", "two")
    braid("run", model, "--symbol", "N=4", "--seed", "1", "--output-dir", "three")
    a, b, c = (np.load(braid.folder / d / "scope_a.npy") for d in ("one", "two", "three"))
    np.testing.assert_array_equal(a, b, err_msg="the same seed makes the same inputs")
    assert (a != c).any() and (a >= 0).all() and (a < 1).all() and a.std() > 0
    tensor = numpy_helper.from_array(np.array([[-1, 0, 2]], np.float32))
    (braid.folder / "x.pb").write_bytes(tensor.SerializeToString())
    braid("run", "--input", "x=x.pb", model, "--output-dir", "four")
    np.testing.assert_array_equal(np.load(braid.folder / "four" / "scope_a.npy"), [[0, 0, 2]])


def messages(braid: Command) -> None:
    model = braid.relu()
    (braid.folder / "empty").mkdir()
    (braid.folder / "text.onnx").write_text("no model at all, but a text\n")
    for arguments, words in (
        (["rnu", model], ["'rnu'", "did you mean 'run'?"]),
        ([], ["--help"]),
        (["run"], ["model is required"]),
        (["run", model, "--inptu", "x=1"], ["'--inptu'", "did you mean '--input'?"]),
        (["run", model, "--input", "xx=x.npy"], ["no input 'xx'", "did you mean 'x'?"]),
        (["run", model, "--input", "x"], ["has no '='"]),
        (["run", model, "--input", "x=/dev/zero"], ["/dev/zero", "a device"]),
        (["run", model, "--input", "x=x.npy", "--input", "x=y.npy"], ["--input x is given twice"]),
        (["run", model, "--shape", "x=3x3", "--shape", "x=4x3"], ["--shape x is given twice"]),
        (["run", model, "--symbol", "N=3", "--symbol", "N=3"], ["--symbol N is given twice"]),
        (["run", model, "--shape", "x=3xq"], ["'q' is no extent"]),
        (["run", model, "--symbol", "N"], ["SYMBOL=EXTENT"]),
        (["run", model, "--symbol", "n=3"], ["no input has an extent named 'n'", "did you mean 'N'?"]),
        (["run", model, "--precision", "exactly"], ["exactly", "balanced"]),
        (["run", model, "--repeat", "0"], ["'0' is no number of at least 1"]),
        (["run", model, "--threads", "-1"], ["'-1' is no number of at least 0"]),
        (["run", model, "--symbol", "N=1", "--option", "acme:x=1"], ["'acme:x=1'", "reference:0", "(INVALID_ARGUMENT)"]),
        (["run", model, "--symbol", "N=9999999999999"], ["input 'x' (float32, 9999999999999x3) needs 120000.0 GB, ", "GB are available"]),
        (["run", model, "--shape", "x=999999999999999x999999999999999"], ["needs more than 2^64 bytes"]),
        (["run", model, "--device", "nothere"], ["there is no device 'nothere'", "the plugins are", "reference"]),
        (["run", model, "--output-dir", "text.onnx"], ["text.onnx"]),
        (["run", "absent.onnx"], ["absent.onnx", "No such file"]),
        (["run", "text.onnx"], ["text.onnx", "not an ONNX model"]),
        (["inspect", "text.onnx"], ["text.onnx", "not an ONNX model"]),
        (["plan", braid.folder], ["is a directory"]),
        (["verify", "absent"], ["absent: is no folder"]),
        (["verify", "empty"], ["empty: there is no case"]),
        (["bench", model, "--clients", "20000"], ["'20000'", "at most 1024"]),
        (["bench", model, "--warmup", "1e300"], ["'1e300'", "at most 86400"]),
        (["bench", model, "--seconds", "nan"], ["'nan'"]),
        (["new-plugin", "Bad-Name"], ["'Bad-Name'"]),
        (["new-plugin", "auto"], ["'auto'", "Braid's own"]),
        (["new-plugin", "acme", "--dir", "."], ["not empty"]),
    ):
        braid.says(*arguments, status=USAGE, words=words)
    for command in "run verify plan bench devices inspect doctor new-plugin".split():
        text = braid(command, "--help")
        assert "Example:" in text and f"braid {command}" in text and "--json" in text, text
    assert braid("--version").startswith("braid 0.1")


def symbols(braid: Command) -> None:
    model = braid.model("(float[N, 3] x, float[N, M] m, float[K, 2] k) => (float[N, 3] y, float[N, M] n, float[K, 2] l) { y = Relu(x) n = Relu(m) l = Relu(k) }")
    # What nobody tells is 1, and that is told; a file or shape tells its symbols.
    text = braid("run", model, "--symbol", "K=2")
    assert "braid: note: taken as 1, since nothing says more: N, M; --symbol NAME=EXTENT or --shape INPUT=... sets them\n" in text, text
    np.save(braid.folder / "x.npy", np.ones((4, 3), np.float32))
    text = braid("run", model, "--input", "x=x.npy", "--shape", "k=5x2", "--symbol", "M=2")
    assert "note" not in text and "output n float32[4,2]" in text and "output l float32[5,2]" in text, text
    # A shape that was taken and does not fit: the error says that it was taken.
    add = braid.model("(float[N, 2] a, float[M, 2] b) => (float[P, 2] c) { c = Concat<axis = 0>(a, b) }", "add.onnx")
    assert "N, M" in braid("run", add)
    matmul = braid.model("(float[A, B] a, float[3, 2] b) => (float[A, 2] c) { c = MatMul(a, b) }", "matmul.onnx")
    text = braid("run", matmul, status=USAGE)
    assert "taken as 1" in text.strip().split("\n")[-1] and "(INVALID_ARGUMENT)" in text, text
    # That has nothing to do with a device that is not there.
    text = braid("run", matmul, "--device", "reference:99", status=USAGE)
    assert "there is no device 'reference:99'" in text and "taken as 1" not in text.strip().split("\n")[-1], text


def plan_makes_no_inputs(braid: Command) -> None:
    plan = braid.json("plan", braid.relu(), "--device", "reference", "--symbol", "N=9999999999")
    assert plan["nodes"][0]["outputs"][0]["type"] == "float32[9999999999,3]"


def fixture(braid: Command) -> None:
    """A plugin whose option `fault` breaks a rule; it compiles one Neg or Add at a time."""
    library = pathlib.Path(braid.program).parent.parent / "tests" / "fixtures" / "fixture_good.so"
    folder = braid.folder / "plugins"
    folder.mkdir()
    (folder / library.name).write_bytes(library.read_bytes())
    manifest = {"id": "fixture", "library": library.name, "abi": "0.1", "version": "1", "devices": ["cpu"]}
    (folder / "fixture.braid.json").write_text(json.dumps(manifest))
    os.environ["BRAID_PLUGIN_PATH"] = str(folder)


def options_of_devices(braid: Command) -> None:
    fixture(braid)
    try:
        model = braid.model("(float[N] x) => (float[N] y) { y = Neg(x) }")
        more = ["--device", "fixture", "--symbol", "N=2", "--option", "fixture:fault=told"]
        text = braid("run", model, *more, "--memory-limit", "2MB", "--compile-timeout", "9", status=FAILED)
        assert "fault=told, memory limit 2097152, deadline ahead" in text and "(OUT_OF_MEMORY)" in text, text
    finally:
        del os.environ["BRAID_PLUGIN_PATH"]


def verify_holds_devices_to_their_word(braid: Command) -> None:
    fixture(braid)
    try:
        case(braid, "one", [1, -2, -3], body="y = Neg(x)")
        case(braid, "two", [-1, 2, 3], body="t = Neg(x) y = Neg(t)")
        # It accepts both nodes and does not compile them.
        report = braid.json("verify", "cases", "--device", "fixture", status=FAILED)
        outcomes = {c["case"]: c for c in report["cases"]}
        assert outcomes["one"]["outcome"] == "passed" and outcomes["two"]["outcome"] == "failed", report
        assert "accepted each node" in outcomes["two"]["text"], report
        # Right numbers, and a broken rule.
        os.environ["BRAID_CHECK"] = "1"
        for isolate in "--isolate", "--no-isolate":
            arguments = ["verify", "cases/one", "--device", "fixture", isolate]
            assert braid.json(*arguments)["violations"] == 0
            report = braid.json(*arguments, "--option", "fixture:fault=input", status=FAILED)
            assert report["failed"] == 1 and report["violations"] == report["cases"][0]["violations"] == 1, report
            assert "1 breaches of the ABI's rules" in report["cases"][0]["text"], report
    finally:
        del os.environ["BRAID_PLUGIN_PATH"]
        os.environ.pop("BRAID_CHECK", None)


def doctor_tells(braid: Command) -> None:
    os.environ["BRAID_SIM"] = "0"
    os.environ["BRAID_PLUGIN_PATH"] = "/nonexistent"
    try:
        text = braid("doctor")
        assert "no device: BRAID_SIM=1 in the environment switches simulated ones on" in text, text
        assert "/nonexistent: does not exist\n" in text, text
    finally:
        os.environ["BRAID_SIM"] = "1"
        del os.environ["BRAID_PLUGIN_PATH"]


def random_placement_predicts_nothing(braid: Command) -> None:
    os.environ["BRAID_SIM"] = json.dumps({"devices": [{"kind": "gpu"}]})
    try:
        summaries = [braid.json("run", braid.relu(), "--symbol", "N=1", "--device", "reference,sim", "--placement", f"random:{seed}")["summary"] for seed in range(8)]
        assert any("sim:0 unused: placed at random elsewhere" in s for s in summaries), summaries
        assert not any("predicted" in s for s in summaries), summaries
    finally:
        os.environ["BRAID_SIM"] = "1"


def what_no_device_can_run(braid: Command) -> None:
    model = braid.relu()
    # Relu is a function operator: its body is Max.
    os.environ["BRAID_SIM"] = json.dumps({"devices": [{"lacks": ["Relu", "Max"]}]})
    try:
        braid.says("run", model, "--device", "sim", status=FAILED, words=["sim:0", "NO_OP"])
        case(braid, "relu", [0, 2, 3])
        text = braid("verify", "cases", "--device", "sim")
        assert text.startswith("skipped relu: ") and "sim:0" in text, text
        assert text.endswith("\n0 passed, 0 failed, 1 skipped\n"), text
        assert "reference:0" in braid("run", "cases/relu/model.onnx", "--device", "sim,reference")
    finally:
        os.environ["BRAID_SIM"] = "1"


def what_a_device_would_rather_not_run(braid: Command) -> None:
    model = braid.relu()
    os.environ["BRAID_SIM"] = json.dumps({"devices": [{"not_worth_it": ["Relu"]}]})
    try:
        # Seeds of random placement would choose the simulated device about every other time.
        for placement in ["auto", *(f"random:{seed}" for seed in range(1, 9))]:
            plan = braid.json("plan", model, "--device", "sim,reference", "--placement", placement)
            node = plan["nodes"][0]
            assert node["device"] == "reference:0", node
            said = next(v for v in node["verdicts"] if v["device"] == "sim:0")
            assert said["verdict"] == "NOT_WORTH_IT" and "would rather not" in said["why_not"], said
        assert "sim:0" in braid("run", model, "--device", "sim")
    finally:
        os.environ["BRAID_SIM"] = "1"


def outputs_of_one_file_name(braid: Command) -> None:
    nodes = [helper.make_node("Neg", ["x"], ["a/b"]), helper.make_node("Abs", ["x"], ["a_b"])]
    outputs = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [2]) for n in ("a/b", "a_b")]
    graph = helper.make_graph(nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2])], outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    (braid.folder / "names.onnx").write_bytes(model.SerializeToString())
    text = braid("run", "names.onnx", "--output-dir", "out", status=USAGE)
    assert "'a/b'" in text and "'a_b'" in text and "a_b.npy" in text
    assert not (braid.folder / "out").exists()


def draws_a_page(braid: Command) -> None:
    body = helper.make_graph([helper.make_node("Neg", ["x"], ["b"])], "body", [], [helper.make_tensor_value_info("b", TensorProto.FLOAT, [2])])
    other = helper.make_graph([helper.make_node("Abs", ["x"], ["d"])], "other", [], [helper.make_tensor_value_info("d", TensorProto.FLOAT, [2])])
    nodes = [
        helper.make_node("If", ["c"], ["t"], then_branch=body, else_branch=other, name="</script><script>alert(1)</script>"),
        helper.make_node("LeakyRelu", ["t"], ["y"], alpha=0.25, name="\x1b[2Jclear"),
    ]
    inputs = [helper.make_tensor_value_info("c", TensorProto.BOOL, []), helper.make_tensor_value_info("x", TensorProto.FLOAT, [2])]
    graph = helper.make_graph(nodes, "g", inputs, [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2])])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    (braid.folder / "page.onnx").write_bytes(model.SerializeToString())
    text = braid("inspect", "page.onnx", "--html", "page.html", "--device", "reference")
    assert "activations" in text and "2 bodies" in text and "\x1b" not in text
    page = (braid.folder / "page.html").read_text()
    assert page.startswith("<!doctype html>") and page.count("</script>") == 2 and "alert(1)</" not in page and "\x1b" not in page
    assert "http" not in page.replace("http-equiv", "")  # nothing comes from elsewhere
    data = json.loads(page.split('type="application/json">')[1].split("</script>")[0])
    assert [n["op"] for n in data["graphs"][0]["nodes"]] == ["If", "LeakyRelu"]
    node = data["graphs"][0]["nodes"][1]
    assert ["alpha", "0.25"] in node["attributes"] and node["device"] == "reference:0" and node["cost"] >= 0
    bodies = data["graphs"][0]["nodes"][0]["bodies"]
    assert {name: [n["op"] for n in data["graphs"][g]["nodes"]] for name, g in bodies} == {"then_branch": ["Neg"], "else_branch": ["Abs"]}
    assert data["graphs"][0]["nodes"][0]["name"] == "</script><script>alert(1)</script>"
    # Of two devices, why the node is not on the other.
    braid("inspect", "page.onnx", "--html", "page.html", "--device", "reference,sim")
    page = (braid.folder / "page.html").read_text()
    node = json.loads(page.split('type="application/json">')[1].split("</script>")[0])["graphs"][0]["nodes"][1]
    devices = {"reference:0", "sim:0"} - {node["device"]}
    assert [name for name, why in node["refusals"] if why] == [f"not {device}" for device in devices]
    # Without devices the graph is drawn all the same, and why is said.
    text = braid("inspect", "page.onnx", "--html", "page.html", "--device", "nosuch")
    assert "shows no devices" in text and "nosuch" in text
    assert "can't be written" in braid("inspect", "page.onnx", "--html", "nosuch/page.html", status=USAGE)


def operators_of_a_device(braid: Command) -> None:
    cells = braid.json("inspect", "--operators")["cells"]
    newest = {}
    for schema in onnx.defs.get_all_schemas():
        newest[schema.domain, schema.name] = schema
    wanted = {
        (schema.name, schema.domain or "ai.onnx", constraint.type_param_str, text)
        for schema in newest.values()
        if not schema.deprecated and schema.name != "Gradient"
        for constraint in schema.type_constraints
        for text in constraint.allowed_type_strs
    }
    assert {(c["operator"], c["domain"], c["constraint"], c["type"]) for c in cells} == wanted
    assert [c for c in cells if not c["taken"]] == []
    page = pathlib.Path(__file__).parents[1] / "docs" / "reference" / "operators.md"
    assert page.read_text().endswith(braid("inspect", "--operators", "--markdown")), "the page is not what the command prints"
    others = [c for c in braid.json("inspect", "--operators", "--device", "sim")["cells"] if not c["taken"]]
    assert all("sim" in c["refusal"] for c in others)
    assert "nosuch" in braid("inspect", "--operators", "--device", "nosuch", status=USAGE)
    assert "not about a model" in braid("inspect", "--operators", "x.onnx", status=USAGE)
    assert "a model is wanted" in braid("inspect", status=USAGE)


def reports_in_json(braid: Command) -> None:
    model = braid.relu()
    devices = braid.json("devices")
    assert {d["id"] for d in devices} >= {"reference:0", "sim:0"}
    assert all(d.keys() >= {"id", "kind", "name", "plugin", "driver", "memory_total", "memory_free"} for d in devices)
    doctor = braid.json("doctor")
    assert doctor["environment"]["BRAID_SIM"] == "1" and doctor["directories"] and doctor["version"].startswith("0.1")
    assert {p["id"]: p["outcome"] for p in doctor["plugins"]}["reference"] == "loaded"
    inspect = braid.json("inspect", model)
    assert inspect["types"] == {"float32": 2} and inspect["bodies"] == 0
    assert inspect["operators"] == {"Relu": 1} and inspect["nodes"] == 1 and inspect["parameters"] == 0
    assert inspect["opset_imports"] == {"ai.onnx": 21} and inspect["inputs"][0]["name"] == "x"
    # Sizes that no memory has: the sum of two of them does not wrap.
    text = "(float[1] x) => (float[A,B] y) <int64[2] s = {1152921504606846976, 2}> { t = Expand(x, s) u = Neg(t) y = Add(t, u) }"
    huge = braid.model(text, "huge.onnx")
    assert braid.json("inspect", huge)["activation_bytes"] > 2**63
    plan = braid.json("plan", model, "--device", "reference,sim", "--symbol", "N=2")
    assert len(plan["nodes"]) == 1 and plan["nodes"][0]["op"] == "Relu" and plan["segments"][0]["nodes"] == [0]
    assert [v["device"] for v in plan["nodes"][0]["verdicts"]] == ["reference:0", "sim:0"]
    assert plan["nodes"][0]["outputs"][0]["type"] == "float32[2,3]"
    bench = braid.json("bench", model, "--runs", "20", "--warmup", "0", "--clients", "2")
    assert bench["runs"] == 40 and 0 < bench["min_ms"] <= bench["p50_ms"] <= bench["p90_ms"] <= bench["p99_ms"]
    assert bench["runs_per_second"] > 0 and bench["first_run_ms"] > 0


def case(braid: Command, name: str, expected: list[float], tolerance: dict | None = None, body: str = "y = Relu(x)") -> None:
    folder = braid.folder / "cases" / name
    data = folder / "test_data_set_0"
    data.mkdir(parents=True)
    braid.model(f"(float[N, 3] x) => (float[N, 3] y) {{ {body} }}").rename(folder / "model.onnx")
    for file, values in ("input_0.pb", [-1, 2, 3]), ("output_0.pb", expected):
        tensor = numpy_helper.from_array(np.array([values], np.float32))
        (data / file).write_bytes(tensor.SerializeToString())
    if tolerance:
        (folder / "data.json").write_text(json.dumps(tolerance))


def verify_outcomes(braid: Command) -> None:
    case(braid, "right", [0, 2, 3])
    case(braid, "near", [0, 2.0019, 3])
    case(braid, "wrong", [0, 2, 3.01])
    case(braid, "loose", [0, 2, 3.01], {"rtol": 0.01, "atol": 0})
    for isolate in "--isolate", "--no-isolate":
        text = braid("verify", "cases", "--device", "reference", isolate, status=FAILED)
        assert "failed wrong: test_data_set_0: output 'y' [0,2] is 3, not 3.01" in text, text
        assert text.endswith("\n3 passed, 1 failed, 0 skipped\n"), text
    # The command line's tolerance goes before the case's.
    assert braid("verify", "cases", "--rtol", "1e-6", status=FAILED).endswith("1 passed, 3 failed, 0 skipped\n")
    assert braid("verify", "cases", "--rtol", "0", "--atol", "0.1").endswith("4 passed, 0 failed, 0 skipped\n")
    assert "no case's name matches z*" in braid("verify", "cases", "--filter", "z*", status=USAGE)
    assert braid("verify", "cases", "--filter", "r*t", "--filter", "n*").endswith("2 passed, 0 failed, 0 skipped\n")
    report = braid.json("verify", "cases", status=FAILED)
    assert (report["passed"], report["failed"], report["skipped"]) == (3, 1, 0)
    assert {c["case"]: c["outcome"] for c in report["cases"]}["wrong"] == "failed"
    text = braid("verify", "cases/right", "--device", "reference,sim", "--placements", "3", "--verbose")
    assert "passed right random:2" in text and text.endswith("3 passed, 0 failed, 0 skipped\n")


def verify_known_failures(braid: Command) -> None:
    case(braid, "right", [0, 2, 3])
    case(braid, "wrong", [0, 2, 3.01])
    known = braid.folder / "known.txt"
    known.write_text("# a list\n\nwrong  # wrong on purpose\n?right  # whatever\n")
    text = braid("verify", "cases", "--known", known)
    assert "skipped wrong: known failure: wrong on purpose\n" in text and text.endswith("1 passed, 0 failed, 1 skipped\n")
    known.write_text("wrong # w\nright # it was wrong once\n")
    text = braid("verify", "cases", "--known", known, status=FAILED)
    assert "failed right: it passes, so its entry in" in text and "it was wrong once" in text
    known.write_text("wrong\n")
    braid.says("verify", "cases", "--known", known, status=USAGE, words=["known.txt:1", "no reason"])
    braid.says("verify", "cases", "--known", "absent", status=USAGE, words=["absent: can't be read"])


def verify_bad_cases(braid: Command) -> None:
    for name in "no_data", "cut_off", "no_output", "tolerance", "surplus":
        case(braid, name, [0, 2, 3])
    cases = braid.folder / "cases"
    for file in (cases / "no_data" / "test_data_set_0").iterdir():
        file.unlink()
    (cases / "no_data" / "test_data_set_0").rmdir()
    pb = cases / "cut_off" / "test_data_set_0" / "input_0.pb"
    pb.write_bytes(pb.read_bytes()[:-3])
    (cases / "no_output" / "test_data_set_0" / "output_0.pb").unlink()
    (cases / "tolerance" / "data.json").write_text('{"rtol": "much"}')
    (cases / "surplus" / "test_data_set_0" / "input_1.pb").write_bytes(pb.read_bytes())
    text = braid("verify", cases, status=FAILED)
    for name, words in (
        ("no_data", "it has no test_data_set_0"),
        ("cut_off", "input_0.pb"),
        ("no_output", "has no output_0.pb"),
        ("tolerance", "'rtol' is no number"),
        ("surplus", "the model has only 1 input"),
    ):
        assert any(line.startswith(f"failed {name}: ") and words in line for line in text.split("\n")), text
    assert text.endswith("0 passed, 5 failed, 0 skipped\n")


def new_plugin_writes_its_files(braid: Command) -> None:
    report = braid.json("new-plugin", "my_chip")
    names = sorted(pathlib.Path(f).name for f in report["files"])
    assert names == ["CMakeLists.txt", "README.md", "my_chip.braid.json.in", "my_chip.cc", "my_chip_test.cc", "my_chip_unit_test.cc"], names
    for file in report["files"]:
        text = (braid.folder / file).read_text()
        assert not re.search(r"\{\{\w+\}\}", text.replace("{{1", "")), f"{file}: a placeholder was left"
    assert "class MyChipDevice" in (braid.folder / "my_chip" / "my_chip.cc").read_text()
    braid.says("new-plugin", "my_chip", status=USAGE, words=["my_chip", "not empty"])


def warns_of_isolation_of_nothing(braid: Command) -> None:
    """A name in BRAID_ISOLATE that no plugin has is told: its plugin is not isolated."""
    for value, warns in (("sim,acne", True), ("s*", False), ("1", False), ("0", False)):
        os.environ["BRAID_ISOLATE"] = value
        try:
            text = braid("devices")
        finally:
            del os.environ["BRAID_ISOLATE"]
        assert ("BRAID_ISOLATE names 'acne', which no plugin matches; there are " in text) == warns, (value, text)
        assert "BRAID_ISOLATE names 's" not in text, text


TESTS = [
    warns_of_isolation_of_nothing,
    npy_of_every_type,
    npy_formats_and_shapes,
    npy_of_strings_and_types_that_numpy_lacks,
    npy_that_is_bad,
    run_makes_inputs_and_files,
    messages,
    symbols,
    plan_makes_no_inputs,
    options_of_devices,
    verify_holds_devices_to_their_word,
    doctor_tells,
    random_placement_predicts_nothing,
    what_no_device_can_run,
    what_a_device_would_rather_not_run,
    outputs_of_one_file_name,
    draws_a_page,
    operators_of_a_device,
    reports_in_json,
    verify_outcomes,
    verify_known_failures,
    verify_bad_cases,
    new_plugin_writes_its_files,
]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--braid", required=True)
    parser.add_argument("names", nargs="*", help="only these tests")
    args = parser.parse_args()
    os.environ["BRAID_SIM"] = "1"
    passed = failed = 0
    for test in TESTS:
        if args.names and test.__name__ not in args.names:
            continue
        title = test.__name__.replace("_", " ")
        with tempfile.TemporaryDirectory(prefix="braid-command-") as folder:
            try:
                test(Command(str(pathlib.Path(args.braid).resolve()), pathlib.Path(folder)))
                passed += 1
                print(f"passed {title}")
            except Exception:
                failed += 1
                print(f"FAILED {title}\n{traceback.format_exc()}")
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
