"""Whatever arrives on a link is a message, or refused as one; never anything else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given, strategies as st

from mainspring.wire.beats import decode_known
from mainspring.wire.worker import (
    Ack,
    Call,
    Entry,
    Execute,
    Finished,
    Frame,
    Hello,
    LogLine,
    Logs,
    Record,
    Wait,
    decode_frame,
    decode_hello,
    decode_orders,
    encoder,
)

DECODERS: dict[str, Callable[[bytes], Any]] = {
    "frame": decode_frame,
    "hello": decode_hello,
    "orders": decode_orders,
    "known": decode_known,
}
VALID = [
    encoder.encode(Hello(1, "ses_1", 1, "v", [], [], runs=[("run_1", 2)])),
    encoder.encode(
        Frame(
            1,
            [
                Finished("run_1", 1, "completed", output='{"a": 1}'),
                Record("run_1", 1, 0, [Entry("0/a#1", 1, "step", data="1")]),
                Wait("run_1", 1, 0, "w", 1, "token", points=["waitpoint_1"]),
                Call(1, msgspec.Raw(b"\x80"), "run_1", 1),
                Logs([LogLine("run_1", 1, "info", "text")]),
            ],
        )
    ),
    encoder.encode([Ack(3), Execute("run_1", 1, 1, "task", payload="{}", queue="q")]),
]


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A valid message with bytes changed, taken out or put in."""
    data = bytearray(draw(st.sampled_from(VALID)))
    for _ in range(draw(st.integers(1, 8))):
        at = draw(st.integers(0, max(len(data) - 1, 0)))
        kind = draw(st.sampled_from("cdi"))
        if kind == "c" and data:
            data[at] = draw(st.integers(0, 255))
        elif kind == "d":
            del data[at : at + draw(st.integers(1, 5))]
        else:
            data[at:at] = draw(st.binary(min_size=1, max_size=9))
    return bytes(data)


@pytest.mark.parametrize("decoder", DECODERS)
@given(data=st.one_of(st.binary(max_size=300), damaged()))
def test_bytes_are_a_message_or_refused_as_none(decoder: str, data: bytes) -> None:
    try:
        DECODERS[decoder](data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize(
    "opening", [b"\x91", b"\x81\xa1a", b"\xdd\xff\xff\xff\xff", b"\xdf\xff\xff\xff\xff"]
)
def test_depth_and_announced_sizes_cost_nothing(decoder: str, opening: bytes) -> None:
    with pytest.raises((msgspec.DecodeError, UnicodeDecodeError, RecursionError)):
        DECODERS[decoder](opening * 10_000)
