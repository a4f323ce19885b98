"""Lines of all runs, found from the newest on."""

from __future__ import annotations

import pytest

from mainspring.engine import find_lines
from mainspring.errors import InvalidOptions
from mainspring.model.task import TaskSpec, default_queue
from mainspring.wire.observing import FindLines, FoundLines
from mainspring.wire.worker import LogLine, Logs
from tests.engine.house import WORK, House

OTHER = TaskSpec("other", default_queue("other"))


async def find(house: House, **wanted: object) -> FoundLines:
    found: FoundLines = await house.ask(FindLines(**wanted))  # type: ignore[arg-type]
    return found


async def written(house: House) -> list[str]:
    """Two runs of two tasks, with a line each second in turn."""
    worker = house.worker(WORK, OTHER, slots=2)
    runs = [await house.trigger(), await house.trigger(task="other")]
    await house.settle()
    worker.begin(*runs)
    for number, level in enumerate(("debug", "info", "warn", "error")):
        at = house.clock.now() + number * 1_000
        data = f'{{"Card": {number}}}'
        worker.send(Logs([LogLine(runs[number % 2], at, level, f"Line {number}", data)]))
    await house.settle()
    return runs


async def test_lines_of_all_runs_are_there_newest_first(house: House) -> None:
    runs = await written(house)
    found = await find(house)
    assert [line.message for line in found.lines] == ["Line 3", "Line 2", "Line 1", "Line 0"]
    first = found.lines[0]
    assert (first.run_id, first.task, first.level, first.data) == (
        runs[1],
        "other",
        "error",
        '{"Card": 3}',
    )
    assert (found.next, found.searched_to) == (None, None)


async def test_lines_are_found_by_what_they_are(house: House) -> None:
    await written(house)
    for wanted, expected in (
        ({"text": "lINE 2"}, [2]),
        ({"text": "card"}, [3, 2, 1, 0]),
        ({"level": "warn"}, [3, 2]),
        ({"task": "work"}, [2, 0]),
        ({"task": "other", "level": "error", "text": "3"}, [3]),
        ({"text": "nothing"}, []),
    ):
        found = await find(house, **wanted)
        assert [line.message for line in found.lines] == [f"Line {number}" for number in expected]


async def test_lines_are_found_by_time_and_page(house: House) -> None:
    await written(house)
    now = house.clock.now()
    found = await find(house, since=now + 500, until=now + 2_000)
    assert [line.message for line in found.lines] == ["Line 2", "Line 1"]
    page = await find(house, limit=3)
    rest = await find(house, limit=3, after=page.next)
    assert [line.message for line in rest.lines] == ["Line 0"]


async def test_a_page_looks_at_so_many_lines_and_says_how_far_it_came(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await written(house)
    monkeypatch.setattr(find_lines, "PORTION", 1)
    monkeypatch.setattr(find_lines, "PORTIONS", 2)
    page = await find(house, text="Line 1")
    assert (page.lines, page.searched_to) == ([], house.clock.now() + 2_000)
    page = await find(house, text="Line 1", after=page.next)
    assert [line.message for line in page.lines] == ["Line 1"]


async def test_what_cannot_be_asked_is_said(house: House) -> None:
    for bad in ({"level": "loud"}, {"after": "x"}, {"after": "1.é.2"}, {"text": "a\0"}):
        with pytest.raises(InvalidOptions):
            await find(house, **bad)
