"""The tables of the archive and their columns, as people read them. Once released, columns are only
added to. Nothing is written here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from msgspec import Struct

Kind = Literal["runs", "batches"]
Type = Literal["text", "json", "number", "time", "flag", "texts"]
FORMAT: Final = "1"
"""Which form files have; every file says it."""


@dataclass(frozen=True)
class Column:
    """A column, and what people are told of it."""

    name: str
    type: Type
    words: str


def _columns(text: str) -> tuple[Column, ...]:
    """Columns from lines of name, type and words."""
    found = []
    for line in text.strip().splitlines():
        name, type_, words = line.split(None, 2)
        found.append(Column(name, type_, words))  # type: ignore[arg-type]
    return tuple(found)


TABLES: Final[dict[str, tuple[Column, ...]]] = {
    "run": _columns(
        """
        run_id            text    The run; ids sort by the time at which they were made.
        environment       text    The slug of its environment.
        task              text    Its task.
        queue             text    Its queue.
        concurrency_key   text    Its key within the queue, or empty.
        version           text    The version that it is pinned to, or empty.
        status            text    How it ended, as the API says it.
        attempt           number  The number of its last attempt; 0: it never started.
        created_at        time    When it was triggered.
        started_at        time    When its first attempt began.
        finished_at       time    When it ended.
        active_ms         number  How long it held a slot, in ms.
        parent_id         text    The run that triggered it.
        root_id           text    The first run of its tree.
        depth             number  How far it is from that one.
        batch_id          text    Its batch.
        replay_of         text    The run that it repeats.
        schedule_id       text    The schedule that made it.
        idempotency_key   text    Its key, as the caller gave it.
        priority_ms       number  How much earlier than its age it was to run, in ms.
        ttl_ms            number  How long it was allowed to wait, in ms.
        max_attempts      number  How many attempts it was allowed.
        max_duration_ms   number  How long it was allowed to run, in ms.
        machine           text    The machine that it asked for.
        region            text    The region that it asked for.
        is_test           flag    Whether it was a test.
        trace             text    The W3C traceparent of its caller.
        tags              texts   Its tags.
        streams           texts   The streams that it wrote.
        metadata          json    Its metadata.
        payload           json    Its payload, also a large one.
        output            json    Its output, also a large one.
        error             json    Why it failed: message, name, stack.
        """
    ),
    "step": _columns(
        """
        run_id            text    The run.
        seq               number  Its place in the order in which the run came to it.
        key               text    Its key in the journal.
        generation        number  Which journal of the run: each attempt from scratch has its own.
        kind              text    What it is: step, wait, trigger, attempt and so on.
        status            text    How it ended.
        epoch             number  Grows with each time that the run was given to a worker.
        started_at        time    When it began.
        ended_at          time    When it ended.
        fingerprint       text    What its arguments were, as a hash, or empty.
        data              json    Its result, also a large one.
        """
    ),
    "log": _columns(
        """
        run_id            text    The run.
        seq               number  The number of the line in the run.
        at                time    When it was written.
        level             text    Its level.
        message           text    Its text.
        data              json    Its fields.
        """
    ),
    "span": _columns(
        """
        run_id            text    The run within which a program made it.
        span_id           text    Its id.
        parent_id         text    The span that it is part of, or empty.
        name              text    Its name.
        kind              text    Its kind, as OpenTelemetry has it.
        service           text    The program.
        started_at        time    When it began.
        ended_at          time    When it ended.
        error             text    Why it failed.
        model             text    The language model that was called, or empty.
        input_tokens      number  Tokens that it read.
        output_tokens     number  Tokens that it wrote.
        cost              number  What it cost, in millionths of a dollar.
        attributes        json    Its attributes.
        """
    ),
    "stream": _columns(
        """
        run_id            text    The run.
        stream            text    The stream's name.
        number            number  The chunk's number, from 0.
        created_at        time    When it was written.
        data              json    The chunk.
        """
    ),
    "input": _columns(
        """
        run_id            text    The run.
        stream            text    The input stream's name.
        number            number  The record's number, from 0.
        created_at        time    When it was sent.
        data              json    The record, also a large one.
        """
    ),
    "batch": _columns(
        """
        batch_id          text    The batch.
        environment       text    The slug of its environment.
        run_count         number  How many items it was to have.
        received          number  How many it has.
        failed            number  How many of them became no run.
        parent_id         text    The run that made it.
        idempotency_key   text    Its key, as the caller gave it.
        created_at        time    When it was made.
        updated_at        time    When it was changed last.
        sealed_at         time    When its last item was in.
        """
    ),
    "batch_item": _columns(
        """
        batch_id          text    The batch.
        number            number  The item's number, from 0.
        run_id            text    Its run.
        task              text    Its task.
        error             text    Why there is no run.
        code              text    The same as a code.
        """
    ),
}
"""Every table; the first column is what its rows belong to."""

KINDS: Final[dict[Kind, tuple[str, ...]]] = {
    "runs": ("run", "step", "log", "span", "stream", "input"),
    "batches": ("batch", "batch_item"),
}
"""What an archive of that kind has files of. The first table has one row for each id."""


class ArchiveFile(Struct, frozen=True):
    """One file: `name` below the place of the archives, `sha256` of its bytes."""

    table: str
    name: str
    rows: int
    bytes: int
    sha256: str
