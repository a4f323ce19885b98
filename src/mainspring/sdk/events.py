"""Events, which let go on every run that waits for one of their name. Waiting is in `wait`."""

from __future__ import annotations

from typing import Any

from mainspring.errors import InvalidOptions
from mainspring.sdk.encode import BEYOND_JSON, to_json, why
from mainspring.sdk.journal import quoted
from mainspring.sdk.kept import kept
from mainspring.sdk.transport import ask
from mainspring.wire.calls import EmitEvent, Sent


async def emit(name: str, payload: Any = None) -> int:
    """Tell every run of the environment that waits for the event now; how many waits it ended.

    An event is not kept: a run that begins to wait later does not see it. In a run this is a step;
    if its worker dies after the event and before the step is recorded, the event is emitted again.

    Raises: InvalidOptions when the payload has no JSON form.
    """
    try:
        text = to_json(payload).decode()
    except BEYOND_JSON as error:
        raise InvalidOptions(f"The payload cannot be written as JSON: {why(error)}.") from error
    return await kept(f"emit:{quoted(name)}"[:128], _emit, name, text)


async def _emit(name: str, payload: str) -> int:
    return (await ask(EmitEvent(name, payload), Sent)).number
