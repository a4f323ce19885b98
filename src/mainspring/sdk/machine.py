"""How a task declares the size of the process that a run of it gets. Enforcing is the worker's."""

from __future__ import annotations

import re
from dataclasses import KW_ONLY, dataclass
from typing import Final

from mainspring.errors import InvalidTask
from mainspring.model.duration import Duration
from mainspring.model.machine import Limits
from mainspring.sdk.limits import declared_ms

LEAST: Final = 16 * 1024 * 1024
_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(b|kb|mb|gb)", re.IGNORECASE)
_UNITS: Final = {"b": 1, "kb": 1024, "mb": 1024**2, "gb": 1024**3}


@dataclass(frozen=True, slots=True)
class Machine:
    """Limits of one run's process, for tasks with `isolation="process"`.

    `memory`: bytes, or text such as `"256mb"`, beyond what the imported code takes anyway; at least
    16 MB. `cpu_seconds`: processor time (not waiting) of one attempt. Over a limit the attempt ends
    as crashed. Raises: InvalidTask.
    """

    _: KW_ONLY
    memory: int | str | None = None
    cpu_seconds: Duration | None = None

    def __post_init__(self) -> None:
        self.limits()

    def limits(self) -> Limits:
        """The same as a model value."""
        memory = None if self.memory is None else _size(self.memory)
        if self.cpu_seconds is None:
            return Limits(memory)
        ms = declared_ms(self.cpu_seconds, "Machine: cpu_seconds")
        return Limits(memory, max(1, -(-ms // 1000)))  # the kernel counts whole seconds


def _size(value: int | str) -> int:
    size = value
    if isinstance(value, str):
        found = _SIZE.fullmatch(value.strip())
        if not found:
            raise InvalidTask(f"Machine: memory {value!r} is not understood; write '256mb', '2gb'.")
        size = int(float(found[1]) * _UNITS[found[2].lower()])
    if not isinstance(size, int) or isinstance(size, bool) or size < LEAST:
        raise InvalidTask(f"Machine: memory is {value!r}; at least 16mb are needed.")
    return size
