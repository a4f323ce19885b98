"""Runs a suite of Node and hands each of its tests to pytest by name."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.npm.platforms import Platform

HERE = Path(__file__).parent
REPORTER = "--test-reporter=./reporter.mjs"


def report(
    node: str, suite: str, platform: Platform, subtests: pytest.Subtests, *parts: str, **extra: str
) -> None:
    """Run the suite, or parts of it, against the platform; every failure in it is one of this test,
    by its name.
    """
    variables = {"MAINSPRING_URL": platform.url, "MAINSPRING_SECRET_KEY": platform.key, **extra}
    command = [
        node,
        REPORTER,
        "--test-reporter-destination=stdout",
        "--test-force-exit",
        suite,
        *parts,
    ]
    count, other = 0, []
    for told in _lines(command, variables):
        if isinstance(told, str):
            other.append(told)
            continue
        count += 1
        with subtests.test(told["name"]):
            if not told["ok"]:
                pytest.fail(told.get("error", "it was skipped"), pytrace=False)
    assert count, f"{suite} ran no test:\n{''.join(other)}"
    assert not other, f"{suite} also printed:\n{''.join(other)}"


def _lines(command: list[str], variables: Mapping[str, str]) -> Iterator[dict[str, Any] | str]:
    """What the process prints, as results of tests where it is that. Raises when it fails."""
    with subprocess.Popen(
        command,
        cwd=HERE,
        env={**os.environ, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        failed = False
        for line in process.stdout:
            try:
                told = json.loads(line)
            except ValueError:
                yield line
            else:
                failed = failed or not told["ok"]
                yield told
    if process.returncode != 0 and not failed:
        yield f"it ended with exit code {process.returncode}\n"
