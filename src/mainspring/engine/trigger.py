"""Plan new runs: idempotency, debounce, delay, and a slot at once where one is free."""

from __future__ import annotations

from asyncio import Future

from msgspec import Struct, field

from mainspring.engine import requests
from mainspring.engine.batch import Batch, Facts, KeyId, RequestId, Wanted
from mainspring.engine.children import Kept
from mainspring.engine.intake import KEY_TTL_MS, Prepared
from mainspring.engine.live import Live
from mainspring.engine.place import Place, enqueue, forget, park, remind
from mainspring.engine.state import State
from mainspring.engine.whole import Whole
from mainspring.errors import Conflict
from mainspring.model import tracing
from mainspring.model.run import TriggerAnswer
from mainspring.store.protocol import DebounceRow, KeyRow, LiveRow
from mainspring.wire.worker import Execute

REQUEST_TTL_MS = 3_600_000
REF = "ref:"
"""Before the name of a stored payload, where a column holds payloads; no JSON begins so."""
VERSION_RETRY_MS = 5_000


class TriggerCall(Struct):
    """Runs that one caller asked for together; all are stored or none.

    With `kept` they are kept in the journal of the run whose code asks, and are what that tells
    when it asks again. With `whole` they are the items of a batch of their own.
    """

    env_id: int
    items: list[Prepared]
    future: Future[list[TriggerAnswer]]
    inbox_ids: list[str] = field(default_factory=list)
    kept: Kept | None = None
    whole: Whole | None = None

    def want(self, wanted: Wanted) -> None:
        """Name the keys and ids to look up before planning."""
        if self.kept is not None:
            wanted.journal.add(self.kept.id)
        if self.whole is not None:
            self.whole.want(wanted)
        for item in self.items:
            if item.options.idempotency_key is not None:
                wanted.keys.add(key_id(item))
            if item.options.request_key is not None:
                wanted.requests.add(request_id(item))
            if item.options.debounce is not None:
                wanted.debounces.add(debounce_id(item))
            if item.run_id is not None and item.repeat:
                wanted.known.add(item.run_id)

    def want_again(self, facts: Facts, wanted: Wanted) -> None:
        """A debounced run is needed as it stands."""
        for item in self.items:
            if item.options.debounce is not None:
                row = facts.debounces.get(debounce_id(item))
                if row is not None:
                    wanted.located.add(row.run_id)

    def plan(self, state: State, batch: Batch, facts: Facts) -> bool:
        """Write the rows; False = another turn, because this one has changed a run it needs."""
        if self.kept is not None and self.kept.stands(state, batch, facts, self.future):
            return True
        if self.whole is not None and self.whole.stands(state, batch, facts, self.items):
            batch.answer(self.future, [])
            return True
        if self.must_wait(batch, facts):
            return False
        error = self.refusal(state)
        if error is not None:
            batch.answer(self.future, error)
            return True
        answers: list[TriggerAnswer] = []
        for item in self.items:
            joined = answers[item.joins] if item.joins is not None else None
            answers.append(plan_one(state, batch, facts, self.env_id, item, joined))
        if self.whole is not None:
            self.whole.write(batch, facts, self.items, answers)
        if self.kept is not None:
            batch_id = self.whole.batch_id if self.whole is not None else None
            self.kept.write(batch, facts, answers, batch_id)
        batch.changes.drop_inbox.extend((id_,) for id_ in self.inbox_ids)
        batch.answer(self.future, answers)
        return True

    def must_wait(self, batch: Batch, facts: Facts) -> bool:
        """Whether this turn has changed a debounced run that is needed as it stands."""
        for item in self.items:
            if item.options.debounce is not None:
                row = facts.debounces.get(debounce_id(item))
                if row is not None and row.run_id in batch.touched:
                    return True
        return False

    def refusal(self, state: State) -> Conflict | None:
        """Why the parent takes no children, if it does not."""
        for item in self.items:
            parent = state.lives.get(item.options.parent_id or "")
            if parent is not None and parent.cancel_at is not None:
                return Conflict(f"Run {parent.run_id} is being canceled; it takes no new children.")
        return None

    def repeat(self) -> None:
        """The commit that held it failed or is doubtful: look first what of it exists."""
        for item in self.items:
            item.repeat = item.run_id is not None


