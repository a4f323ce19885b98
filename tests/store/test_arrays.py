"""Array literals: whatever a batch holds reaches PostgreSQL as it is."""

from __future__ import annotations

import asyncpg
import pytest
from hypothesis import given, strategies as st

from mainspring.errors import CommitRejected
from mainspring.store.arrays import literals, numbers, texts

_parts = st.sampled_from(
    ["", "NULL", "null", '"', "\\", ",", "{", "}", "\x1f", "\x1e", "\n", " ", "a", "ß雪", "None"]
)
TEXTS = st.lists(st.none() | st.lists(_parts, max_size=4).map("".join), max_size=6)
NUMBERS = st.lists(st.none() | st.integers(-(1 << 63), (1 << 63) - 1), max_size=6)


async def test_texts_arrive_as_they_are(postgres_url: str) -> None:
    connection = await asyncpg.connect(postgres_url)
    seen: list[list[str | None]] = []

    @given(TEXTS)
    def collect(column: list[str | None]) -> None:
        seen.append(column)

    collect()
    try:
        for column in seen:
            read = await connection.fetchval(
                "SELECT CAST(CAST($1 AS text) AS text[])", texts(column)
            )
            assert read == column
    finally:
        await connection.close()


async def test_numbers_arrive_as_they_are(postgres_url: str) -> None:
    connection = await asyncpg.connect(postgres_url)
    seen: list[list[int | None]] = []

    @given(NUMBERS)
    def collect(column: list[int | None]) -> None:
        seen.append(column)

    collect()
    try:
        for column in seen:
            read = await connection.fetchval(
                "SELECT CAST(CAST($1 AS text) AS bigint[])", numbers(column)
            )
            assert read == column
    finally:
        await connection.close()


def test_what_is_no_text_is_refused_before_it_is_sent() -> None:
    with pytest.raises(CommitRejected, match="no text"):
        literals([["a", 1]], ["text"])
