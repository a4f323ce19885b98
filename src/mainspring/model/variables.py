"""Environment variables for workers: which names and values are good. Nothing is stored here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

NAME_LENGTH: Final = 255
VALUE_BYTES: Final = 32 * 1024
MOST: Final = 1000
"""Variables of one environment."""
TOTAL_BYTES: Final = 1024 * 1024
"""Of one environment together: a process cannot be started with much more."""
HIDDEN: Final = "<redacted>"
"""What is shown in place of a secret."""

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_RESERVED: Final = re.compile(
    r"MAINSPRING_.*|TRIGGER_(SECRET_KEY|ACCESS_TOKEN|API_URL)|LD_.*|DYLD_.*|PYTHON(HOME|PATH)"
)


def problem(name: str, value: str) -> str | None:
    """What is wrong with a variable, for people; None when it is good."""
    if not _NAME.fullmatch(name) or len(name) > NAME_LENGTH:
        return (
            f"a name has letters, digits and _, does not begin with a digit, and at most "
            f"{NAME_LENGTH} characters"
        )
    if _RESERVED.fullmatch(name):
        return (
            "the name is reserved: it says how the worker itself starts and what it talks "
            "to; set it where the worker is started"
        )
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        return "the value holds a lone surrogate"
    if "\0" in value:
        return "the value holds a NUL character, which no process can be given"
    if size > VALUE_BYTES:
        return f"the value has {size:,} bytes; at most {VALUE_BYTES:,}, so keep it in a file"
    return None


def overflow(variables: Mapping[str, str]) -> str | None:
    """What is wrong with all variables of an environment together; None when they fit."""
    if len(variables) > MOST:
        return f"{len(variables):,} variables; an environment has at most {MOST:,}"
    size = sum(len(name) + len(value.encode()) for name, value in variables.items())
    if size > TOTAL_BYTES:
        return f"all variables have {size:,} bytes together; at most {TOTAL_BYTES:,}"
    return None
