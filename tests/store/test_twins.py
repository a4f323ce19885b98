"""The same verbs on both databases at random: same answers, same errors, same rows."""

import asyncio
import itertools
import random
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from hypothesis import settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from mainspring.errors import MainspringError
from mainspring.ids import IdSource
from mainspring.model.run import Run, RunFilter, Status
from mainspring.store.changes import PLAN, Changes
from mainspring.store.postgres import PostgresStore
from mainspring.store.protocol import InboxRow, Store
from mainspring.store.sqlite import SqliteStore
from mainspring.testing.store_rows import NOW, Shard
from mainspring.wire.worker import LogLine

ENV, POOL = 5, 8
SHARDS = itertools.count(1_000)  # each example has a shard of its own in the shared database
KINDS = ("delay", "retry", "wait", "version")
ENDS = ("completed", "canceled", "failed", "crashed", "system_failure", "expired", "timed_out")
TASKS, QUEUES, VERSIONS, TAGS = ("t", "u"), ("task/t", "q"), ("", "v2"), ("x", "y", "z")

Verb = Callable[[Store], Coroutine[Any, Any, Any]]
few = st.lists(st.integers(0, POOL - 1), min_size=1, max_size=4, unique=True)
text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
some = st.sampled_from


def subset(values: tuple[Any, ...]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(some(values), max_size=2, unique=True).map(tuple)


class Twins(RuleBasedStateMachine):
    """Commits are made of what SQLite says of each run, so that most of them are accepted."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.stores: list[Store] = [SqliteStore(":memory:"), PostgresStore(url)]
        self.shard_id = next(SHARDS)
        source = IdSource(random.Random(3))
        self.ids = [source.new("run", NOW + at * 1_000, 7) for at in range(POOL)]
        self.shard = Shard(self.stores[0], self.shard_id, ENV)
        for store in self.stores:
            self.runner.run(store.open())
        self.take()

    def teardown(self) -> None:
        for store in self.stores:
            self.runner.run(store.close())
        self.runner.close()

    def both(self, verb: Verb) -> Any:
        """What both answer; fails when they differ."""
        answers = [self.runner.run(self.tried(verb(store))) for store in self.stores]
        assert answers[0] == answers[1]
        return answers[0]

    async def tried(self, verb: Coroutine[Any, Any, Any]) -> Any:
        try:
            return await verb
        except MainspringError as error:
            # the databases word the cause of a refused row differently
            return type(error).__name__, error.message.partition(":")[0]

    def commit(self, changes: Changes, epoch: int | None = None) -> Any:
        held = self.shard.epoch if epoch is None else epoch
        return self.both(lambda store: claimed(store, self.shard_id, held, changes))

    @rule()
    def take(self) -> None:
        self.shard.epoch = self.both(lambda store: store.shards.take(self.shard_id, "twin"))

    @rule(
        chosen=few,
        to=some(["ready", "resume", "start", "park", "done", "claim", "stay"]),
        kind=some(KINDS),
        end=some(ENDS),
        version=some(VERSIONS),
        note=text,
        stale=some([0, 0, 0, 0, 1]),
    )
    def move(
        self, chosen: list[int], to: str, kind: str, end: str, version: str, note: str, stale: int
    ) -> None:
        """Take runs from where they are (or make them) to one place."""
        shard, changes = self.shard, Changes(NOW + 77)
        ids = [self.ids[at] for at in chosen]
        live = {
            row.run_id: row
            for row in self.runner.run(self.stores[0].live.locate(self.shard_id, ids))
        }
        known = self.runner.run(self.stores[0].live.known(self.shard_id, ids))
        for at, run_id in zip(chosen, ids, strict=True):
            row, epoch = live.get(run_id), 1
            if run_id not in known:
                self.make(changes, at, version, note)
            elif row is None:
                continue  # has ended
            elif to == "claim" and row.place == "ready":
                changes.claim.append((run_id, note, ""))
                continue
            else:
                epoch = row.epoch + stale
                drop = getattr(changes, f"drop_{row.place}")
                drop.append((run_id, epoch) if row.place == "active" else (run_id,))
            lane = {"version": version, "ord": at * 3 % 4}
            if to == "start":
                shard.start(changes, run_id, epoch=epoch, session_id=note, **lane)
            elif to == "park":
                shard.park(changes, run_id, kind, epoch=epoch, started_at=at, **lane)
            elif to == "done":
                shard.done(changes, run_id, end, epoch=epoch, output=note, finished_at=at)
            else:
                shard.ready(changes, run_id, epoch=epoch, resume=int(to == "resume"), **lane)
        self.commit(changes)

    def make(self, changes: Changes, at: int, version: str, note: str) -> None:
        self.shard.run(
            changes,
            self.ids[at],
            task=TASKS[at % 2],
            queue=QUEUES[at // 2 % 2],
            version=version,
            payload=note or None,
            batch_id=("batch_1", None)[at % 2],
            parent_id=self.ids[0] if at % 3 else None,
            is_test=at % 2,
            created_at=NOW + at * 1_000,
        )

    @rule(chosen=few, tags=subset(TAGS), note=text, number=st.integers(0, 3), stale=some([0, 0, 1]))
    def note(
        self, chosen: list[int], tags: tuple[str, ...], note: str, number: int, stale: int
    ) -> None:
        """Everything else that a commit may write, whether its runs exist or not."""
        changes = Changes(NOW)
        for at in chosen:
            run_id, key = self.ids[at], (ENV, "t", f"k{at % 3}")
            changes.tag += [(ENV, tag, run_id) for tag in tags]
            changes.metadata.append((run_id, note, NOW + number))
            changes.journal.append(
                (run_id, note, number, "step", 1, "ok", None, NOW, None, 0, None, "")
            )
            entry = (
                run_id,
                "!start",
                number,
                "step",
                1,
                "ok",
                note,
                NOW,
                None,
                at,
                note or None,
                "",
            )
            changes.journal.append(entry)
            point = ("", self.ids[at - 1])[at % 2]
            wait = (run_id, f"k{number}", point, "run", 0, at, number, note or None, "", NOW)
            changes.edge.append(wait)
            changes.timer.append((number, "ttl", run_id))
            changes.payload.append((run_id, note, None))
        changes.key = [(*key, self.ids[chosen[0]], NOW + number)]
        changes.debounce = [(*key, self.ids[chosen[0]], 1, number, note or None)]
        changes.rate = [(ENV, "q", note, number)]
        self.commit(changes, self.shard.epoch - stale)

    @rule(chosen=few, number=st.integers(0, 3))
    def drop(self, chosen: list[int], number: int) -> None:
        changes = Changes(NOW)
        for at in chosen:
            changes.drop_timer.append((number, "ttl", self.ids[at]))
            changes.drop_inbox.append((f"inbox{at}",))
            changes.drop_edge.append((self.ids[at], f"k{number}", self.ids[at - 1]))
        key = (ENV, "t", f"k{chosen[0] % 3}")
        changes.drop_key = [(*key, self.ids[chosen[0]])]
        changes.drop_debounce = [key]
        self.commit(changes)

    @rule(most=st.integers(1, POOL), stale=some([0, 0, 0, 1]), at=st.integers(1, 9))
    def cancel(self, most: int, stale: int, at: int) -> None:
        active = self.runner.run(self.stores[0].live.active(self.shard_id))[:most]
        changes = Changes(NOW)
        changes.cancel = [(row.run_id, row.epoch + stale, at) for row in active]
        self.commit(changes)

    @rule(chosen=few, name=some(PLAN), note=text)
    def break_rule(self, chosen: list[int], name: str, note: str) -> None:
        """A list with a value that no column takes."""
        changes = Changes(NOW)
        if name == "park":
            self.shard.park(changes, self.ids[chosen[0]], "other")
        elif name == "done":
            self.shard.done(changes, self.ids[chosen[0]], "executing")
        else:
            changes.timer = [(None, note, self.ids[chosen[0]])]
        self.commit(changes)

    @rule(at=st.integers(0, POOL - 1), note=text)
    def write_beside(self, at: int, note: str) -> None:
        """What is not fenced."""
        row = InboxRow(f"inbox{at}", ENV, self.ids[at], "t", note, "{}", at)
        self.both(lambda store: store.runs.trigger_later(self.shard_id, row))
        lines = [LogLine(self.ids[at], at, "info", note), LogLine(self.ids[0], 1, "warn", "")]
        self.both(lambda store: store.runs.append_logs(self.shard_id, lines))
        self.both(lambda store: store.runs.logs(self.shard_id, self.ids[0], at, 3))

    @rule(
        status=subset(tuple(Status)),
        task=subset(TASKS),
        tag=subset(TAGS),
        queue=subset(QUEUES),
        version=subset(VERSIONS),
        batch_id=some(["batch_1", "none", *[None] * 5]),
        is_test=some([True, False, None, None, None]),
        since=some([NOW + 2_000, None, None]),
        until=some([NOW + 5_000, None, None]),
        limit=st.integers(1, 5),
        cursor=some([("after", 3), ("before", 3), None, None]),
    )
    def page(self, cursor: tuple[str, int] | None, since: Any, until: Any, **given: Any) -> None:
        wanted = RunFilter(created_from=since, created_to=until, **given)
        if cursor:
            setattr(wanted, cursor[0], self.ids[cursor[1]])
        found = self.both(lambda store: store.runs.page(self.shard_id, ENV, wanted))
        runs = self.runner.run(self.stores[0].runs.many(self.shard_id, self.ids))
        assert [run.id for run in found] == expected(runs, wanted)

    @invariant()
    def rows_are_the_same(self) -> None:
        shard_id, ids = self.shard_id, self.ids
        keys = [(ENV, "t", f"k{at}") for at in range(3)]
        lanes = [((ENV, "task/t", "", v), 1, ids[1], most) for v, most in (("", 2), ("v2", 9))]
        entries = [(id_, "!start", at) for id_ in ids for at in (0, 2)]
        reads: list[Verb] = [
            lambda store: store.waits.history(shard_id, ids),
            lambda store: store.waits.generations(shard_id, ids),
            lambda store: store.waits.losses(shard_id, ids),
            lambda store: store.waits.foreign(shard_id),
            lambda store: by_id(store.waits.entries(shard_id, entries)),
            lambda store: by_id(store.waits.of_runs(shard_id, ids)),
            lambda store: by_id(store.waits.on(shard_id, ids)),
            lambda store: by_id(store.waits.ends(shard_id, ids)),
            lambda store: store.live.active(shard_id),
            lambda store: store.live.lanes(shard_id),
            lambda store: store.live.resumes(shard_id),
            lambda store: store.live.known(shard_id, ids),
            lambda store: store.live.done_epochs(shard_id, ids),
            lambda store: store.live.refill(shard_id, lanes),
            lambda store: store.live.timers(shard_id, (1, "ttl", ids[2]), 2, 4),
            lambda store: store.live.rates(shard_id),
            lambda store: store.live.inbox(shard_id, 5),
            lambda store: store.runs.children(shard_id, ids[0], ids[1], 3),
            lambda store: by_id(store.live.locate(shard_id, ids)),
            lambda store: by_id(store.live.keys(shard_id, keys)),
            lambda store: by_id(store.live.debounces(shard_id, keys)),
            lambda store: by_id(store.runs.many(shard_id, ids)),
        ]
        for read in reads:
            self.both(read)


async def by_id(rows: Coroutine[Any, Any, list[Any]]) -> list[Any]:
    return sorted(await rows, key=repr)


async def claimed(store: Store, shard_id: int, epoch: int, changes: Changes) -> list[Any]:
    return sorted(await store.shards.commit(shard_id, epoch, changes), key=repr)


def expected(runs: list[Run], wanted: RunFilter) -> list[str]:
    """The page that the filter's words describe."""
    found = sorted(run.id for run in runs if matches(run, wanted))
    if wanted.before:
        return [id_ for id_ in found if id_ > wanted.before][: wanted.limit + 1][::-1]
    return [id_ for id_ in found[::-1] if not wanted.after or id_ < wanted.after][
        : wanted.limit + 1
    ]


def matches(run: Run, wanted: RunFilter) -> bool:
    return (
        (not wanted.status or run.status in wanted.status)
        and (not wanted.task or run.task in wanted.task)
        and (not wanted.tag or bool(set(run.tags) & set(wanted.tag)))
        and (not wanted.queue or run.queue in wanted.queue)
        and (not wanted.version or run.version in wanted.version)
        and wanted.batch_id in (None, run.batch_id)
        and wanted.is_test in (None, run.is_test)
        and (wanted.created_from is None or run.created_at >= wanted.created_from)
        and (wanted.created_to is None or run.created_at <= wanted.created_to)
    )


@pytest.mark.slow
def test_both_databases_answer_alike(store_url: str) -> None:
    run_state_machine_as_test(
        lambda: Twins(store_url), settings=settings(max_examples=20, stateful_step_count=20)
    )
