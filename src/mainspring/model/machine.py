"""How much memory and processor time one run may take, and the named sizes. Enforced elsewhere."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

_MIB: Final = 1024 * 1024


class Limits(Struct, frozen=True, array_like=True):
    """What one run in a process of its own may take; None means no limit.

    `memory` in bytes, beyond what the imported code takes anyway. `cpu_seconds` of each process.
    """

    memory: int | None = None
    cpu_seconds: int | None = None


UNLIMITED: Final = Limits()
PRESETS: Final[dict[str, Limits]] = {
    "micro": Limits(256 * _MIB),
    "small-1x": Limits(512 * _MIB),
    "small-2x": Limits(1024 * _MIB),
    "medium-1x": Limits(2048 * _MIB),
    "medium-2x": Limits(4096 * _MIB),
    "large-1x": Limits(8192 * _MIB),
    "large-2x": Limits(16384 * _MIB),
}
"""The machine presets, from small to large."""


def limits_of(preset: str | None, declared: Limits) -> Limits:
    """What holds for an attempt: the preset it was ordered with, else what its task declares.

    A preset changes the memory only; one that is not known changes nothing.
    """
    if preset is None or preset not in PRESETS:
        return declared
    return Limits(PRESETS[preset].memory, declared.cpu_seconds)


def next_machine(
    preset: str | None, limits: Limits, larger: str | None, ran_out: bool
) -> str | None:
    """The preset that the attempt after this one asks for; None = none in particular.

    `larger` is what the task wants once memory ran out. It is kept from then on, and never takes
    memory away from an attempt that had more.
    """
    if larger is None or (limits.memory or 0) > (PRESETS[larger].memory or 0):
        return preset if ran_out else None
    return larger if ran_out or preset == larger else None
