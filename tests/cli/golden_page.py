"""Pages of commands with what they print on a terminal, run anew in this process and compared.

$ mainspring runs get $RUN                     what it prints stands below, without what varies
$ RUN=$(mainspring tasks trigger hello -q)     keeps what it prints; nothing stands below
$ mainspring db status | head -1               only the first lines; tail: the last ones
$ mainspring people password ada <<< "a text"  what is read from standard input
"""

from __future__ import annotations

import io
import re
import shlex
import sys
from collections.abc import Iterator, Mapping
from contextlib import redirect_stderr, redirect_stdout
from typing import Final

from mainspring.cli.main import root

PROMPT: Final = "$ "
_KEPT: Final = re.compile(r"([A-Z]+)=\$\((.*)\)")
_PART: Final = re.compile(r"(.*?) \| (head|tail) -(\d+)")
_READ: Final = re.compile(r'(.*?) <<< "([^"]*)"')
_ANSI: Final = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")
_VARIES: Final = tuple(
    (re.compile(pattern), instead)
    for pattern, instead in (
        (r"\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:\d\d)", "<time>"),
        (r"\b\d\d:\d\d:\d\d\.\d{3}", "<clock>"),
        (r"\b(in )?\d+(\.\d)? (s|min|h|d)( ago)?\b", "<span>"),
        (r"\b\d+ ms\b|\b\d+h\d+m[\dms]*", "<span>"),
        (r"newest \d+", "newest <number>"),
        (r'"lastUsedAt":"<time>",', ""),
        (r'"shortCode":"\w{8}"', '"shortCode":"<code>"'),
        (r'"lastFour":"\w{4}"', '"lastFour":"<last>"'),
        (r'("\w*(?:[dD]urationMs|costInCents|baseCostInCents)":)[\d.]+', r"\1<number>"),
        (r"http://127\.0\.0\.1:\d+", "<server>"),
        (r"tr_(dev|prod|stg)_sk_\w{24}", r"tr_\1_sk_<key>"),
        (r"tr_pat_\w{40}", "tr_pat_<token>"),
        (r"…\w{4}\b", "…<last>"),
        (
            r"\b(deployment|run|batch|bulk|sched|waitpoint|key|env|per|usr)_[0-9a-z]{12,}",
            r"\1_<id>",
        ),
        (r"\b[0-9a-f]{40,64}\b", "<hash>"),
        (r"\b\d+:<hash>", "<number>:<hash>"),
        (r'"entries":\d+', '"entries":<number>'),
        (r"\b20\d{6}\.\d+\b", "<version>"),
        (r'"line":\d+', '"line":<line>'),
        (r"(?<=\S)  +", "  "),
    )
)


class Terminal(io.StringIO):
    """What a person would see, of both streams in their order."""

    def isatty(self) -> bool:
        return True


def ran(arguments: list[str], read: str = "") -> tuple[str, object]:
    """What `mainspring` prints on a terminal, and its exit code. `read`: its standard input."""
    terminal, code, before = Terminal(), None, sys.stdin
    sys.stdin = io.StringIO(read)
    with redirect_stdout(terminal), redirect_stderr(terminal):
        try:
            root.main(arguments, prog_name="mainspring")
        except SystemExit as end:
            code = end.code
        finally:
            sys.stdin = before
    return _ANSI.sub("", terminal.getvalue()), code


def commands(page: str) -> Iterator[str]:
    """The lines of a page that are typed."""
    return (line[len(PROMPT) :] for line in page.splitlines() if line.startswith(PROMPT))


def replayed(page: str, known: Mapping[str, str]) -> str:
    """The page as it is now. `known` are values by their names; they are shown as `$NAME`."""
    values, rows = dict(known), []
    for typed in commands(page):
        rows.append(f"{PROMPT}{typed}")
        kept = _KEPT.fullmatch(typed)
        printed = _printed(kept[2] if kept else typed, values)
        if kept:
            values[kept[1]] = printed.strip()
        else:
            rows += [*_same(printed, values).rstrip().splitlines(), ""]
    return "\n".join(rows).rstrip() + "\n"


def _printed(typed: str, values: Mapping[str, str]) -> str:
    part, read = _PART.fullmatch(typed), _READ.fullmatch(typed)
    shortened = part or read
    words = shlex.split(shortened[1] if shortened else typed)
    assert words[0] == "mainspring", typed
    arguments = [_filled(word, values) for word in words[1:]]
    text, code = ran(arguments, f"{read[2]}\n" if read else "")
    if part:
        lines, count = text.splitlines(), int(part[3])
        return "\n".join(lines[:count] if part[2] == "head" else lines[-count:])
    return text + (f"[exit code {code}]\n" if code else "")


def _filled(word: str, values: Mapping[str, str]) -> str:
    return re.sub(r"\$([A-Z]+)", lambda found: values[found[1]], word)


def _same(text: str, values: Mapping[str, str]) -> str:
    """The text without what is different each time."""
    for name, value in sorted(values.items(), key=lambda item: -len(item[1])):
        if len(value) > 8:
            text = text.replace(value, f"${name}")
    for pattern, instead in _VARIES:
        text = pattern.sub(instead, text)
    return "\n".join(line.rstrip() for line in text.splitlines())
