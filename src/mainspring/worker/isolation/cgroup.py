"""A memory limit that the kernel keeps: a control group for each limited run. Version 1 and 2."""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path
from typing import Final

_OURS: Final = re.compile(r"mainspring-(\d+)")


class Group:
    """The control group of one run."""

    def __init__(self, path: Path, version: int) -> None:
        self.path = path
        self._version = version

    def limit(self, memory: int) -> None:
        """Allow so many bytes, swap included. Raises: OSError."""
        if self._version == 1:
            (self.path / "memory.limit_in_bytes").write_text(str(memory))
            swap, most = "memory.memsw.limit_in_bytes", str(memory)
        else:
            (self.path / "memory.max").write_text(str(memory))
            with contextlib.suppress(OSError):
                (self.path / "memory.oom.group").write_text("1")
            swap, most = "memory.swap.max", "0"
        with contextlib.suppress(OSError):  # kernels without accounting of swap have no such file
            (self.path / swap).write_text(most)

    def join(self) -> None:
        """Put this process into the group. Raises: OSError."""
        with open(self.path / "cgroup.procs", "wb", buffering=0) as file:
            file.write(b"0")

    def ran_out(self) -> bool:
        """Whether the kernel has killed a process of it because the limit was reached."""
        events = "memory.oom_control" if self._version == 1 else "memory.events"
        with contextlib.suppress(OSError):
            for line in (self.path / events).read_text().splitlines():
                name, _, count = line.partition(" ")
                if name == "oom_kill":
                    return int(count) > 0
        return False

    def remove(self) -> bool:
        """Remove it; False as long as processes are in it."""
        try:
            self.path.rmdir()
        except FileNotFoundError:
            return True
        except OSError:
            return False
        return True


class Groups:
    """Makes control groups below the one that this process is in; `find` says whether it may."""

    def __init__(self, path: Path, version: int) -> None:
        self._path = path
        self._version = version

    @classmethod
    def find(cls, proc: Path = Path("/proc/self")) -> Groups | None:
        """A folder of our own for groups; None where none can be made that limits memory."""
        with contextlib.suppress(OSError, ValueError):
            for place, version in _places(proc):
                path = place / f"mainspring-{os.getpid()}"
                with contextlib.suppress(OSError):
                    _sweep(place)
                    if version == 2 and "memory" not in _words(place / "cgroup.subtree_control"):
                        # refused while processes are in the group itself
                        (place / "cgroup.subtree_control").write_text("+memory")
                    path.mkdir()
                    if version == 2:
                        (path / "cgroup.subtree_control").write_text("+memory")
                    groups = cls(path, version)
                    if groups._works():
                        return groups
                    path.rmdir()
        return None

    def make(self, name: str, memory: int) -> Group:
        """A new group with this limit. Raises: OSError."""
        group = Group(self._path / name, self._version)
        group.path.mkdir()
        try:
            group.limit(memory)
        except OSError:
            group.remove()
            raise
        return group

    def remove(self) -> None:
        """Remove the folder; groups in it must be gone."""
        with contextlib.suppress(OSError):
            self._path.rmdir()

    def _works(self) -> bool:
        try:
            return self.make("probe", 64 * 1024 * 1024).remove()
        except OSError:
            return False


def _places(proc: Path) -> list[tuple[Path, int]]:
    """(folder of this process's own group, version) of each hierarchy that can limit memory."""
    own: dict[int, str] = {}
    for line in (proc / "cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if "memory" in controllers.split(","):
            own[1] = path
        elif not controllers:
            own[2] = path
    found: list[tuple[Path, int]] = []
    for line in (proc / "mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        _, _, _, root, mounted, *_ = before.split(" ")
        kind, _, options = after.split(" ", 2)
        version = 2 if kind == "cgroup2" else 1
        if kind == "cgroup" and "memory" not in options.split(","):
            continue
        if kind not in ("cgroup", "cgroup2") or version not in own:
            continue
        place = Path(mounted) / os.path.relpath(own[version], root)
        if ".." in place.parts or not place.is_dir():
            place = Path(mounted)  # inside a container, whose own group is the root
        if version == 1 or "memory" in _words(place / "cgroup.controllers"):
            found.append((place, version))
    return found


def _words(path: Path) -> list[str]:
    try:
        return path.read_text().split()
    except OSError:
        return []


def _sweep(place: Path) -> None:
    """Remove what workers that were killed have left behind."""
    for folder in place.glob("mainspring-*"):
        owner = _OURS.fullmatch(folder.name)
        if owner and not Path(f"/proc/{owner[1]}").exists():
            for group in [*(path for path in folder.iterdir() if path.is_dir()), folder]:
                with contextlib.suppress(OSError):
                    group.rmdir()
