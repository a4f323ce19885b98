"""Public tokens as text: one way to write them, and nothing else is read."""

from __future__ import annotations

import random
import string

from hypothesis import given, strategies as st

from mainspring.wire import tokens

KEY = b"k" * 32
NOW = 1_700_000_000
TOKEN = tokens.token(KEY, "env_1", ["read:runs:run_1", "write:tags:ä"], NOW, made_by="key_1")
LETTERS = string.ascii_letters + string.digits + "-_"


def verified(text: str) -> tokens.Claims | None:
    return tokens.verified(text, [b"other", KEY], "env_1", NOW)


@given(
    st.lists(st.text(min_size=1, max_size=60), min_size=1, max_size=20),
    st.integers(1, tokens.LONGEST_S),
    st.booleans(),
    st.none() | st.lists(st.text(max_size=20), max_size=5),
)
def test_what_is_written_is_read(
    scopes: list[str], life_s: int, once: bool, columns: list[str] | None
) -> None:
    text = tokens.token(
        KEY, "env_1", scopes, NOW, life_s, made_by="k", once=once, skip_columns=columns
    )
    found = verified(text)
    assert found is not None
    assert (found.scopes, found.exp, found.otu) == (scopes, NOW + life_s, once)
    assert (found.realtime.skip_columns if found.realtime else None) == columns
    assert tokens.subject(text) == "env_1"
    assert tokens.verified(text, [KEY], "env_2", NOW) is None
    assert tokens.verified(text, [], "env_1", NOW) is None
    assert tokens.verified(text, [KEY], "env_1", NOW + life_s) is None


def test_none_of_ten_thousand_random_changes_is_accepted() -> None:
    """Each changes, drops, adds, doubles or swaps letters at random places of a good token."""
    bits = random.Random(7)
    assert verified(TOKEN) is not None
    tried = 0
    while tried < 10_000:
        letters = list(TOKEN)
        for _ in range(bits.choice((1, 1, 1, 2, 5))):
            at = bits.randrange(len(letters))
            match bits.randrange(6):
                case 0:
                    letters[at] = bits.choice(LETTERS)
                case 1:
                    del letters[at]
                case 2:
                    letters.insert(at, bits.choice(LETTERS + "=+/. \n\0é"))
                case 3:
                    letters.insert(at, letters[at])
                case 4:
                    other = bits.randrange(len(letters))
                    letters[at], letters[other] = letters[other], letters[at]
                case _:
                    letters[at] = letters[at].swapcase()
        text = "".join(letters)
        if text != TOKEN:
            tried += 1
            assert verified(text) is None, text


@given(st.text())
def test_any_text_is_read_without_an_error(text: str) -> None:
    assert verified(text) is None
    assert verified(f"{TOKEN.rpartition('.')[0]}.{text}") is None
    tokens.subject(text)
    tokens.subject(f"eyJhbGciOiJIUzI1NiJ9.{text}.x")


@given(st.binary(max_size=200))
def test_any_signed_payload_is_read_without_an_error(payload: bytes) -> None:
    body = tokens._part(payload)
    signed = tokens._HEAD + b"." + body
    proof = tokens._part(tokens.hmac.digest(KEY, signed, "sha256"))
    assert verified((signed + b"." + proof).decode()) is None
