"""A Django project: its client, and runs that are made when its transaction is committed."""

import json
from collections.abc import Iterator
from pathlib import Path

import django
import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import connection, transaction
from django.test.utils import override_settings

from mainspring import InvalidPayload, task
from mainspring.contrib import django as jobs
from mainspring.sdk import transport
from mainspring.sdk.http import HttpTransport
from mainspring.sdk.registry import registry
from tests.sdk.conftest import Recorder

KEY = "tr_prod_sk_" + "k" * 24

if not settings.configured:
    settings.configure(
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        USE_TZ=True,
    )
    django.setup()

with registry.isolated():

    @task
    def receipt(order: int, copy_to: str = "") -> None: ...


@pytest.fixture(autouse=True)
def engine() -> Iterator[Recorder]:
    engine = Recorder()
    with transport.using(engine):
        yield engine
    connection.close()


def test_a_run_is_made_when_the_transaction_is_committed(engine: Recorder) -> None:
    with transaction.atomic():
        jobs.on_commit(receipt.call(1, copy_to="a@b.c"))
        with transaction.atomic():
            jobs.on_commit(receipt.with_options(tags=["x"]).call(2))
        assert engine.triggered == []
    assert [json.loads(request.payload)["order"] for request in engine.triggered] == [1, 2]
    assert engine.last.options.tags == ("x",)


def test_without_a_transaction_it_is_made_at_once(engine: Recorder) -> None:
    jobs.on_commit(receipt.call(1))
    assert len(engine.triggered) == 1


def test_after_a_rollback_there_is_no_run(engine: Recorder) -> None:
    def buy() -> None:
        with transaction.atomic():
            jobs.on_commit(receipt.call(1))
            raise LookupError("no stock")

    with pytest.raises(LookupError):
        buy()
    assert engine.triggered == []


def test_bad_arguments_are_told_where_they_are_given(engine: Recorder) -> None:
    with transaction.atomic(), pytest.raises(InvalidPayload):
        jobs.on_commit(receipt.call("one"))  # type: ignore[arg-type]


def test_the_setting_names_the_server() -> None:
    with override_settings(MAINSPRING={"URL": "http://jobs.test", "KEY": KEY, "TIMEOUT": "3s"}):
        for client in (jobs.client(), jobs.async_client()):
            there = client.transport
            assert isinstance(there, HttpTransport)
            assert (there.url, there.environment) == ("http://jobs.test", "prod")
        assert jobs.client() is jobs.client()
        first = jobs.client()
    with override_settings(MAINSPRING={"URL": "http://other.test", "KEY": KEY}):
        assert jobs.client() is not first


def test_runs_go_to_the_server_of_the_setting(
    engine: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = Recorder()
    with override_settings(MAINSPRING={"URL": "http://jobs.test", "KEY": KEY}):
        monkeypatch.setattr(jobs.client(), "transport", there)
        with transaction.atomic():
            jobs.on_commit(receipt.call(1))
    assert (len(there.triggered), engine.triggered) == (1, [])


def test_a_misspelt_key_of_the_setting_is_told() -> None:
    with (
        override_settings(MAINSPRING={"URI": "http://jobs.test"}),
        pytest.raises(ImproperlyConfigured, match="no URI; there are URL, KEY"),
    ):
        jobs.client()


def test_inside_the_transaction_the_connection_of_django_is_what_the_option_takes(
    engine: Recorder, tmp_path: Path
) -> None:
    asked: list[tuple[str, ...]] = []

    def trigger(*values: str) -> str:
        asked.append(values)
        return "run_7"

    # stands in for the function that PostgreSQL has
    connection.ensure_connection()
    connection.connection.create_function("mainspring_trigger", 4, trigger)
    with transaction.atomic():
        handle = receipt.with_options(connection=connection).trigger_sync(1)
    assert handle.id == "run_7"
    assert asked[0][:3] == ("dev", "receipt", '{"order":1}')
    assert engine.triggered == []
