"""Where control groups are made, and what is written into them. Files play the kernel's part."""

import os
from pathlib import Path

import pytest

from mainspring.worker.isolation.cgroup import Group, Groups


def proc(root: Path, cgroup: str, mount: str, options: str) -> Path:
    """A folder like /proc/self, of a process in that group."""
    folder = root / "proc"
    folder.mkdir()
    kind = "cgroup2" if cgroup.startswith("0::") else "cgroup"
    (folder / "cgroup").write_text(cgroup + "\n")
    (folder / "mountinfo").write_text(
        "24 1 0:22 / /proc rw,nosuid - proc proc rw\n"
        f"36 24 0:30 {mount} {root / 'fs'} rw,relatime - {kind} none {options}\n"
    )
    return folder


def test_version_2_needs_the_memory_controller(tmp_path: Path) -> None:
    own = tmp_path / "fs" / "system" / "worker"
    own.mkdir(parents=True)
    (own / "cgroup.controllers").write_text("cpu pids\n")

    assert Groups.find(proc(tmp_path, "0::/system/worker", "/", "rw")) is None


def test_version_2_limits_memory_below_the_workers_own_group(tmp_path: Path) -> None:
    own = tmp_path / "fs" / "system" / "worker"
    own.mkdir(parents=True)
    (own / "cgroup.controllers").write_text("cpu memory pids\n")
    path = tmp_path / "run"
    path.mkdir()
    Group(path, 2).limit(1000)

    assert (path / "memory.max").read_text() == "1000"
    assert (path / "memory.swap.max").read_text() == "0"
    # no files of the kernel in a plain folder, so the probe cannot be removed and is not trusted
    assert Groups.find(proc(tmp_path, "0::/system/worker", "/", "rw")) is None
    assert (own / "cgroup.subtree_control").read_text() == "+memory"


def test_no_group_is_made_where_none_may_be(tmp_path: Path) -> None:
    (tmp_path / "fs").mkdir()
    folder = proc(tmp_path, "4:cpu:/worker", "/", "rw,cpu")

    assert Groups.find(folder) is None


@pytest.mark.parametrize(
    "text,killed",
    [("low 0\noom 3\noom_kill 2\n", True), ("oom 3\noom_kill 0\n", False), ("", False)],
)
def test_a_kill_by_the_kernel_is_read_from_its_count(
    tmp_path: Path, text: str, killed: bool
) -> None:
    (tmp_path / "memory.events").write_text(text)

    assert Group(tmp_path, 2).ran_out() is killed


def test_folders_of_dead_workers_are_removed(tmp_path: Path) -> None:
    own = tmp_path / "fs"
    dead, alive = own / "mainspring-4194305", own / f"mainspring-{os.getpid()}x"
    (dead / "7").mkdir(parents=True)
    alive.mkdir()
    Groups.find(proc(tmp_path, "4:memory:/", "/", "rw,memory"))

    assert not dead.exists()
    assert alive.exists()
