"""Node, a browser and two running platforms, which end with the suites of a module."""

from collections.abc import Callable, Iterator

import pytest

from tests.databases import fresh_database
from tests.npm.platforms import Platform, one_process, several_processes
from tools import browser, node
from tools.environment import SetupFailed


@pytest.fixture(scope="session")
def node_path() -> str:
    """Node, with the packages installed."""
    return _ensured(node.ensure)


@pytest.fixture(scope="session")
def chromium_path() -> str:
    return _ensured(browser.ensure)


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def platform(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Platform]:
    folder = tmp_path_factory.mktemp(f"npm-{request.param}")
    if request.param == "sqlite":
        with one_process(folder) as platform:
            yield platform
        return
    with (
        fresh_database(request.getfixturevalue("postgres_url"), "npm") as url,
        several_processes(folder, url) as platform,
    ):
        yield platform


def _ensured(ensure: Callable[[], str]) -> str:
    try:
        return ensure()
    except SetupFailed as problem:
        pytest.fail(str(problem), pytrace=False)
