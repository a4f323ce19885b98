"""The query of a list of runs, read into a filter of the model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from mainspring.errors import CallerError, InvalidOptions, NotBuilt
from mainspring.model.run import RunFilter, Status
from mainspring.wire import moments, pages
from mainspring.wire.words import status_from

_UNBUILT: Final = ("machine", "region", "bulkAction", "schedule", "error")
_BUILT: Final = (
    "status",
    "taskIdentifier",
    "tag",
    "queue",
    "version",
    "batch",
    "isTest",
    "createdAt",
)
_VALUES: Final = 100
_LENGTH: Final = 256


def run_filter(query: Mapping[str, str], now: int) -> RunFilter:
    """What `filter[…]` and `page[…]` ask for; several values of one filter mean any of them.

    `now` (epoch ms) is the end of `filter[createdAt][period]`.
    Raises: CallerError naming every bad filter, NotBuilt for one that this release cannot apply.
    """
    for name in _UNBUILT:
        if query.get(f"filter[{name}]"):
            raise NotBuilt(f"filter[{name}] is not built yet; leave it out.")
    found = _Reading(query)
    found.refuse_others()
    filter_ = RunFilter(
        status=found.statuses(),
        task=found.texts("taskIdentifier"),
        tag=found.texts("tag"),
        queue=found.texts("queue"),
        version=found.texts("version"),
        batch_id=next(iter(found.texts("batch")), None),
        is_test=found.truth("isTest"),
        created_from=found.moment("from"),
        created_to=found.moment("to"),
    )
    period = query.get("filter[createdAt][period]")
    if period:
        since = found.since(period, now)
        filter_.created_from = max(since, filter_.created_from or 0)
    try:
        cut = pages.cut(query)
    except CallerError as error:
        found.problems.append({"path": "page", "message": error.message})
        cut = pages.Cut()
    if found.problems:
        listed = "; ".join(problem["message"] for problem in found.problems)
        raise CallerError(f"Query Error: {listed}", details=found.problems)
    filter_.limit, filter_.after, filter_.before = cut.size, cut.after, cut.before
    return filter_


class _Reading:
    """One query; collects what is wrong with it."""

    def __init__(self, query: Mapping[str, str]) -> None:
        self.query = query
        self.problems: list[dict[str, str]] = []

    def refuse_others(self) -> None:
        """A misspelt filter would otherwise show everything."""
        for path in self.query:
            name = path.removeprefix("filter[").partition("]")[0]
            if path.startswith("filter[") and name not in _BUILT and name not in _UNBUILT:
                self._bad(path[:60], f"there is no such filter; {', '.join(_BUILT)}")

    def texts(self, name: str) -> tuple[str, ...]:
        """The values of a comma list."""
        path = f"filter[{name}]"
        values = tuple(dict.fromkeys(part.strip() for part in self.query.get(path, "").split(",")))
        values = tuple(value for value in values if value)
        if len(values) > _VALUES:
            return self._bad(path, f"{len(values)} values; at most {_VALUES} are allowed")
        for value in values:
            if len(value) > _LENGTH or "\0" in value:
                return self._bad(path, f"{value[:40]!r} is over {_LENGTH} characters or holds NUL")
        return values

    def statuses(self) -> tuple[Status, ...]:
        found: dict[Status, None] = {}
        for word in self.texts("status"):
            status = status_from(word)
            if status is None:
                allowed = ", ".join(status.name for status in Status)
                return self._bad("filter[status]", f"{word[:40]!r} is no status; {allowed}")
            found[status] = None
        return tuple(found)

    def truth(self, name: str) -> bool | None:
        text = self.query.get(f"filter[{name}]")
        if text and text not in ("true", "false"):
            self._bad(f"filter[{name}]", f"{text[:40]!r}; true or false is allowed")
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
            self._bad(path, error.message)
            return None

    def since(self, period: str, now: int) -> int:
        try:
            return now - moments.duration_ms(period)
        except InvalidOptions as error:
            self._bad("filter[createdAt][period]", error.message)
            return 0

    def _bad(self, path: str, message: str) -> tuple[()]:
        self.problems.append({"path": path, "message": f"{path}: {message}"})
        return ()
