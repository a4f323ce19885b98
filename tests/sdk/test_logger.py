"""Log lines of a run, and watching the worker."""

import json
import logging
from collections.abc import Iterator

import pytest

from mainspring import logger, observe
from mainspring.sdk.logger import sink
from mainspring.sdk.observe import WorkerEvent

Line = tuple[str, str, str | None]
EVENT = WorkerEvent("claim", "run_a", 3, 7)


@pytest.fixture
def lines() -> Iterator[list[Line]]:
    found: list[Line] = []
    token = sink.set(lambda *line: found.append(line))
    yield found
    sink.reset(token)


@pytest.fixture
def watched() -> Iterator[list[WorkerEvent]]:
    before = list(observe.observers)
    found: list[WorkerEvent] = []
    observe.on_worker_event(found.append)
    yield found
    observe.observers[:] = before


def test_a_line_of_a_run_goes_to_its_sink_with_level_and_data(lines: list[Line]) -> None:
    logger.debug("d")
    logger.info("sent", order=7, to=["a"])
    logger.warning("w", message="a name that is also the parameter's")
    logger.error("e")
    assert lines == [
        ("debug", "d", None),
        ("info", "sent", '{"order":7,"to":["a"]}'),
        ("warning", "w", '{"message":"a name that is also the parameter\'s"}'),
        ("error", "e", None),
    ]


def test_data_that_is_no_json_is_written_as_it_looks(lines: list[Line]) -> None:
    logger.info("x", it=object, nul="a\0b", half="\ud800")
    data = json.loads(lines[0][2] or "")
    assert data["it"] == "<class 'object'>"
    assert "\0" not in data["nul"]


def test_outside_a_run_lines_go_to_standard_logging(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "mainspring.logger"):
        logger.info("sent 100%", order=7)
        logger.debug("unheard")
    (record,) = caplog.records
    assert record.getMessage() == "sent 100% order=7"
    assert record.levelno == logging.INFO
    assert record.pathname == __file__
    assert record.__dict__["data"] == {"order": 7}


def test_observers_see_each_event(watched: list[WorkerEvent]) -> None:
    observe.emit(EVENT)
    assert watched == [EVENT]


def test_an_observer_that_fails_is_logged_and_hides_nothing(
    watched: list[WorkerEvent], caplog: pytest.LogCaptureFixture
) -> None:
    def broken(event: WorkerEvent) -> None:
        raise OSError("gone")

    observe.observers.insert(0, broken)
    with caplog.at_level(logging.ERROR, "mainspring.observe"):
        observe.emit(EVENT)
    assert watched == [EVENT]
    assert "broken failed on claim of run run_a" in caplog.text
