"""Which payload fits what is waited for."""

from typing import Any

import pytest

from mainspring.model.match import fits

PAYLOAD = {
    "kind": "paid",
    "user": {"id": 7, "address": {"city": "Bern"}, "a.b": 1},
    "flat.name": True,
    "none": None,
    "tags": ["a", {"b": 1}],
}


@pytest.mark.parametrize(
    "wanted, fitting",
    [
        ({}, True),
        ({"kind": "paid"}, True),
        ({"kind": "Paid"}, False),
        ({"kind": "paid", "user.id": 7}, True),
        ({"kind": "paid", "user.id": 8}, False),
        ({"user.id": 7.0}, True),
        ({"user.id": "7"}, False),
        ({"user.address.city": "Bern"}, True),
        ({"user.address": {"city": "Bern"}}, True),
        ({"user.address.zip": None}, False),
        ({"user.a.b": 1}, True),
        ({"flat.name": True}, True),
        ({"flat.name": 1}, False),
        ({"none": None}, True),
        ({"missing": None}, False),
        ({"tags": ["a", {"b": 1}]}, True),
        ({"tags": ["a"]}, False),
        ({"kind.of": 1}, False),
        ({"": 1}, False),
    ],
)
def test_every_wanted_field_must_be_there_and_equal(wanted: dict[str, Any], fitting: bool) -> None:
    assert fits(wanted, PAYLOAD) is fitting


@pytest.mark.parametrize("payload", [None, 1, "kind", ["kind"]])
def test_a_payload_without_fields_fits_only_who_wants_none(payload: Any) -> None:
    assert fits({}, payload)
    assert not fits({"kind": "paid"}, payload)
