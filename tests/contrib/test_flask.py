"""A Flask application and its client."""

import pytest
from flask import Flask

from mainspring import SyncClient, Unauthorized
from mainspring.contrib.flask import Mainspring
from mainspring.errors import ConfigurationError
from mainspring.sdk.http import HttpTransport
from tests.sdk.conftest import Recorder

KEY = "tr_prod_sk_" + "k" * 24


def configured(**config: str) -> Flask:
    app = Flask("shop")
    app.config.update(config)
    return app


def test_each_application_has_its_own_client() -> None:
    jobs = Mainspring()
    found = []
    for name in ("one", "two"):
        app = configured(MAINSPRING_URL=f"http://{name}.test", MAINSPRING_SECRET_KEY=KEY)
        jobs.init_app(app)
        with app.app_context():
            there = jobs.client.transport
            assert isinstance(there, HttpTransport)
            found.append(there.url)
            assert jobs.client is jobs.client
    assert found == ["http://one.test", "http://two.test"]


def test_a_view_triggers_a_run() -> None:
    app = configured()
    engine = Recorder()
    jobs = Mainspring()
    app.extensions["mainspring"] = SyncClient(transport=engine)

    @app.post("/orders/<int:number>")
    def order(number: int) -> dict[str, str]:
        return {"run": jobs.client.tasks.trigger("receipt", {"order": number}).id}

    with app.test_client() as browser:
        answer = browser.post("/orders/7")
    assert answer.json == {"run": "run_1"}
    assert engine.payload == {"order": 7}


def test_without_init_app_the_way_out_is_named() -> None:
    with configured().app_context(), pytest.raises(ConfigurationError, match=r"'shop'.*init_app"):
        Mainspring().client  # noqa: B018 - the attribute is what fails


def test_a_missing_key_is_told_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MAINSPRING_SECRET_KEY", raising=False)
    with pytest.raises(Unauthorized, match="No key"):
        Mainspring(configured(MAINSPRING_URL="http://jobs.test"))
