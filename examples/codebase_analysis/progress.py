"""How the demo shows what it sees: a live view on a terminal, plain lines elsewhere."""

import sys
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Literal, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

Phase = Literal["platform", "workers", "analysis", "report", "check"]
TITLES: dict[Phase, str] = {
    "platform": "Start the platform",
    "workers": "Start the workers",
    "analysis": "Analyse the batches",
    "report": "Add up, write the report",
    "check": "Compare with a quiet run",
}
LINE_EVERY_S = 2.0


@dataclass(frozen=True, slots=True)
class View:
    """What is known at one moment. `done` and `running` are batches of `batches`."""

    phase: Phase = "platform"
    platform: str = ""
    workers: int = 0
    wanted: int = 0
    files: int = 0
    batches: int = 0
    done: int = 0
    running: int = 0
    crashes: int = 0
    checked: bool = False
    analysing_s: float = 0.0

    @property
    def files_done(self) -> int:
        """About how many files that is; batches are of about the same size."""
        return round(self.files * self.done / self.batches) if self.batches else 0

    @property
    def rate(self) -> float:
        """Files in a second, over the whole analysis."""
        return self.files_done / self.analysing_s if self.analysing_s > 0 else 0.0


class LiveProgress:
    """Redraws a small table in place until it is left."""

    def __init__(self, console: Console) -> None:
        self._spinner = Spinner("dots", style="cyan")
        self._live = Live(console=console, refresh_per_second=12, transient=False)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.stop()

    def show(self, view: View, *, ended: bool = False) -> None:
        """Draws the view; with `ended` every phase is ticked off."""
        self._live.update(self.draw(view, ended=ended))

    def draw(self, view: View, *, ended: bool = False) -> RenderableType:
        """The phases with their state, and the bar below the one that takes time."""
        grid = Table.grid(padding=(0, 1))
        grid.add_column(width=1)
        grid.add_column(width=26)
        grid.add_column()
        phases = [phase for phase in TITLES if view.checked or phase != "check"]
        reached = len(phases) if ended else phases.index(view.phase)
        for index, phase in enumerate(phases):
            mark: RenderableType = Text("·", style="dim")
            if index < reached:
                mark = Text("✓", style="green")
            elif index == reached:
                mark = self._spinner
            words = Text(detail(view, phase) if index <= reached else "", style="dim")
            grid.add_row(mark, Text(TITLES[phase], style="" if index <= reached else "dim"), words)
        if view.phase != "analysis" or ended:
            return grid
        return Group(grid, Text(), self._bar(view))

    def _bar(self, view: View) -> RenderableType:
        row = Table.grid(padding=(0, 1))
        row.add_column(width=1)
        row.add_column()
        row.add_column()
        row.add_row(
            "",
            ProgressBar(
                total=max(view.batches, 1), completed=view.done, width=44, complete_style="cyan"
            ),
            Text(f"{view.done}/{view.batches} batches", style="bold"),
        )
        return Group(row, Text(f"  {pulse(view)}", style="dim"))


class LineProgress:
    """Prints a line when the phase changes, and every two seconds of the long one."""

    def __init__(self) -> None:
        self._phase: Phase | None = None
        self._printed_at = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return None

    def show(self, view: View, *, ended: bool = False) -> None:
        """Prints what changed, if it is time."""
        now = time.monotonic()
        if view.phase != self._phase:
            self._phase, self._printed_at = view.phase, now
            print(f"{TITLES[view.phase]}: {detail(view, view.phase) or '…'}", flush=True)
        elif view.phase == "analysis" and now - self._printed_at >= LINE_EVERY_S and not ended:
            self._printed_at = now
            print(f"  {view.done}/{view.batches} batches, {pulse(view)}", flush=True)


def progress() -> LiveProgress | LineProgress:
    """The live view on a terminal, lines where the output goes into a file or a pipe."""
    console = Console()
    return LiveProgress(console) if console.is_terminal and sys.stdout.isatty() else LineProgress()


def detail(view: View, phase: Phase) -> str:
    """What there is to say about one phase."""
    match phase:
        case "platform":
            return view.platform
        case "workers":
            return f"{view.workers} of {view.wanted} processes" if view.wanted else ""
        case "analysis":
            return f"{view.files:,} files in {view.batches} batches" if view.batches else ""
        case "report" | "check":
            return ""


def pulse(view: View) -> str:
    """The numbers that move while batches are analysed."""
    parts = [
        f"{view.files_done:,} files",
        f"{view.rate:,.0f} files/s",
        f"{view.running} running",
        f"{view.workers} workers alive",
    ]
    if view.crashes:
        parts.append(f"{view.crashes} crashes survived")
    return " · ".join(parts)
