# SPDX-License-Identifier: Apache-2.0
"""Where test models and cases lie, and how they get there whole: shared by the scripts of this folder."""

import os
import pathlib
import shutil
import tempfile


def cache() -> pathlib.Path:
    """The folder for what is made once and kept: $BRAID_CACHE, else braid/ in the user's cache folder."""
    if os.environ.get("BRAID_CACHE"):
        return pathlib.Path(os.environ["BRAID_CACHE"])
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return pathlib.Path(base) / "braid"


MODELS = cache() / "models"
CASES = cache() / "cases"


def write(path: pathlib.Path, data: bytes) -> None:
    """Writes a file in one atomic move, so that another process sees all of it or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    with os.fdopen(handle, "wb") as file:
        file.write(data)
    os.chmod(temporary, 0o644)
    os.replace(temporary, path)


def replace_folder(staged: pathlib.Path, target: pathlib.Path) -> None:
    """Puts a finished folder in the place of an older one. Both lie on the same file system."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        old = pathlib.Path(tempfile.mkdtemp(dir=target.parent, prefix=".old-"))
        os.replace(target, old / "it")
        os.replace(staged, target)
        shutil.rmtree(old)
    else:
        os.replace(staged, target)
