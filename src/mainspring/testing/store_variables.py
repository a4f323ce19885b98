"""What a store of variables does: a test class. Subclass it in a test module and give a fixture
`store` with an open, empty store.
"""

from __future__ import annotations

import asyncio

from msgspec.structs import replace

from mainspring.store.protocol import Store
from mainspring.store.variables import VariableRow

NOW = 1_700_000_000_000
ROW = VariableRow(1, "B_NAME", "c2VhbGVk", "key1", 0, NOW)


class VariablesContract:
    """Sealed values by environment and name."""

    async def test_variables_are_listed_by_name_in_their_environment(self, store: Store) -> None:
        rows = [replace(ROW, name=name) for name in ("Z", "a", "B")]
        await store.variables.set([*rows, replace(ROW, env_id=2, name="OTHER")])
        assert [row.name for row in await store.variables.of(1)] == ["B", "Z", "a"]
        assert await store.variables.of(2) == [replace(ROW, env_id=2, name="OTHER")]
        assert await store.variables.of(3) == []

    async def test_setting_replaces_everything_but_the_name(self, store: Store) -> None:
        await store.variables.set([ROW])
        changed = VariableRow(1, "B_NAME", "bmV3", "key2", 1, NOW + 5)
        await store.variables.set([changed])
        assert await store.variables.of(1) == [changed]

    async def test_adding_leaves_what_exists(self, store: Store) -> None:
        await store.variables.set([ROW])
        new = replace(ROW, name="NEW")
        assert await store.variables.add([replace(ROW, sealed="eA=="), new]) == ["NEW"]
        assert await store.variables.of(1) == [ROW, new]
        assert await store.variables.add([]) == []

    async def test_dropping_says_whether_there_was_one(self, store: Store) -> None:
        await store.variables.set([ROW, replace(ROW, env_id=2)])
        assert await store.variables.drop(1, "B_NAME")
        assert not await store.variables.drop(1, "B_NAME")
        assert await store.variables.of(1) == []
        assert len(await store.variables.of(2)) == 1

    async def test_rows_under_other_keys_are_found_and_sealed_anew(self, store: Store) -> None:
        rows = [replace(ROW, name=f"N{n}", key_id=f"key{n % 2}") for n in range(6)]
        await store.variables.set(rows)
        found = await store.variables.sealed_otherwise("key1", 2)
        assert [row.name for row in found] == ["N0", "N2"]
        await store.variables.reseal(found[0], "bmV3", "key1")
        assert [row.name for row in await store.variables.sealed_otherwise("key1", 9)] == [
            "N2",
            "N4",
        ]

    async def test_sealing_anew_does_not_undo_a_change(self, store: Store) -> None:
        await store.variables.set([ROW])
        changed = replace(ROW, sealed="Y2hhbmdlZA==", updated_at=NOW + 1)
        await store.variables.set([changed])
        await store.variables.reseal(ROW, "b2xk", "key2")
        assert await store.variables.of(1) == [changed]

    async def test_many_are_set_at_once_from_several_sides(self, store: Store) -> None:
        rows = [replace(ROW, name=f"N{n}") for n in range(50)]
        await asyncio.gather(*(store.variables.set(rows[::step]) for step in (1, -1, 1, -1)))
        assert len(await store.variables.of(1)) == 50
