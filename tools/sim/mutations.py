"""Planted bugs: a line of the engine reads otherwise, and the simulation has to see it.

Each is a list of (function, text, other text); the function is compiled anew in its own module, and
put back afterwards. One whose text is not there any more is an error: it would test nothing.
"""

from __future__ import annotations
import __future__

import importlib
import inspect
import textwrap
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import CodeType, FunctionType
from typing import Any, Final

import msgspec

from tools.sim.scenario import simulate

Change = tuple[str, str, str]

_ENGINE: Final = "mainspring.engine."
_SIM: Final = "tools.sim.database:"

MUTATIONS: Final[dict[str, list[Change]]] = {
    # who owns, and what is written
    "fence removed": [
        (_SIM + "Database._arrive", "disk.epoch(shard_id) != epoch", "False"),
    ],
    "takeover does not wait for the commit in flight": [
        (_SIM + "Disk.when_free", "if self._in_flight.get(shard_id):", "if False:"),
    ],
    "unknown commit taken for failed": [
        (_ENGINE + "takeover:again", "await rebuild(state, store, ended=True)", "pass"),
    ],
    "unknown commit taken for written": [
        (
            _ENGINE + "owner:Owner._commit",
            "    finally:",
            "    except UnknownOutcome:\n        claimed = []\n    finally:",
        ),
    ],
    "answered before the commit": [
        (
            _ENGINE + "owner:Owner._decide",
            "claimed = await self._commit(batch)",
            "settle(batch.answers)\n        claimed = await self._commit(batch)",
        ),
    ],
    "work of a doubtful commit forgotten": [
        (_ENGINE + "owner:Owner._doubt", "self._tray.put_back(arrived, work)", "pass"),
    ],
    "trigger in doubt makes another run": [
        (
            _ENGINE + "trigger:TriggerCall.repeat",
            "item.repeat = item.run_id is not None",
            "item.run_id = item.options.request_key = None",
        ),
    ],
    "request key ignored": [
        (_ENGINE + "trigger:plan_one", "if made is not None:", "if False:"),
    ],
    # what a takeover brings back
    "timer lost at takeover": [
        (_ENGINE + "takeover:rebuild", ".loaded(timers)", ".loaded(timers[1:])"),
    ],
    "resume lost at takeover": [
        (_ENGINE + "takeover:rebuild", "for row in resumes:", "for row in resumes[1:]:"),
    ],
    "slot lost at takeover": [
        (_ENGINE + "takeover:rebuild", "for row in active:", "for row in active[1:]:"),
    ],
    "rates lost at takeover": [
        (_ENGINE + "takeover:rebuild", "state.core.rates.restore(", "list("),
    ],
    "lane lost at takeover": [
        (_ENGINE + "takeover:rebuild", "for count in lanes:", "for count in lanes[1:]:"),
    ],
    "leases cut short at takeover": [
        (_ENGINE + "takeover:_occupy", "min(heard.get(row.session_id, unknown), now)", "now - 14"),
    ],
    "leases begin anew at takeover": [
        (_ENGINE + "takeover:_occupy", "min(heard.get(row.session_id, unknown), now)", "now"),
    ],
    "clocks of servers taken for one": [
        (_ENGINE + "uptimes:Uptimes.here", "return at + (uptime_ms - beat.uptime_ms) / 1000",
         "return uptime_ms / 1000"),
    ],
    "beat counts before it is written": [
        (_ENGINE + "connect:Door.beat", "await self.leases.kept()", "pass"),
        (_ENGINE + "connect:Door.beat", "self.leases.hear(session)",
         "session.beat_at = self._owner.state.clock.monotonic()"),
    ],
    # leases and fences of attempts
    "lease too long at the worker": [
        ("mainspring.worker.lease:Lease.renew", "- MARGIN_S", "+ 20"),
    ],
    "lease too short at the server": [
        (_ENGINE + "connect:Door.reap", "> LEASE_S:", "> 6.0:"),
    ],
    "session ended without its runs": [
        (_ENGINE + "connect:Door.end", "self._owner.lose(session, reason)", "pass"),
    ],
    "frame acknowledged before it is durable": [
        (
            _ENGINE + "connect:Connection.receive",
            "session.received = frame.number",
            "session.received = frame.number\n    self._deliver([Ack(frame.number)])",
        ),
    ],
    "journal not told to the next attempt": [
        (_ENGINE + "order:Order._execute", "order.journal = entries", "order.journal = []"),
    ],
    # slots and limits
    "resume without a slot": [
        (
            _ENGINE + "claim:plan",
            "session.holds.add(run_id)",
            "session.holds.add(run_id)\n            if resume:\n"
            "                state.core.release(lane, batch.now)",
        ),
    ],
    "claim given twice": [
        (
            _ENGINE + "claim:plan",
            "session.holds.add(run_id)",
            "session.holds.add(run_id)\n            key = lane.key\n            state.core.push("
            "(key.queue.env.id, key.queue.name, key.name, lane.version), ord, run_id, resume)",
        ),
    ],
    "counter leaks": [
        (_ENGINE + "finish:leave", "state.core.release(live.lane, batch.now)", "pass"),
    ],
    "total limit ignored": [
        (_ENGINE + "state:State.set_queue", "total=spec.total", "total=None"),
    ],
    "live limit ignored": [
        (_ENGINE + "state:State.set_queue", "else row.override_limit", "else spec.limit"),
    ],
    "pause ignored": [
        (_ENGINE + "state:State.set_queue", "paused=row.paused", "paused=False"),
    ],
    "rate of direct starts ignored": [
        (
            "mainspring.dispatch.core:Core.start",
            "self.rates.spend(bucket, rate, cost, now)",
            "pass",
        ),
    ],
    # ends, waits and time
    "cancel overtaken by a finish": [
        (_ENGINE + "finish:plan", " and live.cancel_at is None:", ":"),
        (_ENGINE + "finish:plan", "if live.cancel_at is not None:", "if False:"),
    ],
    "wake-up of a parent lost": [
        (_ENGINE + "wait:settle", "resolve(state, batch, facts, run_id)", "pass"),
    ],
    "parked although its wait is over": [
        (_ENGINE + "wait:park_run", "or not message.keys or not waiting", "or not message.keys"),
    ],
    "outcome not told to a run that executes": [
        (_ENGINE + "wait:tell", "batch.told.setdefault(live, []).append(entry)", "pass"),
    ],
    "wait over and canceled in one turn": [
        (_ENGINE + "wait:time_is_up", " and run_id not in batch.over:", ":"),
    ],
    "delay too short": [
        (_ENGINE + "trigger:due_at", "(options.delay_ms or 0)", "(options.delay_ms or 0) // 2"),
    ],
    "timers early": [
        ("mainspring.dispatch.timers:Timers.due", "heap[0][0] <= now", "heap[0][0] <= now + 300"),
    ],
    "started runs expire": [
        (_ENGINE + "due:Due.plan", " and not row.started_at:", ":"),
    ],
    # schedules, versions, pauses
    "tick lost": [
        (_ENGINE + "ticks:fire", "in firing.ticks:", "in firing.ticks[1:]:"),
    ],
    "tick fired twice": [
        (_ENGINE + "ticks:fire", "in firing.ticks:", "in (*firing.ticks, last_at or row.next_at):"),
    ],
    "ticks lost at takeover": [
        (_ENGINE + "ticks:load", "schedule_id in rows)", "schedule_id in rows[1:])"),
    ],
    "missed ticks not made up for": [
        ("mainspring.model.firing:Timing.fire", "(*late[-MOST:], *in_time)", "(*in_time,)"),
    ],
    "switched off schedule goes on": [
        (_ENGINE + "schedules:ScheduleCall.plan", "state.timers.cancel(ticks.timer(old))", "pass"),
        (_ENGINE + "ticks:fire", " or not row.active or row.fire_at != due[0]", ""),
    ],
    "version of new runs ignored": [
        (_ENGINE + "claim:plan", "only = bool(current) and version != current", "only = False"),
    ],
    "version of a run forgotten": [
        (_ENGINE + "claim:plan", "batch.changes.pin.append((run_id, pin))", "pass"),
    ],
    "pause of an environment ignored": [
        (_ENGINE + "environments:_apply", "owner.state.set_environment(row)", "pass"),
    ],
}  # fmt: skip


