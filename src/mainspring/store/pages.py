"""Lists of runs: which index a filter walks, as SQL put together from fixed parts. Nothing is run.

Every part walks one index in the order of run ids and asks the other tables by primary key, in
scalar subqueries: no planner turns those into a join that starts at the wrong end.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from mainspring.ids import lower_bound
from mainspring.model.run import FINAL, RunFilter, Status

LOWEST: Final = ""
HIGHEST: Final = "~"
SLACK_MS: Final = 3_600_000
"""How far the time in a run's id may lie from its `created_at` (a caller's clock)."""
COUNTED: Final = 1_000
"""How far candidates are counted to find the most selective one."""

_SCALAR: Final = re.compile(r":(\w+)")
_ID: Final = {"run": "n", "tag": "g", "done": "d", "active": "a", "ready": "q", "parked": "p"}
_TABLE: Final = {"tag": "run_tag", "done": "run_done"}
_LIVE: Final[dict[Status, tuple[tuple[str, str], ...]]] = {
    Status.QUEUED: (("ready", ""),),
    Status.EXECUTING: (("active", ""), ("parked", " AND p.kind = 'retry'")),
    Status.WAITING: (("parked", " AND p.kind = 'wait'"),),
    Status.DELAYED: (("parked", " AND p.kind = 'delay'"),),
    Status.PENDING_VERSION: (("parked", " AND p.kind = 'version'"),),
    Status.DEQUEUED: (),
}
_TYPES: Final = {"is_test": "bigint", "created_from": "bigint", "created_to": "bigint"}


class PageQuery:
    """One filter as SQL. The parts of a name are only numbers and words of ours; values travel as
    scalars.
    """

    def __init__(self, shard_id: int, env_id: int, filter: RunFilter) -> None:
        self._filter = filter
        self.scalars: dict[str, Any] = {
            "shard": shard_id,
            "env_id": env_id,
            "low": filter.before or LOWEST,
            "high": filter.after or HIGHEST,
            "most": filter.limit + 1,
        }
        self.newest_first = filter.before is None
        for field in ("task", "tag", "queue", "version"):
            for at, value in enumerate(getattr(filter, field)):
                self.scalars[f"{field}{at}"] = value
        for at, status in enumerate(filter.status):
            self.scalars[f"status{at}"] = status.value
        for field in ("batch_id", "is_test", "created_from", "created_to"):
            value = getattr(filter, field)
            if value is not None:
                self.scalars[field] = int(value) if isinstance(value, bool) else value
        self._narrow_by_time()
        self.drivers = self._drivers()

    def count(self) -> tuple[str, str]:
        """(name, text) of a statement that counts each driver's candidates, up to a bound."""
        counts = []
        for driver in self.drivers:
            parts = [
                f"(SELECT count(*) FROM (SELECT 1 FROM {source} LIMIT {COUNTED}) x)"
                for _alias, source in self._branches(driver)
            ]
            counts.append(f"{' + '.join(parts) or '0'} AS {driver}")
        return self._named("count", "", f"SELECT {', '.join(counts)}")

    def ids(self, driver: str) -> tuple[str, str]:
        """(name, text) of the statement that gives the page's run ids by way of that driver."""
        order = "DESC" if self.newest_first else "ASC"
        parts = [
            f"SELECT * FROM (SELECT {alias}.run_id FROM {source}{self._conditions(driver, alias)}"
            f" ORDER BY {alias}.run_id {order} LIMIT :most) x"
            for alias, source in self._branches(driver)
        ]
        union = " UNION ".join(parts)
        text = f"SELECT run_id FROM ({union}) y ORDER BY run_id {order} LIMIT :most"
        return self._named("ids", driver, text)

    def is_empty(self, driver: str) -> bool:
        """Whether no run can match."""
        return not self._branches(driver)

    def _narrow_by_time(self) -> None:
        wanted = self._filter
        if wanted.created_from is not None:
            low = lower_bound("run", max(wanted.created_from - SLACK_MS, 0))
            self.scalars["low"] = max(self.scalars["low"], low)
        if wanted.created_to is not None:
            high = lower_bound("run", max(wanted.created_to + SLACK_MS, 0))
            self.scalars["high"] = min(self.scalars["high"], high)

    def _drivers(self) -> list[str]:
        """What may choose the index, the surest first; "run" walks all runs of the environment."""
        wanted = self._filter
        if wanted.batch_id is not None:
            return ["batch"]
        given = [name for name in ("tag", "task", "status") if getattr(wanted, name)]
        return given or ["run"]

    def _branches(self, driver: str) -> list[tuple[str, str]]:
        """(alias, FROM and WHERE) of each index walk of that driver."""
        if driver == "status":
            return [
                branch
                for at, status in enumerate(self._filter.status)
                for branch in _state(status, at)
            ]
        if driver == "run":
            return [_walk("run", " AND n.env_id = :env_id")]
        if driver == "batch":
            return [_walk("run", " AND n.env_id = :env_id AND n.batch_id = :batch_id")]
        table = "run" if driver == "task" else "tag"
        alias = _ID[table]
        return [
            _walk(table, f" AND {alias}.env_id = :env_id AND {alias}.{driver} = :{driver}{at}")
            for at in range(len(getattr(self._filter, driver)))
        ]

    def _conditions(self, driver: str, alias: str) -> str:
        """Everything that the driver does not filter by itself."""
        wanted, found = self._filter, ""
        on_run = [
            f"n.{field} IN ({_list(field, getattr(wanted, field))})"
            for field in ("task", "queue", "version")
            if getattr(wanted, field) and field != driver
        ]
        on_run += [
            f"n.{column} {sign} :{field}"
            for field, column, sign in (
                ("is_test", "is_test", "="),
                ("created_from", "created_at", ">="),
                ("created_to", "created_at", "<="),
            )
            if getattr(wanted, field) is not None
        ]
        if on_run and alias == "n":
            found += " AND " + " AND ".join(on_run)
        elif on_run:
            found += f" AND {_probe('run', 'n', alias, ' AND ' + ' AND '.join(on_run))} = 1"
        if wanted.tag and driver != "tag":
            tags = f" AND g.env_id = :env_id AND g.tag IN ({_list('tag', wanted.tag)})"
            found += f" AND {_probe('run_tag', 'g', alias, tags)} > 0"
        if wanted.status and driver != "status":
            found += f" AND ({self._in_state(alias)})"
        return found

    def _in_state(self, alias: str) -> str:
        tests = []
        for at, status in enumerate(self._filter.status):
            if status in FINAL:
                tests.append(
                    f"{_probe('run_done', 'd', alias, f' AND d.status = :status{at}')} = 1"
                )
            for table, more in _LIVE.get(status, ()):
                tests.append(f"{_probe(table, _ID[table], alias, more)} = 1")
        return " OR ".join(tests) or "1 = 0"

    def _named(self, kind: str, driver: str, text: str) -> tuple[str, str]:
        wanted = self._filter
        shape = [
            kind,
            driver,
            "down" if self.newest_first else "up",
            *(status.value for status in wanted.status),
            *(
                f"{name}{len(getattr(wanted, name))}"
                for name in ("task", "tag", "queue", "version")
            ),
            *(name for name in ("batch_id", *_TYPES) if name in self.scalars),
        ]
        used = set(_SCALAR.findall(text))
        takes = ", ".join(f"{name} {_type(name)}" for name in self.scalars if name in used)
        return "/".join(shape), f"-- takes: {takes}\n{text}"


