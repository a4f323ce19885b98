"""Lists of runs: which index a filter walks, as SQL put together from fixed parts. Nothing is run.

Every part walks one index in the order of run ids and asks the other tables by primary key. Both
are forced, whatever statistics say: the walk compares and orders by all columns of its index, which
no other index serves, and the questions are scalar subqueries, which no planner joins.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from mainspring.ids import lower_bound
from mainspring.model.run import FINAL, RunFilter, Status
from mainspring.model.task import default_queue

LOWEST: Final = ""
HIGHEST: Final = "~"
SLACK_MS: Final = 3_600_000
"""How far the time in a run's id may lie from its `created_at` (a caller's clock)."""
TASK_QUEUE: Final = default_queue("")
COUNTED: Final = 1_000
"""How far candidates are counted to find the most selective one."""

_SCALAR: Final = re.compile(r":(\w+)")
_ALIAS: Final = {
    "run": "n",
    "run_tag": "g",
    "run_mark": "k",
    "run_done": "d",
    "active": "a",
    "ready": "q",
    "parked": "p",
}
_LIVE: Final[dict[Status, tuple[tuple[str, str], ...]]] = {
    Status.QUEUED: (("ready", ""),),
    Status.EXECUTING: (("active", ""), ("parked", " AND p.kind = 'retry'")),
    Status.WAITING: (("parked", " AND p.kind = 'wait'"),),
    Status.DELAYED: (("parked", " AND p.kind = 'delay'"),),
    Status.PENDING_VERSION: (("parked", " AND p.kind = 'version'"),),
    Status.DEQUEUED: (),
}
MARKS: Final = ("machine", "region", "schedule", "bulk", "error")
"""Filters that look at the marks of runs, by the kind of mark."""
_LISTS: Final = ("task", "tag", "queue", "version", *MARKS)
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
        for field in _LISTS:
            for at, value in enumerate(getattr(filter, field)):
                self.scalars[f"{field}{at}"] = value
            if field in MARKS and getattr(filter, field):
                self.scalars[f"{field}_kind"] = field
        for at, name in enumerate(filter.queue):
            if name.startswith(TASK_QUEUE):
                self.scalars[f"queue_task{at}"] = name.removeprefix(TASK_QUEUE)
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
                f"(SELECT count(*) FROM (SELECT 1 FROM {walk.source}"
                f" ORDER BY {walk.order('DESC')} LIMIT {COUNTED}) x)"
                for walk in self._walks(driver)
            ]
            counts.append(f"{' + '.join(parts) or '0'} AS {driver}s")
        return self._named("count", "", f"SELECT {', '.join(counts)}")

    def ids(self, driver: str) -> tuple[str, str]:
        """(name, text) of the statement that gives the page's run ids by way of that driver."""
        order = "DESC" if self.newest_first else "ASC"
        parts = [
            f"SELECT * FROM (SELECT {walk.alias}.run_id FROM {walk.source}"
            f"{self._conditions(driver, walk.alias)} ORDER BY {walk.order(order)} LIMIT :most) x"
            for walk in self._walks(driver)
        ]
        union = " UNION ".join(parts)
        text = f"SELECT run_id FROM ({union}) y ORDER BY run_id {order} LIMIT :most"
        return self._named("ids", driver, text)

    def is_empty(self, driver: str) -> bool:
        """Whether no run can match."""
        return not self._walks(driver)

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
        drivers = ("tag", *MARKS, "task", "queue", "version", "status")
        given = [name for name in drivers if getattr(wanted, name)]
        given += ["tests"] if wanted.is_test else []
        return given or ["run"]

    def _walks(self, driver: str) -> list[_Walk]:
        """The index walks of that driver; together they see every run that it allows."""
        wanted, env = self._filter, "{}.env_id = :env_id"
        if driver == "status":
            return [
                walk for at, status in enumerate(wanted.status) for walk in _of_state(status, at)
            ]
        if driver == "run":
            return [_Walk("run", {}, env)]
        if driver == "batch":
            return [_Walk("run", {"batch_id": "batch_id"}, f"{{}}.batch_id IS NOT NULL AND {env}")]
        if driver == "tests":
            return [_Walk("run", {"is_test": "is_test", "env_id": "env_id"}, "{}.is_test = 1")]
        if driver == "queue":
            return [walk for at in range(len(wanted.queue)) for walk in self._of_queue(at)]
        if driver in MARKS:
            kind = {"env_id": "env_id", "kind": f"{driver}_kind"}
            return [
                _Walk("run_mark", kind | {"value": f"{driver}{at}"})
                for at in range(len(getattr(wanted, driver)))
            ]
        if driver == "version":
            return [
                _Walk("run", {"version": f"version{at}", "env_id": "env_id"}, "{}.version <> ''")
                for at in range(len(wanted.version))
            ]
        table = "run" if driver == "task" else "run_tag"
        return [
            _Walk(table, {"env_id": "env_id", driver: f"{driver}{at}"})
            for at in range(len(getattr(wanted, driver)))
        ]

    def _of_queue(self, at: int) -> list[_Walk]:
        """What a task puts into its own queue is found by the task, all else by the queue."""
        name, other = f"queue{at}", f"{{}}.queue <> '{TASK_QUEUE}' || {{}}.task"
        walks = [_Walk("run", {"queue": name, "env_id": "env_id"}, other)]
        if f"queue_task{at}" in self.scalars:
            of_task = {"env_id": "env_id", "task": f"queue_task{at}"}
            walks.append(_Walk("run", of_task, f"{{}}.queue = :{name}"))
        return walks

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
            if getattr(wanted, field) is not None and (field, driver) != ("is_test", "tests")
        ]
        if on_run and alias == "n":
            found += " AND " + " AND ".join(on_run)
        elif on_run:
            found += f" AND {_probe('run', alias, ' AND ' + ' AND '.join(on_run))} = 1"
        if wanted.tag and driver != "tag":
            tags = f" AND g.env_id = :env_id AND g.tag IN ({_list('tag', wanted.tag)})"
            found += f" AND {_probe('run_tag', alias, tags)} > 0"
        for kind in MARKS:
            if getattr(wanted, kind) and driver != kind:
                values = _list(kind, getattr(wanted, kind))
                marks = (
                    f" AND k.env_id = :env_id AND k.kind = :{kind}_kind AND k.value IN ({values})"
                )
                found += f" AND {_probe('run_mark', alias, marks)} > 0"
        if wanted.status and driver != "status":
            found += f" AND ({self._in_state(alias)})"
        return found

    def _in_state(self, alias: str) -> str:
        tests = []
        for at, status in enumerate(self._filter.status):
            if status in FINAL:
                tests.append(f"{_probe('run_done', alias, f' AND d.status = :status{at}')} = 1")
            for table, more in _LIVE.get(status, ()):
                tests.append(f"{_probe(table, alias, more)} = 1")
        return " OR ".join(tests) or "1 = 0"

    def _named(self, kind: str, driver: str, text: str) -> tuple[str, str]:
        wanted = self._filter
        shape = [
            kind,
            driver,
            "down" if self.newest_first else "up",
            *(status.value for status in wanted.status),
            *(f"{name}{len(getattr(wanted, name))}" for name in _LISTS),
            *(name for name in self.scalars if name.startswith("queue_task")),
            *(name for name in ("batch_id", *_TYPES) if name in self.scalars),
        ]
        used = set(_SCALAR.findall(text))
        takes = ", ".join(f"{name} {_type(name)}" for name in self.scalars if name in used)
        return "/".join(shape), f"-- takes: {takes}\n{text}"


