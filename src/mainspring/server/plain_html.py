"""The text of the pages without scripts. Everything that comes from runs is escaped here."""

from __future__ import annotations

from html import escape
from typing import Final
from urllib.parse import quote

from mainspring.model.run import Run, RunPage, Status
from mainspring.wire.calls import LogPage
from mainspring.wire.moments import iso
from mainspring.wire.operating import RunDetail

_SHOWN: Final = (
    Status.QUEUED, Status.EXECUTING, Status.WAITING, Status.COMPLETED, Status.FAILED,
    Status.CANCELED,
)  # fmt: skip


def page(body: str, prefix: str) -> str:
    """The whole document; links are relative to `prefix`, the path before ours."""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<base href="{escape(prefix)}/"><title>Mainspring</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<link rel="stylesheet" href="plain/plain.css"></head>'
        f'<body><header><a href="plain">Mainspring</a></header><main>{body}</main></body></html>'
    )


def sign_in(reason: str, *, dev: bool) -> str:
    """The form that lets people in; on a developer's machine only a button."""
    told = f'<p role="alert">{escape(reason)}</p>' if reason else ""
    if dev:
        field = "<p>This server runs on your machine and lets you in.</p>"
    else:
        field = (
            '<label>Personal token or secret key <input name="token" type="password" required '
            'autocomplete="current-password"></label>'
        )
    return (
        f"<h1>Sign in</h1>{told}"
        f'<form method="post" action="plain/session">{field}<button>Sign in</button></form>'
    )


def problem(message: str) -> str:
    """What is shown instead of a page."""
    return f'<h1>That did not work</h1><p role="alert">{escape(message)}</p>'


def no_page() -> str:
    """What is shown at an address that leads nowhere."""
    return '<h1>There is no such page</h1><p><a href="plain">To the runs</a></p>'


def runs(found: RunPage, wanted: str, environment: str) -> str:
    """A list of runs."""
    links = ['<a href="plain">all</a>' if wanted else "<b>all</b>"]
    for status in _SHOWN:
        word = escape(status.value)
        shown = (
            f"<b>{word}</b>" if status == wanted else f'<a href="plain?status={word}">{word}</a>'
        )
        links.append(shown)
    rows = "".join(
        f"<tr><td>{_link(run)}</td><td>{escape(run.task)}</td><td>{_status(run)}</td>"
        f"<td>{iso(run.created_at)}</td><td>{run.active_ms} ms</td></tr>"
        for run in found.runs
    )
    older = ""
    if found.next:
        query = f"after={quote(found.next)}" + (f"&amp;status={quote(wanted)}" if wanted else "")
        older = f'<p><a href="plain?{query}">Older runs</a></p>'
    table = (
        "<table><thead><tr><th>Run</th><th>Task</th><th>Status</th><th>Created</th><th>Active</th>"
        f"</tr></thead><tbody>{rows}</tbody></table>"
    )
    return (
        f"<h1>Runs in {escape(environment)}</h1><nav>{' · '.join(links)}</nav>"
        f"{table if found.runs else '<p>No runs.</p>'}{older}"
    )


def run(found: RunDetail, lines: LogPage) -> str:
    """One run."""
    one = found.run
    facts = [
        ("Status", _status(one)),
        ("Task", escape(one.task)),
        ("Queue", escape(one.queue)),
        ("Attempt", str(one.attempt)),
        ("Created", iso(one.created_at)),
        ("Started", iso(one.started_at) if one.started_at else ""),
        ("Finished", iso(one.finished_at) if one.finished_at else ""),
        ("Tags", escape(", ".join(one.tags))),
        ("Parent", _link(found.parent) if found.parent else ""),
        ("Children", ", ".join(_link(child) for child in found.children)),
    ]
    table = "".join(f"<tr><th>{name}</th><td>{text}</td></tr>" for name, text in facts if text)
    texts = [("Payload", one.payload), ("Output", one.output), ("Metadata", one.metadata)]
    if one.error is not None:
        texts.insert(0, (one.error.name, f"{one.error.message}\n{one.error.stack}".strip()))
    if lines.lines:
        log = "\n".join(f"{iso(line.at)} {line.level:5} {line.message}" for line in lines.lines)
        texts.append(("Log", log))
    blocks = "".join(
        f"<h2>{escape(name)}</h2><pre>{escape(text)}</pre>" for name, text in texts if text
    )
    verbs = ("replay",) if one.status.is_final else ("cancel", "replay")
    buttons = "".join(
        f'<form method="post" action="plain/runs/{escape(one.id)}/{verb}">'
        f"<button>{verb.capitalize()}</button></form>"
        for verb in verbs
    )
    return f"<h1>{escape(one.id)}</h1>{buttons}<table>{table}</table>{blocks}"


def _link(run: Run) -> str:
    return f'<a href="plain/runs/{escape(run.id)}">{escape(run.id)}</a>'


def _status(run: Run) -> str:
    return f'<span class="{escape(run.status.value)}">{escape(run.status.value)}</span>'
