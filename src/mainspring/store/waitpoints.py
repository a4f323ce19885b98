"""Tokens and inputs: what others send to runs, over the database port. Lists: newest first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from mainspring.ids import lower_bound
from mainspring.store.database import Database
from mainspring.store.waiting import InputRow, WaitpointRow
from mainspring.wire.calls import ListTokens

_COLUMNS: Final = ", ".join(f"w.{column}" for column in WaitpointRow.__struct_fields__)
_SLACK_MS: Final = 3_600_000
_encode: Final = msgspec.json.Encoder().encode


class Waitpoints:
    """See `mainspring.store.protocol.Waitpoints`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def many(self, shard_id: int, token_ids: Sequence[str]) -> list[WaitpointRow]:
        rows = [(token_id,) for token_id in token_ids]
        return await self._database.fetch(
            "waitpoints_many", WaitpointRow, {"shard": shard_id}, rows
        )

    async def page(self, shard_id: int, env_id: int, wanted: ListTokens) -> list[WaitpointRow]:
        query = TokenQuery(shard_id, env_id, wanted)
        if query.name not in self._database.statements:
            self._database.statements.add(query.name, query.text)
        rows = await self._database.fetch(query.name, WaitpointRow, query.scalars)
        return rows if query.newest_first else rows[::-1]

    async def inputs(self, shard_id: int, wanted: Sequence[tuple[str, str, int]]) -> list[InputRow]:
        return await self._database.fetch("inputs_many", InputRow, {"shard": shard_id}, wanted)

    async def last_inputs(
        self, shard_id: int, wanted: Sequence[tuple[str, str]]
    ) -> dict[tuple[str, str], int]:
        found = await self._database.fetch(
            "inputs_last", tuple[str, str, int], {"shard": shard_id}, wanted
        )
        return {(run_id, stream): number for run_id, stream, number in found}


class TokenQuery:
    """A list of tokens as SQL, put together from fixed parts; values travel as scalars.

    It walks the index of the idempotency key when one is asked for, else that of the environment,
    both in the order of ids; everything else is asked of each row.
    """

    def __init__(self, shard_id: int, env_id: int, wanted: ListTokens) -> None:
        low, high = wanted.before or "", wanted.after or "~"
        if wanted.created_from is not None:
            low = max(low, lower_bound("waitpoint", max(wanted.created_from - _SLACK_MS, 0)))
        if wanted.created_to is not None:
            high = min(high, lower_bound("waitpoint", max(wanted.created_to + _SLACK_MS, 0)))
        self.newest_first = wanted.before is None
        self.scalars: dict[str, Any] = {
            "shard": shard_id,
            "env_id": env_id,
            "low": low,
            "high": high,
            "most": wanted.limit + 1,
        }
        columns, tests = ["env_id"], []
        if wanted.idempotency_key is not None:
            self.scalars["idempotency_key"] = wanted.idempotency_key
            columns.append("idempotency_key")
            tests.append("w.idempotency_key IS NOT NULL")
        tests += self._any("status", wanted.status, "w.status = :{}")
        # a replaced text is case-sensitive on both databases, which LIKE is not
        tags = tuple(line_of(tag) for tag in wanted.tags)
        tests += self._any("tag", tags, "replace(w.tags, :{0}, '') <> w.tags")
        for name, sign in (("created_from", ">="), ("created_to", "<=")):
            if getattr(wanted, name) is not None:
                self.scalars[name] = getattr(wanted, name)
                tests.append(f"w.created_at {sign} :{name}")
        given = "".join(f":{column}, " for column in columns)
        walked = "".join(f"w.{column}, " for column in columns)
        order = "DESC" if self.newest_first else "ASC"
        body = (
            f"SELECT {_COLUMNS} FROM waitpoint w WHERE w.shard_id = :shard"
            f" AND ({walked}w.waitpoint_id) > ({given}:low)"
            f" AND ({walked}w.waitpoint_id) < ({given}:high)"
            f"{''.join(f' AND {test}' for test in tests)}"
            f" ORDER BY {', '.join(f'w.{column} {order}' for column in (*columns, 'waitpoint_id'))}"
            " LIMIT :most"
        )
        takes = ", ".join(f"{name} {_type(value)}" for name, value in self.scalars.items())
        shape = [f"{len(wanted.status)}", f"{len(wanted.tags)}", order, *self.scalars]
        self.name = f"waitpoint_page/{'/'.join(shape)}"
        self.text = f"-- takes: {takes}\n{body}"

    def _any(self, name: str, values: Sequence[str], test: str) -> list[str]:
        if not values:
            return []
        for at, value in enumerate(values):
            self.scalars[f"{name}{at}"] = value
        return [f"({' OR '.join(test.format(f'{name}{at}') for at in range(len(values)))})"]


def tags_text(tags: Sequence[str]) -> str:
    """Tags as the column holds them: a JSON list with each tag on a line of its own, so that one
    can be looked for as text.
    """
    return f"[{','.join(map(line_of, tags))}]"


def line_of(tag: str) -> str:
    """A tag's line in that text; JSON holds no line breaks inside of strings."""
    return f"\n{_encode(tag).decode()}\n"


def _type(value: Any) -> str:
    return "text" if isinstance(value, str) else "bigint"
