"""Worker sessions and the pools they form; slots, leases and what each holds. No rules."""

from __future__ import annotations

from collections.abc import Callable

from mainspring.wire.worker import Answer, Hello, ToWorker

Deliver = Callable[[list[ToWorker]], None]


class Session:
    """One start of a worker process: who it is, what it can run, what it holds.

    Attributes:
        deliver: hands orders to its link; None while the link is down.
        beat_at: monotonic seconds of its last sign of life; None for one inside this process.
        link: which of its links is the newest, as the worker counts them.
        since: when it came, epoch ms; None = this process found it in the rows.
        received: number of the last frame that was taken in.
        answers: by the number of their frame, answers to calls of frames that are not acknowledged:
            such a frame comes again over another link, and its calls are not done again.
        holds: run ids of its active runs.
        apart: whether it can give any run a process of its own.
        died: how its process has ended, as `wire.beats.Named` tells it; "" = as it was told to.
        parked: runs whose coroutines wait in it without a slot, with the epoch they had then; set
            and cleared by `State.hold` and `State.let_go`.
    """

    __slots__ = (
        "acked", "answers", "apart", "beat_at", "deliver", "died", "env_id", "holds", "host", "id",
        "link", "parked", "pid", "received", "since", "slots", "tasks", "version",
    )  # fmt: skip

    def __init__(self, id: str, env_id: int, beat_at: float | None) -> None:
        self.id = id
        self.env_id = env_id
        self.version = ""
        self.tasks: frozenset[str] = frozenset()
        self.slots = 0
        self.holds: set[str] = set()
        self.parked: dict[str, int] = {}
        self.deliver: Deliver | None = None
        self.beat_at = beat_at
        self.link = 0
        self.received = 0
        self.acked = 0
        self.answers: dict[int, list[Answer]] = {}
        self.host = ""
        self.pid = 0
        self.since: int | None = None
        self.apart = False
        self.died = ""

    @property
    def free(self) -> int:
        """Slots that may be given now; none while the link is down."""
        return self.slots - len(self.holds) if self.deliver is not None else 0

    def acknowledge(self, number: int) -> None:
        """Frames up to that one are durable, and none of them comes again."""
        self.acked = number
        if self.answers:
            self.answers = {at: kept for at, kept in self.answers.items() if at > number}

    def answer(self, number: int, answer: Answer) -> None:
        """Deliver the answer to a call of that frame, and again should the frame be repeated."""
        if number > self.acked:
            self.answers.setdefault(number, []).append(answer)
        if self.deliver is not None:
            self.deliver([answer])

    def join(self, hello: Hello, deliver: Deliver) -> None:
        """Take what the worker says of itself and begin to deliver."""
        self.version = hello.version
        self.tasks = frozenset(task.id for task in hello.tasks)
        self.slots = hello.slots
        self.host = hello.host
        self.pid = hello.pid
        self.apart = hello.apart
        self.link = hello.link
        self.deliver = deliver


class Pool:
    """The sessions of one environment and version; gives slots in turn."""

    def __init__(self) -> None:
        self.sessions: list[Session] = []
        self._turn = 0

    @property
    def slots(self) -> int:
        """All slots of its sessions, free or not."""
        return sum(session.slots for session in self.sessions)

    @property
    def free(self) -> int:
        """Free slots of all its sessions."""
        return sum(session.free for session in self.sessions if session.free > 0)

    def pick(self, task: str | None = None, *, apart: bool = False) -> Session | None:
        """The next session with a free slot (that has the task), or None.

        With `apart` one that can give the run a process of its own, if there is any.
        """
        sessions = self.sessions
        count = len(sessions)
        for step in range(1, count + 1):
            session = sessions[(self._turn + step) % count]
            if session.free > 0 and (task is None or task in session.tasks):
                if apart and not session.apart:
                    continue
                self._turn = (self._turn + step) % count
                return session
        return self.pick(task) if apart else None
