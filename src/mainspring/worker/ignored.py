"""Which files of a project stay out of its bundle: patterns as in .gitignore. Reads no files."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from msgspec import Struct

FILES: Final = (".gitignore", ".mainspringignore")
"""Files at the top of a project whose patterns hold, the later ones over the earlier."""
ALWAYS: Final = (
    ".*",
    "__pycache__/",
    "*.py[cod]",
    "node_modules/",
    "site-packages/",
    "*.egg-info/",
    "*.db",
    "*.db-wal",
    "*.db-shm",
    "*.sqlite*",
    "*.env",
    "*.pem",
    "*.key",
    "*.p12",
    "*.pfx",
    "id_rsa*",
    "id_ed25519*",
)
"""What no pattern of a project brings back: hidden files (so .env, .git and .venv), what tools make
and what looks like a secret.
"""


class Pattern(Struct, frozen=True):
    """A line of such a file."""

    found: re.Pattern[str]
    folders_only: bool = False
    brings_back: bool = False


def patterns(lines: Iterable[str]) -> list[Pattern]:
    """The patterns of these lines; empty ones and comments are none."""
    found = []
    for line in lines:
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        brings_back = text.startswith("!")
        text = text.removeprefix("!")
        folders_only, text = text.endswith("/"), text.rstrip("/")
        anchored, text = "/" in text, text.removeprefix("/")
        head = "" if anchored else "(?:.*/)?"
        found.append(Pattern(re.compile(head + _regex(text)), folders_only, brings_back))
    return found


def ignored(path: str, is_folder: bool, own: Iterable[Pattern]) -> bool:
    """Whether a path below the project (with slashes) stays out; what lies in it does as well."""
    if any(_fits(pattern, path, is_folder) for pattern in _ALWAYS):
        return True
    out = False
    for pattern in own:
        if _fits(pattern, path, is_folder):
            out = not pattern.brings_back
    return out


def _fits(pattern: Pattern, path: str, is_folder: bool) -> bool:
    if pattern.folders_only and not is_folder:
        return False
    return pattern.found.fullmatch(path) is not None


def _regex(text: str) -> str:
    """A pattern as a regular expression: `**` crosses folders, `*` and `?` do not."""
    parts, at = [], 0
    while at < len(text):
        if text.startswith("**/", at):
            parts.append("(?:.*/)?")
            at += 3
        elif text.startswith("**", at):
            parts.append(".*")
            at += 2
        elif text[at] == "*":
            parts.append("[^/]*")
            at += 1
        elif text[at] == "?":
            parts.append("[^/]")
            at += 1
        elif text[at] == "[" and "]" in text[at + 2 :]:
            end = text.index("]", at + 2)
            inner = text[at + 1 : end].replace("\\", "\\\\")
            parts.append(f"[^{inner[1:]}]" if inner[0] in "!^" else f"[{inner}]")
            at = end + 1
        else:
            parts.append(re.escape(text[at]))
            at += 1
    return "".join(parts)


_ALWAYS: Final = patterns(ALWAYS)
