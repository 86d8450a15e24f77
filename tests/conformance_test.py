#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tests of `braid conformance` as a user runs it: conformance_test.py --braid PROGRAM [NAME...]

Ends with `N passed, N failed, N skipped`.
"""

import json
import pathlib
import shlex
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree

import command_test
from command_test import FAILED, USAGE, Command

FEW = "ai.onnx/LeakyRelu-16/*"
CASE = "ai.onnx/LeakyRelu-16/~dims=symbols"


def plain(braid: Command) -> pathlib.Path:
    """A folder with a copy of the plugin `plain`, which knows a few operators."""
    folder = braid.folder / "plain"
    folder.mkdir()
    for file in (pathlib.Path(braid.program).parent.parent / "tests" / "plugins").glob("*plain*"):
        (folder / file.name).write_bytes(file.read_bytes())
    return folder


def writes_reports(braid: Command) -> None:
    ids = braid("conformance", "--list", "--filter", FEW).split()
    assert len(ids) > 20 and f"{CASE}" in ids and all(i.startswith("ai.onnx/LeakyRelu-16/") for i in ids), ids
    text = braid("conformance", "--device", "reference", "--filter", FEW, "--out", "out")
    assert text.endswith(f"\n{len(ids)} passed, 0 failed, 0 skipped\n"), text
    assert "arithmetic: IEEE" in text and "coverage is not told" in text, text
    assert "no official cases: --cases" in braid("conformance", "--device", "reference", "--filter", CASE, "--filter", "official/*")
    report = json.loads((braid.folder / "out" / "report.json").read_text())
    assert report["complete"] is False and report["level"] == "default" and report["plugin"]["id"] == "reference"
    assert len(report["plugin"]["library_sha256"]) == 64
    device = report["devices"][0]
    assert device["id"] == "reference:0" and [c["id"] for c in device["cases"]] == ids
    assert {c["group"] for c in device["cases"]} == {"LeakyRelu-16"} and {c["outcome"] for c in device["cases"]} == {"pass"}
    assert device["counts"] == {"passed": len(ids), "failed": 0, "skipped": 0, "outcomes": {"pass": len(ids)}}
    assert device["coverage"]["type cells"]["all"] > 2000 and device["coverage"]["operator versions"]["ai.onnx"]["with_cases"] == 1
    suites = xml.etree.ElementTree.parse(braid.folder / "out" / "junit.xml").getroot()
    assert [(s.get("name"), s.get("tests"), s.get("failures")) for s in suites] == [("reference:0 generated", str(len(ids)), "0")]
    page = (braid.folder / "out" / "report.html").read_text()
    data = json.loads(page.split('type="application/json">')[1].split("</script>")[0])
    assert data["devices"][0]["cases"] == device["cases"] and "http" not in page.split("<script id")[0].split("</title>")[1]
    assert braid.json("conformance", "--device", "reference", "--filter", CASE)["counts"]["passed"] == 1


def resumes_and_shares(braid: Command) -> None:
    run = ["conformance", "--device", "reference", "--filter", FEW]
    ids = set(braid("conformance", "--list", "--filter", FEW).split())
    shares = [set(braid("conformance", "--list", "--filter", FEW, "--shard", f"{i}/3").split()) for i in (1, 2, 3)]
    assert set.union(*shares) == ids and sum(map(len, shares)) == len(ids), shares
    for i in (1, 2):
        braid(*run, "--shard", f"{i}/3", "--resume", f"{i}.jsonl")
    joined = braid.folder / "all.jsonl"
    joined.write_text("".join((braid.folder / f"{i}.jsonl").read_text() for i in (1, 2)) + '{"id": "cut o')
    text = braid(*run, "--resume", joined)
    assert f"{len(ids) - len(shares[2])} of {len(ids)} cases are in" in text and "all.jsonl that cannot be read and were left out: 1" in text, text
    assert text.endswith(f"\n{len(ids)} passed, 0 failed, 0 skipped\n"), text
    results = [json.loads(line) for line in joined.read_text().split("\n") if '"outcome"' in line]
    assert sorted(r["id"] for r in results) == sorted(ids), "none ran twice"
    assert f"{len(ids)} of {len(ids)} cases are in" in braid(*run, "--resume", joined)
    # Another library's results are none of ours.
    joined.write_text(joined.read_text().replace('"library_sha256":"', '"library_sha256":"0'))
    braid.says(*run, "--resume", joined, status=USAGE, words=["all.jsonl", "name another file"])


def tests_one_plugin(braid: Command) -> None:
    folder = plain(braid)
    library = next(folder.glob("*.so"))
    for plugin in folder, library, folder / "plain.braid.json":
        report = braid.json("conformance", "--plugin", plugin, "--filter", "ai.onnx/Add-14/*", "--filter", "ai.onnx/Erf-13/plain")
        assert [d["id"].split(":")[0] for d in report["devices"]] == ["plain"] and report["plugin"]["library"] == library.name
        outcomes = {c["id"]: c["outcome"] for c in report["devices"][0]["cases"]}
        assert outcomes["ai.onnx/Add-14/plain"] == "pass" and outcomes["ai.onnx/Erf-13/plain"] == "unsupported", outcomes
    braid.says("conformance", "--plugin", folder, "--device", "vulkan", status=USAGE, words=["there is no device 'vulkan'"])
    braid.says("conformance", "--plugin", "absent.so", status=USAGE, words=["absent.so", "No such file"])
    (folder / "plain.braid.json").rename(folder / "plain.json")
    braid.says("conformance", "--plugin", library, status=USAGE, words=[library.name, "no manifest"])


def waives_what_is_known(braid: Command) -> None:
    folder = plain(braid)
    waiver = {"case": "ai.onnx/Add-14/plain", "vendor": "plain", "reason": "none", "expires": "2999-12-31"}
    file = braid.folder / "waivers.json"
    run = ["conformance", "--plugin", folder, "--filter", "ai.onnx/Add-14/plain", "--waivers", file]
    file.write_text(json.dumps([waiver]))
    text = braid(*run, status=FAILED)
    assert "stale ai.onnx/Add-14/plain: it passes, so its waiver is stale (none)\n" in text, text
    assert text.endswith("0 passed, 1 failed, 0 skipped\n")
    file.write_text(json.dumps([waiver | {"expires": "2020-02-02"}]))
    text = braid(*run)
    assert "expired on 2020-02-02 and does not count" in text and text.endswith("1 passed, 0 failed, 0 skipped\n"), text
    for key in "vendor", "reason", "expires":
        file.write_text(json.dumps([{k: v for k, v in waiver.items() if k != key}]))
        braid.says(*run, status=USAGE, words=["waivers.json: waiver 1", f"'{key}'"])


def runs_official_cases(braid: Command) -> None:
    command_test.case(braid, "good", [0, 2, 3])
    command_test.case(braid, "wrong", [0, 2, 4])
    (braid.folder / "known.txt").write_text("wrong  # it is\n")
    run = ["conformance", "--kind", "official", "--cases", "cases", "--device", "reference"]
    text = braid(*run, status=FAILED)
    assert "fail official/wrong: test_data_set_0: output" in text and text.endswith("1 passed, 1 failed, 0 skipped\n"), text
    text = braid(*run, "--known", "known.txt", "--verbose")
    assert "waived official/wrong: known failure: it is\n" in text and text.endswith("1 passed, 0 failed, 1 skipped\n"), text
    (braid.folder / "known.txt").write_text("good  # it is not\n")
    assert "stale official/good" in braid(*run, "--known", "known.txt", "--filter", "official/good", status=FAILED)


def writes_a_case_for_others(braid: Command) -> None:
    braid("conformance", "repro", CASE, "--out", "case")
    folder = braid.folder / "case"
    names = sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())
    assert names == ["README.txt", "bounds.json", "data.json", "model.onnx"] + [f"test_data_set_{k}/{n}_0.pb" for k in (0, 1) for n in ("input", "output")], names
    assert braid("verify", "case", "--device", "reference").endswith("1 passed, 0 failed, 0 skipped\n")
    assert "onnxruntime" in (folder / "README.txt").read_text()
    bounds = json.loads((folder / "bounds.json").read_text())["runs"][1]["outputs"][0]
    assert all(b >= 0 for b in bounds["bounds"]) and len(bounds["bounds"]) == len(bounds["values"]) > 60
    # A wrong result does not lie within data.json's tolerance.
    model = command_test.onnx.load(folder / "model.onnx")
    model.graph.node[0].attribute.append(command_test.helper.make_attribute("alpha", 0.010001))
    command_test.onnx.save(model, folder / "model.onnx")
    assert "failed case: test_data_set_0: output" in braid("verify", "case", "--device", "reference", status=FAILED)
    braid.says("conformance", "repro", CASE, "--out", "case", status=USAGE, words=["not empty"])
    for wrong in "nothing", "ai.onnx/LeakyRelu-16/shape=no", "ai.onnx/None-1/plain", "fusion/none/whole":
        braid.says("conformance", "repro", wrong, status=USAGE, words=[wrong, "is no case"])


def compares_reports(braid: Command) -> None:
    braid("conformance", "--device", "reference", "--filter", FEW, "--out", "a")
    report = json.loads((braid.folder / "a" / "report.json").read_text())
    (braid.folder / "b.json").write_text(json.dumps(report))
    assert "0 cases changed" in braid("conformance", "compare", "a/report.json", "b.json")
    report["devices"][0]["driver"] = "new"
    report["devices"][0]["cases"][0] |= {"outcome": "fail", "text": "[0] is 1"}
    (braid.folder / "b.json").write_text(json.dumps(report))
    text = braid("conformance", "compare", "a/report.json", "b.json", status=FAILED)
    assert "-> new\n" in text and "worse: pass -> fail ai.onnx/LeakyRelu-16/" in text and ": [0] is 1\n" in text, text
    assert braid.json("conformance", "compare", "b.json", "a/report.json")["worse"] == 0
    braid.says("conformance", "compare", "a/report.json", "a/junit.xml", status=USAGE, words=["junit.xml: is no conformance report"])


def certifies_only_the_whole(braid: Command) -> None:
    folder = plain(braid)
    manifest = folder / "plain.braid.json"
    before = manifest.read_text()
    for part in ["--filter", FEW], ["--kind", "generated"], ["--shard", "1/2"]:
        braid.says("conformance", "--plugin", folder, "--certify", manifest, *part, status=USAGE, words=["--certify needs all cases"])
    assert manifest.read_text() == before
    try:
        command_test.os.environ["BRAID_PLUGIN_PATH"] = str(folder)
        device = next(d for d in braid.json("devices") if d["id"] == "plain:0")
        assert device["conformance"] == "unverified: its manifest names no conformance report", device
        manifest.write_text(json.dumps(json.loads(before) | {"conformance": {"report": "r.json", "sha256": "0"}}))
        (folder / "r.json").write_text("{}")
        assert "unverified: its report r.json has another SHA-256 than the manifest says" in braid("devices")
    finally:
        del command_test.os.environ["BRAID_PLUGIN_PATH"]


def certifies(braid: Command) -> None:
    folder = plain(braid)
    manifest = folder / "plain.braid.json"
    assert f"certified: {manifest}\n" in braid("conformance", "--plugin", folder, "--level", "smoke", "--certify", manifest)
    conformance = json.loads(manifest.read_text())["conformance"]
    assert (conformance["level"], conformance["profile"]) == ("smoke", "all") and (folder / conformance["report"]).is_file(), conformance
    library = next(folder.glob("*.so"))
    try:
        command_test.os.environ["BRAID_PLUGIN_PATH"] = str(folder)
        assert f"certified (smoke, all, {conformance['suite']}, {conformance['date']})" in braid("devices")
        library.write_bytes(library.read_bytes() + b"\0")
        assert "unverified: its library is another than the report's" in braid("devices")
    finally:
        del command_test.os.environ["BRAID_PLUGIN_PATH"]


def outlives_faults(braid: Command) -> None:
    """A crash, a hang and a want of all memory cost one case each."""
    faults = {"Relu": "segv", "Abs": "hang", "Neg": "memory"}
    names = {"Relu": "ai.onnx/Relu-14/plain", "Abs": "ai.onnx/Abs-13/plain", "Neg": "ai.onnx/Neg-13/plain"}
    others = [f"ai.onnx/{op}/plain" for op in ("Ceil-13", "Exp-13", "Floor-13", "Sqrt-13", "Tanh-13")]
    filters = [word for case in [*names.values(), *others] for word in ("--filter", case)]
    command_test.os.environ["BRAID_SIM"] = json.dumps({"devices": [{"faults": faults}]})
    try:
        text = braid("conformance", "--device", "sim:0", *filters, "--timeout", "5", "--memory", "1000", "--out", "out", status=FAILED)
    finally:
        del command_test.os.environ["BRAID_SIM"]
    assert text.endswith("\n5 passed, 3 failed, 0 skipped\n"), text
    report = json.loads((braid.folder / "out" / "report.json").read_text())
    results = {c["id"]: (c["outcome"], c.get("text", "")) for c in report["devices"][0]["cases"]}
    assert {case: results[case][0] for case in names.values()} == dict(zip(names.values(), ("crash", "hang", "resource"))), results
    assert "Segmentation fault" in results[names["Relu"]][1] and "5 s" in results[names["Abs"]][1] and "1000 MB" in results[names["Neg"]][1], results
    assert {results[case][0] for case in others} == {"pass"}, results


def fails_what_others_made_good(braid: Command) -> None:
    """A device that fails beside another one fails the case, though the other one gave the right result."""
    case = "fusion/conv_relu_and_raw/cut=1"
    configs = {call: ({"fail": {call: "INTERNAL"}}, {}, "fail") for call in ("compile", "submit", "transfer", "query")}
    configs["crash"] = ({"faults": {"Relu": "segv"}}, {"BRAID_ISOLATE": "sim"}, "crash")
    for name, (config, isolated, outcome) in configs.items():
        command_test.os.environ.update({"BRAID_SIM": json.dumps({"devices": [config]}), **isolated})
        try:
            text = braid("conformance", "--device", "sim:0", "--filter", case, "--out", f"out_{name}", status=FAILED)
            braid("conformance", "repro", case, "--out", f"case_{name}")
            verified = braid("verify", f"case_{name}", "--device", "sim,reference", "--placements", "8", status=FAILED)
        finally:
            for variable in ("BRAID_SIM", *isolated):
                del command_test.os.environ[variable]
        assert text.endswith("\n0 passed, 1 failed, 0 skipped\n"), (name, text)
        report = json.loads((braid.folder / f"out_{name}" / "report.json").read_text())
        assert report["devices"][0]["cases"][0]["outcome"] == outcome, (name, report["devices"][0]["cases"][0])
        assert " 0 failed" not in verified, (name, verified)


def checks_itself_under_the_checked_layer(braid: Command) -> None:
    """BRAID_CHECK=1, with which vendors work, is not taken for the plugin's doing."""
    command_test.os.environ["BRAID_CHECK"] = "1"
    try:
        text = braid("conformance", "--device", "reference", "--level", "smoke", "--kind", "abi", "-j", "1")
    finally:
        del command_test.os.environ["BRAID_CHECK"]
    assert ", 0 failed, " in text, text


