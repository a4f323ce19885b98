"""Keys as templates over the payload: `"user-{payload.userId}"`. Lookups only, no expressions."""

from __future__ import annotations

import re
from typing import Any, Final

from mainspring.errors import InvalidPayload, InvalidTask

_HOLE: Final = re.compile(r"\{payload((?:\.[^{}.]+)*)\}")


def check(template: str, name: str) -> None:
    """Refuse a template that could never be filled. Raises: InvalidTask naming `name`."""
    if "{" in _HOLE.sub("", template) or "}" in _HOLE.sub("", template):
        raise InvalidTask(
            f"{name}: {template!r} is not a key template; "
            'write fields of the payload as "{payload.user.id}".'
        )


def fill(template: str, payload: Any, name: str) -> str:
    """The template with its holes filled from the decoded payload.

    Raises: InvalidPayload when a field is missing, null or not a text, number or boolean.
    """

    def value(hole: re.Match[str]) -> str:
        found = payload
        for part in hole[1].split(".")[1:]:
            found = found.get(part) if isinstance(found, dict) else None
        if found is None or isinstance(found, dict | list):
            raise InvalidPayload(
                f"{name} needs {hole[0][1:-1]} as a text or number, and the payload has "
                f"{'no such field' if found is None else type(found).__name__}.",
                details=[{"path": hole[1].lstrip("."), "message": "needed for " + name}],
            )
        if isinstance(found, bool):
            return "true" if found else "false"
        return str(found)

    return _HOLE.sub(value, template)
