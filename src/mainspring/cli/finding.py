"""Finding things by what people type: shortened run ids, nearly right names. It only reads."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Final

from mainspring.cli.connection import Talk
from mainspring.errors import InvalidOptions, NotFound, UnknownTask
from mainspring.ids import shard_of
from mainspring.model.run import RunFilter
from mainspring.wire.calls import (
    ListQueues,
    ListRuns,
    ListTasks,
    Queue,
    QueueList,
    Task,
    TaskList,
    Token,
)

_PAGE: Final = 100
_RECENT: Final = 500
_SHORTEST: Final = 3


async def full_id(talk: Talk, text: str) -> str:
    """The run id that `text` stands for: a whole id, or the beginning or end of a recent one.

    Looks through the newest 500 runs.
    Raises: NotFound, InvalidOptions when several runs fit.
    """
    if _is_whole(text):
        return text
    if len(text) < _SHORTEST:
        raise InvalidOptions(
            f"{text!r} is too short for a run id; give at least {_SHORTEST} signs."
        )
    found: list[str] = []
    after, seen = None, 0
    while seen < _RECENT:
        page = await talk.ask(ListRuns(RunFilter(after=after, limit=_PAGE)))
        seen += len(page.runs)
        found += [run.id for run in page.runs if _fits(run.id, text)]
        after = page.next
        if after is None:
            break
    if len(found) > 1:
        shown = ", ".join(found[:5]) + (" …" if len(found) > 5 else "")
        raise InvalidOptions(f"{text!r} fits {len(found)} runs: {shown}. Give more of the id.")
    if not found:
        raise NotFound(
            f"No run among the newest {seen} has an id that begins or ends with {text!r}."
        )
    return found[0]


def token_url(talk: Talk, token: Token) -> str:
    """The address that completes a token without a key, on the server that was asked."""
    return f"{talk.settings.url.rstrip('/')}{token.callback}"


async def task_named(talk: Talk, name: str) -> Task:
    """The registered task. Raises: UnknownTask with the nearest names."""
    answer: TaskList = await talk.ask(ListTasks())
    for task in answer.tasks:
        if task.id == name:
            return task
    raise UnknownTask(
        f"No worker of this environment has registered a task {name!r}."
        + nearest(name, (task.id for task in answer.tasks), "task")
    )


async def queue_named(talk: Talk, name: str) -> Queue:
    """The queue by its name, or by the task whose own queue it is. Raises: NotFound."""
    answer: QueueList = await talk.ask(ListQueues())
    by_name = {queue.name: queue for queue in answer.queues}
    found = by_name.get(name) or by_name.get(f"task/{name}")
    if found is None:
        raise NotFound(f"There is no queue {name!r}." + nearest(name, by_name, "queue"))
    return found


def nearest(name: str, known: Iterable[str], kind: str) -> str:
    """A sentence that suggests similar names, or says which exist; empty when there are none."""
    names = list(known)
    near = difflib.get_close_matches(name, names, n=3)
    if near:
        return f" Did you mean {' or '.join(repr(found) for found in near)}?"
    if not names:
        return f" There is no {kind} yet; is a worker running?"
    return f" Known: {', '.join(sorted(names)[:8])}{' …' if len(names) > 8 else ''}."


def _is_whole(text: str) -> bool:
    try:
        shard_of(text)
    except (ValueError, NotFound):
        return False
    return text.startswith("run_")


def _fits(run_id: str, text: str) -> bool:
    return run_id.startswith((text, f"run_{text}")) or run_id.endswith(text)
