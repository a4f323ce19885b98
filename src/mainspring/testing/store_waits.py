"""What every store keeps of tokens, inputs and metadata, as test classes; see
`testing.store_contract`.
"""

from __future__ import annotations

from typing import Any

from mainspring.store.protocol import DocumentRow, Store
from mainspring.store.waiting import InputRow, WaitpointRow
from mainspring.store.waitpoints import tags_text
from mainspring.testing.store_rows import NOW, Shard
from mainspring.wire.calls import ListTokens


class WaitpointsContract:
    """Tokens, their lists, and the inputs of runs."""

    async def test_a_token_is_kept_as_it_was_made(self, store: Store) -> None:
        shard = await Shard.taken(store)
        changes = shard.changes()
        changes.waitpoint = [("waitpoint_1", shard.env_id, "k", NOW + 5, '["a"]', NOW, NOW + 9)]
        await shard.commit(changes)
        changes.waitpoint = [("waitpoint_1", shard.env_id, None, None, "[]", NOW + 1, None)]
        await shard.commit(changes)
        assert await store.waitpoints.many(shard.shard_id, ["waitpoint_1", "waitpoint_2"]) == [
            WaitpointRow(
                *("waitpoint_1", shard.env_id, "waiting", "k", NOW + 5, '["a"]', None, None),
                *(NOW, NOW + 9, None),
            )
        ]

    async def test_only_the_first_end_of_a_token_counts(self, store: Store) -> None:
        shard = await Shard.taken(store)
        changes = shard.changes()
        changes.waitpoint = [
            (f"waitpoint_{n}", shard.env_id, None, None, "[]", NOW, None) for n in (1, 2)
        ]
        await shard.commit(changes)
        for status, output, ref, at in (
            ("completed", '"first"', None, NOW + 1),
            ("timed_out", None, "late", NOW + 2),
        ):
            changes = shard.changes()
            changes.end_waitpoint = [
                ("waitpoint_1", status, output, ref, at),
                ("waitpoint_9", status, output, ref, at),
            ]
            await shard.commit(changes)
        found = await store.waitpoints.many(shard.shard_id, ["waitpoint_1", "waitpoint_2"])
        first, second = sorted(found, key=lambda row: row.waitpoint_id)
        assert (first.status, first.output, first.completed_at) == (
            "completed",
            '"first"',
            NOW + 1,
        )
        assert (second.status, second.completed_at) == ("waiting", None)

    async def test_tokens_are_listed_newest_first(self, store: Store) -> None:
        shard = await _listed(store)

        async def found(**wanted: Any) -> list[str]:
            filter_ = ListTokens(**wanted)
            rows = await store.waitpoints.page(shard.shard_id, shard.env_id, filter_)
            return [row.waitpoint_id[-1] for row in rows]

        assert await found() == ["5", "4", "3", "2", "1"]
        assert await found(limit=1) == ["5", "4"]
        assert await found(after="waitpoint_3") == ["2", "1"]
        assert await found(before="waitpoint_3") == ["5", "4"]
        assert await found(before="waitpoint_1", limit=1) == ["3", "2"]
        assert await found(status=("completed",)) == ["2"]
        assert await found(status=("completed", "waiting")) == ["5", "4", "3", "2", "1"]
        assert await found(tags=("a",)) == ["4", "3"]
        assert await found(tags=("A", ",", 'b"')) == ["5", "3"]
        assert await found(idempotency_key="k") == ["4", "1"]
        assert await found(idempotency_key="k", status=("waiting",), after="waitpoint_2") == ["1"]
        assert await found(created_from=NOW + 1) == []
        assert await found(created_from=NOW, limit=1) == ["5", "4"]
        assert await store.waitpoints.page(shard.shard_id, shard.env_id + 1, ListTokens()) == []

    async def test_inputs_are_found_by_their_number(self, store: Store) -> None:
        shard = await Shard.taken(store)
        changes = shard.changes()
        changes.input = [
            ("run_1", "chat", 1, '"a"', None, NOW),
            ("run_1", "chat", 2, None, "ref", NOW),
            ("run_1", "other", 7, '"c"', None, NOW),
            ("run_2", "chat", 3, '"d"', None, NOW),
        ]
        await shard.commit(changes)
        wanted = [("run_1", "chat", 2), ("run_1", "chat", 3), ("run_2", "chat", 3)]
        found = await store.waitpoints.inputs(shard.shard_id, wanted)
        assert sorted(found, key=lambda row: row.run_id) == [
            InputRow("run_1", "chat", 2, None, "ref"),
            InputRow("run_2", "chat", 3, '"d"', None),
        ]
        last = await store.waitpoints.last_inputs(
            shard.shard_id, [("run_1", "chat"), ("run_1", "none"), ("run_2", "chat")]
        )
        assert last == {("run_1", "chat"): 2, ("run_1", "none"): 0, ("run_2", "chat"): 3}


class DocumentsContract:
    """Metadata with its cursor, tags and relatives."""

    async def test_metadata_tags_and_relatives_are_read_together(self, store: Store) -> None:
        shard = await Shard.taken(store)
        ids, changes = shard.ids(3), shard.changes()
        for run_id in ids:
            shard.run(changes, run_id, parent_id="run_p", root_id="run_r")
        changes.metadata = [(ids[0], '{"a":1}', NOW), (ids[1], '{"b":1}', NOW)]
        changes.document = [(ids[1], '{"b":2}', NOW + 1, 3, 44)]
        changes.tag = [(shard.env_id, tag, ids[1]) for tag in ("x", "y")]
        await shard.commit(changes)
        rows = await store.runs.documents(shard.shard_id, [*ids, "run_unknown"])
        rows.sort(key=lambda row: row.run_id)
        assert [(row.run_id, row.metadata, row.epoch, row.frame) for row in rows] == [
            (ids[0], '{"a":1}', 0, 0),
            (ids[1], '{"b":2}', 3, 44),
            (ids[2], None, 0, 0),
        ]
        assert {row.parent_id for row in rows} == {"run_p"}
        assert isinstance(rows[0], DocumentRow)


async def _listed(store: Store) -> Shard:
    """Five tokens, with tags that are hard to tell apart."""
    shard = await Shard.taken(store)
    changes = shard.changes()
    tags = {3: ("a", "A", "b"), 4: ("a", "ab"), 5: (",", 'b"')}
    for n in range(1, 6):
        key = "k" if n in (1, 4) else None
        row = (f"waitpoint_{n}", shard.env_id, key, None, tags_text(tags.get(n, ())), NOW, None)
        changes.waitpoint.append(row)
    await shard.commit(changes)
    changes = shard.changes()
    changes.end_waitpoint = [("waitpoint_2", "completed", "1", None, NOW + 1)]
    await shard.commit(changes)
    return shard
