"""Two owners on PostgreSQL: what overlapping transactions do to takeover and to unknown commits."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from mainspring.errors import CommitRejected, FencedOut, StoreUnavailable, UnknownOutcome
from mainspring.store.changes import Changes
from mainspring.store.postgres import PostgresStore
from mainspring.testing.store_rows import Shard
from tests.store.conftest import execute

NO_ROWS: dict[str, str] = {}


class Gate:
    """Faults that stop a commit at one point until the test lets it go on, or run something."""

    def __init__(self, point: str, act: Callable[[], None]) -> None:
        self.point, self.act, self.calls = point, act, 0

    def __call__(self, point: str, _shard_id: int) -> None:
        if point == self.point and self.act is not None:
            self.calls += 1
            self.act()


def in_thread(work: Callable[[], Any]) -> None:
    """Run a loop of its own beside the test's; the test's loop stands still meanwhile."""
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


@asynccontextmanager
async def opened(url: str, faults: Gate | None = None) -> AsyncIterator[PostgresStore]:
    store = PostgresStore(url, faults=faults)
    await store.open()
    try:
        yield store
    finally:
        await store.close()


@asynccontextmanager
async def holding(url: str, shard: Shard) -> AsyncIterator[asyncpg.Connection]:
    """The old owner in the middle of a commit, on a connection that the test drives itself."""
    connection = await asyncpg.connect(url)
    await connection.execute(
        f"BEGIN; SELECT 1 FROM shard WHERE shard_id = {shard.shard_id} FOR KEY SHARE"
    )
    try:
        yield connection
    finally:
        await connection.close()


async def until_it_waits(url: str) -> None:
    """Returns when some session waits for another's lock."""
    connection = await asyncpg.connect(url)
    asked = (
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    while not await connection.fetchval(asked):  # noqa: ASYNC110 - the event is in the server
        await asyncio.sleep(0)
    await connection.close()


def one_run(shard: Shard) -> tuple[str, Changes]:
    [run_id], changes = shard.ids(1), shard.changes()
    shard.run(changes, run_id)
    shard.ready(changes, run_id)
    return run_id, changes


async def terminate_owners(url: str) -> None:
    await terminate_by(url, "state = 'idle in transaction'")


async def terminate_by(url: str, condition: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.fetch(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
        f"WHERE datname = current_database() AND {condition}"
    )
    await connection.close()


async def test_takeover_waits_for_the_commit_in_flight_and_sees_it(
    postgres: PostgresStore, empty_url: str
) -> None:
    shard = await Shard.taken(postgres)
    async with holding(empty_url, shard) as old:
        take = asyncio.ensure_future(postgres.shards.take(shard.shard_id, "two"))
        await until_it_waits(empty_url)
        assert not take.done()
        await old.execute(
            "INSERT INTO timer (shard_id, fire_at, kind, run_id) "
            f"VALUES ({shard.shard_id}, 1, 'ttl', 'of the old owner')"
        )
        await old.execute("COMMIT")
        assert await take == 2
    [timer] = await postgres.live.timers(shard.shard_id, (0, "", ""), 9, 9)
    assert timer.run_id == "of the old owner"


async def test_commits_do_not_wait_for_each_other_s_shards(postgres: PostgresStore) -> None:
    one, two = await Shard.taken(postgres, "dev"), await Shard.taken(postgres, "prod")
    async with holding(str(postgres.database._place.dsn), one):
        await two.queued(1)


async def test_a_late_owner_s_commit_is_refused_while_it_believes_to_own(
    postgres: PostgresStore, empty_url: str
) -> None:
    async with opened(empty_url) as other:
        shard = await Shard.taken(postgres, owner="one")
        await other.shards.take(shard.shard_id, "two")
        run_id, changes = one_run(shard)
        with pytest.raises(FencedOut):
            await shard.commit(changes)
        assert await other.live.known(shard.shard_id, [run_id]) == {}


async def test_a_backend_killed_before_commit_leaves_the_outcome_unknown(empty_url: str) -> None:
    kill = Gate("inside", lambda: in_thread(lambda: asyncio.run(terminate_owners(empty_url))))
    async with opened(empty_url, kill) as store:
        shard = await Shard.taken(store)
        run_id, changes = one_run(shard)
        with pytest.raises(UnknownOutcome, match="may or may not"):
            await shard.commit(changes)
        kill.point = "never"
        assert await shard.take() == 2
        assert await store.live.known(shard.shard_id, [run_id]) == {}
        await shard.commit(changes)
        assert await store.live.known(shard.shard_id, [run_id]) == {run_id: ""}


async def test_a_backend_killed_before_its_statements_has_written_nothing(empty_url: str) -> None:
    kill = Gate("before", lambda: in_thread(lambda: asyncio.run(terminate_all(empty_url))))
    kill.point = "never"
    async with opened(empty_url, kill) as store:
        shard = await Shard.taken(store)
        await shard.queued(1)
        run_id, changes = one_run(shard)
        kill.point = "before"
        with pytest.raises(StoreUnavailable, match=r"127\.0\.0\.1"):
            await shard.commit(changes)
        kill.point = "never"
        assert await store.live.known(shard.shard_id, [run_id]) == {}  # reads connect again
        await shard.commit(changes)


async def terminate_all(url: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.fetch(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    await connection.close()


class Wire:
    """A relay that passes on COMMIT, or a commit that is one statement and was prepared before,
    waits for the answer and cuts the line instead.
    """

    def __init__(self, url: str) -> None:
        self.target = urlsplit(url)
        self.armed = False
        self.relays: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> str:
        self.server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        port = self.server.sockets[0].getsockname()[1]
        user = f"{self.target.username}@" if self.target.username else ""
        return urlunsplit(self.target._replace(netloc=f"{user}127.0.0.1:{port}"))

    async def __aexit__(self, *_: object) -> None:
        self.server.close()
        for relay in self.relays:
            relay.cancel()
        await asyncio.wait(self.relays)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.relays.append(asyncio.ensure_future(self._relay(reader, writer)))

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back, forth = await asyncio.open_connection(self.target.hostname, self.target.port or 5432)
        answers = asyncio.ensure_future(self._answer(back, writer))
        try:
            while data := await reader.read(65536):
                cut = self.armed and (b"COMMIT" in data or data.startswith(b"B"))
                if cut:
                    answers.cancel()
                    await asyncio.wait([answers])
                forth.write(data)
                if cut:
                    await back.read(65536)
                    return
        finally:
            answers.cancel()
            for end in (forth, writer):
                end.close()

    async def _answer(self, back: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await back.read(65536):
            writer.write(data)
        writer.close()


async def test_a_commit_whose_answer_is_lost_is_unknown_and_was_written(empty_url: str) -> None:
    wire = Wire(empty_url)
    async with wire as url, opened(url) as store:
        shard = await Shard.taken(store)
        await shard.commit(one_run(shard)[1])
        run_id, changes = one_run(shard)
        wire.armed = True
        with pytest.raises(UnknownOutcome):
            await shard.commit(changes)
        wire.armed = False
        await shard.take()
        assert await store.live.known(shard.shard_id, [run_id]) == {run_id: ""}


async def test_a_warning_at_commit_counts_as_unknown(empty_url: str) -> None:
    """As the server warns when a synchronous standby may lack what is committed here."""
    await execute(
        empty_url,
        "CREATE FUNCTION warn() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE WARNING 'canceling wait for synchronous replication'; RETURN NULL; END $$;"
        "CREATE CONSTRAINT TRIGGER warn AFTER INSERT ON run DEFERRABLE INITIALLY DEFERRED "
        "FOR EACH ROW EXECUTE FUNCTION warn()",
    )
    try:
        async with opened(empty_url) as store:
            shard = await Shard.taken(store)
            _, changes = one_run(shard)
            with pytest.raises(UnknownOutcome, match="synchronous replication"):
                await shard.commit(changes)
    finally:
        await execute(empty_url, "DROP TRIGGER warn ON run; DROP FUNCTION warn")


async def test_a_warning_before_commit_is_doubted_once(empty_url: str) -> None:
    """From then on commits are several statements, which tell the two apart."""
    await execute(
        empty_url,
        "CREATE FUNCTION warn() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE WARNING 'chatter'; RETURN NULL; END $$;"
        "CREATE TRIGGER warn AFTER INSERT ON run EXECUTE FUNCTION warn()",
    )
    try:
        async with opened(empty_url) as store:
            shard = await Shard.taken(store)
            with pytest.raises(UnknownOutcome, match="chatter"):
                await shard.queued(1)
            await shard.queued(1)
            await shard.queued(1)
    finally:
        await execute(empty_url, "DROP TRIGGER warn ON run; DROP FUNCTION warn")


@pytest.mark.slow
async def test_a_frozen_owner_holds_its_shard_for_about_a_second(
    postgres: PostgresStore, empty_url: str
) -> None:
    """The server ends a session that stops in the middle of its commit."""

    def take_over() -> None:
        async def other() -> None:
            async with opened(empty_url) as store:
                taken.append(await store.shards.take(shard.shard_id, "two"))

        in_thread(lambda: asyncio.run(other()))

    taken: list[int] = []
    freeze = Gate("inside", take_over)
    async with opened(empty_url, freeze) as store:
        shard = await Shard.taken(store)
        _, changes = one_run(shard)
        with pytest.raises(UnknownOutcome):
            await shard.commit(changes)
    assert taken == [2]
    assert await postgres.live.lanes(shard.shard_id) == []


async def test_an_injected_fault_reaches_the_caller_and_writes_nothing(empty_url: str) -> None:
    def fail() -> None:
        raise CommitRejected("injected")

    fault = Gate("inside", fail)
    async with opened(empty_url, fault) as store:
        shard = await Shard.taken(store)
        run_id, changes = one_run(shard)
        for fault.point in ("before", "inside"):
            with pytest.raises(CommitRejected, match="injected"):
                await shard.commit(changes)
            assert await store.live.known(shard.shard_id, [run_id]) == {}
        fault.point = "after"
        with pytest.raises(CommitRejected, match="injected"):
            await shard.commit(changes)
        assert await store.live.known(shard.shard_id, [run_id]) == {run_id: ""}


FREEZES = """
import asyncio, os, signal, sys
from mainspring.store.links import OWNER, Place

async def main():
    connection = await Place(sys.argv[1]).connect(OWNER)
    fence = f"SELECT 1 FROM shard WHERE shard_id = {sys.argv[2]} FOR KEY SHARE"
    await connection.execute(f"BEGIN; {fence}")
    if sys.argv[3] == "between two messages":  # the driver asks for a plan, and then binds values
        await connection.prepare("SELECT owner FROM shard WHERE shard_id = $1")
    os.kill(os.getpid(), signal.SIGSTOP)
    await connection.execute("COMMIT")

asyncio.run(main())
"""


@pytest.mark.slow
@pytest.mark.parametrize("place", ["between two statements", "between two messages"])
async def test_a_process_that_stands_still_in_its_commit_does_not_keep_the_shard(
    empty_url: str, place: str
) -> None:
    """It stood still for good: PostgreSQL itself would wait for it as long."""
    async with opened(empty_url) as store, opened(empty_url) as taker:
        shard = await Shard.taken(store, owner="one")
        arguments = [sys.executable, "-c", FREEZES, empty_url, str(shard.shard_id), place]
        frozen = await asyncio.to_thread(subprocess.Popen, arguments)
        try:
            await asyncio.to_thread(os.waitid, os.P_PID, frozen.pid, os.WSTOPPED | os.WNOWAIT)
            assert await taker.shards.take_from(shard.shard_id, "two", "one") == 2
        finally:
            frozen.send_signal(signal.SIGCONT)
            assert await asyncio.to_thread(frozen.wait) != 0  # its transaction is gone


async def test_a_session_that_is_at_work_is_waited_for(empty_url: str) -> None:
    """Only who is silent is ended, and only if it is one of us."""
    async with opened(empty_url) as store:
        shard = await Shard.taken(store, owner="one")
        async with holding(empty_url, shard) as foreign:  # by its name it is not one of us
            take = asyncio.ensure_future(store.shards.take(shard.shard_id, "two"))
            await until_it_waits(empty_url)
            await foreign.fetch("SELECT pg_sleep(2.5)")
            await foreign.execute("COMMIT")
            assert await take == 2
