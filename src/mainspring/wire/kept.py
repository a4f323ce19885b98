"""What a journal keeps of a trigger: its runs, and the batch that they are. JSON text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec import Struct

from mainspring.model.run import TriggerAnswer

_Runs = list[tuple[str, bool]]


class _Batch(Struct):
    batch: str
    runs: _Runs


_decode: Final = msgspec.json.Decoder(_Runs | _Batch).decode
_encode: Final = msgspec.json.Encoder().encode


def text_of(answers: Sequence[TriggerAnswer], batch_id: str | None) -> str:
    """The text of an entry."""
    runs = [(answer.run_id, answer.cached) for answer in answers]
    return _encode(runs if batch_id is None else _Batch(batch_id, runs)).decode()


def runs_of(text: str | None) -> tuple[list[TriggerAnswer], str | None]:
    """What the text of an entry tells: the answers, and the id of the batch or None."""
    found = _decode(text or "[]")
    runs, batch_id = (found.runs, found.batch) if isinstance(found, _Batch) else (found, None)
    return [TriggerAnswer(*run) for run in runs], batch_id
