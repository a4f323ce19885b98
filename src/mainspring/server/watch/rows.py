"""Rows of runs for everybody who watches them: read together, encoded once for each form."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

from mainspring.errors import MainspringError
from mainspring.model.run import Run
from mainspring.server.port import ShowPort

KEPT: Final = 1_024
KEPT_BYTES: Final = 8 * 1024 * 1024
TOGETHER: Final = 250
"""Rows of one statement."""
_FRAME: Final = 1_024


class Snapshot:
    """A run as it was read. `covers`: everything that commits up to that number made of it is in
    it. Encodings are made once.
    """

    __slots__ = ("_forms", "covers", "run")

    def __init__(self, run: Run, covers: int) -> None:
        self.run = run
        self.covers = max(covers, run.change)
        self._forms: dict[object, bytes] = {}

    def form(self, name: object, encode: Callable[[Run], bytes]) -> bytes:
        """The run as bytes of that form."""
        found = self._forms.get(name)
        if found is None:
            found = self._forms[name] = encode(self.run)
        return found

    @property
    def size(self) -> int:
        """About how many bytes it holds."""
        run = self.run
        texts = (run.payload, run.output, run.metadata)
        return _FRAME + sum(len(text) for text in texts if text is not None)


class Rows:
    """Reads the runs of one environment. What is asked for while a statement is under way goes into
    the next one, and who asks for the same row shares it.
    """

    def __init__(self, show: Callable[[], ShowPort]) -> None:
        self._show = show
        self._kept: dict[str, Snapshot] = {}
        self._size = 0
        self._next: dict[str, asyncio.Future[Snapshot | None]] = {}
        self._reading: asyncio.Task[None] | None = None

    async def get(self, wanted: Mapping[str, int | None]) -> dict[str, Snapshot]:
        """These runs, unknown and foreign ones missing. A number says that no later commit has
        changed the run; None = it is read anew. Raises: StoreUnavailable.
        """
        found: dict[str, Snapshot] = {}
        missing: list[str] = []
        for run_id, known in wanted.items():
            kept = self._kept.get(run_id)
            if kept is not None and known is not None and kept.covers >= known:
                found[run_id] = kept
            else:
                missing.append(run_id)
        if missing:
            futures = [self._ask(run_id) for run_id in missing]
            if self._reading is None:
                self._reading = asyncio.create_task(self._read_all(), name="realtime rows")
            for run_id, future in zip(missing, futures, strict=True):
                row = await asyncio.shield(future)  # one who leaves takes it from nobody
                if row is not None:
                    found[run_id] = row
        return found

    def _ask(self, run_id: str) -> asyncio.Future[Snapshot | None]:
        future = self._next.get(run_id)
        if future is None:
            future = self._next[run_id] = asyncio.get_running_loop().create_future()
            future.add_done_callback(_retrieve)
        return future

    async def _read_all(self) -> None:
        """Read until nobody asks any more."""
        try:
            while self._next:
                await asyncio.sleep(0)  # whoever the same change has woken asks now
                asked, self._next = self._next, {}
                ids = list(asked)
                for at in range(0, len(ids), TOGETHER):
                    await self._read({id_: asked[id_] for id_ in ids[at : at + TOGETHER]})
        finally:
            self._reading = None

    async def _read(self, asked: dict[str, asyncio.Future[Snapshot | None]]) -> None:
        try:
            show = self._show()
            covers = show.last
            runs = await show.runs(list(asked))
        except MainspringError as error:
            for future in asked.values():
                future.set_exception(error)
            return
        rows = {run.id: self._keep(Snapshot(run, covers)) for run in runs}
        for run_id, future in asked.items():
            future.set_result(rows.get(run_id))

    def _keep(self, row: Snapshot) -> Snapshot:
        old = self._kept.pop(row.run.id, None)
        self._size += row.size - (old.size if old is not None else 0)
        self._kept[row.run.id] = row
        while len(self._kept) > KEPT or (self._size > KEPT_BYTES and len(self._kept) > 1):
            self._size -= self._kept.pop(next(iter(self._kept))).size
        return row


def _retrieve(future: asyncio.Future[Snapshot | None]) -> None:
    """Read the error of a row that nobody waits for any more, so that nobody reports it."""
    if not future.cancelled():
        future.exception()
