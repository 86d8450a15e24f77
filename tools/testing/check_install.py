#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Builds programs against an installed Braid, as its users do: check_install.py --source DIR --build DIR --cmake PROGRAM

Looks whether the target of ./demo builds all that is installed, installs the build tree into a temporary prefix, moves
the prefix elsewhere (it must not remember its place), and there
  - builds and runs the C sample by find_package(braid) and CMake, and by pkg-config alone;
  - compiles each installed header by itself, C headers as C99 and C++20, C++ headers as C++20;
  - asks the installed command for its devices;
  - builds the installed example in plain C and runs a model on it, also in a process of its own, and looks for what the
    documents name;
  - writes a plugin of each kind by the installed `braid new-plugin`, builds it, runs its tests, a model on its device, and
    the conformance suite at the level smoke, which finds nothing; the example in C is what `new-plugin --c` writes. Where
    namespaces are allowed (unshare), the source and the build tree are out of reach while that is done.
Ends with `N passed, N failed, N skipped`.
"""

import argparse
import json
import os
import pathlib
import re
import shutil
import struct
import subprocess
import sys
import tempfile

PROJECT = """\
cmake_minimum_required(VERSION 3.25)
project(consumer LANGUAGES C CXX)
find_package(braid {version} REQUIRED)
add_executable(first_run {sample})
target_link_libraries(first_run PRIVATE braid::braid)
if(NOT COMMAND braid_plugin OR NOT TARGET braid::sdk OR NOT TARGET braid::kit)
  message(FATAL_ERROR "find_package(braid) did not bring braid_plugin(), braid::sdk and braid::kit")
