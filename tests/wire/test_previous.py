"""Messages and schema of the release before, as `./dev upgrade --record` wrote them down."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from mainspring.model.run import RunError
from mainspring.model.task import QueueSpec, TaskSpec
from mainspring.store import migrations
from mainspring.store.dialect import POSTGRES
from mainspring.wire import worker
from mainspring.wire.worker import Entry, Execute, Finished, Frame, Hello, Record, Wait
from tools import shapes

PREVIOUS = shapes.previous()
NOW = shapes.shapes()


def complaints(name: str, old: dict[str, Any], new: dict[str, Any] | None) -> Iterator[str]:
    """What the release before could not live with in a message of now."""
    if new is None:
        yield "the release before still sends it, or asks for it"
        return
    if (new["array"], new["tag"]) != (old["array"], old["tag"]):
        yield "it is another kind of message"
    names = [field for field, _, _ in old["fields"]]
    if old["array"] and [field for field, _, _ in new["fields"]][: len(names)] != names:
        yield "an array is read by places: new fields come last"
    fields = {field: (type_, optional) for field, type_, optional in new["fields"]}
    for field, type_, optional in old["fields"]:
        now, may_be_missing = fields.pop(field, ("nothing", False))
        if not accepts(now, type_):
            yield f"{field} was {type_}, and is {now}"
        if optional and not may_be_missing:
            yield f"the release before may leave {field} out"
    for field, (_, optional) in fields.items():
        if not optional:
            yield f"the release before does not send {field}: it needs a default"


def test_messages_are_only_added_to() -> None:
    found = [
        f"{name}: {complaint}"
        for name, old in PREVIOUS["messages"].items()
        for complaint in complaints(name, old, NOW.get(name))
    ]
    assert found == []


def accepts(now: str, before: str) -> bool:
    """Whether the type takes what it took; only messages may have joined it."""
    joined = set(now.split(" | ")) - set(before.split(" | "))
    return set(before.split(" | ")) <= set(now.split(" | ")) and joined <= NOW.keys()


def test_a_migration_that_servers_may_have_applied_stays_as_it_is() -> None:
    known = {one.name: one.checksum for one in migrations.known(POSTGRES)}
    assert {name: known.get(name) for name in PREVIOUS["migrations"]} == PREVIOUS["migrations"]


def test_both_releases_speak_the_same_protocol() -> None:
    assert PREVIOUS["protocol"] == worker.PROTOCOL, "a worker would be refused by the other server"


def before(name: str) -> type[msgspec.Struct]:
    """A message as the release before reads it, with values of any type."""
    told = PREVIOUS["messages"][name]
    fields = [
        (field, Any, None) if optional else (field, Any) for field, _, optional in told["fields"]
    ]
    return msgspec.defstruct(name, fields, array_like=True, tag=told["tag"])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "message",
    [
        Hello(1, "ses_1", 10, "v1", [TaskSpec("t", "q")], [QueueSpec("q")], apart=True),
        Execute("run_1", 2, 1, "t", "{}", "q", journal=[Entry("a", 1, "step")], apart=True),
        Finished("run_1", 2, "failed", error=RunError("no")),
        Wait("run_1", 2, 0, "a", 1, "run", ["run_2"]),
        Frame(1, [Record("run_1", 2, 0, [Entry("a", 1, "step", data="1")])]),
    ],
    ids=lambda message: type(message).__name__,
)
def test_what_is_sent_now_is_read_by_the_release_before_and_the_other_way_round(
    message: msgspec.Struct,
) -> None:
    old = before(type(message).__name__)
    read = msgspec.msgpack.decode(worker.encoder.encode(message), type=old)
    for field in old.__struct_fields__:
        sent = msgspec.msgpack.encode(getattr(message, field))
        assert getattr(read, field) == msgspec.msgpack.decode(sent)
    answer = msgspec.msgpack.decode(msgspec.msgpack.encode(read), type=type(message))
    for field in old.__struct_fields__:
        assert getattr(answer, field) == getattr(message, field)
