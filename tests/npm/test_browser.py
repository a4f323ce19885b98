"""The official React hooks, unmodified, in a real Chromium against our servers."""

import pytest

from tests.npm.platforms import Platform
from tests.npm.suites import report


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_official_hooks_work(
    platform: Platform, node_path: str, chromium_path: str, subtests: pytest.Subtests
) -> None:
    report(node_path, "browser/main.mjs", platform, subtests, CHROMIUM=chromium_path)
