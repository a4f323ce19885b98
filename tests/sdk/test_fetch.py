"""HTTP requests that are made again by status, headers, time-outs and lost connections."""

from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from mainspring import Retry, retry
from mainspring.errors import InvalidTask
from mainspring.sdk import fetch

SOON = Retry(min_delay=0, max_delay=0)
NOW = 1_800_000_000_000


class Site:
    """An outside server, as a fake: answers one after the other; an exception is raised."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked: list[httpx2.Request] = []
        self.client = httpx2.AsyncClient(transport=httpx2.MockTransport(self.answer))

    def answer(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        status, headers = answer if isinstance(answer, tuple) else (answer, {})
        return httpx2.Response(status, headers=headers)

    async def get(self, **options: Any) -> int:
        usual = {"on_timeout": SOON, "on_connection_error": SOON, "by_status": {"429,5xx": SOON}}
        response = await retry.fetch("http://site/x", client=self.client, **{**usual, **options})
        return int(response.status_code)


async def test_a_request_is_made_again_by_its_status() -> None:
    site = Site(503, 429, 200)
    assert await site.get() == 200
    assert len(site.asked) == 3


async def test_other_statuses_and_the_last_one_are_returned_as_they_are() -> None:
    assert await Site(404).get() == 404
    assert await Site(500, 501, 502).get() == 502
    assert await Site(500).get(by_status={"500-599": None}) == 500
    first_that_fits = {500: None, "5xx": SOON}
    assert await Site(502, 500).get(by_status=first_that_fits) == 500


async def test_time_outs_and_lost_connections_have_rules_of_their_own() -> None:
    late, lost = httpx2.ReadTimeout("late"), httpx2.ConnectError("refused")
    assert await Site(late, lost, 200).get() == 200
    with pytest.raises(httpx2.ReadTimeout):
        await Site(late, 200).get(on_timeout=None)
    with pytest.raises(httpx2.ConnectError):
        await Site(lost, 200).get(on_connection_error=None)
    with pytest.raises(httpx2.ConnectError):
        await Site(lost, lost, lost, 200).get()


async def test_the_request_is_sent_as_it_was_given() -> None:
    site = Site(500, 200)
    await site.get(method="POST", json={"a": 1}, headers={"x-key": "k"}, params={"q": "1"})
    for request in site.asked:
        assert (request.method, request.content) == ("POST", b'{"a":1}')
        assert (request.headers["x-key"], request.url.query) == ("k", b"q=1")


async def test_a_server_that_asks_for_more_than_max_wait_gets_no_second_request() -> None:
    assert await Site((503, {"retry-after": "3600"})).get() == 503
    assert await Site((503, {"retry-after": "0"}), 200).get(by_status={"503": Retry()}) == 200
    over = (429, {"x-ratelimit-reset": "1"})
    assert await Site(over, 200).get(by_status={"429": retry.RateHeaders()}) == 200


def response(status: int, **headers: str) -> httpx2.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx2.Response(status, headers=named)


def test_the_server_comes_before_the_backoff() -> None:
    headers = retry.RateHeaders(format="seconds", retry=Retry(jitter=False))
    made = fetch.plan({"by_status": {429: headers, "503": Retry(jitter=False)}})
    assert made.after_response(response(503, retry_after="7"), 1, NOW) == 7000
    assert made.after_response(response(503, retry_after="soon"), 2, NOW) == 2000
    assert made.after_response(response(429, x_ratelimit_reset="12.5"), 1, NOW) == 12500
    assert made.after_response(response(429), 1, NOW) == 1000
    assert made.after_response(response(429, retry_after="3"), 3, NOW) is None


@pytest.mark.parametrize(
    "read",
    [
        lambda: fetch.reset_ms("1800000009", "unix_timestamp", NOW),
        lambda: fetch.reset_ms("1800000009000", "unix_timestamp_in_ms", NOW),
        lambda: fetch.reset_ms("9", "seconds", NOW),
        lambda: fetch.reset_ms("2027-01-15T08:00:09Z", "iso_8601", NOW),
        lambda: fetch.reset_ms("0m9s", "duration", NOW),
        lambda: fetch.retry_after_ms("9", NOW),
        lambda: fetch.retry_after_ms("Fri, 15 Jan 2027 08:00:09 GMT", NOW),
    ],
)
def test_each_format_of_a_moment_is_understood(read: Callable[[], int]) -> None:
    assert read() == 9000


@pytest.mark.parametrize("text", [None, "", "soon", "nan", "1e999"])
def test_what_no_moment_can_be_read_from_says_nothing(text: str | None) -> None:
    for form in ("unix_timestamp", "unix_timestamp_in_ms", "seconds", "iso_8601", "duration"):
        assert fetch.reset_ms(text, form, NOW) is None
    assert fetch.retry_after_ms(text, NOW) is None


def test_a_moment_in_the_past_means_now() -> None:
    assert fetch.reset_ms("1", "unix_timestamp", NOW) == 0
    assert fetch.retry_after_ms("Fri, 15 Jan 1999 08:00:09 GMT", NOW) == 0


@pytest.mark.parametrize(
    "given",
    [
        {"retries": 3},
        {"by_status": {"many": Retry()}},
        {"by_status": {"429": 3}},
        {"on_timeout": True},
        {"timeout": "late"},
    ],
)
async def test_options_that_make_no_sense_are_refused(given: Any) -> None:
    with pytest.raises(InvalidTask, match="fetch: "):
        await retry.fetch("http://site", **given)


def test_a_format_that_is_unknown_is_refused() -> None:
    with pytest.raises(InvalidTask, match="unix_timestamp_in_ms"):
        retry.RateHeaders(format="utc")  # type: ignore[arg-type]
