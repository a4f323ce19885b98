"""The secrets of this process, taken out of what its runs print, log and raise before it leaves."""

from __future__ import annotations

from collections.abc import Iterable

from mainspring.model.redaction import Redaction


class _Process:
    """What this process must not tell; the processes that it forks have it too."""

    redaction = Redaction()


def hide(secrets: Iterable[str]) -> None:
    """From now on, hide these."""
    _Process.redaction = Redaction(secrets)


def shown(text: str) -> str:
    """The text without secrets."""
    return _Process.redaction.text(text)


def shown_json(text: str) -> str:
    """JSON text without secrets."""
    return _Process.redaction.json(text)
