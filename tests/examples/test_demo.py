"""The demo as its users start it: real processes, real kills, and nothing left behind."""

import io
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from examples.codebase_analysis.progress import LiveProgress, View, pulse
from tests.architecture.sources import ROOT
from tests.examples.trees import grow

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

SOURCE = "import os\n\ndef f(a, b=[]):\n    if a: eval(b)\n"
FILES = 24


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    files = {f"p{n % 3}/m{n}.py": SOURCE * 40 for n in range(FILES - 1)}
    return grow(tmp_path / "tree", files | {"bad.py": "def (\n"})


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "examples.codebase_analysis.demo", *map(str, arguments)]


def demo(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments), cwd=ROOT, capture_output=True, text=True, timeout=110, check=False
    )


def session_of(process: Path) -> int:
    """The session of a process by its folder in /proc; 0 when it has just ended."""
    try:
        return int((process / "stat").read_text().rpartition(")")[2].split()[3])
    except (OSError, ProcessLookupError):
        return 0


def test_the_job_runs_from_nothing_to_a_report(tree: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with subprocess.Popen(
        command("--path", tree, "--exit", "--out", out, "--batch-size", "5"),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        said, complained = process.communicate(timeout=100)
    assert (process.returncode, complained) == (0, "")
    assert [p for p in Path("/proc").glob("[0-9]*") if session_of(p) == process.pid] == []
    assert f"{FILES} files in 5 batches" in said
    assert str(out / "report.html") in said
    report = json.loads((out / "report.json").read_text())
    assert report["totals"]["files"] == FILES
    assert report["totals"]["unparsable_files"] == 1
    assert len(report["work"]) == 5
    assert "<h2>Security smells</h2>" in (out / "report.html").read_text()


def test_an_analysis_of_one_kind_does_only_that(tree: Path, tmp_path: Path) -> None:
    ran = demo("--path", tree, "--type", "dependencies", "--exit", "--out", tmp_path / "out")
    assert ran.returncode == 0, ran.stderr
    totals = json.loads((tmp_path / "out" / "report.json").read_text())["totals"]
    assert totals["imports"] == FILES - 1
    assert totals["security_smells"] == 0
    assert "security" not in ran.stdout


def test_killed_workers_change_no_number(tree: Path, tmp_path: Path) -> None:
    ran = demo(
        *("--path", tree, "--crash", "--seed", "5", "--exit"),
        *("--out", tmp_path / "out", "--batch-size", "2"),
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "Workers killed with SIGKILL: 5" in ran.stdout
    assert "Every number is the same as in an undisturbed analysis." in ran.stdout
    assert ran.stderr == ""


@pytest.mark.parametrize(
    "arguments,words",
    [
        (["--path", "nowhere"], "does not exist"),
        (["--path", "docs/decisions"], "holds no .py files"),
        (["--out", "README.md"], "README.md"),
    ],
)
def test_what_cannot_work_is_said_in_a_sentence(arguments: list[str], words: str) -> None:
    ran = demo("--exit", *arguments)
    assert ran.returncode == 1
    assert ran.stderr.startswith("demo: ")
    assert words in ran.stderr
    assert "Traceback" not in ran.stderr


def test_a_wrong_option_is_refused() -> None:
    for arguments in (["--type", "beauty"], ["--processes", "0"], ["--batch-size", "0"]):
        assert demo(*arguments).returncode == 2


@pytest.fixture
def staying(tree: Path, tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    """A demo that has told all it has to tell and waits for Ctrl-C."""
    process = subprocess.Popen(
        command("--path", tree, "--out", tmp_path / "out"),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        said = []
        for line in process.stdout:
            said.append(line)
            if line.startswith("Ctrl-C ends it"):
                break
        assert process.poll() is None, "".join(said)
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def test_the_platform_stays_up_to_be_looked_at_until_it_is_interrupted(
    staying: "subprocess.Popen[str]", tmp_path: Path
) -> None:
    listed = subprocess.run(
        [Path(sys.executable).with_name("mainspring"), "runs", "ls", "--json"],
        cwd=tmp_path / "out",
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
    )
    shown = [json.loads(line) for line in listed.stdout.splitlines()]
    assert {run["taskIdentifier"] for run in shown} == {"analyze_codebase", "analyze_batch"}
    assert {run["status"] for run in shown} == {"COMPLETED"}

    second = demo("--path", tmp_path / "tree", "--exit", "--out", tmp_path / "out")
    assert second.returncode == 1
    assert second.stderr.startswith("demo: ")

    staying.send_signal(signal.SIGINT)
    assert staying.wait(timeout=20) == 0


def test_a_job_that_was_left_behind_does_not_get_in_the_way(tree: Path, tmp_path: Path) -> None:
    big = grow(tmp_path / "big", {f"m{n}.py": SOURCE * 400 for n in range(60)})
    out = tmp_path / "out"
    killed = subprocess.Popen(
        command("--path", big, "--batch-size", "1", "--out", out),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert killed.stdout is not None
    for line in killed.stdout:
        if line.startswith("Analyse the batches"):
            break
    killed.kill()
    killed.communicate()
    ran = demo("--path", tree, "--exit", "--out", out, "--batch-size", "5")
    assert ran.returncode == 0, ran.stderr
    assert json.loads((out / "report.json").read_text())["totals"]["files"] == FILES


def test_the_view_says_how_far_it_is() -> None:
    view = View("analysis", workers=2, files=100, batches=4, done=1, running=2, analysing_s=0.5)
    assert pulse(view) == "25 files · 50 files/s · 2 running · 2 workers alive"
    assert pulse(View(crashes=3)).endswith("3 crashes survived")
    assert View().rate == 0


def test_the_live_view_is_drawn_for_every_phase() -> None:
    console = Console(width=90, record=True, file=io.StringIO())
    live = LiveProgress(console)
    view = View("analysis", "http://here", 2, 2, 100, 4, 1, 2, checked=True)
    console.print(live.draw(view))
    console.print(live.draw(view, ended=True))
    drawn = console.export_text()
    assert "1/4 batches" in drawn
    assert "Compare with a quiet run" in drawn
    assert drawn.count("✓") == 2 + 5
