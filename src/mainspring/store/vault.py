"""AES-256-GCM over variables. The keys come from settings or a file. Needs `cryptography`.

The first key seals, all of them open, so that a key is changed while servers run: add the new one
in front everywhere, let the servers seal anew what the old one sealed, then take the old one away.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from collections.abc import Callable, Sequence
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from mainspring.errors import ConfigurationError
from mainspring.store.variables import VariableRow

_NONCE: Final = 12
_SIZE: Final = 32


class AesVault:
    """See `mainspring.store.variables.Vault`. `keys` is asked for the texts of the keys."""

    def __init__(self, keys: Callable[[], Sequence[str]]) -> None:
        self._read = keys
        self._texts: tuple[str, ...] = ()
        self._ciphers: dict[str, AESGCM] = {}
        self._key_id = ""
        self.refresh()

    @property
    def key_id(self) -> str:
        return self._key_id

    def refresh(self) -> None:
        texts = tuple(self._read())
        if texts == self._texts:
            return
        keys = [_key(text) for text in texts]
        if not keys:
            raise ConfigurationError("There is no key to seal variables with.")
        self._ciphers = {_id(key): AESGCM(key) for key in keys}
        self._texts, self._key_id = texts, _id(keys[0])

    def seal(self, env_id: int, name: str, value: str) -> str:
        nonce = os.urandom(_NONCE)
        sealed = self._ciphers[self._key_id].encrypt(nonce, value.encode(), _bound(env_id, name))
        return base64.b64encode(nonce + sealed).decode()

    def open(self, row: VariableRow) -> str:
        if row.key_id not in self._ciphers:
            self.refresh()
        cipher = self._ciphers.get(row.key_id)
        if cipher is None:
            raise ConfigurationError(
                f"The variable {row.name} is sealed with the key {row.key_id}, and this server has "
                f"{', '.join(self._ciphers)} only. Add that key to server.encryption_keys behind "
                "the present one, or set the variable anew."
            )
        try:
            data = base64.b64decode(row.sealed, validate=True)
            return cipher.decrypt(
                data[:_NONCE], data[_NONCE:], _bound(row.env_id, row.name)
            ).decode()
        except (InvalidTag, ValueError) as error:
            raise ConfigurationError(
                f"The variable {row.name} does not open: its row was changed or copied from "
                "elsewhere. Set the variable anew."
            ) from error


def _bound(env_id: int, name: str) -> bytes:
    """What a sealed value belongs to."""
    return f"env_var {env_id} {name}".encode()


def _id(key: bytes) -> str:
    return hashlib.sha256(b"mainspring key id" + key).hexdigest()[:8]


def _key(text: str) -> bytes:
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ConfigurationError(_FORM) from error
    if len(key) != _SIZE or len(set(key)) < 8:  # 32 random bytes never are so alike
        raise ConfigurationError(_FORM)
    return key


_FORM: Final = (
    "A key in server.encryption_keys or server.encryption_key_file is not base64 of 32 random "
    "bytes. Make one: openssl rand -base64 32"
)
