"""What runs print and log."""
# ruff: noqa: T201 - printing is the subject

import asyncio
import contextlib
import io
import logging
import sys
import threading
from collections.abc import Iterator

from mainspring.clock import ManualClock
from mainspring.sdk.context import current
from mainspring.sdk.decorate import task
from mainspring.sdk.logger import logger
from mainspring.wire.worker import Finished, Logs
from mainspring.worker.capture import BATCH, Capture, captured
from mainspring.worker.lines import LINE_LIMIT, NOTICE, RUN_LIMIT
from tests.worker.conftest import Worker
from tests.worker.engine import Engine, execute


class Terminal:
    """What reaches the terminal, while a capture stands before it."""

    def __init__(self) -> None:
        self.stream = io.StringIO()
        self.capture = Capture(ManualClock(1000))

    @property
    def text(self) -> str:
        return self.stream.getvalue()


@contextlib.contextmanager
def terminal() -> Iterator[Terminal]:
    # in the test itself: pytest puts its own streams back between a fixture and the test
    made = Terminal()
    before = sys.stdout, sys.stderr, sys.__stderr__, logging.root.handlers
    sys.stdout = sys.stderr = sys.__stderr__ = made.stream  # type: ignore[misc]
    logging.root.handlers = []
    try:
        with captured(made.capture):
            yield made
    finally:
        sys.stdout, sys.stderr, sys.__stderr__, logging.root.handlers = before  # type: ignore[misc]


async def run(engine: Engine, worker: Worker, count: int = 1, *, echo: bool = False) -> Terminal:
    """Run the task `body` so many times, and once all has ended answer what was shown."""
    with terminal() as shown:
        shown.capture.echo = echo
        await worker(capture=shown.capture)
        engine.order(*(execute("body", f"run_{n}") for n in range(count)))
        await engine.until(lambda: len(engine.ended) == count)
    return shown


def said(engine: Engine) -> list[tuple[str, str, str]]:
    return [(line.run_id, line.level, line.message) for line in engine.lines]


async def test_what_a_run_prints_and_logs_belongs_to_it(engine: Engine, worker: Worker) -> None:
    @task(id="body")
    async def body() -> None:
        print("out")
        print("err", file=sys.stderr)
        logging.getLogger("shop").info("sold %s", 3)
        logger.warning("watch", count=2)

    shown = await run(engine, worker)

    assert said(engine) == [
        ("run_0", "info", "out"),
        ("run_0", "warning", "err"),
        ("run_0", "info", "sold 3"),
        ("run_0", "warning", "watch"),
    ]
    assert [line.data for line in engine.lines] == [
        None,
        None,
        '{"logger":"shop"}',
        '{"count":2}',
    ]
    assert {line.at for line in engine.lines} == {1000}
    assert shown.text == ""


async def test_lines_of_concurrent_runs_and_threads_are_told_apart(
    engine: Engine, worker: Worker
) -> None:
    together = threading.Barrier(3)

    @task(id="body")
    def body() -> None:
        for number in range(20):
            together.wait(10)
            print(current().run_id, number)

    await run(engine, worker, 3)

    for name in ("run_0", "run_1", "run_2"):
        lines = [line.message for line in engine.lines if line.run_id == name]
        assert lines == [f"{name} {number}" for number in range(20)]


async def test_text_outside_of_runs_goes_where_it_always_went(
    engine: Engine, worker: Worker
) -> None:
    @task(id="body")
    async def body() -> None: ...

    with terminal() as shown:
        print("before")
        await worker(capture=shown.capture)
        engine.order(execute("body"))
        await engine.until(lambda: engine.ended)
        logging.getLogger("shop").warning("beside")
        logging.getLogger("shop").info("unseen")

    assert shown.text == "before\nbeside\n"
    assert engine.of(Logs) == []


async def test_lines_arrive_before_the_end_of_their_run(engine: Engine, worker: Worker) -> None:
    @task(id="body")
    async def body() -> None:
        print("unended", end="")

    await run(engine, worker)

    assert [type(message) for message in engine.messages] == [Logs, Finished]
    assert said(engine) == [("run_0", "info", "unended")]


