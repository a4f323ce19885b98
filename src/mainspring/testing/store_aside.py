"""What keeps large texts does with those that nobody needs: a test class. Subclass it in a test
module and give the fixtures `objects`, open and empty, and `held`, a shard held with its epoch.
"""

from __future__ import annotations

import asyncio

import pytest

from mainspring.errors import NotFound
from mainspring.store.objects import Held, Objects, Stored
from mainspring.testing.store_objects import LARGE, NOW


async def states(objects: Objects) -> set[tuple[str, int | None]]:
    """(reference, aside since) of everything there is."""
    return {(one.ref, one.aside_at) for one in await objects.page("", 99)}


class AsideContract:
    """An object is in its place, aside, both or gone; who puts and reads need not care."""

    async def test_what_is_aside_is_read_and_listed_as_such(
        self, objects: Objects, held: Held
    ) -> None:
        refs = [await objects.put(text) for text in (LARGE, "", "x")]
        await objects.lay_aside(refs[:2], NOW, held)
        for ref, text in zip(refs, (LARGE, "", "x"), strict=True):
            assert await objects.get(ref) == text
        found = {one.ref: one.aside_at for one in await objects.page("", 9)}
        assert found == {refs[0]: NOW, refs[1]: NOW, refs[2]: None}

    async def test_pages_list_everything_once(self, objects: Objects, held: Held) -> None:
        refs = [await objects.put(f"{number}") for number in range(30)]
        await objects.lay_aside(refs[::2], NOW, held)
        for number in range(0, 30, 4):
            await objects.put(f"{number}")
        found, page = list[Stored](), await objects.page("", 4)
        while page:
            found += page
            page = await objects.page(page[-1].name, 4)
        assert sorted(one.ref for one in found if one.aside_at is not None) == sorted(refs[::2])
        placed = sorted(one.ref for one in found if one.aside_at is None)
        assert placed == sorted(refs[1::2] + refs[::4])
        assert len({one.name for one in found}) == len(found) == 15 + 15 + 8

    async def test_what_is_put_again_is_beside_that_aside(
        self, objects: Objects, held: Held
    ) -> None:
        ref = await objects.put(LARGE)
        await objects.lay_aside([ref], NOW, held)
        await objects.put(LARGE)
        assert await states(objects) == {(ref, None), (ref, NOW)}
        await objects.expire([ref], NOW, held)
        assert await states(objects) == {(ref, None)}
        assert await objects.get(ref) == LARGE

    async def test_only_what_is_aside_since_then_is_deleted(
        self, objects: Objects, held: Held
    ) -> None:
        ref, other = await objects.put(LARGE), await objects.put("other")
        await objects.lay_aside([ref], NOW, held)
        await objects.expire([ref, other], NOW - 1, held)
        assert await objects.get(ref) == LARGE
        await objects.expire([ref, other], NOW, held)
        with pytest.raises(NotFound, match="gone"):
            await objects.get(ref)
        assert await objects.get(other) == "other"
        assert await states(objects) == {(other, None)}

    async def test_what_is_taken_back_is_in_its_place(self, objects: Objects, held: Held) -> None:
        ref, twice = await objects.put(LARGE), await objects.put("twice")
        await objects.lay_aside([ref, twice], NOW, held)
        await objects.put("twice")
        for _ in range(2):
            await objects.take_back([ref, twice, "0123abcd" * 8], held)
            assert await states(objects) == {(ref, None), (twice, None)}
        assert await objects.get(ref) == LARGE
        assert await objects.get(twice) == "twice"

    async def test_a_second_one_aside_takes_the_place_of_the_first(
        self, objects: Objects, held: Held
    ) -> None:
        ref = await objects.put(LARGE)
        await objects.lay_aside([ref, "0123abcd" * 8], NOW, held)
        await objects.lay_aside([ref], NOW + 1, held)  # there is none in its place
        assert await states(objects) == {(ref, NOW)}
        await objects.put(LARGE)
        await objects.lay_aside([ref], NOW + 2, held)
        assert await states(objects) == {(ref, NOW + 2)}
        assert await objects.get(ref) == LARGE

    async def test_what_is_dropped_is_not_left_aside(self, objects: Objects, held: Held) -> None:
        ref = await objects.put(LARGE)
        await objects.lay_aside([ref], NOW, held)
        await objects.put(LARGE)
        await objects.drop(ref)
        assert await states(objects) == set()

    async def test_nobody_who_puts_or_reads_meanwhile_loses_a_text(
        self, objects: Objects, held: Held
    ) -> None:
        ref = await objects.put(LARGE)

        async def puts() -> None:
            for _ in range(10):
                await objects.put(LARGE)
                assert await objects.get(ref) == LARGE

        async def moves() -> None:
            for number in range(10):
                await objects.lay_aside([ref], NOW + number, held)
                assert await objects.get(ref) == LARGE
                await objects.take_back([ref], held)

        await asyncio.gather(puts(), moves(), puts())
        await objects.take_back([ref], held)
        assert await states(objects) == {(ref, None)}
        assert await objects.get(ref) == LARGE

    async def test_what_is_put_while_older_ones_are_deleted_is_there(
        self, objects: Objects, held: Held
    ) -> None:
        async def deletes() -> None:
            for number in range(20):
                await objects.lay_aside([ref], NOW + number, held)
                await objects.put(LARGE)  # who puts after that, as who waited for an hour does
                await objects.expire([ref], NOW + number, held)
                assert await objects.get(ref) == LARGE

        ref = await objects.put(LARGE)
        await asyncio.gather(deletes(), *(objects.put(LARGE) for _ in range(20)))
        assert await objects.get(ref) == LARGE

    async def test_what_is_laid_aside_and_taken_back_by_two_at_once_is_there(
        self, objects: Objects, held: Held
    ) -> None:
        """As by who sweeps, and by an owner that is about to refer to it."""
        ref = await objects.put("x")

        async def lays_aside() -> None:
            for number in range(200):
                await objects.lay_aside([ref], NOW + number, held)

        async def takes_back() -> None:
            for _ in range(200):
                await objects.take_back([ref], held)
                assert await objects.get(ref) == "x"

        await asyncio.gather(lays_aside(), takes_back())
        assert await objects.get(ref) == "x"