def leads_to_the_cause(braid: Command) -> None:
    """What a vendor has of a contract case: how to run it alone, in a debugger, and what must hold."""
    folder = braid.folder / "a folder"
    plain(braid).rename(folder)
    case = "abi/compile-graph-gone"
    text = braid("conformance", "--plugin", folder, "--filter", case, "--in-process", "--verbose", "--out", "out")
    assert f"pass {case}\n" in text and text.endswith("\n1 passed, 0 failed, 0 skipped\n"), text
    report = json.loads((braid.folder / "out" / "report.json").read_text())
    told = report["devices"][0]["cases"][0]
    assert told["rules"] == ["ABI-041"] and "once compile has returned" in told["must_hold"], told
    page = (braid.folder / "out" / "report.html").read_text()
    data = json.loads(page.split('type="application/json">')[1].split("</script>")[0])
    assert data["rerun"] == f"braid conformance --plugin '{folder}'" and "rerun" not in report, data["rerun"]
    # A shell takes it.
    command = data["rerun"].replace("braid", shlex.quote(str(braid.program)), 1) + f" --filter '{case}'"
    answer = subprocess.run(command, shell=True, stdin=subprocess.DEVNULL, capture_output=True, timeout=120)
    assert answer.returncode == 0 and b"1 passed, 0 failed" in answer.stdout, answer
    braid.says("conformance", "repro", case, status=USAGE, words=[f"--plugin PATH --filter {case} -j 1", f"gdb --args braid conformance --plugin PATH --filter {case} --in-process"])
    braid.says("conformance", "repro", "abi/nothing", status=USAGE, words=["'abi/nothing' is no case"])
    braid.says("conformance", "--in-process", "-j", "2", status=USAGE, words=["--in-process", "--jobs"])
    # A crash is told where it ends this process, too.
    command_test.os.environ["BRAID_SIM"] = json.dumps({"devices": [{"faults": {"Relu": "segv"}}]})
    try:
        run = [str(braid.program), "conformance", "--device", "sim:0", "--filter", "ai.onnx/Relu-14/plain", "--in-process"]
        assert subprocess.run(run, capture_output=True, timeout=120).returncode == -signal.SIGSEGV
    finally:
        del command_test.os.environ["BRAID_SIM"]


