"""Where the keys come from that seal variables, and what is said when there are none."""

from __future__ import annotations

import base64
import stat
import sys
from pathlib import Path

import pytest

from mainspring.app.hosted import hosted
from mainspring.app.stores import locate
from mainspring.app.vaults import key_file, vault_of
from mainspring.errors import ConfigurationError, NotBuilt
from mainspring.settings import ServerSettings
from mainspring.store.variables import VariableRow
from mainspring.wire import calls

ONE = base64.b64encode(bytes(range(32))).decode()
TWO = base64.b64encode(bytes(range(1, 33))).decode()
POSTGRES = locate("postgresql://nobody@127.0.0.1/none")


def test_a_sqlite_database_has_its_key_beside_it_for_its_owner_only(tmp_path: Path) -> None:
    place = locate(str(tmp_path / "state.db"))
    first = vault_of(place, ServerSettings())()
    file = key_file(place)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    sealed = first.seal(1, "A", "x")
    again = vault_of(place, ServerSettings())()
    assert again.open(VariableRow(1, "A", sealed, again.key_id, 0, 0)) == "x"
    assert [path.name for path in tmp_path.iterdir()] == ["state.db.key"]


def test_nothing_is_made_before_it_is_needed(tmp_path: Path) -> None:
    vault_of(locate(str(tmp_path / "state.db")), ServerSettings())
    assert list(tmp_path.iterdir()) == []


def test_settings_go_before_a_file_and_a_file_is_read_anew(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(f"{TWO}\n")
    both = ServerSettings(encryption_keys=(ONE,), encryption_key_file=str(file))
    assert (
        vault_of(POSTGRES, both)().key_id
        != vault_of(POSTGRES, ServerSettings(encryption_key_file=str(file)))().key_id
    )
    vault = vault_of(POSTGRES, ServerSettings(encryption_key_file=str(file)))()
    before = vault.key_id
    file.write_text(f"{ONE}\n{TWO}\n")
    vault.refresh()
    assert vault.key_id != before


def test_postgresql_needs_keys_that_every_server_has() -> None:
    with pytest.raises(NotBuilt, match=r"MAINSPRING_SERVER_ENCRYPTION_KEYS.*openssl rand"):
        vault_of(POSTGRES, ServerSettings())()


def test_a_key_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    settings = ServerSettings(encryption_key_file=str(tmp_path / "nothing"))
    with pytest.raises(ConfigurationError, match="nothing"):
        vault_of(POSTGRES, settings)()


def test_without_the_cipher_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "mainspring.store.vault", raising=False)
    monkeypatch.setitem(sys.modules, "cryptography", None)
    monkeypatch.setitem(sys.modules, "cryptography.exceptions", None)
    with pytest.raises(NotBuilt, match=r"mainspring\[encryption\]"):
        vault_of(locate(str(tmp_path / "state.db")), ServerSettings())()


async def test_a_server_without_variables_needs_no_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = locate(str(tmp_path / "state.db"))
    async with hosted(place, ServerSettings(port=0, access_log=False)) as server:
        env = await server.engine.environment("prod")
        assert (await server.engine.given(env)).variables == {}
        assert not key_file(place).exists()
        await server.engine.answer(env, calls.SetVariables({"A": "kept"}))
        assert key_file(place).exists()
    async with hosted(place, ServerSettings(port=0, access_log=False)) as server:
        assert (await server.engine.given(env)).variables == {"A": "kept"}
