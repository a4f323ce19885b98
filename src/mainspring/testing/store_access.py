"""What keys, people, one-time tokens and the audit log keep on every database."""

from __future__ import annotations

import asyncio
from typing import Final

import pytest

from mainspring.errors import CommitRejected
from mainspring.model.audit import START, Entry, broken
from mainspring.store.access import KeyRow, PersonRow
from mainspring.store.protocol import Store

NOW: Final = 1_700_000_000_000
CHAIN: Final = b"chain"


def entry(what: str, at: int = NOW) -> Entry:
    """An entry of the audit log."""
    return Entry(at, 1, "tester", what)


class AccessContract:
    """Mixed into a test class that has a fixture `store`: open and empty."""

    async def test_a_key_is_found_by_its_hash_with_its_environment(self, store: Store) -> None:
        env = await store.catalog.ensure_environment("dev")
        row = KeyRow("key_1", env.env_id, "laptop", "abcd", "read:runs", NOW, NOW + 9)
        await store.access.add_key("hash", row, CHAIN, entry("keys.create"))
        await store.access.add_key("hash", KeyRow("k", 7, "", "", "", 1), CHAIN, entry("again"))
        found = await store.access.find_key("hash")
        assert found is not None
        assert (found.key, found.env, found.signing) == (row, env, 0)
        assert await store.access.find_key("other") is None
        assert await store.access.keys(env.env_id) == await store.access.keys(0) == [row]
        assert await store.access.keys(env.env_id + 1) == []

    async def test_a_key_that_is_replaced_ends_sooner_and_never_later(self, store: Store) -> None:
        env = await store.catalog.ensure_environment("dev")
        for at, (name, former) in enumerate(
            (("a", None), ("b", ("a", NOW + 50)), ("c", ("a", NOW + 90)), ("d", ("a", NOW + 20)))
        ):
            row = KeyRow(name, env.env_id, "", "", "", NOW + at)
            await store.access.add_key(name, row, CHAIN, entry("keys.create"), former=former)
        ends = {row.key_id: row.expires_at for row in await store.access.keys(env.env_id)}
        assert ends == {"a": NOW + 20, "b": None, "c": None, "d": None}
        await store.access.revoke_key("b", NOW + 5, CHAIN, entry("keys.revoke"))
        await store.access.revoke_key("b", NOW + 6, CHAIN, entry("keys.revoke"))
        found = await store.access.find_key("b")
        assert found is not None
        assert found.key.revoked_at == NOW + 5
        assert not found.key.works(NOW)

    async def test_a_use_is_noted_by_one_of_several_servers(self, store: Store) -> None:
        for name in "ab":
            row = KeyRow(name, 1, "", "", "", NOW)
            await store.access.add_key(name, row, CHAIN, entry("keys.create"))
        use = [("a", 0, NOW), ("b", 0, NOW + 1)]
        won = await asyncio.gather(*(store.access.use_keys(use) for _ in range(4)))
        assert sorted(key_id for ids in won for key_id in ids) == ["a", "b"]
        assert [row.used_at for row in await store.access.keys(1)] == [NOW, NOW + 1]
        assert await store.access.use_keys([("a", NOW, NOW + 5)]) == ["a"]

    async def test_rotations_are_counted(self, store: Store) -> None:
        env = await store.catalog.ensure_environment("dev")
        row = KeyRow("key_1", env.env_id, "", "", "", NOW)
        await store.access.add_key("hash", row, CHAIN, entry("keys.create"))
        for number in (1, 2):
            until = NOW + number * 10
            turned = await store.access.rotate_signing(env.env_id, NOW, until, CHAIN, entry("r"))
            assert turned == number
        found = await store.access.signing(env.env_id)
        assert found is not None
        assert found.env == env
        assert [(one.number, one.former_until) for one in found.rotations] == [
            (1, NOW + 10),
            (2, NOW + 20),
        ]
        assert found.keys == [row]
        key = await store.access.find_key("hash")
        assert key is not None
        assert key.signing == 2
        assert await store.access.signing(env.env_id + 1) is None
        assert await store.access.environments_of_shard(env.shard_id) == [env]

    async def test_a_token_is_spent_once_however_many_try(self, store: Store) -> None:
        access = store.access
        spends = (access.spend(1, "t", f"r{at}", NOW, NOW + 100) for at in range(8))
        tried = await asyncio.gather(*spends)
        assert tried.count(True) == 1
        first = f"r{tried.index(True)}"
        assert await access.spend(2, "t", "r", NOW, NOW + 100)
        await access.unspend(1, "t", "other")
        assert not await access.spend(1, "t", "x", NOW, NOW + 100)
        await access.unspend(1, "t", first)
        assert await access.spend(1, "t", "x", NOW, NOW + 100)
        # what has expired is forgotten; the token itself has, too
        assert await access.spend(1, "t", "y", NOW + 101, NOW + 200)

    async def test_a_request_that_was_repeated_gives_its_token_not_back(self, store: Store) -> None:
        access = store.access
        assert await access.spend(1, "t", "r", NOW, NOW + 100)
        assert not await access.repeat(1, "t", "other", NOW)
        assert not await access.repeat(1, "t", "r", NOW + 1)
        assert await access.repeat(1, "t", "r", NOW)
        assert await access.repeat(1, "t", "r", NOW)
        await access.unspend(1, "t", "r")
        assert not await access.spend(1, "t", "r", NOW, NOW + 100)

    async def test_a_person_has_roles_by_environment_or_for_all(self, store: Store) -> None:
        access = store.access
        dev = await store.catalog.ensure_environment("dev")
        prod = await store.catalog.ensure_environment("prod")
        await access.people.add(PersonRow("person_1", "ann", NOW), CHAIN, entry("people.add"))
        with pytest.raises(CommitRejected):
            await access.people.add(PersonRow("person_2", "ann", NOW), CHAIN, entry("twice"))
        made = entry("people.token")
        await access.people.add_token("hash", "person_1", "abcd", NOW, None, CHAIN, made)
        for env_id, role in ((0, "viewer"), (prod.env_id, "operator"), (prod.env_id, "admin")):
            await access.people.set_role("person_1", env_id, role, CHAIN, entry("people.role"))
        found = await access.people.find("hash")
        assert found is not None
        assert found.person == PersonRow("person_1", "ann", NOW)
        assert found.roles == [(prod, "admin", 0), (dev, "viewer", 0), (prod, "viewer", 0)]
        assert [(one.slug, one.role, one.tokens) for one in await access.people.members()] == [
            ("", "viewer", 1),
            ("prod", "admin", 1),
        ]
        await access.people.set_role("person_1", prod.env_id, "", CHAIN, entry("people.role"))
        assert len(await access.people.members()) == 1
        await access.people.drop_tokens("person_1", CHAIN, entry("people.tokens"))
        assert await access.people.find("hash") is None
        await access.people.drop("person_1", CHAIN, entry("people.remove"))
        assert await access.people.members() == []

    async def test_a_password_is_kept_for_a_person_until_it_is_dropped(self, store: Store) -> None:
        people = store.access.people
        assert await people.password("ann") is None
        await people.add(PersonRow("person_1", "ann", NOW), CHAIN, entry("people.add"))
        assert await people.password("ann") == ("person_1", "")
        for hash_ in ("first", "second"):
            await people.set_password("person_1", hash_, NOW, CHAIN, entry("people.password"))
        assert await people.password("ann") == ("person_1", "second")
        for hash_ in ("a", "b"):
            await people.add_token(hash_, "person_1", "abcd", NOW, None, CHAIN, entry("token"))
        await people.end_token("a")
        assert [await people.find(hash_) is None for hash_ in ("a", "b")] == [True, False]
        await people.drop_tokens("person_1", CHAIN, entry("people.tokens"))
        assert await people.password("ann") == ("person_1", "")

    async def test_shared_values_are_those_of_the_first_server(self, store: Store) -> None:
        assert await store.access.secret("check", "") == ""
        await asyncio.gather(*(store.access.secret("check", text) for text in ("a", "b")))
        first = await store.access.secret("check", "")
        assert first in ("a", "b")
        assert await store.access.secret("check", "c") == first

    async def test_entries_of_many_at_once_make_one_chain(self, store: Store) -> None:
        assert await store.access.log.head() is None
        await asyncio.gather(*(store.access.log.append(CHAIN, entry(f"w{at}")) for at in range(6)))
        await store.access.log.append(CHAIN, entry("x"), entry("y", NOW + 1))
        links = await store.access.log.page(0, 100)
        assert [one.number for one in links] == list(range(1, 9))
        assert {one.what for one in links} == {f"w{at}" for at in range(6)} | {"x", "y"}
        assert broken(CHAIN, 0, START, links) is None
        assert await store.access.log.head() == links[-1]
        assert await store.access.log.page(6, 1) == [links[6]]

    async def test_a_change_and_its_entry_are_written_together(self, store: Store) -> None:
        person = PersonRow("person_1", "ann", NOW)
        await store.access.people.add(person, CHAIN, entry("people.add"))
        with pytest.raises(CommitRejected):
            await store.access.people.add(person, CHAIN, entry("people.add"))
        assert len(await store.access.log.page(0, 10)) == 1
