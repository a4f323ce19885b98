"""The metadata of one run during a turn: what was read, what is to be changed. No rows, no rules of
who may change it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from mainspring.errors import CallerError
from mainspring.model.metadata import applied, applied_each
from mainspring.store.protocol import DocumentRow
from mainspring.wire.worker import Op

Cursor = tuple[int, int]
"""(epoch, frame) of a run's own worker."""

_texts: Final = msgspec.json.Decoder(tuple[str, ...]).decode


class Document:
    """Metadata and tags of a run.

    Attributes:
        read: the text as the turn found it, `text` as it is now.
        cursor: the last frame of the run's worker whose changes are in the rows.
        changed: whether a row has to be written.
    """

    __slots__ = (
        "changed", "cursor", "env_id", "later", "next", "parent_id", "read", "root_id", "run_id",
        "tags", "text",
    )  # fmt: skip

    def __init__(self, row: DocumentRow) -> None:
        self.run_id = row.run_id
        self.env_id = row.env_id
        self.parent_id = row.parent_id
        self.root_id = row.root_id
        self.read = self.text = row.metadata
        self.tags = _texts(row.tags) if row.tags else ()
        self.cursor: Cursor = (row.epoch, row.frame)
        self.next = self.cursor
        self.later: list[Op] = []
        self.changed = False

    def add(self, op: Op) -> None:
        """Apply a change with the others, at the end of the turn."""
        self.later.append(op)
        self.changed = True

    def fold(self) -> list[CallerError]:
        """Apply what was added so far; returns why some of it cannot be applied."""
        if not self.later:
            return []
        later, self.later = self.later, []
        self.text, refused = applied_each(self.text, later)
        return refused

    def preview(self, ops: Sequence[Op]) -> str:
        """The text after these changes. Raises: InvalidOptions, PayloadTooLarge."""
        return applied(self.text, ops)

    def put(self, text: str) -> None:
        """Take that text."""
        self.text = text
        self.changed = True