endif()
"""

# y = Relu(x), float32 of one symbolic dimension, opset 17: a ModelProto by hand.
RELU = bytes.fromhex(
    "08083a380a0c0a01781201792204" "52656c75120472656c755a100a017812"
    "0b0a0908011205" "0a0312016e62100a01" "79120b0a090801" "12050a0312016e" "42040a001011"
)

# t = x + x, y = t + t, otherwise the same.
ADD = bytes.fromhex(
    "08083a490a0e0a01780a017812017422034164640a0e0a01740a0174120179220341646412036164"
    "645a100a0178120b0a09080112050a0312016e62100a0179120b0a09080112050a0312016e42040a"
    "001011"
)


def run(*command, **environment) -> str:
    answer = subprocess.run(
        [str(part) for part in command],
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    text = answer.stdout.decode(errors="replace")
    if answer.returncode:
        raise RuntimeError(f"{' '.join(str(part) for part in command)}: exit status {answer.returncode}\n{text}")
    return text


class Install:
    def __init__(self, args: argparse.Namespace, work: pathlib.Path) -> None:
        self.args, self.work = args, work
        self.sample = args.source / "samples" / "c" / "first_run.c"
        first = work / "first"
        run(args.cmake, "--install", args.build, "--prefix", first)
        self.prefix = work / "moved prefix"
        first.rename(self.prefix)
        self.braid = next(self.prefix.rglob("bin/braid"))
        self.libraries = next(self.prefix.rglob("libbraid.so")).parent
        self.model = args.model
        if not self.model.exists():
            self.model = work / "relu.onnx"
            self.model.write_bytes(RELU)
        self.hidden = self.hiding()

    def hiding(self) -> list[str]:
        """What to put before a command so that it does not see the source and the build tree; nothing if that is forbidden."""
        covers = [str(p) for p in (self.args.source, self.args.build)]
        # The build tree may lie within the source tree, and then is covered already.
        script = 'for p in "$1" "$2"; do [ ! -d "$p" ] || mount -t tmpfs none "$p" || exit 1; done; shift 2; exec "$@"'
        prefix = ["unshare", "--mount", "--map-root-user", "sh", "-c", script, "sh", *covers]
        if not shutil.which("unshare"):
            return []
        seen = subprocess.run(
            [*prefix, "test", "!", "-e", str(self.args.source / "CMakeLists.txt")],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        return prefix if seen.returncode == 0 else []

    def demo_builds_all(self) -> None:
        """After ./demo alone the tree can be installed: its target builds each installed file that is built at all."""
        ninja = ["ninja", "-C", self.args.build, "-t"]
        products = {line.split(": ")[0] for line in run(*ninja, "targets", "all").splitlines() if ": " in line}
        # `inputs` leaves out what the target itself names.
        inputs = {line.strip() for tool in ("inputs", "query") for line in run(*ninja, tool, "demo").splitlines()}
        if "bin/braid" not in products:
            raise RuntimeError("ninja does not know bin/braid")
        for script in self.args.build.rglob("cmake_install.cmake"):
            for path in re.findall(r'"([^"\n]*)"', script.read_text()):
                # lib/libbraid.so.0 is a link to what is built.
                name = os.path.relpath(os.path.realpath(path), self.args.build) if path.startswith("/") else ""
                if name in products and name not in inputs:
                    raise RuntimeError(f"{name} is installed, but the target demo does not build it")

    def check_sample(self, program: pathlib.Path) -> None:
        text = run(program, self.model, LD_LIBRARY_PATH=str(self.libraries))
        if not text.strip():
            raise RuntimeError(f"{program} printed nothing")

    def cmake_package(self) -> None:
        folder = self.work / "consumer"
        folder.mkdir()
        (folder / "CMakeLists.txt").write_text(PROJECT.format(version=self.args.version, sample=self.sample))
        run(self.args.cmake, "-S", folder, "-B", folder / "build", "-G", "Ninja", f"-DCMAKE_PREFIX_PATH={self.prefix}")
        run(self.args.cmake, "--build", folder / "build")
        self.check_sample(folder / "build" / "first_run")

    def pkg_config(self) -> None:
        search = str(self.libraries / "pkgconfig")
        found = run("pkg-config", "--modversion", "braid", PKG_CONFIG_PATH=search).strip()
        if found != self.args.version:
            raise RuntimeError(f"pkg-config says version {found}, expected {self.args.version}")
        flags = run("pkg-config", "--cflags", "--libs", "braid", PKG_CONFIG_PATH=search).strip()
        program = self.work / "by_pkg_config"
        # A shell reads the flags as make would, with the space in the prefix's name.
        run("sh", "-c", f'cc -std=c99 -o "$1" "$2" {flags}', "sh", program, self.sample)
        self.check_sample(program)

    def headers(self) -> None:
        include = self.prefix / "include"
        for header in sorted(include.rglob("*.h*")):
            name = header.relative_to(include)
            cpp = header.suffix == ".hpp" or "kit" in name.parts
            for language, standard in [("c++", "c++20")] if cpp else [("c", "c99"), ("c++", "c++20")]:
                unit = self.work / ("unit.cc" if language == "c++" else "unit.c")
                unit.write_text(f"#include <{name}>\n")
                run("cc", "-x", language, f"-std={standard}", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-I", include, unit)

    def command(self) -> None:
        text = run(self.braid, "devices")
        if "reference" not in text:
            raise RuntimeError(f"the installed command does not find its own plugins; it says:\n{text}")

    def outside(self, *command, **environment) -> str:
        return run(*self.hidden, *command, **environment)

    def npy(self, values: list[float]) -> pathlib.Path:
        header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({len(values)},), }}\n".encode()
        file = self.work / "x.npy"
        file.write_bytes(
            b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + struct.pack(f"<{len(values)}f", *values)
        )
        return file

    def example(self) -> None:
        outside, share = self.outside, self.prefix / "share"
        for file in ("doc/braid/how-to/write-a-plugin.md", "doc/braid/abi/rules.md", "braid/cases/reference.txt", "braid/abi/layout-0.1.txt",
                     "braid/abi/frozen/0.1/include/braid/plugin.h"):
            if not (share / file).exists():
                raise RuntimeError(f"share/{file} is not installed")
        run(sys.executable, "-m", "py_compile", share / "braid" / "cases" / "dump_cases.py")
        folder, build = share / "braid" / "examples" / "plain", self.work / "example"
        outside(self.args.cmake, "-S", folder, "-B", build, "-G", "Ninja", f"-DCMAKE_PREFIX_PATH={self.prefix}")
        outside(self.args.cmake, "--build", build)
        model, out = self.work / "add.onnx", self.work / "sum"
        model.write_bytes(ADD)
        for isolate in "0", "1":
            environment = {
                "BRAID_PLUGIN_PATH": str(build / "lib" / "braid" / "plugins"),
                "BRAID_CHECK": "abort",
                "BRAID_ISOLATE": isolate,
            }
            command = [self.braid, "run", model, "--device", "plain", "--output-dir", out]
            text = outside(*command, "--input", f"x={self.npy([1.5, -2.0])}", **environment)
            if "plain:0" not in text.strip().split("\n")[-1]:
                raise RuntimeError(f"the summary does not name plain:0:\n{text}")
            y = struct.unpack("<2f", (out / "y.npy").read_bytes()[-8:])
            if y != (6.0, -8.0):
                raise RuntimeError(f"x + x + (x + x) of 1.5, -2 on plain is {y}, BRAID_ISOLATE={isolate}")

    def new_plugin(self, name: str, kind: str) -> pathlib.Path:
        """The folder with the library of a plugin that was written, built and tested; its manifest lies there too."""
        outside, folder = self.outside, self.work / name
        outside(self.braid, "new-plugin", name, f"--{kind}", "--dir", folder)
        outside(self.args.cmake, "-S", folder, "-B", folder / "build", "-G", "Ninja", f"-DCMAKE_PREFIX_PATH={self.prefix}")
        outside(self.args.cmake, "--build", folder / "build")
        cache = (folder / "build" / "CMakeCache.txt").read_text()
        if str(self.args.source.resolve()) in cache:
            raise RuntimeError("the plugin's build tree refers to Braid's source tree")
        if kind == "c" and "CMAKE_CXX_COMPILER" in cache:
            raise RuntimeError("the plugin in C asks for a C++ compiler")
        text = outside("ctest", "--test-dir", folder / "build", "--output-on-failure", "--no-tests=error")
        if f"{name}_isolated_test" not in text:
            raise RuntimeError(f"the template does not test itself isolated:\n{text}")
        plugins = folder / "build" / "lib" / "braid" / "plugins"
        manifest = json.loads((plugins / f"{name}.braid.json").read_text())
        if manifest["abi"] != "0.1":
            raise RuntimeError(f"the manifest's abi is {manifest['abi']!r}")
        if kind == "c" and b"libstdc++" in (plugins / f"libbraid_{name}.so").read_bytes():
            raise RuntimeError("the plugin in C needs the C++ runtime")
        return plugins

    def conformance(self, plugins: pathlib.Path) -> None:
        text = self.outside(self.braid, "conformance", "--plugin", plugins, "--level", "smoke")
        last = text.strip().split("\n")[-1]
        passed = int(last.split()[0])
        if passed < 110 or " 0 failed," not in last:
            raise RuntimeError(f"conformance: {text}")

    def relu_on(self, name: str, plugins: pathlib.Path) -> None:
        path = {"BRAID_PLUGIN_PATH": str(plugins), "BRAID_CHECK": "1"}
        devices = [d["id"] for d in json.loads(self.outside(self.braid, "devices", "--json", **path))]
        if f"{name}:0" not in devices:
            raise RuntimeError(f"`braid devices` does not list {name}:0, but {devices}")
        x = [-2.0, -0.5, 0.0, 3.0, 1e30]
        npy = self.npy(x)
        relu, out = self.work / "acme.onnx", self.work / f"out of {name}"
        relu.write_bytes(RELU)
        command = [self.braid, "run", relu, "--device", name, "--input", f"x={npy}", "--output-dir", out]
        text = self.outside(*command, **path)
        if f"{name}:0" not in text.strip().split("\n")[-1]:
            raise RuntimeError(f"the summary does not name {name}:0:\n{text}")
        y = struct.unpack(f"<{len(x)}f", (out / "y.npy").read_bytes()[-4 * len(x) :])
        if y != struct.unpack(f"<{len(x)}f", struct.pack(f"<{len(x)}f", 0, 0, 0, 3, 1e30)):
            raise RuntimeError(f"Relu of {x} on {name} is {y}")

    def minimal_plugin(self) -> None:
        plugins = self.new_plugin("acme", "minimal")
        self.relu_on("acme", plugins)
        self.conformance(plugins)
        if not self.hidden:
            print("  (namespaces are not allowed here: the source tree was not covered, only unused)")

    def accelerator_plugin(self) -> None:
        plugins = self.new_plugin("fast_acme", "accelerator")
        self.relu_on("fast_acme", plugins)
        self.conformance(plugins)

    def c_plugin(self) -> None:
        self.conformance(self.new_plugin("plain", "c"))
        example = self.prefix / "share" / "braid" / "examples" / "plain"
        for file in sorted(p for p in (self.work / "plain").iterdir() if p.is_file()):
            lines = (example / file.name).read_text().split("\n")
            if "\n".join(line for line in lines if "SPDX-License" not in line) != file.read_text():
                raise RuntimeError(f"{file.name} of the example is not what new-plugin --c writes")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", type=pathlib.Path, required=True)
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--cmake", required=True)
    parser.add_argument("--version", required=True, help="the version that the packages must say")
    parser.add_argument("--model", type=pathlib.Path, required=True, help="a model with one float input")
    args = parser.parse_args()
    args.source, args.build = args.source.resolve(), args.build.resolve()
    passed = failed = 0
    # Plugins are to be found beside the installed library, not where the environment says.
    for name in ("BRAID_PLUGIN_PATH", "BRAID_PLUGINS", "BRAID_DISABLE_PLUGINS"):
        os.environ.pop(name, None)
    with tempfile.TemporaryDirectory(prefix="braid install ") as folder:
        install = Install(args, pathlib.Path(folder))
        checks = (
            install.demo_builds_all,
            install.cmake_package,
            install.pkg_config,
            install.headers,
            install.command,
            install.example,
            install.minimal_plugin,
            install.accelerator_plugin,
            install.c_plugin,
        )
        for check in checks:
            title = check.__name__.replace("_", " ")
            try:
                check()
                passed += 1
                print(f"passed {title}")
            except (RuntimeError, StopIteration) as error:
                failed += 1
                print(f"FAILED {title}\n{error}")
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
