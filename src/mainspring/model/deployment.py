"""The names of versions, and the limits of their code. Decides, no input and output."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

BUNDLE_LIMIT: Final = 16 * 1024 * 1024
"""Bytes of a packed bundle."""
EXTERNAL_ID_LENGTH: Final = 128
IMAGE_LENGTH: Final = 500


AWAITED: Final = "@"


def awaited_version(external_id: str) -> str:
    """What stands for the version of a deployment that nobody has made yet."""
    return f"{AWAITED}{external_id}"


def day_prefix(now: int) -> str:
    """How the versions of that moment's day (UTC) begin: `20261121.`."""
    return f"{datetime.fromtimestamp(now / 1000, UTC):%Y%m%d}."


def next_version(prefix: str, taken: Iterable[str]) -> str:
    """The next version of a day, `20261121.3`, after those that are taken."""
    numbers = (version.removeprefix(prefix) for version in taken)
    return (
        f"{prefix}{max((int(n) for n in numbers if n.isascii() and n.isdecimal()), default=0) + 1}"
    )
