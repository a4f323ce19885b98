"""Figures of a server, as Prometheus reads them."""

from __future__ import annotations

import httpx2

from mainspring.telemetry.metrics import Durations, Sample, expose, expose_durations
from tests.server.conftest import Served


async def test_requests_are_counted_by_route_and_status(served: Served) -> None:
    for _ in range(2):
        await served.client.get("/api/v1/queues")
    for invented in ("/nowhere", "/elsewhere"):
        await served.client.get(invented)
    text = (await served.client.get("/metrics")).text
    counted = 'mainspring_http_requests_total{method="GET",route="/api/v1/queues",status="200"} 2'
    assert counted in text.splitlines()
    lost = 'mainspring_http_requests_total{method="none",route="none",status="404"} 2'
    assert lost in text.splitlines()
    assert "elsewhere" not in text
    assert 'mainspring_http_request_seconds_count{method="GET",route="/api/v1/queues"} 2' in text
    assert "mainspring_runs_active 7" in text


async def test_figures_take_a_key(served: Served) -> None:
    async with httpx2.AsyncClient(base_url=served.url) as nobody:
        assert (await nobody.get("/metrics")).status_code == 401


def test_labels_are_escaped_and_each_name_is_explained_once() -> None:
    odd = Sample("depth", "How deep.", 2.5, (("queue", 'a"b\\c\nd'),))
    text = expose([odd, Sample("done_total", "How many.", 3.0), Sample("depth", "How deep.", 1)])
    assert text == (
        "# HELP depth How deep.\n# TYPE depth gauge\n"
        'depth{queue="a\\"b\\\\c\\nd"} 2.5\ndepth 1\n'
        "# HELP done_total How many.\n# TYPE done_total counter\ndone_total 3\n"
    )


def test_a_histogram_counts_what_is_at_most_its_bounds() -> None:
    durations = Durations()
    for seconds in (0.001, 0.0011, 99.0):
        durations.add(seconds)
    lines = expose_durations("took", "How long.", {(): durations}).splitlines()
    assert 'took_bucket{le="0.001"} 1' in lines
    assert 'took_bucket{le="0.0025"} 2' in lines
    assert 'took_bucket{le="10"} 2' in lines
    assert 'took_bucket{le="+Inf"} 3' in lines
    assert "took_count 3" in lines
