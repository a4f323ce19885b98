"""The chapters of a report as HTML: each takes the summary and tells one thing.

Every text that comes from the analysed tree is escaped here; numbers and rules are our own.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from html import escape

from examples.codebase_analysis import charts, quality, smells
from examples.codebase_analysis.aggregate import Package, Summary, Work
from examples.codebase_analysis.facts import Finding, Function, Rule
from examples.codebase_analysis.sources import is_test

ROWS = 10
PLACES = 60
"""How many places of a rule the page lists; the JSON file has all of them."""


def size(summary: Summary) -> str:
    files = sorted(summary.files, key=lambda file: (-file.code, file.path))
    totals = summary.totals
    named = [package.name for package in summary.packages[:16]]
    tiles = charts.treemap(summary.files, named) if totals.code else ""
    steps = "".join(f'<i class="b{level}"></i>' for level in range(1, 7))
    parts = [("code", totals.code), ("comment", totals.comment), ("blank", totals.blank)]
    words = {"code": "code", "comment": "comments and docstrings", "blank": "blank"}
    return _section(
        "size",
        "Size",
        "Each tile is a file: the larger, the more code; the stronger its colour, the more paths "
        "lead through its functions. Point at one to see its name.",
        f'<div class="card">{tiles}<ul class="legend"><li class="ramp">simple {steps} complex</li>'
        '<li><i class="b0"></i>no functions</li></ul></div>'
        '<div class="grid two">'
        + _card(
            "Lines",
            _stack([(words[kind], f"c-{kind}", n) for kind, n in parts])
            + _folders(summary.packages),
        )
        + _card(
            "Largest files",
            _bars(
                ("File", "Lines of code"),
                [(file.path, f"{file.lines:,} lines in all", file.code) for file in files[:ROWS]],
            ),
        )
        + "</div>",
    )


def complexity(summary: Summary) -> str:
    longest = sorted(summary.functions, key=lambda f: (-f.lines, f.path, f.line))
    files = sorted(summary.files, key=lambda file: (-sum(file.complexities), file.path))
    return _section(
        "complexity",
        "Complexity",
        "Cyclomatic complexity counts the independent paths through a function. Each of them wants "
        f"a test; over {quality.COMPLEX} few people hold them all in mind.",
        '<div class="grid two">'
        + _card(
            "Functions by complexity",
            charts.histogram(summary.histogram) + '<ul class="legend"><li>logarithmic scale</li>'
            '<li><i class="c-mark"></i>hard to test</li></ul>',
        )
        + _card(
            "Most complex files",
            _bars(
                ("File", "Paths in all its functions"),
                [
                    (file.path, f"{len(file.complexities):,} functions", sum(file.complexities))
                    for file in files[:11]
                    if file.complexities
                ],
            ),
        )
        + _card("Most complex functions", _functions(summary.functions[:ROWS], "paths"))
        + _card("Longest functions", _functions(longest[:ROWS], "lines"))
        + "</div>",
    )


def dependencies(summary: Summary) -> str:
    found = summary.dependencies
    linked = Counter[str]()
    for source, target, count in found.links:
        linked[source] += count
        linked[target] += count
    names = sorted(
        (name for name, _ in linked.most_common(12)), key=lambda name: (-linked[name], name)
    )
    kinds = [
        ("from this tree", "c-local", found.kinds.get("local", 0)),
        ("from Python itself", "c-standard", found.kinds.get("standard", 0)),
        ("from elsewhere", "c-third", found.kinds.get("third_party", 0)),
    ]
    matrix = (
        _card("Who imports whom, by top-level name", charts.matrix(found.links, names))
        if len(names) > 1
        else ""
    )
    cycles = "".join(
        f"<li><b>{len(group)} modules</b><span class='mono'>{escape(', '.join(group[:12]))}"
        f"{' …' if len(group) > 12 else ''}</span></li>"
        for group in found.cycles[:4]
    )
    return _section(
        "dependencies",
        "Dependencies",
        "What the files import, late imports inside of functions included.",
        '<div class="grid two">'
        + _card(
            "Where imports come from",
            _stack(kinds)
            + _bars(
                ("Most imported modules of this tree", "Importing modules"), _plain(found.imported)
            ),
        )
        + _card(
            "Outside this tree",
            _bars(("Module of Python", "Files"), _plain(found.standard[:8]), "standard")
            + _bars(("Module from elsewhere", "Files"), _plain(found.third_party[:8]), "third"),
        )
        + matrix
        + _card(
            "Modules that import most",
            _bars(("Module", "Modules of this tree"), _plain(found.importers)),
        )
        + _card(
            "Import cycles", f'<ul class="plain">{cycles}</ul>' if cycles else _none("No cycles.")
        )
        + "</div>",
    )


def security(summary: Summary) -> str:
    return _section(
        "security",
        "Security smells",
        "Places that deserve a second look by someone who knows where their input comes from. "
        "Values of secrets are masked. Places outside of tests come first.",
        _findings(smells.RULES, summary.smells),
    )


def issues(summary: Summary) -> str:
    copies = "".join(
        f"<li><b>{len(group)} copies of {group[0].lines} lines</b><span class='mono'>"
        + "<br>".join(f"{escape(c.path)}:{c.line} {escape(c.name)}" for c in group[:5])
        + (f"<br>and {len(group) - 5} more" if len(group) > 5 else "")
        + "</span></li>"
        for group in summary.copies[:6]
    )
    return _section(
        "quality",
        "Quality",
        "What makes code hard to read, to change or to trust.",
        _findings(quality.RULES, summary.issues)
        + '<div class="grid two">'
        + _card(
            "Copied functions",
            f'<ul class="plain">{copies}</ul>' if copies else _none("No copies."),
        )
        + _card("Docstrings on public names", _documented(summary.packages))
        + "</div>",
    )


def run(work: Sequence[Work]) -> str:
    repeated = sum(piece.claim - 1 for piece in work)
    said = (
        f"{repeated} attempts were begun again because a worker died."
        if repeated
        else "No worker died on the way."
    )
    return _section(
        "run",
        "The run",
        f"{len(work)} batches, each a durable run of its own, over "
        f"{len({piece.worker for piece in work})} worker processes. {said}",
        f'<div class="card scroll">{charts.timeline(work)}<ul class="legend">'
        '<li><i class="c-bar"></i>done by the first worker that took it</li>'
        '<li><i class="c-mark"></i>taken over from a worker that died</li></ul></div>',
    )


def _findings(rules: Mapping[str, Rule], found: Sequence[Finding]) -> str:
    if not found:
        return f'<div class="card">{_none("Nothing found.")}</div>'
    by_rule: dict[str, list[Finding]] = {}
    for finding in found:
        by_rule.setdefault(finding.rule, []).append(finding)
    order = {"high": 0, "medium": 1, "low": 2}
    most = max(len(hits) for hits in by_rule.values())
    parts = []
    for name in sorted(by_rule, key=lambda n: (order[rules[n].severity], -len(by_rule[n]), n)):
        rule, hits = rules[name], by_rule[name]
        share = max(100 * len(hits) / most, 1.5)
        parts.append(
            f'<details><summary><span class="badge {rule.severity}">{rule.severity}</span>'
            f'<span class="title">{escape(rule.title)}<small>{escape(rule.why)}</small></span>'
            f'<span class="share">{_meter(rule.severity, share)}</span>'
            f'<span class="count">{len(hits):,}</span></summary>{_places(hits)}</details>'
        )
    return f'<div class="card">{"".join(parts)}</div>'


def _places(hits: Sequence[Finding]) -> str:
    rows = []
    for hit in sorted(hits, key=lambda f: (is_test(f.path), f.path, f.line))[:PLACES]:
        place = f"{escape(hit.path)}:{hit.line}" if hit.line else escape(hit.path)
        tag = '<span class="tag">test</span>' if is_test(hit.path) else ""
        code = f"<code>{escape(hit.code)}</code>" if hit.code else ""
        rows.append(
            f'<tr><td class="place">{place}{tag}</td><td class="code">{code}</td>'
            f'<td class="dim">{escape(hit.detail)}</td></tr>'
        )
    more = len(hits) - len(rows)
    rest = f'<p class="dim">and {more:,} more in the JSON file</p>' if more else ""
    return f'<div class="hits scroll"><table><tbody>{"".join(rows)}</tbody></table>{rest}</div>'


def _folders(packages: Sequence[Package]) -> str:
    rows = [
        (
            "files at the root" if package.name == "." else package.name + "/",
            f"{package.files:,} files, {package.functions:,} functions",
            package.code,
        )
        for package in packages[:9]
    ]
    return _bars(("Folder", "Lines of code"), rows)


def _functions(functions: Iterable[Function], by: str) -> str:
    rows = [
        (
            function.name,
            f"{function.path}:{function.line}",
            function.complexity if by == "paths" else function.lines,
        )
        for function in functions
    ]
    return _bars(("Function", by.capitalize()), rows, "mark") if rows else _none("No functions.")


def _documented(packages: Sequence[Package]) -> str:
    rows = []
    for package in [package for package in packages if package.public][:12]:
        share = 100 * package.documented / package.public
        name = "files at the root" if package.name == "." else package.name + "/"
        rows.append(
            f'<tr><td class="name">{_breakable(name)}</td>'
            f'<td class="wide"><span class="track">{_meter("good", share)}</span></td>'
            f'<td class="number">{share:.0f} %</td>'
            f'<td class="number dim">{package.documented:,} of {package.public:,}</td></tr>'
        )
    return f"<table><tbody>{''.join(rows)}</tbody></table>" if rows else _none("No public names.")


def _bars(head: tuple[str, str], rows: Sequence[tuple[str, str, int]], kind: str = "") -> str:
    """A table of names with a bar each; a row is (name, what stands below it, number)."""
    if not rows:
        return _none("None.")
    most = max(number for _, _, number in rows) or 1
    body = "".join(
        f'<tr><td class="name">{_breakable(name)}<small>{escape(below)}</small></td>'
        f'<td class="wide">{_meter(kind, 100 * number / most)}</td>'
        f'<td class="number">{number:,}</td></tr>'
        for name, below, number in rows
    )
    return (
        f'<table><thead><tr><th>{escape(head[0])}</th><th></th><th class="number">'
        f"{escape(head[1])}</th></tr></thead><tbody>{body}</tbody></table>"
    )


def _stack(parts: Sequence[tuple[str, str, int]]) -> str:
    """One bar of several colours with its legend; a part is (label, class, number)."""
    total = sum(number for _, _, number in parts) or 1
    bar = "".join(
        f'<i class="{kind}" style="width:{100 * number / total:.2f}%"></i>'
        for _, kind, number in parts
    )
    legend = "".join(
        f'<li><i class="{kind}"></i>{escape(label)} <b>{number:,}</b></li>'
        for label, kind, number in parts
    )
    return f'<div class="stack">{bar}</div><ul class="legend">{legend}</ul>'


def _plain(counts: Sequence[tuple[str, int]]) -> list[tuple[str, str, int]]:
    return [(name, "", count) for name, count in counts[:ROWS]]


def _meter(kind: str, percent: float) -> str:
    return f'<i class="meter {kind}" style="width:{percent:.1f}%"></i>'


def _breakable(name: str) -> str:
    """A dotted name or a path that may go on in the next line after a part."""
    return re.sub(r"([./_])(?=[^./_])", r"\1<wbr>", escape(name))


def _card(title: str, body: str) -> str:
    return f'<div class="card"><h3>{escape(title)}</h3>{body}</div>'


def _none(text: str) -> str:
    return f'<p class="empty">{escape(text)}</p>'


def _section(name: str, title: str, lead: str, body: str) -> str:
    return (
        f'<section id="{name}"><div class="head"><h2>{escape(title)}</h2>'
        f'<p>{escape(lead)}</p></div><div class="grid">{body}</div></section>'
    )