def outlives_what_a_plugin_starts(braid: Command) -> None:
    """A process that a plugin leaves behind holds the pipe of results open, and must not hold the suite."""
    command_test.os.environ["BRAID_SIM"] = json.dumps({"devices": [{"faults": {"Relu": "fork"}}]})
    try:
        started = time.monotonic()
        text = braid("conformance", "--device", "sim:0", "--filter", "ai.onnx/Relu-14/plain", "--timeout", "20")
    finally:
        del command_test.os.environ["BRAID_SIM"]
    assert text.endswith("\n1 passed, 0 failed, 0 skipped\n") and time.monotonic() - started < 15, text
    command_test.os.mkfifo(braid.folder / "fifo")
    braid.says("conformance", "--device", "reference", "--filter", CASE, "--resume", "fifo", status=USAGE, words=["fifo", "is no file"])


def tells_what_is_wrong(braid: Command) -> None:
    for arguments, words in (
        (["--shard", "3/2"], ["'3/2' is no share"]),
        (["--level", "most"], ["most", "smoke"]),
        (["--profile", "audio"], ["audio", "vision"]),
        (["--kind", "generate"], ["generate"]),
        (["--filter", "nothing"], ["no case's id matches"]),
        (["--waivers", "absent.json"], ["absent.json", "can't be read"]),
        (["--device", "vulcan:0"], ["there is no device 'vulcan:0'", "reference:0"]),
        (["--timeout", "0"], ["'0' is no number"]),
        (["--out", "/proc/nothing"], ["/proc/nothing"]),
        (["--resume", "/nowhere/file", "--filter", FEW], ["/nowhere/file", "can't be written"]),
        (["--flter", FEW], ["'--flter'", "did you mean '--filter'?"]),
    ):
        braid.says("conformance", *arguments, status=USAGE, words=words)
    text = braid("conformance", "--help")
    assert "Example:" in text and "--json" in text and "repro" in text and "compare" in text, text


command_test.TESTS = [
    writes_reports,
    resumes_and_shares,
    tests_one_plugin,
    waives_what_is_known,
    runs_official_cases,
    writes_a_case_for_others,
    compares_reports,
    certifies_only_the_whole,
    certifies,
    outlives_faults,
    fails_what_others_made_good,
    checks_itself_under_the_checked_layer,
    outlives_what_a_plugin_starts,
    leads_to_the_cause,
    tells_what_is_wrong,
]

if __name__ == "__main__":
    sys.exit(command_test.main())
