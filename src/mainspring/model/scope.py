"""What a public token or a limited key covers: `action:type[:id]`, read and compared. No tokens."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

Resource = tuple[str, str]
"""A type and an id, such as ("runs", "run_…"); the id "" is everything of that type."""

ALL: Final = "all"
EVERYTHING: Final = "admin"
MOST: Final = 1000
LONGEST: Final = 512


def covers(scopes: Iterable[str], action: str, resources: Sequence[Resource]) -> bool:
    """Whether one of the scopes allows the action on one of the resources.

    `admin` allows everything; `*` is any action, `all` any type; without an id a scope covers its
    whole type, and an id is all that follows the second colon.
    """
    return any(_matches(scope, action, resources) for scope in scopes)


def within(scope: str, granted: Iterable[str] | None) -> bool:
    """Whether a key with these scopes (None = no limits) may give that scope away."""
    action, type_, id_ = _parts(scope)
    if scope != EVERYTHING and (not action or not type_):
        return False
    return granted is None or covers(granted, action, [(type_ or ALL, id_)])


def _matches(scope: str, action: str, resources: Sequence[Resource]) -> bool:
    if scope == EVERYTHING:
        return True
    allowed, type_, id_ = _parts(scope)
    if not allowed or not type_ or allowed not in (action, "*"):
        return False
    return any(
        type_ == ALL or (type_ == found and (not id_ or id_ == named)) for found, named in resources
    )


def _parts(scope: str) -> tuple[str, str, str]:
    action, _, rest = scope.partition(":")
    type_, _, id_ = rest.partition(":")
    return action, type_, id_
