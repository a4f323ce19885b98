"""What is said over `/api/v1/realtime`, as JSON texts. Offsets are opaque: send them back."""

from __future__ import annotations

from typing import Literal

from msgspec import Raw, Struct, field

Topic = Literal["run", "tags", "batch", "list", "logs"]
Reason = Literal["finished", "slow", "moved", "unsubscribed"]


class Subscribe(Struct, tag_field="op", tag="subscribe", rename="camel", omit_defaults=True):
    """Hear of one run, the runs with all tags, those of a batch, all runs, or a run's log lines.

    `id` is the caller's name for it. `from_` is the offset of the last message that was handled;
    empty = begin with what there is now.
    """

    id: str
    topic: Topic
    run: str = ""
    tags: list[str] = []
    batch: str = ""
    created_at: str = ""
    from_: str = field(default="", name="from")


class Unsubscribe(Struct, tag_field="op", tag="unsubscribe"):
    id: str


class Ack(Struct, tag_field="op", tag="ack"):
    """Everything up to that message was handled; so many more may come."""

    id: str
    offset: str


FromClient = Subscribe | Unsubscribe | Ack


class Subscribed(Struct, tag_field="op", tag="subscribed"):
    """`window`: so many messages come before one of them has to be acknowledged."""

    id: str
    window: int


class Runs(Struct, tag_field="op", tag="runs"):
    """Runs that have changed, as they are now. Who is slow gets the newest state only."""

    id: str
    offset: str
    runs: list[Raw]


class Lines(Struct, tag_field="op", tag="lines"):
    """Log lines; none is left out."""

    id: str
    offset: str
    lines: list[Raw]


class Ended(Struct, tag_field="op", tag="ended"):
    """A subscription is over: nothing will change any more (finished), too little was acknowledged
    (slow), another server has the runs (moved), or as asked. Subscribe again from `offset`.
    """

    id: str
    offset: str
    reason: Reason


class Refused(Struct, tag_field="op", tag="error", omit_defaults=True):
    """A message was not obeyed."""

    id: str
    code: str
    error: str


class Goodbye(Struct, tag_field="op", tag="goodbye"):
    """The server ends the connection: connect again after `retry` ms, from the last offsets."""

    retry: int


FromServer = Subscribed | Runs | Lines | Ended | Refused | Goodbye
