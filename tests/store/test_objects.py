"""Large texts and uploads: in rows of each database, and in a directory."""

import os
from pathlib import Path

import pytest

from mainspring.store.objects import DirectoryObjects, Objects
from mainspring.store.protocol import Store
from mainspring.testing.store_objects import NOW, PATH, PLACE, ObjectsContract, parts


class TestRows(ObjectsContract):
    @pytest.fixture
    def objects(self, store: Store) -> Objects:
        return store.objects


class TestDirectory(ObjectsContract):
    @pytest.fixture
    def objects(self, tmp_path: Path) -> Objects:
        return DirectoryObjects(tmp_path / "objects")

    async def test_a_path_cannot_lead_out_of_the_directory(
        self, objects: Objects, tmp_path: Path
    ) -> None:
        for path in ("../../evil", "/etc/evil", "..", "a/../../../evil", "\\..\\evil", "x" * 900):
            await objects.keep(PLACE, path, "text/plain", parts(path), NOW)
            found = await objects.kept(PLACE, path)
            assert found is not None
            assert found.text == path
        assert os.listdir(tmp_path) == ["objects"]

    async def test_nothing_half_written_is_left_lying(
        self, objects: Objects, tmp_path: Path
    ) -> None:
        await objects.keep(PLACE, PATH, "text/plain", parts("a", "b"), NOW)
        files = [name for _, _, names in os.walk(tmp_path) for name in names]
        assert len(files) == 1
        assert not files[0].endswith(".part")
