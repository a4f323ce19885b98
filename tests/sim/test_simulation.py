"""A small size of `./dev sim`: seeds without a violation, the same again, and planted bugs seen."""

import os
import subprocess
import sys
import time

import pytest

from tests.architecture.sources import ROOT
from tests.figures import note
from tools.sim.mutations import MUTATIONS, QUICK, found, planted


def sim(*arguments: str, hash_seed: str = "0") -> tuple[int, str]:
    """The command, in a process of its own: simulation takes the place of time and logs."""
    ended = subprocess.run(
        [sys.executable, "-m", "tools.sim", *arguments],
        cwd=ROOT,
        env=os.environ | {"PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=False,
    )
    return ended.returncode, ended.stdout + ended.stderr


@pytest.mark.alone
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_every_promise_holds_for_500_seeds() -> None:
    began = time.monotonic()
    status, output = sim("--seeds", "500", "--processes", str(os.cpu_count() or 2))
    assert status == 0, output
    assert "500 of 500 seeds, 0 failed" in output
    note("500 simulated seeds", seconds=round(time.monotonic() - began, 1), most=60)


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_seed_decides_everything_whatever_the_order_of_sets() -> None:
    _, once = sim("--seeds", "12", "--digests")
    _, again = sim("--seeds", "12", "--digests", hash_seed="77")
    assert once == again
    assert once.count("digest") == 12


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_planted_bugs_are_seen() -> None:
    status, output = sim("--mutations", "--quick", "--processes", "2")
    assert status == 0, output
    assert f"{len(QUICK)} of {len(QUICK)} planted bugs caught" in output


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_planted_bug_changes_what_it_names_and_is_taken_out_again(name: str) -> None:
    targets = {target for target, _, _ in MUTATIONS[name]}
    before = {target: found(target).__code__ for target in targets}
    with planted(name):
        assert all(found(target).__code__ is not code for target, code in before.items())
    assert all(found(target).__code__ is code for target, code in before.items())


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_a_failing_seed_names_the_command_that_replays_it() -> None:
    status, output = sim("--mutations", "--only", "answered before", "--seeds", "5")
    assert status == 0
    assert "acknowledged, and is not stored" in output
