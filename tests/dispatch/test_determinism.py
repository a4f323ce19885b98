"""Same inputs, same outputs: whatever the process's hash seed, which orders sets of texts."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys

import pytest

from mainspring.dispatch import Core, EnvironmentLimits, KeyLimits, Lane, QueueLimits, RateLimit


def story(steps: int = 3000) -> str:
    """Drive a core by a fixed sequence; returns a digest of everything it said."""
    core = Core(low=2, high=8)
    core.set_environment(1, EnvironmentLimits(limit=20, burst=1.5))
    core.set_queue(1, "a", QueueLimits(limit=3, weight=2.0))
    core.set_queue(1, "b", QueueLimits(rate=RateLimit(5, 100, burst=3, per_key=True)))
    core.set_queue(1, "c", QueueLimits(rate=RateLimit(20, 100, burst=5), total=4))
    core.set_key(1, "a", "k3", KeyLimits(limit=1, weight=0.5))
    said, now, dice = hashlib.sha256(), 1_000_000, 1
    held: list[Lane] = []
    for n in range(steps):
        dice = (dice * 1103515245 + 12345) % (1 << 31)
        kind, key = (dice >> 8) % 8, f"k{(dice >> 12) % 7}"
        now += (dice >> 20) % 7
        lane_key = (1, "abc"[dice % 3], key, ("", "v1")[(dice >> 5) % 2])
        if kind < 4:
            core.push(lane_key, now - dice % 50, f"r{n}", resume=dice % 9 == 0, cost=1 + dice % 3)
        elif kind == 4:
            claims = core.claim(1, "v1", 1 + dice % 5, now)
            held += [claim[0] for claim in claims]
            said.update(repr([(lane.address, *rest) for lane, *rest in claims]).encode())
        elif kind == 5 and held:
            core.release(held.pop(dice % len(held)), now)
        elif kind == 6:
            handle = core.start(lane_key, now, 1, "v1")
            held += [handle] if handle else []
            said.update(repr(handle and handle.address).encode())
        else:
            for lane in core.refills():
                core.refill(lane, [], exhausted=True)
            said.update(repr((core.rates.changed(), core.rates.next_wake())).encode())
    return said.hexdigest()


@pytest.mark.slow
@pytest.mark.parametrize("seed", ["1", "2"])
def test_the_hash_seed_changes_nothing(seed: str) -> None:
    code = "from tests.dispatch.test_determinism import story; print(story())"
    environment = {**os.environ, "PYTHONHASHSEED": seed}
    told = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert told.stdout.strip() == story()