QUICK: Final = (
    "unknown commit taken for failed",
    "unknown commit taken for written",
    "answered before the commit",
    "request key ignored",
    "timer lost at takeover",
    "slot lost at takeover",
    "session ended without its runs",
    "journal not told to the next attempt",
    "resume without a slot",
    "claim given twice",
    "counter leaks",
    "pause ignored",
    "wake-up of a parent lost",
    "parked although its wait is over",
    "outcome not told to a run that executes",
    "timers early",
    "tick lost",
    "tick fired twice",
    "ticks lost at takeover",
)
"""Those that few seeds show."""


class Caught(msgspec.Struct):
    """Which planted bug was seen after how many seeds, and as what."""

    name: str
    seeds: int
    failure: str | None


def hunt(name: str, most: int) -> Caught:
    """Plant a bug and simulate until it is seen, at most so many seeds."""
    with planted(name):
        for seed in range(most):
            outcome = simulate(seed)
            if outcome.failure is not None:
                return Caught(name, seed + 1, outcome.failure)
    return Caught(name, most, None)


@contextmanager
def planted(name: str) -> Iterator[None]:
    """Have that bug, as long as the block lasts."""
    with ExitStack() as stack:
        functions = {target: found(target) for target, _, _ in MUTATIONS[name]}
        for target, function in functions.items():
            changes = [change for change in MUTATIONS[name] if change[0] == target]
            before = function.__code__
            function.__code__ = _changed(function, changes)
            stack.callback(setattr, function, "__code__", before)
        yield


def found(target: str) -> FunctionType:
    """The function that `module:name` means."""
    module, _, path = target.partition(":")
    value: Any = importlib.import_module(module)
    for part in path.split("."):
        value = inspect.getattr_static(value, part)
    assert isinstance(value, FunctionType), f"{target} is no function"
    return value


def _changed(function: FunctionType, changes: list[Change]) -> CodeType:
    source = textwrap.dedent(inspect.getsource(function))
    for target, text, other in changes:
        assert source.count(text) >= 1, f"{target} reads otherwise now; there is no {text!r} in it"
        source = source.replace(text, other)
    compiled = compile(
        source, function.__code__.co_filename, "exec", __future__.annotations.compiler_flag
    )
    return next(const for const in compiled.co_consts if isinstance(const, CodeType))
