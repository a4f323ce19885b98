"""What all tests share: the Hypothesis profiles and a PostgreSQL database per process."""

import gc
import getpass
import os
from asyncio import AbstractEventLoop
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncpg
import pytest
from hypothesis import settings
from hypothesis.internal.conjecture import providers

from tests import sessions
from tests.databases import TEMPLATE, Cleaner, create, drop
from tests.figures import FIGURES
from tools.environment import ROOT
from tools.verbs import BESIDE_OTHERS

# Until all is collected: it makes much that stays and little garbage, in each process of the tests.
gc.disable()

# The same examples each time, so that a red run is red for everyone. To look for new ones:
# ./dev test tests/dispatch --hypothesis-profile=explore
settings.register_profile("house", derandomize=True, deadline=None, print_blob=True)
settings.register_profile("explore", max_examples=2000, deadline=None, print_blob=True)
settings.load_profile("house")
# Hypothesis also tries the constants of whatever modules are loaded, so that the examples of a test
# would depend on which other tests its process has run.
providers._get_local_constants = lambda: providers._local_constants


SLOW_UNTIL = 0.85
"""By then, of its tests, a process has done its slow ones: what comes last is short."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With several processes, of which each gets one piece of the tests, spread the modules that
    are slow over all pieces: no two folders of them come together, and none comes last.
    """
    count = getattr(config, "workerinput", {}).get("workercount", 1)
    if count == 1:
        return
    modules: dict[Path, list[pytest.Item]] = {}
    for item in items:
        modules.setdefault(item.path, []).append(item)
    slow, fast = list[list[pytest.Item]](), list[list[pytest.Item]]()
    for module in modules.values():
        is_slow = any(item.get_closest_marker("slow") for item in module)
        (slow if is_slow else fast).append(module)
    items.clear()
    for number in range(count):
        mine, others = slow[number::count], fast[number::count]
        placed = [(at / len(mine) * SLOW_UNTIL, module) for at, module in enumerate(mine)]
        placed += [(at / len(others), module) for at, module in enumerate(others)]
        for _, module in sorted(placed, key=lambda one: one[0]):
            items += module


def pytest_collection_finish() -> None:
    """What was collected stays until the end, so collections of garbage need not walk it; and as in
    our servers they come less often, which is a twentieth of what the tests take.
    """
    gc.freeze()
    gc.set_threshold(10_000)
    gc.enable()


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], AbstractEventLoop]]:
    """The loop of each test."""
    return {"kept": sessions.loop}


def pytest_sessionstart(session: pytest.Session) -> None:
    """Forget the figures of the last time, once for all processes and parts of `./dev test`."""
    config = session.config
    if not hasattr(config, "workerinput") and config.option.markexpr != BESIDE_OTHERS:
        FIGURES.unlink(missing_ok=True)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the figures of this time."""
    if FIGURES.exists():
        terminalreporter.section(f"figures, kept in {FIGURES.relative_to(ROOT)}")
        terminalreporter.write(FIGURES.read_text())


@pytest.fixture(scope="session")
def postgres_url(worker_id: str) -> Iterator[str]:
    """A fresh database of this test process, as a URL; dropped when the process ends its tests."""
    server = os.environ.get("MAINSPRING_TEST_POSTGRES") or (
        f"postgresql://{getpass.getuser()}@127.0.0.1:5432/postgres"
    )
    name = f"ms_test_{os.getpid()}_{worker_id}"
    try:
        url = create(server, name)
    except (OSError, asyncpg.PostgresError) as error:
        pytest.fail(
            f"No PostgreSQL at {server}: {error}\n"
            "Set MAINSPRING_TEST_POSTGRES to one that may create databases, or run ./dev test, "
            "which finds or starts one.",
            pytrace=False,
        )
    try:
        yield url
    finally:
        drop(server, name)
        drop(server, name + TEMPLATE)


@pytest.fixture(scope="session")
def kept_sessions() -> Iterator[None]:
    """Stores that ask for it get sessions that stores of earlier tests have closed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asyncpg, "connect", sessions.connect)
        yield
    sessions.end()


@pytest.fixture(scope="session")
def cleaner() -> Iterator[Cleaner]:
    """Empties databases between tests."""
    cleaner = Cleaner()
    yield cleaner
    cleaner.close()


@pytest.fixture
def empty_postgres(postgres_url: str, cleaner: Cleaner) -> str:
    """The database of this test process, migrated and without rows, as a URL."""
    return cleaner.empty(postgres_url)


@pytest.fixture
def kept_postgres(empty_postgres: str, kept_sessions: None) -> str:
    """The same, for stores that need no new sessions."""
    return f"{empty_postgres}?application_name={sessions.NAME}"
