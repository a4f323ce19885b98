"""Worker sessions come, speak, fall silent and go. What they say is put before the owner."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from mainspring.engine import declared, held, versions
from mainspring.engine.cancel import GRACE_MS
from mainspring.engine.gone import missing
from mainspring.engine.held import HeldCall
from mainspring.engine.leases import Leases
from mainspring.engine.lines import Lines
from mainspring.engine.link import Arrived, checked, large
from mainspring.engine.owner import Owner
from mainspring.engine.session import Deliver, Session
from mainspring.errors import Conflict, FencedOut, MainspringError
from mainspring.model.task import QueueSpec, TaskSpec
from mainspring.store.protocol import EnvironmentRow
from mainspring.wire import calls
from mainspring.wire.worker import (
    CLAIM_ACK_S,
    LEASE_S,
    PROTOCOL,
    Ack,
    Answer,
    Call,
    Cancel,
    Capacity,
    Entry,
    Fenced,
    Finished,
    Frame,
    FromWorker,
    Goodbye,
    Hello,
    Logs,
    Revoke,
    Started,
    Told,
    ToWorker,
    Welcome,
)

News = tuple[list[TaskSpec], list[QueueSpec]]
"""The tasks and queues that hold from now on, of what a worker has told."""
Answering = Callable[[EnvironmentRow, calls.Request, str | None, int], Awaitable[calls.Response]]

log = logging.getLogger("mainspring.engine")
_decode_request = msgspec.msgpack.Decoder(calls.Request).decode
_encode = msgspec.msgpack.Encoder().encode


class Connection:
    """One link of a session, as the transport sees it: it hands in frames and closes."""

    def __init__(self, door: Door, env: EnvironmentRow, session: Session, deliver: Deliver) -> None:
        self._door = door
        self._env = env
        self._deliver = deliver
        self.session = session

    def receive(self, frame: Frame) -> None:
        """Take in a frame. A repeated one is only answered and acknowledged again."""
        session = self.session
        if frame.number <= session.received:
            self._deliver([*session.answers.get(frame.number, ()), Ack(session.acked)])
            return
        session.received = frame.number
        self._door.take_in(self._env, session, frame.number, frame.messages)

    def close(self) -> None:
        """The link is down; not yet a loss, the session may come back within its lease."""
        if self.session.deliver is self._deliver:
            self.session.deliver = None


class Door:
    """Lets sessions of one shard in and keeps their leases."""

    def __init__(self, owner: Owner, answer: Answering) -> None:
        self._owner = owner
        owner.write_lines = self.flush_logs
        self._answer = answer
        self.leases = Leases(owner)
        self._lines = Lines(owner)
        owner.tellings.take_lines = self._lines.take
        self._storing: dict[Session, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._awaiting: set[asyncio.Task[Any]] = set()

    def connect(
        self, env: EnvironmentRow, hello: Hello, deliver: Deliver, *, inside: bool = False
    ) -> Connection:
        """Let a session in, or back in after its link was lost.

        It is asked at once about every run it is believed to hold. `inside` = a session of this
        process, which needs no beats. Raises: Conflict for another protocol or environment, and
        for a hello that comes after the one of a newer link.
        """
        if hello.protocol != PROTOCOL:
            raise Conflict(
                f"The worker speaks protocol {hello.protocol}, this server {PROTOCOL}; "
                "run the same release of mainspring on both sides."
            )
        state = self._owner.state
        session = state.sessions.get(hello.session_id)
        if session is None:
            session = Session(hello.session_id, env.env_id, None)
            session.since = state.clock.now()
            state.sessions[session.id] = session
        elif session.env_id != env.env_id:
            raise Conflict("That session belongs to another environment.")
        elif hello.link < session.link:
            raise Conflict("That session has a newer link, and does not listen on this one.")
        session.beat_at = None
        if not inside:
            self.leases.hear(session)
        news = self._learn(env, hello)
        session.join(hello, deliver)
        pool = state.pool(session)
        if session not in pool.sessions:
            pool.sessions.append(session)
        deliver([Welcome(env.slug, LEASE_S, session.acked)])
        self._fence(session, hello)
        self._compare(session, hello.parked)
        self._ask(session)
        self._spawn(self._register(env, hello, news))
        self._owner.ring()
        return Connection(self, env, session, deliver)

    async def beat(self, env: EnvironmentRow, session_id: str) -> bool:
        """Renew a lease, also for the next owner; False = the session is not known (any more) and
        has to begin anew. Raises: StoreUnavailable.
        """
        session = self._session(env, session_id)
        if session is None:
            return False
        if session.beat_at is not None:
            self.leases.hear(session)
            await self.leases.kept()
        return self._session(env, session_id) is session

    def lost(self, env: EnvironmentRow, session_id: str, how: str = "") -> None:
        """The process is dead for certain: its runs go to other workers at once."""
        session = self._session(env, session_id)
        if session is not None:
            session.died = how
            self.end(session, "its process died")

    def end(self, session: Session, reason: str) -> None:
        """Remove a session for good; everything it held runs elsewhere. It never comes back."""
        state = self._owner.state
        if state.sessions.pop(session.id, None) is None:
            return
        self.leases.end(session)
        pool = state.pool(session)
        if session in pool.sessions:
            pool.sessions.remove(session)
        if session.deliver is not None:
            session.deliver([Goodbye(reason, retry=True)])
            session.deliver = None
        for run_id in list(session.parked):
            state.let_go(run_id)
        self._owner.lose(session, reason)

    def close(self, reason: str) -> None:
        """This server is not the owner any more: its sessions have to find the new one."""
        self.leases.close()
        for session in self._owner.state.sessions.values():
            if session.deliver is not None:
                session.deliver([Goodbye(reason, retry=True)])
                session.deliver = None

    def reap(self) -> None:
        """End the sessions whose lease ran out, and withdraw claims that nobody acknowledged."""
        state = self._owner.state
        now = state.clock.monotonic()
        for session in list(state.sessions.values()):
            if session.beat_at is not None and now - session.beat_at > LEASE_S:
                self.end(session, "its lease ran out")
        late = state.clock.now() - int(CLAIM_ACK_S * 1000)
        patience = GRACE_MS / 1000 + LEASE_S
        for live in state.lives.values():
            if live.cancel_at is not None and now - live.cancel_seen > patience:
                self._owner.lose(live, "it did not stop when it was canceled")
                if live.session.deliver is not None:
                    live.session.deliver([Fenced(live.run_id, live.epoch)])
            if live.begun or live.claimed_at >= late or live.session.deliver is None:
                continue
            if live.revoked_at is None or now - live.revoked_at > CLAIM_ACK_S:
                live.revoked_at = now
                live.session.deliver([Revoke(live.run_id, live.epoch)])

    def take_in(
        self, env: EnvironmentRow, session: Session, number: int, messages: list[FromWorker]
    ) -> None:
        """Sort what a session sent: some for the next turn, some answered or stored beside it."""
        arrived = Arrived(session, number)
        for message in messages:
            match message:
                case Started() | Call() | Logs() | Told() | Capacity():
                    self._take_aside(env, session, number, message)
                case _:
                    arrived.messages.append(checked(message))
        apart = large(arrived)
        before = self._storing.get(session)
        if apart or before is not None:
            task = asyncio.get_running_loop().create_task(self._store(before, arrived, apart))
            self._storing[session] = task
            task.add_done_callback(lambda done: self._stored(session, done))
        else:
            self._owner.arrive(arrived)

    def _take_aside(
        self,
        env: EnvironmentRow,
        session: Session,
        number: int,
        message: Started | Call | Logs | Told | Capacity,
    ) -> None:
        """Take in what changes no rows of runs, or has an answer of its own."""
        match message:
            case Started():
                for run_id, epoch in message.runs:
                    live = self._owner.state.lives.get(run_id)
                    if live is not None and live.epoch == epoch and live.session is session:
                        live.begun = True
            case Call():
                self._spawn(self._call(env, session, number, message))
            case Logs() | Told():
                if self._lines.hear(session, message):
                    self._spawn(self.flush_logs())
            case Capacity():
                session.slots = message.slots

    async def idle(self) -> None:
        """Wait until everything that was taken in is with the owner, or awaits a run's end."""
        while self._tasks or self._storing:
            await asyncio.wait({*self._tasks, *self._storing.values()})
        await self.leases.idle()

    async def flush_logs(self) -> None:
        """Write the lines that runs have logged, and the spans they have made."""
        await self._lines.flush()

    def _session(self, env: EnvironmentRow, session_id: str) -> Session | None:
        session = self._owner.state.sessions.get(session_id)
        return session if session is not None and session.env_id == env.env_id else None

    def _ask(self, session: Session) -> None:
        """Ask about every run that the session should hold: it may never have got the order."""
        state = self._owner.state
        asked: list[ToWorker] = []
        waiting = []
        for run_id in sorted(session.holds):
            live = state.lives.get(run_id)
            if live is None:
                continue
            if live.waited or live.epoch > 1:
                waiting.append(live)
            if session.parked.get(run_id) == live.epoch - 1:
                continue  # it never got the order to go on, and gets it now
            asked.append(Revoke(run_id, live.epoch))
            if live.cancel_at is not None:
                asked.append(Cancel(run_id, live.epoch, GRACE_MS))
        if session.deliver is not None:
            if asked:
                session.deliver(asked)
            if waiting:
                self._owner.publisher.tell_again(waiting)

    def _compare(self, session: Session, parked: list[tuple[str, int]]) -> None:
        """Find out which of the coroutines that are parked in a session may still be needed."""
        if not parked:
            return
        state = self._owner.state
        for run_id, epoch in parked:
            live = state.lives.get(run_id)
            if live is None:
                known = run_id in state.holders
            else:
                known = live.session is not session or live.epoch != epoch + 1
            if not known:  # believed until the rows are read, so that a claim finds it
                state.hold(session, run_id, epoch)
        self._owner.submit(HeldCall(session, parked, asyncio.get_running_loop().create_future()))

    def _fence(self, session: Session, hello: Hello) -> None:
        """Tell a session which of the runs that it brings back are not its own any more."""
        own = held.brought(self._owner.state, session, (*hello.runs, *hello.parked))
        lost: list[ToWorker] = [Fenced(*pair) for pair in hello.runs if pair not in own]
        if lost and session.deliver is not None:
            session.deliver(lost)

    def ask_all(self) -> None:
        """After the memory was rebuilt: ask every session about its runs."""
        self.leases.all()
        for session in self._owner.state.sessions.values():
            self._compare(session, list(session.parked.items()))
            self._ask(session)

    async def _store(
        self,
        before: asyncio.Task[None] | None,
        arrived: Arrived,
        apart: list[Finished | Entry],
    ) -> None:
        """Store large results before the frame is planned, frames of a session in order."""
        if before is not None:
            await before
        for result in apart:
            if isinstance(result, Finished):
                arrived.refs[result.run_id] = await self._owner.objects.put(result.output or "")
            else:
                result.ref = await self._owner.objects.put(result.data or "")
                result.data = None
        self._owner.arrive(arrived)

    def _stored(self, session: Session, done: asyncio.Task[None]) -> None:
        if self._storing.get(session) is done:
            del self._storing[session]

    async def _call(self, env: EnvironmentRow, session: Session, number: int, call: Call) -> None:
        try:
            request = _decode_request(call.body)
            if isinstance(request, calls.Patient):
                self._set_aside()
            live = self._owner.state.lives.get(call.run_id or "")
            if live is not None and live.env_id != env.env_id:
                raise missing(live.run_id)
            if live is not None and live.session is not session:
                raise FencedOut(f"Run {live.run_id} executes elsewhere now; this attempt is over.")
            answer = await self._answer(env, request, call.run_id, call.epoch)
            body, ok = _encode(answer), True
        except MainspringError as error:
            body, ok = _encode(calls.Fault.of(error)), False
        except msgspec.MsgspecError as error:
            body, ok = _encode(calls.Fault("bad_request", f"Unreadable call: {error}.")), False
        session.answer(number, Answer(call.call_id, ok, msgspec.Raw(body)))

    def _set_aside(self) -> None:
        """The task that runs now may wait for long; `idle` does not wait for it."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.discard(task)
        self._awaiting.add(task)
        task.add_done_callback(self._awaiting.discard)

    def _learn(self, env: EnvironmentRow, hello: Hello) -> News:
        """Know the worker's tasks and limits, before any run is handed to it."""
        state = self._owner.state
        state.announced[env.env_id, hello.version] = hello
        news = versions.news(state, env.env_id, hello)
        versions.learn(state, env.env_id, hello.version, *news)
        return news

    async def _register(self, env: EnvironmentRow, hello: Hello, news: News) -> None:
        """Keep what the worker announced, so that a restarted server knows it."""
        catalog = self._owner.store.catalog
        await catalog.register(env.env_id, hello.version, *news)
        state = self._owner.state
        now = state.clock.now()
        id_ = state.ids.new("deployment", now, state.shard_id)
        await catalog.see_version(state.shard_id, env.env_id, hello.version, id_, now)
        await declared.sync(self._owner, env, hello.version, hello.tasks)

    def _spawn(self, work: Awaitable[None]) -> None:
        async def guarded() -> None:
            try:
                await work
            except MainspringError as error:
                log.warning("%s", error.message)

        task = asyncio.get_running_loop().create_task(guarded())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
