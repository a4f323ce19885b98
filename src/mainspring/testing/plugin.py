"""The pytest plugin: the fixture `jobs`. It loads the engine when a test asks for it."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from mainspring.testing.jobs import Jobs


@pytest.fixture
def jobs() -> Iterator[Jobs]:
    """An engine with a worker in this process, on a clock that the test moves.

    It starts with the first trigger, on the event loop of the test, whatever runs that loop. Tasks
    must be declared by then.
    """
    harness: Jobs = importlib.import_module("mainspring.testing.jobs").Jobs()
    with harness.installed():
        yield harness
