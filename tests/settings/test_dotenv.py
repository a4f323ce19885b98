"""Files of NAME=value lines."""

from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from mainspring.errors import ConfigurationError
from mainspring.settings import dotenv

names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,10}", fullmatch=True)
TEXT = r"""
# a comment
PLAIN=value
export EXPORTED=1
EMPTY=
SPACED =  two words   # and a comment
HASH=a#b
SINGLE='raw \n $x "q"'
DOUBLE="line\nnext \"q\" \\ $x"
MANY="first
second"
URL=postgresql://u:p@h/db?x=1&y=2
  INDENTED=yes
PLAIN=last
QUOTED='a' # comment
"""


def test_the_usual_forms_are_read() -> None:
    assert dotenv.parse(TEXT, "x") == {
        "PLAIN": "last",
        "EXPORTED": "1",
        "EMPTY": "",
        "SPACED": "two words",
        "HASH": "a#b",
        "SINGLE": 'raw \\n $x "q"',
        "DOUBLE": 'line\nnext "q" \\ $x',
        "MANY": "first\nsecond",
        "URL": "postgresql://u:p@h/db?x=1&y=2",
        "INDENTED": "yes",
        "QUOTED": "a",
    }


def test_line_ends_and_marks_of_other_systems_are_read(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_bytes(b"\xef\xbb\xbfA=1\r\nB='x'\r\n")
    assert dotenv.read(file) == {"A": "1", "B": "x"}


@pytest.mark.parametrize(
    "line", ["no value", "1A=x", "A-B=x", "= x", 'A="open', "A='open", "A='x' y"]
)
def test_other_lines_are_named(line: str) -> None:
    with pytest.raises(ConfigurationError, match=r"\.env, line 2"):
        dotenv.parse(f"GOOD=1\n{line}", ".env")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="nothing here"):
        dotenv.read(tmp_path / "nothing here")


@given(st.dictionaries(names, st.text(st.characters(exclude_categories=["Cs"]))))
def test_what_is_written_is_read_back(values: dict[str, str]) -> None:
    values = {name: value.replace("\r\n", "\n") for name, value in values.items()}
    assert dotenv.parse(dotenv.write(values), "x") == values


@given(st.text())
def test_no_text_raises_anything_else(text: str) -> None:
    try:
        dotenv.parse(text, "x")
    except ConfigurationError:
        return
