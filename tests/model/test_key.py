"""Secret keys: one form, no bias, a hash that tells nothing."""

from __future__ import annotations

import random
import re

import pytest
from hypothesis import given, strategies as st

from mainspring.errors import Unauthorized
from mainspring.model.key import check_key, key_hash, new_key


@given(st.sampled_from(["dev", "stg", "prod", "preview", "preview-a"]), st.integers())
def test_a_new_key_has_the_form_that_is_accepted(slug: str, seed: int) -> None:
    key = new_key(slug, random.Random(seed))
    assert re.fullmatch(r"tr_(dev|stg|prod|preview)_sk_[0-9A-Za-z]{24}", key)
    check_key(key)
    assert new_key(slug, random.Random(seed)) == key
    assert new_key(slug, random.Random(seed + 1)) != key


def test_an_environment_that_does_not_exist_gets_no_key() -> None:
    with pytest.raises(ValueError, match="no environment"):
        new_key("test", random.Random(1))


@pytest.mark.parametrize(
    "key, reason",
    [
        ("", "another form"),
        ("tr_dev_abcdefghij0123456789", "older form"),
        ("tr_dev_sk_short", "5 characters"),
        ("tr_dev_sk_" + "-" * 24, "other ones than letters and digits"),
        ("tr_test_sk_" + "a" * 24, "another form"),
        ("tr_pat_" + "a" * 24, "personal access token"),
        ("eyJh.eyJz.c2ln", "signed token"),
        ("tr_dev_sk_" + "a" * 24 + "\n", "25 characters"),
        ("tr_dev_sk_" + "é" * 24, "other ones"),
    ],
)
def test_another_form_is_refused_with_the_reason_and_without_the_key(key: str, reason: str) -> None:
    with pytest.raises(Unauthorized, match=reason) as refused:
        check_key(key)
    assert not key or key not in refused.value.message


@given(st.text())
def test_any_text_has_a_hash_and_the_hash_is_not_the_text(key: str) -> None:
    assert re.fullmatch("[0-9a-f]{64}", key_hash(key))
    assert key_hash(key) == key_hash(key) != key_hash(key + "x")


def test_the_hash_of_a_key_never_changes_because_it_is_stored() -> None:
    assert key_hash("tr_dev_sk_" + "a" * 24) == STORED


STORED = "6046fbf2da68c71311275ab6c52cb0ed802df4c52d9baecf53e0e37a64bc2b87"
