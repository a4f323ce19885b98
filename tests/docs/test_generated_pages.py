"""Pages written from code say what the code says."""

import re

from mainspring import errors
from mainspring.errors import MainspringError
from tools.docs import below, stale


def test_the_generated_pages_are_up_to_date() -> None:
    assert list(stale()) == [], "run ./dev docs and commit the result"


def test_every_error_has_a_code_of_its_own_and_a_meaning() -> None:
    tree = [MainspringError, *below(MainspringError)]
    codes = [error.code for error in tree]
    assert sorted(codes) == sorted(set(codes))
    assert [e.__name__ for e in tree if "code" not in vars(e) or not e.__doc__] == []


def test_the_tree_drawn_above_the_errors_is_the_tree() -> None:
    drawn = re.findall(r"^[│├└─ ]*([A-Z]\w+)", errors.__doc__ or "", flags=re.MULTILINE)
    names = [MainspringError.__name__, *(error.__name__ for error in below(MainspringError))]
    assert [name for name in drawn if name in names] == names
