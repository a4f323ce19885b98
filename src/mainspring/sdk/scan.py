"""Finding tasks: importing the Python files of folders, each failure kept to its own file."""

from __future__ import annotations

import fnmatch
import importlib
import importlib.util
import os
import re
import sys
import sysconfig
import time
import traceback
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Final

from mainspring.errors import DuplicateTask, InvalidTask, TaskError, TaskImportFailed
from mainspring.sdk.registry import registry

IGNORED: Final = (
    ".*",
    "__pycache__",
    "node_modules",
    "venv",
    "site-packages",
    "tests",
    "test_*.py",
    "*_test.py",
    "conftest.py",
    "setup.py",
)
_MENTION: Final = re.compile(rb"mainspring|task")
_OWN_NAME: Final = "mainspring_scanned"
FRESH_S: Final = 2.0
"""A file changed so lately may have bytecode of an earlier text, for that goes by the second."""
_OURS: Final = (
    os.path.dirname(__file__),
    os.path.dirname(importlib.__file__),
    "<frozen importlib",
)
_LIBRARIES: Final = (
    os.path.dirname(os.path.dirname(__file__)),
    *{sysconfig.get_path(kind) for kind in ("stdlib", "platstdlib", "purelib", "platlib")},
)


@dataclass
class Scan:
    """What a scan imported, and what it could not, with the file's own traceback in `details`."""

    files: list[Path] = field(default_factory=list)
    errors: list[TaskError] = field(default_factory=list)


def scan(
    dirs: Iterable[Path | str],
    ignore: Iterable[str] = (),
    root: Path | str | None = None,
) -> Scan:
    """Import the files in `dirs` that could hold tasks, so that these are registered.

    A file is imported under the name by which other code imports it, seen from `root` (default:
    the working directory), which is put on `sys.path`. Files that mention neither `mainspring` nor
    `task` are left alone, as are tests, hidden folders and whatever matches `ignore` (patterns for
    a name or for a path below `root`). An entry of `dirs` may be a file.
    """
    top = Path(root or Path.cwd()).resolve()
    for place in (top / "src", top):
        if place.is_dir() and str(place) not in sys.path:
            sys.path.insert(0, str(place))
    found = Scan()
    for path in sorted(set(_files(dirs, (*IGNORED, *ignore), top))):
        problem = _load(path)
        if problem is None:
            found.files.append(path)
        else:
            registry.forget_file(str(path))
            found.errors.append(problem)
    for task in list(registry.tasks.values()):
        try:
            task.spec  # noqa: B018 - annotations are read here, so that errors show at the start
        except InvalidTask as error:
            registry.tasks.pop(task.id)
            found.errors.append(error)
    return found


def _files(dirs: Iterable[Path | str], ignore: tuple[str, ...], top: Path) -> Iterator[Path]:
    for place in dirs:
        start = (top / place).resolve()
        if start.is_file():
            yield start
            continue
        for folder, folders, names in os.walk(start):
            folders[:] = [n for n in folders if not _ignored(Path(folder, n), ignore, top)]
            for name in names:
                path = Path(folder, name)
                if (
                    path.suffix == ".py"
                    and not _ignored(path, ignore, top)
                    and _MENTION.search(path.read_bytes())
                ):
                    yield path


def _ignored(path: Path, ignore: tuple[str, ...], top: Path) -> bool:
    below = path.relative_to(top).as_posix() if path.is_relative_to(top) else str(path)
    return any(fnmatch.fnmatch(path.name, p) or fnmatch.fnmatch(below, p) for p in ignore)


def _load(path: Path) -> TaskError | None:
    """Import one file; the reason when that fails."""
    if any(_is_file(module, path) for module in list(sys.modules.values())):
        return None
    try:
        _import(path)
    except DuplicateTask as error:
        return error
    except InvalidTask as error:
        return InvalidTask(f"{_users_line(error) or path}: {error.message}", details=error.details)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the file is the user's code
        return TaskImportFailed(
            f"{path} cannot be imported: {type(error).__name__}: {error}",
            details={"file": str(path), "traceback": _users_part(error)},
        )
    return None


def _import(path: Path) -> None:
    if time.time() - path.stat().st_mtime < FRESH_S:
        Path(importlib.util.cache_from_source(str(path))).unlink(missing_ok=True)
    name = _module_name(path)
    if name is not None:
        module = importlib.import_module(name)
        if _is_file(module, path):
            return
    # no importable name, or another module has taken it, as for a file named like a library
    stable = re.sub(r"\W", "_", str(path.with_suffix("")))
    spec = importlib.util.spec_from_file_location(f"{_OWN_NAME}{stable}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[spec.name]
        raise


def _module_name(path: Path) -> str | None:
    """The name by which other code imports the file: from the nearest entry of `sys.path`."""
    places = [Path(entry).resolve() for entry in sys.path if entry]
    above = [place for place in places if path.is_relative_to(place)]
    if not above:
        return None
    parts = list(path.relative_to(max(above, key=lambda p: len(p.parts))).with_suffix("").parts)
    if parts[-1] == "__init__" and len(parts) > 1:
        parts.pop()
    return ".".join(parts) if all(part.isidentifier() for part in parts) else None


def _is_file(module: ModuleType, path: Path) -> bool:
    file = getattr(module, "__file__", None)
    # the name first: resolving the path of every module would cost more than importing
    return (
        isinstance(file, str)
        and os.path.basename(file) == path.name
        and os.path.realpath(file) == str(path)
    )


def _users_part(error: BaseException) -> str:
    """The traceback up to the last line of the user's own code."""
    shown = traceback.TracebackException.from_exception(error)
    layers: list[traceback.TracebackException | None] = [shown]
    while layers:
        layer = layers.pop()
        if layer is None:
            continue
        layer.stack = traceback.StackSummary.from_list(_users_frames(layer))
        layers += [layer.__cause__, layer.__context__]
    return "".join(shown.format())


def _users_frames(shown: traceback.TracebackException) -> list[traceback.FrameSummary]:
    """Without our frames, those of the import system, and what libraries did at the end."""
    frames = [frame for frame in shown.stack if not frame.filename.startswith(_OURS)]
    own = [at for at, frame in enumerate(frames) if not frame.filename.startswith(_LIBRARIES)]
    return frames[: own[-1] + 1] if own else frames


def _users_line(error: BaseException) -> str:
    """`file:line` at which the user's own code was when it failed; empty when it was not."""
    frames = _users_frames(traceback.TracebackException.from_exception(error))
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""