def _state(status: Status, at: int) -> list[tuple[str, str]]:
    if status in FINAL:
        return [_walk("done", f" AND d.env_id = :env_id AND d.status = :status{at}")]
    return [
        _walk(table, f" AND {_ID[table]}.env_id = :env_id{more}")
        for table, more in _LIVE.get(status, ())
    ]


def _walk(name: str, conditions: str) -> tuple[str, str]:
    alias, table = _ID[name], _TABLE.get(name, name)
    return alias, (
        f"{table} {alias} WHERE {alias}.shard_id = :shard{conditions}"
        f" AND {alias}.run_id > :low AND {alias}.run_id < :high"
    )


def _probe(table: str, alias: str, outer: str, conditions: str) -> str:
    # an inner alias of its own: the walk may go over the same table
    inner = f"{alias}1"
    inside = conditions.replace(f" {alias}.", f" {inner}.")
    return (
        f"(SELECT count(*) FROM {table} {inner} WHERE {inner}.shard_id = :shard"
        f" AND {inner}.run_id = {outer}.run_id{inside})"
    )


def _list(field: str, values: Sequence[str]) -> str:
    return ", ".join(f":{field}{at}" for at in range(len(values)))


def _type(name: str) -> str:
    if name in _TYPES or name in {"shard", "env_id", "most"}:
        return "bigint"
    return "text"
