"""The query of a list of runs or of wait tokens, read into a filter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from mainspring.errors import CallerError, InvalidOptions
from mainspring.model.run import RunFilter, Status
from mainspring.wire import moments, pages
from mainspring.wire.calls import ListTokens
from mainspring.wire.options import MACHINES
from mainspring.wire.words import status_from

_OF_RUNS: Final = (
    "status",
    "taskIdentifier",
    "tag",
    "queue",
    "version",
    "machine",
    "region",
    "bulkAction",
    "schedule",
    "error",
    "batch",
    "isTest",
    "createdAt",
)
_OF_TOKENS: Final = ("status", "idempotencyKey", "tags", "createdAt")
TOKEN_STATUSES: Final = ("waiting", "completed", "timed_out")
_VALUES: Final = 100
_LENGTH: Final = 256


def run_filter(query: Mapping[str, str], now: int, more: tuple[str, ...] = ()) -> RunFilter:
    """What `filter[…]` and `page[…]` ask for; several values of one filter mean any of them.

    `now` (epoch ms) is the end of `filter[createdAt][period]`; `more` filters are the caller's.
    Raises: CallerError naming every bad filter.
    """
    found = _Reading(query)
    found.refuse_others((*_OF_RUNS, *more))
    filter_ = RunFilter(
        status=found.statuses(),
        task=found.texts("taskIdentifier"),
        tag=found.texts("tag"),
        queue=found.texts("queue"),
        version=found.texts("version"),
        machine=found.machines(),
        region=found.texts("region"),
        schedule=found.texts("schedule"),
        bulk=found.texts("bulkAction"),
        error=found.texts("error"),
        batch_id=next(iter(found.texts("batch")), None),
        is_test=found.truth("isTest"),
        created_from=found.moment("from"),
        created_to=found.moment("to"),
    )
    found.finish(filter_, now)
    return filter_


def token_filter(query: Mapping[str, str], now: int) -> ListTokens:
    """What `filter[…]` and `page[…]` of a list of wait tokens ask for; as `run_filter`."""
    found = _Reading(query)
    found.refuse_others(_OF_TOKENS)
    wanted = ListTokens(
        status=tuple(word.lower() for word in found.texts("status")),
        tags=found.texts("tags"),
        idempotency_key=next(iter(found.texts("idempotencyKey", split=False)), None),
        created_from=found.moment("from"),
        created_to=found.moment("to"),
    )
    for word in wanted.status:
        if word not in TOKEN_STATUSES:
            allowed = ", ".join(status.upper() for status in TOKEN_STATUSES)
            found.bad("filter[status]", f"{word[:40]!r} is no status; {allowed}")
    found.finish(wanted, now)
    return wanted


class _Reading:
    """One query; collects what is wrong with it."""

    def __init__(self, query: Mapping[str, str]) -> None:
        self.query = query
        self.problems: list[dict[str, str]] = []

    def refuse_others(self, known: tuple[str, ...]) -> None:
        """A misspelt filter would otherwise show everything."""
        for path in self.query:
            name = path.removeprefix("filter[").partition("]")[0]
            if path.startswith("filter[") and name not in known:
                self.bad(path[:60], f"there is no such filter; {', '.join(known)}")

    def finish(self, filter_: RunFilter | ListTokens, now: int) -> None:
        """Read the period and the page too. Raises: CallerError with everything that is wrong."""
        period = self.query.get("filter[createdAt][period]")
        if period:
            since = self.since(period, now)
            filter_.created_from = max(since, filter_.created_from or 0)
        try:
            cut = pages.cut(self.query)
        except CallerError as error:
            self.problems.append({"path": "page", "message": error.message})
            cut = pages.Cut()
        if self.problems:
            listed = "; ".join(problem["message"] for problem in self.problems)
            raise CallerError(f"Query Error: {listed}", details=self.problems)
        filter_.limit, filter_.after, filter_.before = cut.size, cut.after, cut.before

    def texts(self, name: str, *, split: bool = True) -> tuple[str, ...]:
        """The values of a comma list, or with `split` off the one value as it is."""
        path = f"filter[{name}]"
        given = self.query.get(path, "")
        parts = (part.strip() for part in given.split(",")) if split else (given,)
        values = tuple(dict.fromkeys(parts))
        values = tuple(value for value in values if value)
        if len(values) > _VALUES:
            return self.bad(path, f"{len(values)} values; at most {_VALUES} are allowed")
        for value in values:
            if len(value) > _LENGTH or "\0" in value:
                return self.bad(path, f"{value[:40]!r} is over {_LENGTH} characters or holds NUL")
        return values

    def statuses(self) -> tuple[Status, ...]:
        found: dict[Status, None] = {}
        for word in self.texts("status"):
            status = status_from(word)
            if status is None:
                allowed = ", ".join(status.name for status in Status)
                return self.bad("filter[status]", f"{word[:40]!r} is no status; {allowed}")
            found[status] = None
        return tuple(found)

    def machines(self) -> tuple[str, ...]:
        found = self.texts("machine")
        for name in found:
            if name not in MACHINES:
                return self.bad(
                    "filter[machine]", f"{name[:40]!r} is no machine; {', '.join(MACHINES)}"
                )
        return found

    def truth(self, name: str) -> bool | None:
        text = self.query.get(f"filter[{name}]")
        if text and text not in ("true", "false"):
            self.bad(f"filter[{name}]", f"{text[:40]!r}; true or false is allowed")
        return text == "true" if text else None

    def moment(self, name: str) -> int | None:
        path = f"filter[createdAt][{name}]"
        text = self.query.get(path)
        if not text:
            return None
        try:
            number = text.isascii() and text.isdecimal() and len(text) < 16
            return moments.moment_ms(int(text) if number else text)
        except InvalidOptions as error:
            self.bad(path, error.message)
            return None

    def since(self, period: str, now: int) -> int:
        try:
            return now - moments.duration_ms(period)
        except InvalidOptions as error:
            self.bad("filter[createdAt][period]", error.message)
            return 0

    def bad(self, path: str, message: str) -> tuple[()]:
        self.problems.append({"path": path, "message": f"{path}: {message}"})
        return ()
