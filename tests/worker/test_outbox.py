"""Frames, and what is kept of them."""

from hypothesis import given, strategies as st

from mainspring.wire.worker import Call, Capacity, Finished, FromWorker, LogLine, Logs
from mainspring.worker.outbox import FRAME_SIZE, Outbox


def end(name: str, size: int = 0) -> Finished:
    return Finished(name, 1, "completed", "x" * size)


def drained(outbox: Outbox) -> list[list[FromWorker]]:
    frames = []
    while (frame := outbox.next()) is not None:
        frames.append(frame.messages)
    return frames


def test_everything_that_waits_goes_into_one_frame() -> None:
    outbox = Outbox()
    outbox.add([end("a"), end("b")])
    outbox.add([Capacity(0)])

    assert drained(outbox) == [[end("a"), end("b"), Capacity(0)]]
    assert outbox.next() is None


def test_large_messages_are_spread_over_frames() -> None:
    half = FRAME_SIZE // 2 + 1
    line = LogLine("a", 0, "info", "x" * half)
    messages: list[FromWorker] = [
        end("a", half), Logs([line]), Call(1, b"x" * half), end("b", 3 * half), Capacity(1),  # type: ignore[arg-type]
    ]  # fmt: skip
    outbox = Outbox()
    outbox.add(list(messages))

    assert drained(outbox) == [messages[:2], messages[2:4], messages[4:]]


@given(st.lists(st.one_of(st.integers(1, 4), st.none(), st.integers(-5, 0))))
def test_messages_come_in_order_and_are_kept_until_they_are_durable(
    verbs: list[int | None],
) -> None:
    """A positive number adds so many messages, None sends a frame, others acknowledge."""
    outbox = Outbox()
    said = sent = durable = 0
    ends: dict[int, int] = {}
    heard: list[FromWorker] = []
    outbox.on_durable = heard.extend
    for verb in verbs:
        if verb is None:
            frame = outbox.next()
            if frame is not None:
                assert frame.number == len(ends) + 1
                sent += len(frame.messages)
                ends[frame.number] = sent
        elif verb > 0:
            outbox.add([Capacity(said + n) for n in range(verb)])
            said += verb
        else:
            number = max(0, len(ends) + verb)
            outbox.ack(number)
            durable = max(durable, ends.get(number, 0))
        assert list(outbox.messages()) == [Capacity(n) for n in range(durable, said)]
        assert heard == [Capacity(n) for n in range(durable)]
        assert [m for frame in outbox.kept for m in frame.messages] == [
            Capacity(n) for n in range(durable, sent)
        ]
