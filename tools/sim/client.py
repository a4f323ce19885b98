"""Simulated callers: they make runs and do things to them, repeated under the same key when an
answer is lost. What people set is in `operator`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

import msgspec

from mainspring.model.run import Debounce, Run, RunFilter, TriggerOptions, TriggerRequest
from mainspring.wire import calls
from mainspring.wire.following import AwaitRuns
from mainspring.wire.worker import Op
from tools.sim import plans
from tools.sim.ledger import ANY, Ledger
from tools.sim.network import Network
from tools.sim.operator import Operator

_encode: Final = msgspec.json.Encoder().encode


class Client(Operator):
    """Somebody who asks for something every now and then."""

    def __init__(self, network: Network, ledger: Ledger, number: int) -> None:
        super().__init__(network, ledger, number)
        self._verbs: list[tuple[int, Callable[[], Coroutine[Any, Any, None]]]] = [
            (30, self.trigger),
            (9, self.keyed),
            (5, self.debounced),
            (4, self.several),
            (3, self.as_batch),
            (4, self.in_two_phases),
            (6, self.cancel),
            (3, self.reschedule),
            (3, self.replay),
            (2, self.restart),
            (6, self.look),
            (4, self.wait_for),
            (5, self.complete),
            (5, self.emit),
            (4, self.send),
            (4, self.pause),
            (4, self.limit),
            (2, self.tag),
            (2, self.metadata),
            (1, self.forget_key),
            (2, self.in_bulk),
            (1, self.abort_bulk),
            (3, self.schedule),
            (1, self.pause_all),
            (2, self.promote),
            (4, self.browse),
            (2, self.follow),
        ]

    def start(self, until: float, pause_s: float) -> None:
        """Ask for something about every `pause_s` seconds."""
        self.node.begin(self._main(until, pause_s))

    async def _main(self, until: float, pause_s: float) -> None:
        weights = [weight for weight, _ in self._verbs]
        while self._network.world.now < until:
            await asyncio.sleep(self.random.expovariate(1 / pause_s))
            [(_, verb)] = self.random.choices(self._verbs, weights)
            self.do(verb())

    # new runs

    def _wanted(self, number: str, task: str | None = None, **options: Any) -> TriggerRequest:
        task = task or self.random.choice(plans.TASKS)
        if task == "keyed":
            options["concurrency_key"] = self.random.choice("xyz")
        options.setdefault("request_key", f"req-{number}")
        payload = _encode({"n": number, "plan": plans.plan(self.random)}).decode()
        return TriggerRequest(task, payload, TriggerOptions(**options))

    async def _make(self, *wanted: TriggerRequest, **more: Any) -> list[str]:
        """Trigger; the ids of what is stored for certain."""
        now = self._network.world.passed_ms()
        answer = await self.ask(calls.Trigger(list(wanted), **more))
        if answer is None:
            return []
        for asked, made in zip(wanted, answer.answers, strict=True):
            options = asked.options
            plain = options.idempotency_key is None and options.debounce is None
            number = msgspec.json.decode(asked.payload)["n"] if plain else None
            self._ledger.promised(made.run_id, number)
            if options.delay_ms and not made.cached:
                self._ledger.due.setdefault(made.run_id, now + options.delay_ms)
        return [made.run_id for made in answer.answers]

    async def trigger(self) -> None:
        chance = self.random.random
        options: dict[str, Any] = {}
        if chance() < 0.15:
            options["delay_ms"] = self.random.choice((500, 3_000, 12_000))
        if chance() < 0.15:
            options["ttl_ms"] = self.random.choice((300, 2_000, 6_000))
        if chance() < 0.1:
            options["priority_ms"] = 20_000
        if chance() < 0.2:
            options["max_attempts"] = self.random.choice((1, 2, 5))
        if chance() < 0.1:
            options["max_duration_ms"] = self.random.choice((1_000, 6_000))
        if chance() < 0.1:
            options["tags"] = ("a", "b")
        if chance() < 0.1:
            options["metadata"] = '{"count":0}'
        number = self._number()
        await self._make(self._wanted(number, **options))

    async def keyed(self) -> None:
        task, key = self.random.choice(("free", "narrow")), self.random.choice("klm")
        ttl = self.random.choice((None, 5_000))
        options: dict[str, Any] = {"idempotency_key": key, "idempotency_ttl_ms": ttl}
        if self.random.random() < 0.5:
            wanted = [self._wanted(self._number(), task, **options)]
            if self.random.random() < 0.5:
                wanted.append(self._wanted(self._number()))
            await self._make(*wanted)
        else:  # a repeat may come when the key is free again
            number = f"{ANY}{self._number()}"
            await self._make(self._wanted(number, task, request_key=None, **options))

    async def debounced(self) -> None:
        delay = self.random.choice((400, 2_000))
        mode = self.random.choice(("leading", "trailing"))
        debounce = Debounce(self.random.choice("uv"), delay, mode, 4_000)
        await self._make(self._wanted(self._number(), "free", debounce=debounce))

    async def several(self) -> None:
        count = self.random.choice((2, 5))
        await self._make(*(self._wanted(self._number()) for _ in range(count)))

    async def as_batch(self) -> None:
        count, key = self.random.choice((1, 4)), self._number()
        wanted = [self._wanted(self._number(), request_key=None) for _ in range(count)]
        await self._make(*wanted, as_batch=True, request_key=key)

    async def in_two_phases(self) -> None:
        key = self._number()
        made = await self.ask(calls.CreateBatch(run_count=3, request_key=key))
        if made is None:
            return
        items = [
            calls.BatchItem(index, self._wanted(self._number(), request_key=None))
            for index in range(3)
        ]
        for part in (items[:2], items[1:], items):
            added = await self.ask(calls.AddItems(made.id, part))
            if added is None:
                return
            for item, run_id in zip(part, added.run_ids, strict=True):
                if run_id is not None:
                    number = msgspec.json.decode(item.request.payload)["n"]
                    self._ledger.promised(run_id, number)

    async def replay(self) -> None:
        run_id = self._some()
        if run_id is not None:
            number = self._number()
            payload = _encode({"n": number, "plan": plans.plan(self.random)}).decode()
            made = await self.ask(calls.ReplayRun(run_id, payload, request_key=number))
            if made is not None:
                self._ledger.promised(made.run_id, None)

    async def restart(self) -> None:
        run_id = self._some(ended=True)
        if run_id is not None:
            number = self._number()
            payload = _encode({"n": number, "plan": plans.plan(self.random)}).decode()
            made = await self.ask(
                calls.RestartRun(run_id, None, payload=payload, request_key=number)
            )
            if made is not None:
                self._ledger.promised(made.run_id, None)

    # what becomes of runs

    async def cancel(self) -> None:
        run_id = self._some()
        if run_id is None:
            return
        run: Run | None = await self.ask(calls.CancelRun(run_id))
        if run is not None:
            self._ledger.seen(run)
            if not run.status.is_final:
                self._ledger.canceled.add(run_id)

    async def reschedule(self) -> None:
        delayed = [run_id for run_id in self._ledger.due if run_id not in self._ledger.done]
        if not delayed:
            return
        run_id, delay = self.random.choice(delayed), self.random.choice((0, 1_000, 9_000))
        due = self._network.world.passed_ms() + delay
        self._ledger.due[run_id] = min(self._ledger.due[run_id], due)
        await self.ask(calls.RescheduleRun(run_id, delay_ms=delay))

    async def look(self) -> None:
        run_id = self._some()
        if run_id is not None:
            run = await self.ask(calls.Retrieve(run_id))
            if run is None:
                self._ledger.world.fail(f"{run_id} is stored, and was not found")
            else:
                self._ledger.seen(run)
        await self.ask(calls.ListRuns(RunFilter(limit=5)))

    async def wait_for(self) -> None:
        run_id = self._some()
        if run_id is not None:
            run = await self.ask(calls.AwaitRun(run_id, 3_000))
            if run is not None:
                self._ledger.seen(run)

    async def follow(self) -> None:
        """Follow a run to its end, by its changes."""
        run_id, after, beside = self._some(), 0, ""
        while run_id is not None:
            page = await self.ask(AwaitRuns(run_id, after=after, beside=beside, timeout_ms=3_000))
            if page is None:
                return
            if (page.after, page.beside) < (after, beside):
                self._ledger.world.fail(f"the changes of {run_id} went back before {after}")
            after, beside = page.after, page.beside
            for run in page.runs:
                self._ledger.seen(run)
            if any(run.status.is_final for run in page.runs) or run_id in self._ledger.done:
                return

    async def complete(self) -> None:
        waiting = [token for token, done in self._ledger.tokens.items() if not done]
        if waiting:
            token = self.random.choice(waiting)
            await self.complete_one(token)

    async def complete_one(self, token: str) -> None:
        """Complete a token; its output is its own id."""
        answer = await self.ask(calls.CompleteToken(token, _encode(token).decode()))
        if answer is not None:
            self._ledger.tokens[token] = True

    async def emit(self) -> None:
        await self.ask(calls.EmitEvent(self.random.choice(plans.EVENTS)))

    async def send(self) -> None:
        run_id = self._some()
        if run_id is not None:
            await self.ask(calls.SendInput(run_id, "chat", "1", request_key=self._number()))

    async def tag(self) -> None:
        run_id = self._some()
        if run_id is not None:
            await self.ask(calls.AddTags(run_id, ("later",)))

    async def metadata(self) -> None:
        run_id = self._some()
        if run_id is not None:
            op = Op("set", "outside", "1")
            await self.ask(calls.UpdateMetadata(run_id, [op], request_key=self._number()))

    async def forget_key(self) -> None:
        task, key = self.random.choice(("free", "narrow")), self.random.choice("klm")
        self._ledger.keys.pop((task, key), None)
        await self.ask(calls.ResetKey(task, key))
        self._ledger.keys.pop((task, key), None)
