"""Whether a payload is the one that somebody waits for. Pure; no storage, no waits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from mainspring.model.metadata import same

_MISSING: Final = object()


def fits(wanted: Mapping[str, Any], payload: Any) -> bool:
    """Whether every wanted field is in the payload with an equal value.

    The name of a field inside of others is written with dots (`user.id`); a field whose own name
    holds dots is found too. Values are compared as JSON: 1 is 1.0, but not true.
    """
    return all(same(value, _field(payload, name)) for name, value in wanted.items())


def _field(payload: Any, name: str) -> Any:
    if not isinstance(payload, dict):
        return _MISSING
    if name in payload:
        return payload[name]
    head, dot, rest = name.partition(".")
    while dot:
        if head in payload:
            found = _field(payload[head], rest)
            if found is not _MISSING:
                return found
        more, dot, rest = rest.partition(".")
        head = f"{head}.{more}"
    return _MISSING
