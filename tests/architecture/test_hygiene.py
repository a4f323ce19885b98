"""What a clone must not contain: registry hosts, paths of one machine, unsafe locks, skips."""

import json
import re
from pathlib import Path

from tests.architecture.sources import ROOT, python_files, short, tracked_files

# Written with classes of one letter, so that this file does not find itself.
HOSTS = re.compile(
    r"registr[y]\.npmj[s]|registr[y]\.yarnpk[g]|py[p]i\.or[g]|pythonhoste[d]|deb\.debia[n]"
)
PATHS = re.compile(r"(?<![\w.])/([h]ome|[U]sers|[r]oot|[w]ork|[f]arm)/\w|/[t]mp/bash_jobs")
SKIPS = re.compile(
    r"pytest\.(ski[p]|xfai[l]|importorski[p])|mark\.(ski[p]|xfai[l])|unittest\.ski[p]"
)
LOCKS_WITH_HOSTS = {"uv.lock", "pylock.toml"}


def lines_matching(pattern: re.Pattern[str], paths: tuple[Path, ...]) -> list[str]:
    found = []
    for path in paths:
        text = path.read_bytes().decode(errors="replace")
        if pattern.search(text):
            found += [
                f"{short(path)}:{number}: {line.strip()[:100]}"
                for number, line in enumerate(text.splitlines(), 1)
                if pattern.search(line)
            ]
    return found


def test_no_tracked_file_names_a_package_registry() -> None:
    assert lines_matching(HOSTS, tracked_files()) == []


def test_no_tracked_file_names_a_place_on_one_machine() -> None:
    assert lines_matching(PATHS, tracked_files()) == []


def test_only_locks_without_hosts_are_tracked() -> None:
    assert [short(p) for p in tracked_files() if p.name in LOCKS_WITH_HOSTS] == []
    for lock in (ROOT / "requirements").glob("*.txt"):
        assert "://" not in lock.read_text(), (
            f"{short(lock)} names a host; write it with ./dev lock"
        )


def test_every_locked_package_has_hashes() -> None:
    for lock in (ROOT / "requirements").glob("*.txt"):
        packages = re.split(r"\n(?=[a-z])", lock.read_text().strip())
        assert [p.split()[0] for p in packages if "--hash=sha256:" not in p] == []


def test_every_locked_npm_package_has_a_hash_and_no_address() -> None:
    for lock in (path for path in tracked_files() if path.name == "package-lock.json"):
        text = lock.read_text()
        assert "://" not in text, f"{short(lock)} names a host; see CONTRIBUTING.md"
        packages = json.loads(text)["packages"]
        assert [name for name, told in packages.items() if name and "integrity" not in told] == []


def test_no_test_is_skipped_or_expected_to_fail() -> None:
    assert lines_matching(SKIPS, python_files("tests")) == []
