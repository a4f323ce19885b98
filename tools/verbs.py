"""The verbs of `./dev`. Each makes sure of its environment, then hands over to a command in it."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tools import dashboard as built, postgres
from tools.environment import PYTHON, ROOT, SCRIPTS, SetupFailed, ensure, say, variables
from tools.lock import compile_locks

CHECKS = {
    "format": ["ruff", "format", "--check", "."],
    "lint": ["ruff", "check", "."],
    "types": ["mypy"],
    "layers": ["lint-imports", "--no-logo"],
}

ALONE = "tests/sim"
"""Where the tests are that keep all cores busy."""
BESIDE_OTHERS = "not alone"

FAULTS = (
    "tests/system/test_postgres_faults.py",
    "tests/system/test_servers.py",
    "tests/system/frozen.py",
    "tests/system/handed_over.py",
    "tests/system/test_full_disk.py",
    "tests/system/test_crash.py",
    "tests/system/test_durable.py",
    "tests/system/test_schedules_of_servers.py",
    "tests/system/test_crash_matrix.py",
    "tests/system/test_long_run.py",
    "tests/system/test_description.py",
    "tests/engine/test_machine.py",
    "tests/engine/test_batches_machine.py",
)


def main(arguments: list[str], usage: str) -> int:
    """Runs one verb and returns its exit code; a code of 2 means the verb was not understood."""
    verbs = {
        "demo": demo,
        "test": test,
        "check": check,
        "chaos": chaos,
        "upgrade": upgrade,
        "bench": bench,
        "sim": sim,
        "crons": crons,
        "docs": docs,
        "dashboard": dashboard,
        "wheel": wheel,
        "lock": lock,
        "run": run,
    }
    if not arguments or arguments[0] not in verbs:
        print(usage.strip())
        if arguments and arguments[0] not in ("-h", "--help", "help"):
            say(f"\ndev: no verb {arguments[0]!r}; the verbs are {', '.join(verbs)}")
        return 0 if arguments and arguments[0] in ("-h", "--help", "help") else 2
    os.chdir(ROOT)
    try:
        return verbs[arguments[0]](arguments[1:])
    except (SetupFailed, postgres.Unavailable) as problem:
        say(f"dev: {problem}")
        return 1
    except KeyboardInterrupt:
        return 130


def demo(arguments: list[str]) -> int:
    """The main job on the embedded platform; needs no development packages."""
    ensure("core")
    return _become([str(PYTHON), "-m", "examples.codebase_analysis.demo", *arguments])


def test(arguments: list[str]) -> int:
    """All checks and all tests; with arguments only pytest, with exactly those."""
    ensure("test")
    started = time.monotonic()
    # Being ended must still stop a private PostgreSQL.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with postgres.server(quick=not arguments) as url:
        # A head start only: the tests that need them wait for them, and fail if they cannot be had.
        packages = None if arguments else subprocess.Popen([sys.executable, "-m", "tools.node"])
        pytest = [str(PYTHON), "-m", "pytest"]
        chosen = variables() | {postgres.VARIABLE: url}
        failed = 0
        if packages is not None:
            failed = _checked_while_compiling(pytest)
            packages.wait()
            alone = subprocess.run([*pytest, "-q", "-m", "alone", ALONE], env=chosen, check=False)
            failed = failed or alone.returncode
            # Most tests wait for other processes, so one core is worth three workers.
            workers = max(2, min((os.cpu_count() or 2) * 3, 8))
            arguments = ["-q", "-m", BESIDE_OTHERS, "-n", str(workers), "--dist", "worksteal"]
        tests = subprocess.run([*pytest, *arguments], env=chosen, check=False)
    took = f"{time.monotonic() - started:.0f} s"
    say(f"dev: {took}; something above failed" if failed else f"dev: {took}")
    return tests.returncode or failed


def _checked_while_compiling(pytest: list[str]) -> int:
    """`check`, which leaves half of the cores idle; meanwhile the modules of tests are compiled,
    which else each process of the tests does for itself.
    """
    collecting = [*pytest, "-q", "--collect-only"]
    with subprocess.Popen(collecting, env=variables(), stdout=subprocess.DEVNULL) as compiling:
        failed = check([])
        compiling.wait()
    return failed


def check(_arguments: list[str]) -> int:
    """Format, lint, types and layers side by side; prints what failed, then one summary."""
    ensure("test")
    running = []
    for name, command in CHECKS.items():
        output = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed with its process, below
        begun = subprocess.Popen(
            [_script(command[0]), *command[1:]],
            stdout=output,
            stderr=subprocess.STDOUT,
            env=variables(),
        )
        running.append((name, begun, output))
    failed = []
    for name, process, output in running:
        code = process.wait()
        output.seek(0)
        if code != 0:
            failed.append(name)
            print(f"── {name} ──\n{output.read().strip()}\n")
        output.close()
    marks = "  ".join(f"{name} {'FAILED' if name in failed else 'ok'}" for name in CHECKS)
    print(f"check: {marks}", flush=True)
    return 1 if failed else 0


def chaos(arguments: list[str]) -> int:
    """Real faults at full length; `test` has the short form of each."""
    ensure("test")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with postgres.server() as url:
        chosen = variables() | {postgres.VARIABLE: url, "MAINSPRING_CHAOS": "full"}
        command = [str(PYTHON), "-m", "pytest", "-q", "-s", *FAULTS, *arguments]
        return subprocess.run(command, env=chosen, check=False).returncode


def upgrade(arguments: list[str]) -> int:
    """The release before and this one on one PostgreSQL; or its messages are written down."""
    ensure("test")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with postgres.server() as url:
        chosen = variables() | {postgres.VARIABLE: url}
        command = [str(PYTHON), "-m", "tools.upgrade", *arguments]
        return subprocess.run(command, env=chosen, check=False).returncode


def bench(arguments: list[str]) -> int:
    """The benchmarks, on both databases."""
    ensure("test")
    return _become([str(PYTHON), "-m", "bench", *arguments])


def sim(arguments: list[str]) -> int:
    """Simulated clusters, each from one seed."""
    ensure("test")
    return _become([str(PYTHON), "-m", "tools.sim", *arguments])


def crons(arguments: list[str]) -> int:
    """Ticks of cron expressions compared with those of cronsim."""
    ensure("test")
    return _become([str(PYTHON), "-m", "tools.crons", *arguments])


def docs(arguments: list[str]) -> int:
    """Writes the generated pages, or with --check says which are out of date."""
    ensure("test")
    return _become([str(PYTHON), "-m", "tools.docs", *arguments])


def dashboard(_arguments: list[str]) -> int:
    """Builds the web interface, so that `mainspring dev` and `server` show it."""
    built.ensure()
    return 0


def wheel(arguments: list[str]) -> int:
    """The wheel with its pages, proved in a clean environment without Node."""
    ensure("test")
    return _become([str(PYTHON), "-m", "tools.wheel", *arguments])


def lock(_arguments: list[str]) -> int:
    """Compiles the locks anew."""
    compile_locks()
    return 0


def run(arguments: list[str]) -> int:
    """Any command, with the virtual environment first on PATH."""
    if not arguments:
        say("dev: run what? For example: ./dev run mainspring --help")
        return 2
    ensure("test")
    return _become([_script(arguments[0]), *arguments[1:]])


def _script(name: str) -> str:
    """The command of the virtual environment if it has one of that name, else the name itself."""
    for candidate in (SCRIPTS / name, SCRIPTS / f"{name}.exe"):
        if candidate.exists():
            return str(candidate)
    return name


def _become(command: list[str]) -> int:
    """Replaces this process where it can, so that signals and the exit code are the command's."""
    if os.name != "nt":
        sys.stdout.flush()
        try:
            os.execvpe(command[0], command, variables())
        except FileNotFoundError:
            say(f"dev: no command {Path(command[0]).name!r} in .venv or on PATH")
            return 127
    return subprocess.run(command, env=variables(), check=False).returncode
