"""Each fault that the page of reliability names has a command that exists."""

import argparse
import re
import shlex

import pytest

from bench.cases import CASES
from tests.architecture.sources import ROOT
from tools.verbs import FAULTS

PAGE = (ROOT / "docs" / "reliability.md").read_text()
ROWS = re.findall(r"^\| (.+?) \| .+? \| `\./dev (.+?)` \| (.+?) \|$", PAGE, re.MULTILINE)


def names_in(path: str) -> list[str]:
    return re.findall(r"^(?:async )?def (test_\w+)", (ROOT / path).read_text(), re.MULTILINE)


def test_every_row_has_a_command_and_what_was_seen() -> None:
    lines = [line for line in PAGE.splitlines() if line.startswith("| ")]
    assert len(ROWS) == len(lines) - 1


@pytest.mark.parametrize("what, command", [(what, command) for what, command, _ in ROWS])
def test_the_command_of_a_fault_does_something(what: str, command: str) -> None:
    verb, *rest = shlex.split(command)
    if verb == "sim":
        assert rest[0] == "--seeds"
        return
    parser = argparse.ArgumentParser(exit_on_error=False)
    parser.add_argument("paths", nargs="*")
    parser.add_argument("-k", default="")
    parser.add_argument("--only")
    parser.add_argument("--store", choices=["sqlite", "postgres"])
    given = parser.parse_args(rest)
    if verb == "bench":
        assert given.only in CASES
        return
    names = [name for path in given.paths or FAULTS for name in names_in(path)]
    words = given.k.split(" or ")
    assert all(any(word in name for name in names) for word in words)
