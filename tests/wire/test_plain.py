"""JSON text from outside is read within bounds."""

from __future__ import annotations

import msgspec
import pytest

from mainspring.errors import CallerError
from mainspring.wire import plain


def wide(keys: int) -> dict[str, int]:
    return {f"k{number}": number for number in range(keys)}


@pytest.mark.parametrize("around", [lambda value: value, lambda value: [[{"a": value}]]])
def test_an_object_has_10000_keys_and_no_more(around: object) -> None:
    assert callable(around)
    assert plain.read(msgspec.json.encode(around(wide(plain.KEYS))), "body")
    for keys in (plain.KEYS + 1, 100 * plain.KEYS):
        with pytest.raises(CallerError, match="over 10,000 keys"):
            plain.read(msgspec.json.encode(around(wide(keys))), "body")


def test_many_objects_may_have_more_keys_together() -> None:
    rows = [wide(20) for _ in range(1_000)]
    assert plain.read(msgspec.json.encode(rows), "body") == rows
    assert plain.read(msgspec.json.encode(":" * 20_000), "body") == ":" * 20_000