def key_id(item: Prepared) -> KeyId:
    """Where its idempotency key stands."""
    return (item.lane[0], item.spec.id, item.options.idempotency_key or "")


def request_id(item: Prepared) -> RequestId:
    """Where the key of its request stands."""
    return (item.lane[0], f"{item.spec.id}:{item.options.request_key}")


def debounce_id(item: Prepared) -> KeyId:
    """Where its debounce key stands."""
    assert item.options.debounce is not None
    return (item.lane[0], item.spec.id, item.options.debounce.key)


def plan_one(
    state: State,
    batch: Batch,
    facts: Facts,
    env_id: int,
    item: Prepared,
    joined: TriggerAnswer | None,
) -> TriggerAnswer:
    """One run: an old one by its key, or a new one with all its rows.

    `joined` is what the earlier item of the call was answered that shares its debounce key.
    """
    options, now = item.options, batch.now
    if item.run_id is None:
        item.run_id = state.ids.new("run", now, state.shard_id)
    elif item.repeat and item.run_id in facts.known:
        return TriggerAnswer(item.run_id)
    if options.request_key is not None:
        made = facts.requests.get(request_id(item))
        if made is not None:
            return TriggerAnswer(made)
    if options.idempotency_key is not None:
        row = facts.keys.get(key_id(item))
        if row is not None and row.expires_at > now:
            return TriggerAnswer(row.run_id, cached=True)
    answer = TriggerAnswer(item.run_id)
    if joined is not None:
        answer = TriggerAnswer(joined.run_id, cached=True)
    elif options.debounce is not None:
        answer = debounced(state, batch, facts, item) or answer
    if options.request_key is not None:
        requests.keep(batch, facts, request_id(item), answer.run_id)
    if options.idempotency_key is not None:
        ttl = options.idempotency_ttl_ms or KEY_TTL_MS
        claim_key(batch, facts, key_id(item), answer.run_id, now + ttl)
    if not answer.cached:
        begin(state, batch, facts, item)
        insert(state, batch, env_id, item)
    return answer


def claim_key(batch: Batch, facts: Facts, id_: KeyId, run_id: str, until: int) -> None:
    """Give an idempotency key to a run, in the rows and for the rest of this turn."""
    batch.changes.key.append((*id_, run_id, until))
    facts.keys[id_] = KeyRow(*id_, run_id, until)


def insert(state: State, batch: Batch, env_id: int, item: Prepared) -> None:
    """The immutable row and what lies beside it."""
    options, changes = item.options, batch.changes
    _, queue, ckey, version = item.lane
    run_id = item.run_id
    changes.run.append(
        (
            run_id,
            env_id,
            item.spec.id,
            queue,
            ckey,
            item.pin or version,
            item.payload,
            item.payload_ref,
            item.kept_text,
            options.parent_id,
            options.root_id,
            options.depth,
            options.batch_id,
            int(options.is_test),
            batch.now,
        )
    )
    for tag in dict.fromkeys(options.tags):
        changes.tag.append((env_id, tag, run_id))
    machine = options.machine or item.spec.machine
    if machine or item.kept is not None:
        for kind, value in (
            ("machine", machine),
            ("region", options.region),
            ("schedule", options.schedule_id),
            ("bulk", options.bulk_id),
        ):
            if value:
                changes.mark.append((env_id, kind, value, run_id))
    if options.metadata is not None:
        changes.metadata.append((run_id, options.metadata, batch.now))
    if options.parent_id is None and tracing.read(options.trace) is not None:
        changes.caller.append((run_id, env_id, tracing.trace_id(options.trace, run_id or "")))


