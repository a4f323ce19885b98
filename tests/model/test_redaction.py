"""Secrets do not survive in what is shown, in whatever form they turn up."""

import base64
import json
from urllib.parse import quote, quote_plus

import msgspec
import pytest
from hypothesis import given, strategies as st

from mainspring.model.redaction import SHORTEST, Redaction
from mainspring.model.variables import HIDDEN

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
# A secret of many different letters is in no text by chance.
secrets = st.text(
    st.characters(min_codepoint=33, max_codepoint=0x2FF, exclude_characters="<>redact"),
    min_size=12,
    max_size=40,
)
FORMS = [
    lambda secret: secret,
    lambda secret: quote(secret, safe=""),
    quote_plus,
    json.dumps,
    lambda secret: msgspec.json.encode(secret).decode(),
    repr,
    lambda secret: secret.encode().hex(),
    lambda secret: f"postgresql://user:{secret}@host/db",
]


@pytest.mark.parametrize("form", FORMS)
@given(secret=secrets, before=texts, after=texts)
def test_a_secret_is_hidden_in_every_form(form, secret: str, before: str, after: str) -> None:
    hidden = Redaction([secret]).text(before + form(secret) + after)
    assert secret not in hidden
    assert HIDDEN in hidden


@given(secrets, st.binary(max_size=9), st.binary(max_size=9), st.booleans())
def test_a_secret_inside_base64_is_hidden_wherever_it_begins(
    secret: str, before: bytes, after: bytes, url_safe: bool
) -> None:
    encode = base64.urlsafe_b64encode if url_safe else base64.b64encode
    text = encode(before + secret.encode() + after).decode()
    hidden = Redaction([secret]).text(text)
    assert HIDDEN in hidden
    kept = hidden.replace(HIDDEN, "")
    assert len(kept) <= len(text) - len(secret) * 4 // 3 + 8


@given(st.lists(secrets, min_size=2, max_size=5), texts)
def test_of_secrets_that_overlap_nothing_is_left(found: list[str], text: str) -> None:
    nested = [*found, found[0] + found[1], found[0][2:] + "x1y2z3"]
    whole = text.join(nested)
    hidden = Redaction(nested).text(whole)
    assert not [secret for secret in nested if secret in hidden]


@given(texts)
def test_without_secrets_nothing_changes(text: str) -> None:
    for redaction in (Redaction(), Redaction(["", "short"[: SHORTEST - 1]])):
        assert not redaction
        assert redaction.text(text) == text
        assert redaction.json(text) == text


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
)


@given(values, secrets, st.integers(10**7, 10**12))
def test_json_stays_json_even_where_a_secret_is_a_number(
    value: object, secret: str, number: int
) -> None:
    text = json.dumps([value, {secret: [secret], "n": number, "f": number / 2}], ensure_ascii=False)
    redaction = Redaction([secret, str(number)])
    hidden = redaction.json(text)
    found = json.loads(hidden)
    assert found[1][HIDDEN] == [HIDDEN]
    assert found[1]["n"] == HIDDEN
    assert secret not in hidden


def test_each_line_of_a_key_file_is_a_secret() -> None:
    key = "-----BEGIN KEY-----\nMIIEvQIBADANBg\nkqhkiG9w0BAQEF\n-----END KEY-----\n"
    hidden = Redaction([key]).text(f"log: MIIEvQIBADANBg, then kqhkiG9w0BAQEF {key!r}")
    assert "MIIE" not in hidden
    assert "kqhk" not in hidden
