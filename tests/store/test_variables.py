"""Variables in rows of each database, and the vault that seals them."""

import base64
import os

import pytest
from hypothesis import given, strategies as st
from msgspec.structs import replace

from mainspring.errors import ConfigurationError
from mainspring.store.variables import VariableRow
from mainspring.store.vault import AesVault
from mainspring.testing.store_variables import VariablesContract


class TestRows(VariablesContract):
    pass


def key(number: int) -> str:
    return base64.b64encode(bytes((number * 7 + n) % 256 for n in range(32))).decode()


def vault(*numbers: int) -> AesVault:
    return AesVault(lambda: [key(number) for number in numbers])


def row(by: AesVault, value: str, env_id: int = 1, name: str = "NAME") -> VariableRow:
    return VariableRow(env_id, name, by.seal(env_id, name, value), by.key_id, 1, 0)


texts = st.text(st.characters(exclude_categories=["Cs"]))


@given(texts, st.integers(1, 2**40), texts)
def test_a_sealed_value_opens_again(value: str, env_id: int, name: str) -> None:
    sealer = vault(1)
    assert sealer.open(row(sealer, value, env_id, name)) == value


def test_a_row_that_was_copied_or_changed_does_not_open() -> None:
    sealer = vault(1)
    good = row(sealer, "the secret")
    data = bytearray(base64.b64decode(good.sealed))
    changed = [
        replace(good, env_id=2),
        replace(good, name="NAME2"),
        replace(good, sealed=""),
        replace(good, sealed="no base64"),
        replace(good, sealed=base64.b64encode(data[:-1]).decode()),
    ]
    for at in range(len(data)):
        data[at] ^= 1
        changed.append(replace(good, sealed=base64.b64encode(data).decode()))
        data[at] ^= 1
    for bad in changed:
        with pytest.raises(ConfigurationError, match=r"does not open.*Set the variable anew"):
            sealer.open(bad)
    assert sealer.open(good) == "the secret"


def test_nothing_of_a_value_is_seen_and_no_two_are_alike() -> None:
    sealer = vault(1)
    first, second = row(sealer, "canary-value"), row(sealer, "canary-value")
    assert first.sealed != second.sealed
    for form in (b"canary", base64.b64encode(b"canary")):
        assert form not in base64.b64decode(first.sealed)
        assert form not in first.sealed.encode()


def test_every_key_opens_and_the_first_one_seals() -> None:
    old, both, new = vault(1), vault(2, 1), vault(2)
    under_old = row(old, "x")
    assert both.open(under_old) == "x"
    assert both.key_id == new.key_id != old.key_id
    assert new.open(row(both, "y")) == "y"
    with pytest.raises(ConfigurationError, match=f"{old.key_id}.*{new.key_id}"):
        new.open(under_old)


def test_keys_are_read_anew_when_one_is_missing() -> None:
    numbers = [1]
    changing = AesVault(lambda: [key(number) for number in numbers])
    numbers[:] = [1, 2]
    assert changing.open(row(vault(2), "later")) == "later"
    numbers[:] = [3, 1]
    changing.refresh()
    assert changing.key_id == vault(3).key_id


@pytest.mark.parametrize(
    "text", ["", "short", "x" * 44, base64.b64encode(b"x" * 32).decode(), key(1)[:-4], "é" * 44]
)
def test_a_key_that_is_none_names_how_to_make_one(text: str) -> None:
    with pytest.raises(ConfigurationError, match="openssl rand -base64 32") as caught:
        AesVault(lambda: [text])
    assert len(text) < 8 or text not in str(caught.value)


def test_any_32_random_bytes_are_a_key() -> None:
    made = base64.b64encode(os.urandom(32)).decode()
    sealer = AesVault(lambda: [made])
    assert sealer.open(row(sealer, "x")) == "x"
