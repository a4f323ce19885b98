"""Secrets taken out of text by value, also as base64, as part of an address and inside JSON."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, Final
from urllib.parse import quote, quote_plus

import msgspec

from mainspring.model.variables import HIDDEN

SHORTEST: Final = 6
"""Characters of a secret that is looked for; a shorter one is in everything."""


class Redaction:
    """Hides a set of secrets. False when there is nothing to hide."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        forms = {form for secret in secrets for form in _forms(secret)}
        # the longest first: of two that overlap, nothing of the longer one may be left
        ordered = sorted(forms, key=lambda form: (-len(form), form))
        self._pattern = re.compile("|".join(map(re.escape, ordered))) if ordered else None

    def __bool__(self) -> bool:
        return self._pattern is not None

    def text(self, text: str) -> str:
        """The text without secrets."""
        return self._pattern.sub(HIDDEN, text) if self._pattern is not None else text

    def json(self, text: str) -> str:
        """JSON text without secrets; it stays JSON, also where a secret is a number."""
        if self._pattern is None or not self._pattern.search(text):
            return text
        try:
            value = msgspec.json.decode(text)
        except msgspec.DecodeError:
            return self.text(text)
        return msgspec.json.encode(self.value(value)).decode()

    def value(self, value: Any) -> Any:
        """A JSON value without secrets, also in the names of fields."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self.value(item) for item in value]
        if isinstance(value, dict):
            return {self.value(key): self.value(item) for key, item in value.items()}
        if isinstance(value, int | float) and not isinstance(value, bool):
            text = repr(value)
            return value if self.text(text) == text else HIDDEN
        return value


def _forms(secret: str) -> Iterator[str]:
    """What a secret looks like where it turns up: as it is, line by line, and encoded."""
    for part in {secret, secret.strip(), *secret.splitlines()}:
        if len(part) < SHORTEST:
            continue
        yield part
        yield quote(part, safe="")
        yield quote_plus(part)
        yield msgspec.json.encode(part).decode()[1:-1]
        yield json.dumps(part)[1:-1]
        yield repr(part)[1:-1]
        yield part.encode().hex()
        yield from _in_base64(part.encode())


def _in_base64(secret: bytes) -> Iterator[str]:
    """What of it is the same in base64 whatever stands around it, for each of three offsets."""
    for before in range(3):
        whole = base64.b64encode(b"\0" * before + secret).decode().rstrip("=")
        end = len(whole) - (1 if (before + len(secret)) % 3 else 0)
        inner = whole[(0, 2, 3)[before] : end]
        if len(inner) >= SHORTEST:
            yield inner
            yield inner.translate(_URL_SAFE)


_URL_SAFE: Final = str.maketrans("+/", "-_")
