"""The pictures of a report as inline SVG. Colours are classes, so that the page decides on them."""

import math
from collections.abc import Sequence
from html import escape

from examples.codebase_analysis.aggregate import Bucket, Work
from examples.codebase_analysis.facts import File
from examples.codebase_analysis.treemap import Box, squarify

WIDTH = 1120
STEPS = (1.25, 1.75, 2.5, 3.5, 5.0)
"""Mean complexity of a file's functions where the next darker shade begins."""


def shade(file: File) -> int:
    """0 for files without functions, then 1 (simple) to 6 (complex)."""
    if not file.complexities:
        return 0
    mean = sum(file.complexities) / len(file.complexities)
    return 1 + sum(mean >= step for step in STEPS)


def treemap(files: Sequence[File], groups: Sequence[str], height: int = 560) -> str:
    """Every file as a tile inside its top-level folder: area is code, shade is complexity."""
    members: dict[str, list[File]] = {}
    for file in files:
        folder, slash, _ = file.path.partition("/")
        name = folder if slash else "."
        if file.code:
            members.setdefault(name if name in groups else "…", []).append(file)
    sized = sorted(
        ((sum(file.code for file in group), name) for name, group in members.items()),
        key=lambda item: (-item[0], item[1]),
    )
    parts = []
    for (_size, name), box in zip(
        sized, squarify([size for size, _ in sized], Box(0, 0, WIDTH, height)), strict=True
    ):
        parts.append(_group(name, members[name], box))
    return _svg(WIDTH, height, "Files by size and complexity", "".join(parts), "treemap")


def _group(name: str, files: list[File], box: Box) -> str:
    title = 18 if box.width > 46 and box.height > 40 else 1.5
    inner = box.inset(1.5, title)
    files = sorted(files, key=lambda file: (-file.code, file.path))
    tiles = []
    for file, tile in zip(files, squarify([f.code for f in files], inner), strict=True):
        if tile.width < 0.8 or tile.height < 0.8:
            continue
        mean = sum(file.complexities) / len(file.complexities) if file.complexities else 0
        gap = 0.6 if min(tile.width, tile.height) > 4 else 0.2
        hint = f"{file.path}\n{file.code:,} lines of code, {len(file.complexities)} functions"
        hint += f", mean complexity {mean:.1f}"
        level = shade(file)
        tiles.append(
            f'<rect class="s{level}" x="{tile.x + gap:.1f}" y="{tile.y + gap:.1f}" '
            f'width="{max(tile.width - 2 * gap, 0.4):.1f}" '
            f'height="{max(tile.height - 2 * gap, 0.4):.1f}" rx="1.5">'
            f"<title>{escape(hint)}</title></rect>"
        )
        stem = file.path.rpartition("/")[2].removesuffix(".py")
        if tile.height > 15 and tile.width > 6.3 * len(stem) + 8:
            tiles.append(
                f'<text class="t{level}" x="{tile.x + 5:.1f}" y="{tile.y + 12.5:.1f}">'
                f"{escape(stem)}</text>"
            )
    label = {".": "files at the root", "…": "other folders"}.get(name, name)
    label = fitted(label, box.width - 8, 6.9)
    heading = ""
    if title > 2:
        heading = f'<text class="group" x="{box.x + 4:.1f}" y="{box.y + 13:.1f}">{label}</text>'
    return heading + "".join(tiles)


def histogram(buckets: Sequence[Bucket], careful: int = 11) -> str:
    """Functions by complexity, on a logarithmic scale; bars from `careful` on are marked."""
    width, height, floor, top = 560, 300, 262, 26
    most = max((bucket.functions for bucket in buckets), default=0)
    slot = width / max(len(buckets), 1)
    parts = [f'<line class="axis" x1="0" x2="{width}" y1="{floor}" y2="{floor}"/>']
    for index, bucket in enumerate(buckets):
        share = math.log1p(bucket.functions) / math.log1p(most) if most else 0.0
        bar = (floor - top) * share
        x, middle = index * slot + 4, (index + 0.5) * slot
        label = _range(bucket.first, bucket.last)
        kind = "mark" if bucket.first >= careful else "bar"
        hint = f"{bucket.functions:,} functions of complexity {label}"
        parts.append(
            f'<path class="{kind}" d="{_round_top(x, floor - bar, slot - 8, bar)}">'
            f"<title>{hint}</title></path>"
            f'<text class="value" x="{middle:.1f}" y="{floor - bar - 7:.1f}">'
            f"{bucket.functions:,}</text>"
            f'<text class="tick" x="{middle:.1f}" y="{floor + 18}">{label}</text>'
        )
    parts.append(
        f'<text class="note" x="{width / 2}" y="{height - 4}">paths through one function</text>'
    )
    return _svg(width, height, "Functions by complexity", "".join(parts), "histogram")


