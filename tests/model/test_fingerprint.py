"""Which failures are alike."""

import pytest

from mainspring.model.fingerprint import fingerprint, normal, place
from mainspring.model.run import RunError

STACK = """Traceback (most recent call last):
  File "/app/jobs/tasks.py", line {line}, in resize
    open_picture(path)
  File "/app/lib/pictures.py", line 7, in open_picture
    raise ValueError(path)
ValueError: {message}
"""


def alike(message: str = "no", line: int = 12, task: str = "resize", stack: str = STACK) -> str:
    error = RunError(message, "ValueError", stack.format(line=line, message=message))
    return fingerprint(task, error, place(error.stack))


def test_the_innermost_frame_is_the_place_without_line_and_folder() -> None:
    assert place(STACK.format(line=1, message="")) == "pictures.py, in open_picture"
    assert place('  File "C:\\jobs\\t.py", line 3, in f\n') == "t.py, in f"
    assert place("") == ""


def test_failures_from_one_place_are_alike_whatever_they_say() -> None:
    assert alike("a.png") == alike("b.png", line=99)
    assert alike() != alike(task="other")
    assert alike() != alike(stack=STACK.replace("open_picture", "shut"))


def test_without_a_place_the_message_tells_but_for_what_varies() -> None:
    assert alike("no user 17", stack="") == alike("no user 4", stack="")
    assert alike("no user", stack="") != alike("no order", stack="")


@pytest.mark.parametrize(
    "message, expected",
    [
        ("no user 17 in 'dev'", "no user * in *"),
        ("at 0x7f3c gone", "at * gone"),
        ("run_01k7v7psaa01e7arcnmkbu failed", "* failed"),
        ("1b4e28ba-2fa1-11d2-883f-0016d3cca427 is odd", "* is odd"),
        ('expected "a", found "b"', "expected *, found *"),
        ("plain words stay", "plain words stay"),
    ],
)
def test_what_varies_is_left_out(message: str, expected: str) -> None:
    assert normal(message) == expected
