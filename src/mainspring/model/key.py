"""Secret keys of environments: their form, a new one, a hash without a secret. No look-up."""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import Final

from mainspring.errors import Unauthorized
from mainspring.ids import Bits

_FORM: Final = re.compile(r"tr_(?:dev|stg|prod|preview)_sk_[0-9A-Za-z]{24}")
PERSONAL: Final = "tr_pat_"
SESSION: Final = "tr_pat_s_"
"""Begins personal tokens that a sign-in with a password has made."""
_LETTERS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
# Not a secret: a key has 143 bits of chance, so its hash cannot be guessed. The label keeps our
# hashes apart from those that another program may keep of the same text.
_LABEL: Final = b"mainspring secret key 1"


def new_key(slug: str, bits: Bits) -> str:
    """A new secret key for the environment with that slug; `preview-x` gives a preview key.

    `bits` must be a source fit for secrets, such as `random.SystemRandom()`.
    Raises: ValueError for a slug that is not dev, stg, prod or preview-….
    """
    number = bits.getrandbits(192)  # more than 62**24 needs, so that no letter is likelier
    letters = ""
    for _ in range(24):
        number, letter = divmod(number, 62)
        letters += _LETTERS[letter]
    key = f"tr_{slug.partition('-')[0]}_sk_{letters}"
    if not _FORM.fullmatch(key):
        raise ValueError(f"{slug!r} is no environment; expected dev, stg, prod or preview-….")
    return key


def new_personal(bits: Bits) -> str:
    """A new personal access token; `bits` as for `new_key`."""
    return PERSONAL + _letters(bits)


def new_session(bits: Bits) -> str:
    """The same for a session; it differs by how it begins."""
    return SESSION + _letters(bits)


def _letters(bits: Bits) -> str:
    return "".join(_LETTERS[bits.getrandbits(192) % 62] for _ in range(40))


def check_key(key: str) -> None:
    """Refuse text that cannot be a secret key. Raises: Unauthorized with what is wrong, not the
    text.
    """
    if _FORM.fullmatch(key):
        return
    if key.startswith("tr_pat_"):
        found = "a personal access token"
    elif key.startswith("pk_") or "_pk_" in key:
        found = "a public key"
    elif key.count(".") == 2:
        found = "a signed token"
    elif re.fullmatch(r"tr_(?:dev|stg|prod|preview)_[0-9A-Za-z]+", key):
        found = "a secret key of the older form without `sk_`"
    elif re.match(r"tr_(?:dev|stg|prod|preview)_sk_", key):
        body = key.partition("_sk_")[2]
        found = f"{len(body)} characters after `sk_`, or other ones than letters and digits"
    else:
        found = "text of another form"
    raise Unauthorized(
        "The key is not a secret key: expected tr_<dev|stg|prod|preview>_sk_ and 24 letters or "
        f"digits, found {found}. Copy the key again from where it was printed."
    )


def key_hash(key: str) -> str:
    """64 hexadecimal digits that stand for the key; stored only under the server's pepper."""
    return hmac.digest(_LABEL, key.encode(errors="replace"), hashlib.sha256).hex()
