#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Builds programs against an installed Braid, as its users do: check_install.py --source DIR --build DIR --cmake PROGRAM

Installs the build tree into a temporary prefix, moves the prefix elsewhere (it must not remember its place), and there
  - builds and runs the C sample by find_package(braid) and CMake, and by pkg-config alone;
  - compiles each installed header by itself, C headers as C99 and C++20, C++ headers as C++20;
  - asks the installed command for its devices.
Ends with `N passed, N failed, N skipped`.
"""

import argparse
import os
import pathlib
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
        self.libraries = next(self.prefix.rglob("libbraid.so")).parent
        # One Relu, from the official cases where they are; any float model will do.
        self.model = args.model

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
        text = run(next(self.prefix.rglob("bin/braid")), "devices")
        if "reference" not in text:
            raise RuntimeError(f"the installed command does not find its own plugins; it says:\n{text}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", type=pathlib.Path, required=True)
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--cmake", required=True)
    parser.add_argument("--version", required=True, help="the version that the packages must say")
    parser.add_argument("--model", type=pathlib.Path, required=True, help="a model with one float input")
    args = parser.parse_args()
    passed = failed = 0
    # Plugins are to be found beside the installed library, not where the environment says.
    for name in ("BRAID_PLUGIN_PATH", "BRAID_PLUGINS", "BRAID_DISABLE_PLUGINS"):
        os.environ.pop(name, None)
    with tempfile.TemporaryDirectory(prefix="braid install ") as folder:
        install = Install(args, pathlib.Path(folder))
        for check in (install.cmake_package, install.pkg_config, install.headers, install.command):
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
