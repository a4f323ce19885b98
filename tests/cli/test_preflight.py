"""What a pre-flight has found, as people read it."""

from mainspring.cli.preflight import items, line
from mainspring.worker.rehearsal import Verdict

V = "20261121.1"


def test_runs_that_each_wait_for_something_of_their_own_are_one_line() -> None:
    fit = [Verdict(f"run_{n}", "order", V, "fits", f"wait:event:paid-{n}", "") for n in range(9)]
    (told,) = items(fit)
    assert (told["runs"], told["at"], told["example"]) == (9, "", "run_0")
    assert line(told) == "order, 9 runs: fits"


def test_runs_that_diverge_are_told_by_where_they_do() -> None:
    why = "it was done, and the code comes to 'wait:event:paid-{}' without it"
    gone = [Verdict(f"run_{n}", "gift", V, "diverges", "charge", why.format(n)) for n in (1, 2)]
    other = Verdict("run_3", "gift", V, "diverges", "ship", "it was done")
    fits = Verdict("run_4", "gift", V, "fits", "wait:time", "")
    told = items([fits, *gone, other])
    assert [(one["at"], one["runs"]) for one in told] == [
        ("charge", 2),
        ("ship", 1),
        ("wait:time", 1),
    ]
    assert line(told[0]) == f"gift, 2 runs: diverges at 'charge': such as: {why.format(1)}"
    assert line(told[1]) == "gift, 1 run: diverges at 'ship': it was done"
