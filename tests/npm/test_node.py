"""The official SDK in Node, unmodified, against our servers."""

import pytest

from tests.npm.platforms import Platform
from tests.npm.suites import report


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_official_sdk_works(
    platform: Platform, node_path: str, subtests: pytest.Subtests
) -> None:
    report(node_path, "node/main.mjs", platform, subtests)
