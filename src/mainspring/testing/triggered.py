"""What a test's code has triggered, and how to say that something was not. No engine here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from mainspring.model.run import TriggerOptions
from mainspring.sdk.encode import to_json

SHOWN: Final = 10
_MISSING: Final = object()


@dataclass(frozen=True)
class Triggered:
    """One trigger that was acknowledged.

    Attributes:
        payload: as decoded JSON.
        parent_id: the run whose code triggered it; None for the test itself.
        cached: a key or a debounce led to a run that was there before.
    """

    task: str
    payload: Any
    options: TriggerOptions
    run_id: str
    parent_id: str | None
    cached: bool


def matching(triggers: Sequence[Triggered], task: str, fields: dict[str, Any]) -> list[Triggered]:
    """Those of a task whose payload has all these fields with these values."""
    wanted = {name: plain(value) for name, value in fields.items()}
    return [one for one in triggers if one.task == task and not differences(one.payload, wanted)]


def complaint(triggers: Sequence[Triggered], task: str, fields: dict[str, Any]) -> str:
    """Why nothing matches: what was triggered instead, the nearest first."""
    wanted = {name: plain(value) for name, value in fields.items()}
    given = f" with {', '.join(f'{name}={value!r}' for name, value in wanted.items())}"
    lines = [f"Task {task!r} was not triggered{given if wanted else ''}."]
    same = [one for one in triggers if one.task == task]
    others = Counter(one.task for one in triggers if one.task != task)
    if same:
        lines.append(f"It was triggered {len(same)} {'time' if len(same) == 1 else 'times'}:")
        near = sorted(same, key=lambda one: len(differences(one.payload, wanted)))
        lines += [
            f"  {one.run_id}: {'; '.join(differences(one.payload, wanted))}" for one in near[:SHOWN]
        ]
        if len(near) > SHOWN:
            lines.append(f"  … and {len(near) - SHOWN} more")
    if others:
        listed = ", ".join(f"{name!r} ({count})" for name, count in sorted(others.items()))
        lines.append(f"Triggered were: {listed}.")
    if not triggers:
        lines.append("Nothing was triggered at all.")
    return "\n".join(lines)


def differences(payload: Any, wanted: dict[str, Any]) -> list[str]:
    """The wanted fields that a payload does not have so, each in words."""
    found = []
    for name, value in wanted.items():
        has = payload.get(name, _MISSING) if isinstance(payload, dict) else _MISSING
        if has is _MISSING:
            found.append(f"{name} is missing, {value!r} was expected")
        elif has != value:
            found.append(f"{name} is {has!r}, {value!r} was expected")
    return found


def plain(value: Any) -> Any:
    """The value as it looks in a payload."""
    return msgspec.json.decode(to_json(value))
