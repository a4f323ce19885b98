"""Keys mark the same run, within a scope."""

import hashlib

import pytest

from mainspring import Context, InvalidOptions, NotFound, idempotency
from mainspring.wire.calls import ResetKey
from tests.sdk.conftest import Recorder


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def test_a_key_outside_a_run_is_global() -> None:
    key = idempotency.create_key(["order", "7"])
    assert key == sha("order-7")
    assert (key.shown, key.scope) == ("order-7", "global")


def test_a_key_inside_a_run_belongs_to_it_unless_told_otherwise(in_run: Context) -> None:
    assert idempotency.create_key("k") == sha("k-run_a")
    assert idempotency.create_key("k", "attempt") == sha("k-run_a-2")
    assert idempotency.create_key("k", scope="global") == sha("k")


def test_text_of_64_characters_is_a_finished_key(in_run: Context) -> None:
    finished = "f" * 64
    assert idempotency.create_key(finished) == finished
    made = idempotency.create_key("k")
    assert idempotency.create_key(made) is made


@pytest.mark.parametrize("scope", ["run", "attempt"])
def test_a_run_scope_outside_a_run_is_refused(scope: idempotency.Scope) -> None:
    with pytest.raises(InvalidOptions, match="needs a current run"):
        idempotency.create_key("k", scope)


def test_an_empty_key_is_refused() -> None:
    with pytest.raises(InvalidOptions, match="empty"):
        idempotency.create_key("")


async def test_a_key_is_reset_by_its_text_or_as_it_was_made(engine: Recorder) -> None:
    assert await idempotency.reset("mail", "k") == "run_old"
    assert engine.asked == [ResetKey("mail", sha("k"))]
    await idempotency.reset("mail", idempotency.create_key(["a", "b"]))
    assert engine.asked[-1] == ResetKey("mail", sha("a-b"))
    engine.answers[ResetKey] = lambda _: NotFound("No run holds that key.")
    with pytest.raises(NotFound):
        await idempotency.reset("mail", "other")