def matrix(links: Sequence[tuple[str, str, int]], names: Sequence[str]) -> str:
    """How often packages import each other: from the row, of the column."""
    counts = {(a, b): n for a, b, n in links}
    most = max((n for (a, b), n in counts.items() if a in names and b in names), default=1)
    cell, left, top = 34, 132, 84
    parts = []
    for row, name in enumerate(names):
        y = top + row * cell
        parts.append(
            f'<text class="row" x="{left - 10}" y="{y + cell / 2 + 4}">'
            f"{fitted(name, 118, 6.8)}</text>"
            f'<text class="column" transform="translate({left + row * cell + cell / 2 + 4} '
            f'{top - 10}) rotate(-45)">{fitted(name, 118, 6.8)}</text>'
        )
        for column, other in enumerate(names):
            x = left + column * cell
            count = counts.get((name, other), 0)
            level = math.ceil(6 * math.log1p(count) / math.log1p(most)) if count else 0
            kind = "self" if name == other else f"s{level}"
            hint = f"<title>{escape(name)} imports {escape(other)}: {count} times</title>"
            parts.append(
                f'<rect class="{kind}" x="{x + 1}" y="{y + 1}" width="{cell - 2}" '
                f'height="{cell - 2}" rx="3">{hint if count else ""}</rect>'
            )
            if count:
                parts.append(
                    f'<text class="cell t{level}" x="{x + cell / 2}" y="{y + cell / 2 + 4}">'
                    f"{_short(count)}</text>"
                )
    size = len(names) * cell
    return _svg(
        left + size + 60, top + size + 4, "Imports between packages", "".join(parts), "matrix"
    )


def timeline(work: Sequence[Work]) -> str:
    """Batches over time, a lane for each worker; those taken over from another are marked."""
    begin = min(piece.started for piece in work)
    end = max(piece.ended for piece in work)
    span = max(end - begin, 0.001)
    left, bar, plot = 150, 15, WIDTH - 150 - 12
    workers = sorted({piece.worker for piece in work}, key=lambda name: _first(work, name))
    parts: list[str] = []
    y = 8.0
    for worker in workers:
        rows: list[float] = []
        lane_top = y
        for piece in sorted((p for p in work if p.worker == worker), key=lambda p: p.started):
            row = next((r for r, free in enumerate(rows) if free <= piece.started), len(rows))
            rows[row : row + 1] = [piece.ended]
            x = left + plot * (piece.started - begin) / span
            width = max(plot * (piece.ended - piece.started) / span - 1.5, 2)
            hint = f"batch {piece.index}: {piece.files} files, {piece.lines:,} lines, "
            hint += f"{piece.ended - piece.started:.2f} s, claim {piece.claim}"
            top = lane_top + row * (bar + 3)
            parts.append(
                f'<rect class="{"mark" if piece.claim > 1 else "bar"}" x="{x:.1f}" '
                f'y="{top:.1f}" width="{width:.1f}" height="{bar}" rx="3">'
                f"<title>{escape(hint)}</title></rect>"
            )
            if width > 22:
                parts.append(
                    f'<text class="inbar" x="{x + width / 2:.1f}" y="{top + 11:.1f}">'
                    f"{piece.index}</text>"
                )
        lane = max(len(rows), 1) * (bar + 3)
        parts.append(
            f'<text class="row" x="{left - 14}" y="{lane_top + lane / 2 + 2:.1f}">'
            f"{fitted(worker, 130, 6.8)}</text>"
        )
        y += lane + 9
        parts.append(f'<line class="grid" x1="0" x2="{WIDTH}" y1="{y - 6:.1f}" y2="{y - 6:.1f}"/>')
    for step in _ticks(span):
        x = left + plot * step / span
        parts.insert(0, f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="2" y2="{y - 6:.1f}"/>')
        parts.append(f'<text class="tick" x="{x:.1f}" y="{y + 10:.1f}">{step:g} s</text>')
    return _svg(WIDTH, y + 16, "Batches over time by worker", "".join(parts), "timeline")


def fitted(text: str, room: float, letter: float) -> str:
    """Escaped text cut to a width, given the width of a letter."""
    fits = max(int(room / letter), 1)
    return escape(text if len(text) <= fits else text[: fits - 1] + "…")


def _first(work: Sequence[Work], worker: str) -> float:
    return min(piece.started for piece in work if piece.worker == worker)


def _ticks(span: float) -> list[float]:
    """Round numbers from 0 to the span, about eight of them."""
    rough = span / 8
    scale = 10 ** math.floor(math.log10(rough))
    step = next(scale * nice for nice in (1, 2, 5, 10) if scale * nice >= rough)
    return [round(index * step, 6) for index in range(int(span / step) + 1)]


def _range(first: int, last: int) -> str:
    if not last:
        return f"{first}+"
    return str(first) if first == last else f"{first}–{last}"


def _short(count: int) -> str:
    return str(count) if count < 1000 else f"{count / 1000:.1f}k"


def _round_top(x: float, y: float, width: float, height: float) -> str:
    """A bar whose upper corners are round."""
    if height <= 0:
        return f"M{x:.1f} {y:.1f}h{width:.1f}"
    r = min(4.0, height, width / 2)
    return (
        f"M{x:.1f} {y + height:.1f}v{-(height - r):.1f}q0 {-r:.1f} {r:.1f} {-r:.1f}"
        f"h{width - 2 * r:.1f}q{r:.1f} 0 {r:.1f} {r:.1f}v{height - r:.1f}z"
    )


def _svg(width: float, height: float, title: str, body: str, kind: str) -> str:
    return (
        f'<svg class="chart {kind}" viewBox="0 0 {width:g} {height:g}" role="img" '
        f'aria-label="{escape(title)}">{body}</svg>'
    )
