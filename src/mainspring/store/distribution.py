"""Spreading one database over the nodes of a Citus cluster: which table goes where, as SQL.

Run data is distributed by its shard, all tables of it alike (co-located), so that a shard's rows
lie on one node beside the row that fences them. Small tables are the same on each node (reference
tables), but for those that are written all the time: they stay on the coordinator.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Any, Final, TypeAlias

import asyncpg

from mainspring.errors import ConfigurationError
from mainspring.store.dialect import POSTGRES
from mainspring.store.leasing import Nodes
from mainspring.store.links import PLANS
from mainspring.store.migrations import Migration, known

Reading = Callable[[str, Sequence[Any]], Awaitable[Sequence[Any]]]
Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

KEPT: Final = frozenset({"schema_version", "server", "token_use", "audit"})
"""Small tables that stay on the coordinator; the other nodes know where they are."""
FIRST: Final = "shard"
"""The table that all other run data lies beside."""
HAS_CITUS: Final = "SELECT 1 FROM pg_extension WHERE extname = 'citus'"
_NODE: Final = "SELECT groupid FROM pg_dist_local_group"
_IS_SPREAD: Final = f"""SELECT 1 FROM pg_dist_partition
WHERE logicalrelid = to_regclass('{FIRST}') AND partmethod = 'h'"""
_HOMES: Final = f"""SELECT s.shard_id, p.groupid FROM unnest($1::bigint[]) AS s (shard_id)
JOIN pg_dist_placement p ON p.shardid = get_shard_id_for_distribution_column('{FIRST}', s.shard_id)
"""
_TABLE: Final = re.compile(r"CREATE TABLE (\w+) \(\n(.*?)\n\)", re.DOTALL)
_KNOWN: Final = """SELECT c.relname FROM pg_dist_partition p
JOIN pg_class c ON c.oid = p.logicalrelid
JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = current_schema()"""
_FILLED: Final = """SELECT c.relname FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = current_schema()
WHERE c.relkind = 'r' AND pg_relation_size(c.oid) > 0"""
_IS_WORKER: Final = "SELECT 1 FROM pg_dist_local_group WHERE groupid <> 0"
_SETTINGS: Final = """SELECT unnest(setconfig) FROM pg_db_role_setting
JOIN pg_database d ON d.oid = setdatabase AND d.datname = current_database()
JOIN pg_roles u ON u.oid = setrole AND u.rolname = current_user"""
_SET: Final = "SELECT format('ALTER ROLE %I IN DATABASE %I SET ', current_user, current_database())"
_ONE_BY_ONE: Final = "SET LOCAL citus.multi_shard_modify_mode = 'sequential'"
_PLANS: Final = {name: value for name, value in PLANS.items() if name != "plan_cache_mode"}
"""Nodes are asked by the coordinator's sessions, which do not take our settings along."""


def tables(steps: list[Migration]) -> dict[str, bool]:
    """Our tables in the order in which they were made, each with whether it holds run data."""
    found = {"schema_version": False}
    for step in steps:
        for name, body in _TABLE.findall(step.sql):
            found[name] = body.lstrip().startswith("shard_id ")
    return found


async def is_distributed(connection: Connection) -> bool:
    """Whether run data is distributed here."""
    return bool(await connection.fetch(HAS_CITUS)) and FIRST in await _names(connection, _KNOWN)


async def nodes(read: Reading, shard_ids: Collection[int]) -> Nodes:
    """As `store.database.Database.nodes`, where there is Citus."""
    [[own]] = await read(_NODE, ())
    spread = shard_ids and await read(_IS_SPREAD, ())
    found = await read(_HOMES, (sorted(shard_ids),)) if spread else []
    return Nodes(own, {row[0]: row[1] for row in found})


async def missing(connection: Connection, parts: int = 0) -> list[str]:
    """What is still to be said about tables, in order; it belongs into one transaction."""
    done = await _names(connection, _KNOWN)
    ours = tables(known(POSTGRES))
    return [
        _placed(name, ours[name], parts)
        for name in sorted(ours, key=lambda name: name != FIRST)
        if name not in done
    ]


def _placed(name: str, is_run_data: bool, parts: int) -> str:
    if name == FIRST:
        more = f"'shard_id', shard_count => {parts}, colocate_with => 'none'"
        return f"SELECT create_distributed_table('{name}', {more})"
    if is_run_data:
        return f"SELECT create_distributed_table('{name}', 'shard_id', colocate_with => '{FIRST}')"
    if name in KEPT:
        return f"SELECT citus_add_local_table_to_metadata('{name}')"
    return f"SELECT create_reference_table('{name}')"


async def distribute(connection: Connection, parts: int, *, apply: bool) -> list[str]:
    """What has to be said, in order, so that nothing is left to be distributed; with `apply` it is
    said. Other sessions wait while rows are copied; broken off, it changes nothing.

    Raises: ConfigurationError without Citus, or on a node that is not the coordinator.
    """
    if not await connection.fetch(HAS_CITUS):
        raise ConfigurationError(_NO_CITUS)
    if await connection.fetch(_IS_WORKER):
        raise ConfigurationError(_NOT_HERE)
    spread = await missing(connection, parts)
    found = ["BEGIN", _ONE_BY_ONE, *spread, "COMMIT"] if spread else []
    ours = tables(known(POSTGRES))
    found += [  # what was copied is left over here, where nobody sees it
        f"SELECT truncate_local_data_after_distributing_table('{name}')"
        for name in sorted(await _names(connection, _FILLED))
        if ours.get(name)
    ]
    had = await _names(connection, _SETTINGS)
    alter = await connection.fetchval(_SET)
    found += [
        f"{alter}{name} = {value}" for name, value in _PLANS.items() if f"{name}={value}" not in had
    ]
    if apply:
        for statement in found:
            await connection.execute(statement)
    return found


async def _names(connection: Connection, sql: str) -> set[str]:
    return {name for (name,) in await connection.fetch(sql)}


_NO_CITUS: Final = (
    "This database has no Citus, so that there is nothing to distribute to. On every node: add "
    "citus to shared_preload_libraries, restart PostgreSQL, CREATE EXTENSION citus in a database "
    "of this name. Then, on this one: SELECT citus_set_coordinator_host('its host') and, for each "
    "other node, SELECT citus_add_node('host', 5432). Then repeat. Nothing was changed."
)
_NOT_HERE: Final = (
    "This node is a worker of its Citus cluster. Give --database the URL of the coordinator and "
    "repeat. Nothing was changed."
)
