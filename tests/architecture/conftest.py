"""Trees are for these tests alone: garbage collections of later ones would walk them."""

from collections.abc import Iterator

import pytest

from tests.architecture.sources import tree


@pytest.fixture(scope="module", autouse=True)
def fell() -> Iterator[None]:
    yield
    tree.cache_clear()
