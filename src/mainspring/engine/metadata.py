"""Plan changes of metadata: what the code of runs sends along, and what people ask for.

Every run's changes of a turn are applied in their order and become one row. The row keeps which
frame of the run's own worker was the last, so that a frame that comes again changes nothing.
"""

from __future__ import annotations

import logging
from asyncio import Future
from typing import Final

from msgspec import Struct

from mainspring.engine import held, requests
from mainspring.engine.batch import Batch, Facts, RequestId, Wanted
from mainspring.engine.document import Document
from mainspring.engine.edit import mark
from mainspring.engine.session import Session
from mainspring.engine.state import State
from mainspring.errors import CallerError, NotFound
from mainspring.model.limits import check_tags
from mainspring.wire.worker import LogLine, Op, Update

KEYS: Final = "!metadata"
"""Stands for the task where keys of requests are kept; no task is named so."""

log = logging.getLogger("mainspring.engine")


def want(state: State, wanted: Wanted, session: Session, update: Update) -> None:
    """Name what has to be looked up for changes that the code of a run has made."""
    held.want(state, wanted, session, update.run_id, update.epoch)
    want_documents(wanted, update.run_id, update.ops)


def want_documents(wanted: Wanted, run_id: str, ops: list[Op]) -> None:
    """Name the run, and its relatives if their metadata is meant."""
    wanted.documents.add(run_id)
    if any(op.target != "self" for op in ops):
        wanted.relatives.add(run_id)


def plan(
    state: State, batch: Batch, facts: Facts, session: Session, number: int, update: Update
) -> None:
    """Take in what the code of a run has changed, with the number of the frame that brought it.

    Another epoch, or a run that is not the session's any more, is fenced. What cannot be applied is
    left out and told in the run's log.
    """
    if held.attempt(state, batch, facts, session, update.run_id, update.epoch) is None:
        return
    document = facts.documents.get(update.run_id)
    if document is None:
        return
    if update.tags:
        _add_tags(batch, document, update.tags)
    at = (update.epoch, number)
    if update.ops and at > document.cursor:
        document.next = max(document.next, at)
        document.changed = True
        for op in update.ops:
            target_of(facts, document, op).add(op)


def target_of(facts: Facts, document: Document, op: Op) -> Document:
    """Whose metadata an operation changes; a run without a parent or root is its own."""
    target = {"parent": document.parent_id, "root": document.root_id}.get(op.target)
    return facts.documents.get(target or "", document)


def write(batch: Batch, facts: Facts) -> None:
    """Write one row for each run whose metadata has changed in this turn."""
    for document in facts.documents.values():
        if not document.changed:
            continue
        for error in document.fold():
            _tell(batch, document, error)
        text = "{}" if document.text is None else document.text
        document.text = text
        batch.changes.document.append((document.run_id, text, batch.now, *document.next))


class UpdateCall(Struct):
    """Somebody changes the metadata of a run; all changes are applied or none."""

    env_id: int
    run_id: str
    ops: list[Op]
    repeat_key: str | None
    future: Future[None]
    planned: tuple[Document, ...] = ()

    def want(self, wanted: Wanted) -> None:
        want_documents(wanted, self.run_id, self.ops)
        wanted.located.add(self.run_id)
        if self.repeat_key is not None:
            wanted.requests.add(self._key)

    def plan(self, state: State, batch: Batch, facts: Facts) -> bool:
        """Take the changes over."""
        document = facts.documents.get(self.run_id)
        if document is None:
            batch.answer(self.future, NotFound(f"Run {self.run_id} is not stored any more."))
            return True
        repeated = self.repeat_key is not None and self._key in facts.requests
        if repeated or self._is_kept(facts):
            batch.answer(self.future, None)
            return True
        try:
            texts = self._applied(batch, facts, document)
        except CallerError as error:
            batch.answer(self.future, error)
            return True
        for target, text in texts:
            target.put(text)
        mark(batch, facts, self.run_id)
        self.planned = tuple(target for target, _ in texts)
        if self.repeat_key is not None:
            requests.keep(batch, facts, self._key, self.run_id)
        batch.answer(self.future, None)
        return True

    @property
    def _key(self) -> RequestId:
        return (self.env_id, f"{KEYS}:{self.repeat_key}")

    def _applied(
        self, batch: Batch, facts: Facts, document: Document
    ) -> list[tuple[Document, str]]:
        by_target: dict[str, tuple[Document, list[Op]]] = {}
        for op in self.ops:
            target = target_of(facts, document, op)
            by_target.setdefault(target.run_id, (target, []))[1].append(op)
        for target, _ in by_target.values():
            for error in target.fold():
                _tell(batch, target, error)
        return [(target, target.preview(ops)) for target, ops in by_target.values()]

    def _is_kept(self, facts: Facts) -> bool:
        """Whether the doubtful commit that this was planned in has been written.

        It was the last one; so the rows hold either its texts or those before.
        """
        changed = [document for document in self.planned if document.text != document.read]
        return bool(changed) and all(
            (found := facts.documents.get(document.run_id)) is not None
            and found.read == document.text
            for document in changed
        )


def _add_tags(batch: Batch, document: Document, tags: tuple[str, ...]) -> None:
    """Add tags as `AddTags` does, up to what a run may have."""
    together = tuple(dict.fromkeys((*document.tags, *tags)))
    try:
        check_tags(together)
    except CallerError as error:
        _tell(batch, document, error)
        return
    for tag in together[len(document.tags) :]:
        batch.changes.tag.append((document.env_id, tag, document.run_id))
    document.tags = together


def _tell(batch: Batch, document: Document, error: CallerError) -> None:
    """What was left out, as a line of the run's log."""
    log.warning("run %s: %s", document.run_id, error.message)
    batch.lines.append(LogLine(document.run_id, batch.now, "warning", error.message))