def begin(state: State, batch: Batch, facts: Facts, item: Prepared) -> None:
    """The new run's first place: a wait until its time, a slot, or its lane."""
    options, now = item.options, batch.now
    run_id = item.run_id
    assert run_id is not None
    place = Place(run_id, item.lane, now - options.priority_ms)
    due = due_at(item, now)
    if due > now:
        place.ord = due - options.priority_ms
        if options.debounce is not None:
            row = DebounceRow(*debounce_id(item), run_id, now, due, None)
            facts.debounces[debounce_id(item)] = row
            batch.changes.debounce.append((*debounce_id(item), run_id, now, due, None))
            batch.touched.add(run_id)
        park(state, batch, place, "delay", due)
        return
    if not item.known_task:
        park(state, batch, place, "version", now + VERSION_RETRY_MS)
        return
    if item.payload is not None and start(state, batch, place, item):
        return
    enqueue(state, batch, place)
    if item.ttl_ms:
        remind(state, batch, now + item.ttl_ms, "ttl", run_id)


def due_at(item: Prepared, now: int) -> int:
    """When the run may start, epoch ms; a time in the past means now."""
    options = item.options
    if options.debounce is not None:
        debounce = options.debounce
        return now + min(debounce.delay_ms, debounce.max_delay_ms or debounce.delay_ms)
    if options.delay_until is not None:
        return options.delay_until
    return now + (options.delay_ms or 0)


def start(state: State, batch: Batch, place: Place, item: Prepared) -> bool:
    """Take a slot in the commit that stores the run, if every gate and a worker are free."""
    env_id, queue, ckey, version = place.lane
    version = version or state.current.get(env_id, "")
    session = state.session_for(env_id, version, item.spec.id)
    if session is None:
        return False
    lane = state.core.start(place.lane, batch.now, 1, session.version)
    if lane is None:
        return False
    now, run_id, options = batch.now, place.run_id, item.options
    live = Live(run_id, 1, 1, lane, place.ord, session, item.spec, item.spec.id)
    live.options = item.kept
    live.version = item.pin = version
    live.claimed_at = live.started_at = live.created_at = now
    live.parent_id, live.root_id, live.depth = options.parent_id, options.root_id, options.depth
    state.lives[run_id] = live
    session.holds.add(run_id)
    batch.changes.start.append(
        (run_id, env_id, queue, ckey, version, place.ord, session.id, 1, 1, now, now, 0)
    )
    batch.order(
        session,
        Execute(
            run_id,
            1,
            1,
            item.spec.id,
            item.payload or "null",
            queue,
            ckey,
            options.max_attempts or item.spec.retry.max_attempts,
            options.max_duration_ms or item.spec.max_duration_ms,
            now,
            options.tags,
            options.metadata,
            options.idempotency_shown or options.idempotency_key,
            options.parent_id,
            options.root_id,
            options.depth,
            options.is_test,
            version,
            options.priority_ms,
            0,
            machine=options.machine,
            trace=item.kept.trace if item.kept is not None else None,
        ),
    )
    return True


def debounced(state: State, batch: Batch, facts: Facts, item: Prepared) -> TriggerAnswer | None:
    """Join the run that waits under the same debounce key; None when there is none."""
    debounce = item.options.debounce
    assert debounce is not None
    id_, now = debounce_id(item), batch.now
    row = facts.debounces.get(id_)
    located = facts.located.get(row.run_id) if row is not None else None
    if row is None or located is None or located.kind != "delay":
        return None
    due = now + debounce.delay_ms
    if debounce.max_delay_ms is not None:
        due = max(min(due, row.first_at + debounce.max_delay_ms), now)
    payload = row.payload
    if debounce.mode == "trailing":
        payload = f"{REF}{item.payload_ref}" if item.payload_ref else item.payload
    postpone(state, batch, located, due)
    batch.changes.debounce.append((*id_, row.run_id, row.first_at, due, payload))
    return TriggerAnswer(row.run_id, cached=True)


def postpone(state: State, batch: Batch, row: LiveRow, due: int) -> None:
    """Give a delayed run a new time."""
    batch.touched.add(row.run_id)
    forget(state, batch, row.due_at, row.kind, row.run_id)
    batch.changes.drop_parked.append((row.run_id,))
    lane = (row.env_id, row.queue, row.ckey, row.version)
    shift = row.due_at - row.ord  # the priority it was given
    place = Place(row.run_id, lane, due - shift, row.epoch, row.attempt, row.started_at)
    park(state, batch, place, row.kind, due)
