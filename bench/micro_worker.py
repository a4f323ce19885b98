"""Speed of the worker's loop alone, with a server in memory; prints one JSON line per figure.

python bench/micro_worker.py [--runs N] [--slots N] [--loop asyncio]
"""

import argparse
import asyncio
import gc
import json
import time
from collections.abc import Callable

import uvloop

from mainspring.clock import SystemClock
from mainspring.sdk.decorate import task
from mainspring.sdk.registry import registry
from mainspring.wire.worker import (
    Ack,
    Execute,
    Finished,
    Frame,
    Hello,
    ToWorker,
    Welcome,
    decode_frame,
    decode_orders,
    encoder,
)
from mainspring.worker.link import InProcessLink
from mainspring.worker.session import Session


@task
async def nothing() -> None: ...


@task
async def add(a: int, b: int) -> int:
    return a + b


@task
def plain() -> None: ...


class Server:
    """Keeps `slots` orders under way until `runs` have ended; `packed` = through msgpack."""

    def __init__(self, order: Execute, runs: int, packed: bool) -> None:
        self.order = order
        self.left = runs
        self.open = runs
        self.packed = packed
        self.started = 0
        self.done = asyncio.get_running_loop().create_future()
        self.deliver: Callable[[list[ToWorker]], None] = lambda orders: None

    def connect(self, hello: Hello, deliver: Callable[[list[ToWorker]], None]) -> "Server":
        self.deliver = deliver
        deliver([Welcome("dev", 15.0)])
        return self

    def receive(self, frame: Frame) -> None:
        if self.packed:
            frame = decode_frame(encoder.encode(frame))
        ended = sum(type(message) is Finished for message in frame.messages)
        self.started += len(frame.messages) - ended
        self.open -= ended
        if not self.open:
            self.done.set_result(None)
            return
        self.give(ended, [Ack(frame.number)])

    def give(self, count: int, orders: list[ToWorker]) -> None:
        o = self.order
        for _ in range(min(count, self.left)):
            self.left -= 1
            orders.append(
                Execute(f"run_{self.left:022d}", 1, 1, o.task, o.payload, o.queue, root_id="run_0")
            )
        if self.packed:
            orders = decode_orders(encoder.encode(orders))
        # a server answers in an iteration of its own
        asyncio.get_running_loop().call_soon(self.deliver, orders)

    def close(self) -> None: ...


async def drain(name: str, payload: str, runs: int, slots: int, packed: bool) -> None:
    order = Execute("", 1, 1, name, payload, f"task/{name}")
    server = Server(order, runs, packed)
    session = Session("ses_bench", registry, slots, SystemClock())
    await session.start(InProcessLink(server.connect, session.hello))
    gc.collect()
    gc.freeze()
    begin, cpu = time.perf_counter(), time.process_time()
    server.give(slots, [])
    await server.done
    took, burnt = time.perf_counter() - begin, time.process_time() - cpu
    await session.abandon()
    figures = {
        "bench": f"worker_{name}",
        "link": "msgpack" if packed else "structs",
        "runs": runs,
        "slots": slots,
        "per_s": round(runs / took),
        "us_per_run": round(took / runs * 1e6, 2),
        "cpu_us_per_run": round(burnt / runs * 1e6, 2),
    }
    print(json.dumps(figures), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--slots", type=int, default=100)
    parser.add_argument("--loop", choices=("uvloop", "asyncio"), default="uvloop")
    options = parser.parse_args()
    make = uvloop.new_event_loop if options.loop == "uvloop" else asyncio.new_event_loop
    for name, payload, share in (
        ("nothing", "{}", 1),
        ("add", '{"a":1,"b":2}', 1),
        ("plain", "{}", 10),
    ):
        for packed in (False, True):
            with asyncio.Runner(loop_factory=make) as runner:
                runner.run(drain(name, payload, options.runs // share, options.slots, packed))


if __name__ == "__main__":
    main()
