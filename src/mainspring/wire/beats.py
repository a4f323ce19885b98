"""The two posts that a worker sends beside its link, as JSON: a sign of life, and a death."""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Struct

LINK: Final = "/api/worker/v1/link"
BEAT: Final = "/api/worker/v1/beat"
LOST: Final = "/api/worker/v1/lost"


class Named(Struct):
    """The body of both: `{"session_id": …}`. `how` it died: "crashed" = by itself, or code that it
    executed ended it; "killed" = by SIGKILL, whoever sent that; "" = it was told to end.
    """

    session_id: str
    how: str = ""


class Known(Struct):
    """The answer to a beat: `{"known": false}` = that session is over, begin a new one. The lease
    counts from when the beat was sent. Lost is always answered with true.
    """

    known: bool


decode_named: Final = msgspec.json.Decoder(Named).decode
decode_known: Final = msgspec.json.Decoder(Known).decode
