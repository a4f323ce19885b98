"""What keeps large texts and uploads does: a test class. Subclass it in a test module and give a
fixture `objects`, open and empty.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from mainspring.errors import NotFound, PayloadTooLarge
from mainspring.store.objects import Objects, Upload

PLACE = (3, 1)
PATH = "trigger/packet_abc/payload.json"
NOW = 1_700_000_000_000
LARGE = "ä\n\x1f\x1e'\"\\{}NULL, " * 40_000
"""More than two parts of a row, of what databases might take for their own."""


async def parts(*texts: str) -> AsyncIterator[str]:
    """What arrives of an upload."""
    for text in texts:
        await asyncio.sleep(0)
        yield text


class ObjectsContract:
    """Texts by their hash, uploads by their path."""

    async def test_a_text_is_read_back_by_its_reference(self, objects: Objects) -> None:
        for text in (LARGE, "", "x"):
            assert await objects.get(await objects.put(text)) == text

    async def test_equal_texts_share_one_reference(self, objects: Objects) -> None:
        refs = await asyncio.gather(*(objects.put(LARGE) for _ in range(3)))
        assert len(set(refs)) == 1
        assert await objects.put("other") != refs[0]

    async def test_an_unknown_reference_is_named(self, objects: Objects) -> None:
        with pytest.raises(NotFound, match="0123abcd"):
            await objects.get("0123abcd" * 8)

    async def test_a_text_that_is_dropped_is_gone_and_may_be_put_again(
        self, objects: Objects
    ) -> None:
        ref = await objects.put(LARGE)
        for name in (ref, ref, "no reference"):
            await objects.drop(name)
        with pytest.raises(NotFound, match="gone"):
            await objects.get(ref)
        assert await objects.get(await objects.put(LARGE)) == LARGE

    async def test_an_upload_is_found_with_its_type(self, objects: Objects) -> None:
        await objects.keep(PLACE, PATH, "application/super+json", parts(LARGE, "", "end"), NOW)
        found = await objects.kept(PLACE, PATH)
        assert found == Upload("application/super+json", f"{LARGE}end")

    async def test_an_empty_upload_is_one(self, objects: Objects) -> None:
        await objects.keep(PLACE, PATH, "text/plain", parts(), NOW)
        assert await objects.kept(PLACE, PATH) == Upload("text/plain", "")

    async def test_a_second_upload_takes_the_place_of_the_first(self, objects: Objects) -> None:
        await objects.keep(PLACE, PATH, "text/plain", parts(LARGE), NOW)
        await objects.keep(PLACE, PATH, "application/json", parts("1"), NOW)
        assert await objects.kept(PLACE, PATH) == Upload("application/json", "1")

    async def test_uploads_at_once_leave_a_whole_one(self, objects: Objects) -> None:
        texts = [LARGE, "short", LARGE * 2]
        await asyncio.gather(
            *(objects.keep(PLACE, PATH, "text/plain", parts(text), NOW) for text in texts)
        )
        found = await objects.kept(PLACE, PATH)
        assert found is not None
        assert found.text in texts

    async def test_an_upload_is_seen_in_its_own_place_only(self, objects: Objects) -> None:
        await objects.keep(PLACE, PATH, "text/plain", parts("mine"), NOW)
        assert await objects.kept((4, 2), PATH) is None
        assert await objects.kept(PLACE, f"{PATH}x") is None

    async def test_a_broken_upload_leaves_nothing(self, objects: Objects) -> None:
        async def broken() -> AsyncIterator[str]:
            yield "half"
            raise PayloadTooLarge("too large")

        await objects.keep(PLACE, PATH, "text/plain", parts("whole"), NOW)
        for path in (PATH, "other"):
            with pytest.raises(PayloadTooLarge):
                await objects.keep(PLACE, path, "text/plain", broken(), NOW)
        assert await objects.kept(PLACE, PATH) == Upload("text/plain", "whole")
        assert await objects.kept(PLACE, "other") is None

    async def test_only_old_uploads_are_swept(self, objects: Objects) -> None:
        ref = await objects.put(LARGE)
        await objects.keep(PLACE, "old", "text/plain", parts("old"), NOW - 1)
        await objects.keep(PLACE, "new", "text/plain", parts("new"), NOW)
        await objects.sweep(NOW)
        assert await objects.kept(PLACE, "old") is None
        assert await objects.kept(PLACE, "new") is not None
        assert await objects.get(ref) == LARGE