async def test_lines_of_a_long_run_arrive_while_it_runs(engine: Engine, worker: Worker) -> None:
    go_on = asyncio.Event()

    @task(id="body")
    async def body() -> None:
        print("begun")
        await go_on.wait()

    with terminal() as shown:
        await worker(capture=shown.capture)
        engine.order(execute("body"))
        await engine.until(lambda: engine.lines)
        assert engine.ended == {}
        go_on.set()
        await engine.until(lambda: engine.ended)


async def test_many_lines_travel_in_batches(engine: Engine, worker: Worker) -> None:
    @task(id="body")
    async def body() -> None:
        for number in range(2 * BATCH + 50):
            print(number)

    await run(engine, worker)

    assert [len(logs.lines) for logs in engine.of(Logs)] == [BATCH, BATCH, 50]


async def test_a_run_that_logs_without_end_is_cut_off_with_one_notice(
    engine: Engine, worker: Worker
) -> None:
    @task(id="body")
    async def body() -> None:
        for number in range(RUN_LIMIT + 100):
            print(number)

    await run(engine, worker)

    assert len(engine.lines) == RUN_LIMIT + 1
    assert said(engine)[-1] == ("run_0", "warning", NOTICE)


async def test_long_lines_are_cut_and_unstorable_characters_replaced(
    engine: Engine, worker: Worker
) -> None:
    @task(id="body")
    async def body() -> None:
        logger.info("x" * (LINE_LIMIT + 5))
        logger.info("a\0b\udc80c")
        print("windows\r\nline")

    await run(engine, worker)

    first, *others = [line.message for line in engine.lines]
    assert first == "x" * LINE_LIMIT + "… (5 more characters)"
    assert others == ["a\ufffdb\ufffdc", "windows", "line"]


async def test_a_log_handler_of_the_user_does_not_double_the_line(
    engine: Engine, worker: Worker
) -> None:
    log = logging.getLogger("shop.mine")

    @task(id="body")
    async def body() -> None:
        log.warning("once")

    with terminal() as shown:
        log.addHandler(handler := logging.StreamHandler(sys.stderr))
        await worker(capture=shown.capture)
        engine.order(execute("body", "run_0"))
        await engine.until(lambda: engine.ended)
        log.removeHandler(handler)

    assert said(engine) == [("run_0", "warning", "once")]
    assert shown.text == "once\n"


async def test_exceptions_are_logged_with_their_traceback(engine: Engine, worker: Worker) -> None:
    @task(id="body")
    async def body() -> None:
        try:
            raise ValueError("deep")
        except ValueError:
            logging.getLogger("shop").exception("it broke")

    await run(engine, worker)

    (line,) = engine.lines
    assert line.level == "error"
    assert line.message.startswith("it broke\nTraceback")
    assert line.message.endswith("ValueError: deep")


async def test_text_of_an_ended_run_is_not_its_own_any_more(engine: Engine, worker: Worker) -> None:
    go_on, done = asyncio.Event(), asyncio.Event()
    left = []

    async def later() -> None:
        await go_on.wait()
        print("too late")
        done.set()

    @task(id="body")
    async def body() -> None:
        left.append(asyncio.create_task(later()))

    with terminal() as shown:
        await worker(capture=shown.capture)
        engine.order(execute("body"))
        await engine.until(lambda: engine.ended)
        go_on.set()
        await done.wait()

    assert shown.text == "too late\n"
    assert engine.lines == []


async def test_lines_are_shown_as_well_where_that_is_wanted(engine: Engine, worker: Worker) -> None:
    @task(id="body")
    async def body() -> None:
        print("out")
        logger.info("told", n=1)
        logging.getLogger("shop").info("logged")

    shown = await run(engine, worker, echo=True)

    assert shown.text == 'out\ntold {"n":1}\nlogged\n'
    assert len(engine.lines) == 3


async def test_a_silent_run_keeps_nothing(engine: Engine, worker: Worker) -> None:
    @task(id="body")
    async def body() -> None: ...

    await run(engine, worker, 3)

    assert engine.of(Logs) == []


async def test_streams_stay_usable_as_streams() -> None:
    with terminal() as shown:
        assert sys.stdout.write("abc") == 3
        sys.stdout.writelines(["d", "e"])
        sys.stdout.flush()
        assert not sys.stdout.isatty()

    assert shown.text == "abcde"
