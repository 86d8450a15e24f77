#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks of the tree itself: check_style.py --source DIR [--build DIR]

Format, spelling, licence lines, who may include whom, and (with a build tree) which symbols leave the shared
libraries. Prints every finding and ends with `N passed, N failed, N skipped`, one a check.
"""

import argparse
import pathlib
import re
import shutil
import subprocess
import sys

CODE = {".c", ".cc", ".h", ".hpp"}
LICENSED = CODE | {".inc", ".py", ".comp", ".glsl", ".cmake", ".sh"}
TEXT = LICENSED | {".md", ".txt", ".in", ".json"}


class Skip(Exception):
    """A check that cannot be made here; the text says why."""


def tracked(source: pathlib.Path) -> list[pathlib.Path]:
    """The files under version control; without git, all files but those of build folders."""
    if shutil.which("git"):
        answer = subprocess.run(
            ["git", "-C", source, "ls-files", "-z"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        if answer.returncode == 0:
            return [p for name in answer.stdout.decode().split("\0") if name and (p := source / name).is_file()]
    return [
        path
        for path in source.rglob("*")
        if path.is_file() and not re.match(r"(build|\.)", path.relative_to(source).parts[0])
    ]


def output(command: list) -> str:
    answer = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
    return answer.stdout.decode(errors="replace") if answer.returncode else ""


def need(program: str) -> str:
    path = shutil.which(program)
    if not path:
        raise Skip(f"{program} is not installed; run tools/setup/packages")
    return path


class Checks:
    """Each method is a check: it returns its findings, one a line."""

    def __init__(self, source: pathlib.Path, build: pathlib.Path | None) -> None:
        self.source, self.build, self.files = source, build, tracked(source)

    def name(self, path: pathlib.Path) -> str:
        return str(path.relative_to(self.source))

    def within(self, *folders: str) -> list[pathlib.Path]:
        return [p for p in self.files if self.name(p).startswith(tuple(f"{f}/" for f in folders))]

    def grep(self, pattern: str, files: list[pathlib.Path], flags: int = 0) -> list[str]:
        found = []
        for path in files:
            for number, line in enumerate(path.read_bytes().decode(errors="replace").split("\n"), 1):
                if re.search(pattern, line, flags):
                    found.append(f"{self.name(path)}:{number}: {line.strip()}")
        return found

    def format(self) -> list[str]:
        files = [p for p in self.files if p.suffix in CODE]
        text = output([need("clang-format"), "--dry-run", "-Werror", *files]) if files else ""
        wrong: dict[str, int] = {}
        for path in re.findall(r"^(.*?):\d+:\d+: error:", text, re.M):
            wrong[path] = wrong.get(path, 0) + 1
        return [f"{self.name(pathlib.Path(p))}: {n} places; clang-format -i mends them" for p, n in wrong.items()]

    def spelling(self) -> list[str]:
        files = [p for p in self.files if p.suffix in TEXT or not p.suffix and p.parent != self.source]
        ignore = self.source / "tools" / "testing" / "spelling.txt"
        text = output([need("codespell"), "--ignore-words", ignore, *files]) if files else ""
        return text.replace(f"{self.source}/", "").strip().split("\n")

    def licence_lines(self) -> list[str]:
        found = []
        for path in self.files:
            if path.suffix in LICENSED or path.name == "CMakeLists.txt":
                head = path.read_bytes().decode(errors="replace").split("\n")[:2]
                if "SPDX-License-Identifier: Apache-2.0" not in "\n".join(head[: 2 if head[0].startswith("#!") else 1]):
                    found.append(f"{self.name(path)}: the first line is not 'SPDX-License-Identifier: Apache-2.0'")
        return found

    def core_names_no_device(self) -> list[str]:
        return self.grep(r"vulkan|opencl|cuda", self.within("core"), re.I)

    def plugins_see_only_the_sdk(self) -> list[str]:
        return self.grep(r'^\s*#\s*include\s*["<]core/', self.within("plugins", "shaders", "sdk"))

    def sdk_stands_alone(self) -> list[str]:
        return self.grep(r'^\s*#\s*include\s*["<](plugins|tools|absl|onnx|google/protobuf)/', self.within("sdk"))

    def core_graph_knows_no_protobuf(self) -> list[str]:
        return self.grep(r'^\s*#\s*include\s*["<](onnx|google/protobuf)/', self.within("core/graph"))

    def exported(self, library: pathlib.Path) -> list[str]:
        symbols = subprocess.run([need("nm"), "-D", "--defined-only", library], check=True, stdout=subprocess.PIPE)
        return [line.split()[-1].split("@")[0] for line in symbols.stdout.decode().split("\n") if line]

    def library_exports(self) -> list[str]:
        library = self.build / "lib" / "libbraid.so" if self.build else None
        if not library or not library.exists():
            raise Skip("there is no build tree with lib/libbraid.so")
        return [f"{library.name}: {s}" for s in self.exported(library) if not re.match(r"(graph|braid)_", s)]

    def plugin_exports(self) -> list[str]:
        plugins = sorted((self.build / "lib" / "braid" / "plugins").glob("*.so")) if self.build else []
        if not plugins:
            raise Skip("there is no build tree with plugins")
        return [f"{p.name}: {s}" for p in plugins for s in self.exported(p) if s != "braid_plugin_query"] + [
            f"{p.name}: braid_plugin_query is missing" for p in plugins if "braid_plugin_query" not in self.exported(p)
        ]


CHECKS = [
    Checks.format,
    Checks.spelling,
    Checks.licence_lines,
    Checks.core_names_no_device,
    Checks.plugins_see_only_the_sdk,
    Checks.sdk_stands_alone,
    Checks.core_graph_knows_no_protobuf,
    Checks.library_exports,
    Checks.plugin_exports,
]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", type=pathlib.Path, required=True)
    parser.add_argument("--build", type=pathlib.Path)
    args = parser.parse_args()
    checks = Checks(args.source.resolve(), args.build and args.build.resolve())
    passed = failed = skipped = 0
    for check in CHECKS:
        title = check.__name__.replace("_", " ")
        try:
            findings = [line for line in check(checks) if line]
        except Skip as reason:
            skipped += 1
            print(f"skipped {title}: {reason}")
            continue
        passed, failed = passed + (not findings), failed + bool(findings)
        print(f"{'FAILED' if findings else 'passed'} {title}")
        for line in findings[:40]:
            print(f"  {line}")
        if len(findings) > 40:
            print(f"  ... and {len(findings) - 40} more")
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
