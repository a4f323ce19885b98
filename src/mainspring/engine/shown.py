"""Secrets taken out of answers that leave for people and programs outside of runs."""

from __future__ import annotations

from typing import Any, Final, TypeVar

import msgspec
from msgspec import Struct

from mainspring.model.redaction import Redaction
from mainspring.model.run import TriggerAnswer
from mainspring.wire import calls

Shown = TypeVar("Shown", bound=Struct)
PLAIN: Final = (calls.Triggered, TriggerAnswer, calls.VariableList)
"""Frequent answers that hold nothing of what tasks were given or made."""
_JSON: Final = frozenset({"payload", "output", "metadata", "data", "details"})
_TEXT: Final = frozenset({"message", "stack", "text", "reason"})
"""Fields with what tasks were given, returned, raised or wrote; ids and words are none."""


def hide(redaction: Redaction, response: Shown) -> Shown:
    """The response, or a part of one, without secrets, however deep it is."""
    hidden: Shown = _struct(redaction, response)
    return hidden


def _struct(redaction: Redaction, struct: Any) -> Any:
    changed: dict[str, Any] = {}
    for name in struct.__struct_fields__:
        old = getattr(struct, name)
        new = _field(redaction, name, old)
        if new is not old:
            changed[name] = new
    return msgspec.structs.replace(struct, **changed) if changed else struct


def _field(redaction: Redaction, name: str, value: Any) -> Any:
    if isinstance(value, Struct):
        return _struct(redaction, value)
    if isinstance(value, list) and value and isinstance(value[0], Struct):
        return [_struct(redaction, item) for item in value]
    if name in _TEXT and isinstance(value, str):
        return redaction.text(value)
    if name in _JSON:
        return redaction.json(value) if isinstance(value, str) else redaction.value(value)
    return value
