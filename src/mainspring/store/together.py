"""The statements of a commit as a single one, for PostgreSQL: one round trip instead of five.

What a commit usually holds (ends, claims, new runs, steps) touches rows that nothing else in it
touches, so the order of its statements says nothing. They become parts of one WITH that sees the
database as it was, and that fails as a whole when the fence or a count is not what it must be.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from mainspring.store.changes import EXACT, PLAN, Changes, Row
from mainspring.store.dialect import POSTGRES
from mainspring.store.statements import Statement, expanded, numbered, parsed

PARTS: Final = frozenset(
    {"drop_active", "done", "run", "key", "tag", "journal", "timer", "park", "start", "ready"}
    | {"claim", "pin", "rate", "drop_parked", "drop_timer", "drop_edge", "edge", "waitpoint"}
    | {"request", "batch", "batch_item"}
    | {"end_waitpoint", "input", "stream", "chunk"}
)
"""Lists that may be parts."""
SHAPES: Final = 64
"""How many such statements a store makes at most, first come: the plan of one takes half a MiB in
the server and milliseconds of the commit that needs it first."""
DEPENDENT: Final = (frozenset({"ready", "claim"}), frozenset({"waitpoint", "end_waitpoint"}))
"""The second reads what the first one writes: these never go together."""

FENCE: Final = """fence AS MATERIALIZED (
  SELECT 1 FROM shard WHERE shard_id = :shard AND epoch = :epoch FOR KEY SHARE
)"""


@dataclass(frozen=True, slots=True)
class Together:
    """One statement for a set of lists. `parts` are those lists' own statements, in order."""

    sql: str
    parts: tuple[Statement, ...]
    scalars: tuple[str, ...]
    counted: tuple[str, ...]

    def arguments(self, changes: Changes, scalars: Mapping[str, Any]) -> list[Any]:
        """Positional arguments. Raises: CommitRejected for a value of a wrong type."""
        found: list[Any] = []
        for part in self.parts:
            rows: list[Row] = getattr(changes, part.name)
            found += part.arguments(rows, {})
        found += (scalars[name] for name in self.scalars)
        found += (len(getattr(changes, name)) for name in self.counted)
        return found


def names_of(changes: Changes) -> tuple[str, ...] | None:
    """The lists of a commit that can be one statement, in order; None when it cannot."""
    names = tuple(name for name in PLAN if getattr(changes, name))
    apart = not PARTS.issuperset(names) or any(pair.issubset(names) for pair in DEPENDENT)
    return None if apart or _again(changes) else names


def _again(changes: Changes) -> bool:
    """Whether a row is dropped and put back: the new one would meet the old one."""
    return not (
        set(changes.drop_timer).isdisjoint(changes.timer)
        and set(changes.drop_edge).isdisjoint(row[:3] for row in changes.edge)
        and {row[0] for row in changes.drop_parked}.isdisjoint(row[0] for row in changes.park)
    )


def together(texts: Mapping[str, str], names: Sequence[str]) -> Together:
    """The statement for these lists, from the texts of their own."""
    counted = tuple(name for name in names if name in EXACT)
    taken = {scalar for name in names for scalar in parsed(texts[name])[1]}
    own = tuple(sorted({"shard", "epoch"} | taken))
    scalars = dict.fromkeys([*own, *(f"wanted_{name}" for name in counted)], "bigint")
    parts: list[Statement] = []
    bodies, last, first = [FENCE], "", 1
    for name in names:
        columns, _, body = parsed(texts[name])
        sql = expanded(body, POSTGRES, columns, first)
        if name == "claim":
            head, _, tail = sql.rpartition(")\nSELECT ")
            bodies.append(head.removeprefix("WITH ") + ")")
            last = f"SELECT {tail}"
        else:
            bodies.append(f"w_{name} AS (\n{sql}\nRETURNING 1\n)")
        named, types = zip(*columns, strict=True)
        parts.append(Statement(name, "", named, types, ()))
        first += len(columns)
    bodies.append(f"checked AS MATERIALIZED (SELECT CASE\n{_checks(counted)}\nELSE 0 END AS wrong)")
    sql = "WITH " + ",\n".join(bodies) + "\n"
    if last:
        sql += f"SELECT x.* FROM checked LEFT JOIN (\n{last}\n) x ON true WHERE wrong = 0"
    else:
        sql += "SELECT wrong FROM checked"
    order = {scalar: first + at for at, scalar in enumerate(scalars)}
    return Together(numbered(sql, POSTGRES, scalars, order), tuple(parts), own, counted)


def _checks(counted: Sequence[str]) -> str:
    """What must be so. Text that is no number is what makes a statement of any kind fail."""
    tests = [("fence", "fence", "1")]
    tests += [
        (name, "placed" if name == "claim" else f"w_{name}", f":wanted_{name}") for name in counted
    ]
    return "\n".join(
        f"WHEN (SELECT count(*) FROM {table}) <> {right}"
        f" THEN CAST('wrong {name} ' || (SELECT count(*) FROM {table}) AS bigint)"
        for name, table, right in tests
    )
