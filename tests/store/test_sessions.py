"""Sessions that tests hand on to tests: only whole ones, and nobody else has them still."""

from __future__ import annotations

import asyncpg
import pytest

from mainspring.store.links import OWNER, Place
from tests.sessions import NAME
from tests.store.conftest import execute


@pytest.fixture
def place(empty_url: str, kept_sessions: None) -> Place:
    return Place(f"{empty_url}?application_name={NAME}")


async def test_a_closed_session_is_gone_for_who_closed_it_and_there_for_the_next(
    place: Place,
) -> None:
    first = await place.connect(OWNER)
    pid = await first.fetchval("SELECT pg_backend_pid()")
    await first.close()
    assert first.is_closed()
    with pytest.raises(asyncpg.InterfaceError):
        await first.fetchval("SELECT 1")
    second = await place.connect(OWNER)
    assert await second.fetchval("SELECT pg_backend_pid()") == pid
    await second.close()


async def test_a_session_in_a_transaction_is_not_handed_on(place: Place) -> None:
    first = await place.connect(OWNER)
    pid = await first.fetchval("SELECT pg_backend_pid()")
    await first.execute("BEGIN")
    await first.close()
    second = await place.connect(OWNER)
    assert await second.fetchval("SELECT pg_backend_pid()") != pid
    second.terminate()


async def test_a_session_that_the_server_has_ended_is_not_handed_on(
    place: Place, empty_url: str
) -> None:
    first = await place.connect(OWNER)
    pid = await first.fetchval("SELECT pg_backend_pid()")
    await first.close()
    await execute(empty_url, f"SELECT pg_terminate_backend({pid})")
    second = await place.connect(OWNER)
    assert await second.fetchval("SELECT pg_backend_pid()") != pid
    second.terminate()