class _Walk:
    """A walk over one index of a table: `fixed` are its columns between the shard and the run id,
    with the scalars they equal; `more` is asked of each row.
    """

    def __init__(self, table: str, fixed: dict[str, str], more: str = "") -> None:
        self.alias = alias = _ALIAS[table]
        self._columns = [f"{alias}.{column}" for column in (*fixed, "run_id")]
        columns = ", ".join(self._columns)
        low, high = (
            ", ".join([*(f":{scalar}" for scalar in fixed.values()), f":{bound}"])
            for bound in ("low", "high")
        )
        self.source = (
            f"{table} {alias} WHERE {alias}.shard_id = :shard"
            f" AND ({columns}) > ({low}) AND ({columns}) < ({high})"
        )
        if more:
            self.source += f" AND {more.format(alias, alias)}"

    def order(self, direction: str) -> str:
        return ", ".join(f"{column} {direction}" for column in self._columns)


def _of_state(status: Status, at: int) -> list[_Walk]:
    if status is Status.COMPLETED:  # most runs are: no index of their own
        return [_Walk("run_done", {}, "{}.env_id = :env_id AND {}.status = 'completed'")]
    if status in FINAL:
        fixed = {"env_id": "env_id", "status": f"status{at}"}
        return [_Walk("run_done", fixed, "{}.status <> 'completed'")]
    return [
        _Walk(table, {}, f"{_ALIAS[table]}.env_id = :env_id{more}")
        for table, more in _LIVE.get(status, ())
    ]


def _probe(table: str, outer: str, conditions: str) -> str:
    # an inner alias of its own: the walk may go over the same table
    alias, inner = _ALIAS[table], f"{_ALIAS[table]}1"
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
