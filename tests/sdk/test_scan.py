"""Tasks are found by importing files; a file that fails stands in nobody's way."""

import json
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mainspring.errors import DuplicateTask, InvalidTask, TaskImportFailed
from mainspring.sdk.registry import registry
from mainspring.sdk.scan import scan

Write = Callable[[str, str], Path]


@pytest.fixture(autouse=True)
def own_modules() -> Iterator[None]:
    modules, path = set(sys.modules), list(sys.path)
    yield
    for name in set(sys.modules) - modules:
        del sys.modules[name]
    sys.path[:] = path


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def save(name: str, text: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
        return path

    return save


TASK = "from mainspring import task\n@task\ndef {name}(): return '{name}'\n"


def test_every_file_below_a_folder_is_imported(tmp_path: Path, write: Write) -> None:
    write("jobs/mail.py", TASK.format(name="mail"))
    write("jobs/deep/er/pay.py", TASK.format(name="pay"))
    write("other/report.py", TASK.format(name="report"))
    found = scan(["jobs"], root=tmp_path)
    assert sorted(registry.tasks) == ["mail", "pay"]
    assert [path.name for path in found.files] == ["pay.py", "mail.py"]
    assert found.errors == []
    assert "jobs.mail" in sys.modules
    assert "jobs.deep.er.pay" in sys.modules


def test_a_single_file_can_be_given(tmp_path: Path, write: Write) -> None:
    path = write("jobs/mail.py", TASK.format(name="mail"))
    scan([path], root=tmp_path)
    assert list(registry.tasks) == ["mail"]


def test_files_import_each_other_under_the_same_names(tmp_path: Path, write: Write) -> None:
    write("shop/__init__.py", "# task of this package: " + "sell")
    write("shop/mail.py", TASK.format(name="mail"))
    write(
        "shop/pay.py",
        """
        from mainspring import task
        from shop.mail import mail
        @task
        def pay(): return mail
        """,
    )
    scan(["."], root=tmp_path)
    assert registry.get("pay").func() is registry.get("mail")


def test_a_src_folder_is_a_root_of_names_too(tmp_path: Path, write: Write) -> None:
    write("src/shop/mail.py", TASK.format(name="mail"))
    write("src/shop/pay.py", "from shop.mail import mail as task\n")
    scan(["src"], root=tmp_path)
    assert "shop.mail" in sys.modules
    assert "src.shop.mail" not in sys.modules


def test_a_file_that_fails_is_reported_with_its_own_traceback_only(
    tmp_path: Path, write: Write
) -> None:
    write("good.py", TASK.format(name="good"))
    bad = write(
        "bad.py",
        """
        from mainspring import task
        @task
        def lost(): ...
        def broken():
            return 1 / 0
        broken()
        """,
    )
    found = scan(["."], root=tmp_path)
    assert list(registry.tasks) == ["good"]
    (error,) = found.errors
    assert isinstance(error, TaskImportFailed)
    assert error.message == f"{bad} cannot be imported: ZeroDivisionError: division by zero"
    trace = error.details["traceback"]
    assert trace.splitlines()[1] == f'  File "{bad}", line 7, in <module>'
    assert "in broken" in trace
    assert "scan.py" not in trace
    assert "importlib" not in trace
    assert error.details["file"] == str(bad)


def test_a_traceback_ends_where_libraries_were_called(tmp_path: Path, write: Write) -> None:
    bad = write("bad.py", "import json\ndef task():\n    return json.loads('{no')\ntask()\n")
    (error,) = scan(["."], root=tmp_path).errors
    trace = error.details["traceback"]
    assert f'File "{bad}", line 3, in task' in trace
    assert "decoder.py" not in trace
    assert trace.splitlines()[-1].startswith("json.decoder.JSONDecodeError: ")


def test_a_declaration_that_is_refused_is_named_with_file_and_line(
    tmp_path: Path, write: Write
) -> None:
    text = TASK.format(name="fine").replace("@task", '@task(schedule="61 * * * *")')
    bad = write("bad.py", text)
    (error,) = scan(["."], root=tmp_path).errors
    assert isinstance(error, InvalidTask)
    assert error.message.startswith(
        f"{bad}:2: Task 'fine': Schedule: cron '61 * * * *': the minute '61'"
    )


@pytest.mark.parametrize(
    "text, said",
    [
        ("def task(:\n", "SyntaxError"),
        ("import no_such_module  # task\n", "No module named 'no_such_module'"),
        ("raise SystemExit('task gone')\n", "SystemExit: task gone"),
        ("from mainspring import no_such_name\n", "cannot import name 'no_such_name'"),
    ],
)
def test_whatever_breaks_an_import_is_named(
    tmp_path: Path, write: Write, text: str, said: str
) -> None:
    write("bad.py", text)
    (error,) = scan(["."], root=tmp_path).errors
    assert said in error.message
    assert "scan.py" not in error.details["traceback"]


def test_a_second_task_with_the_same_id_is_an_error_of_its_file(
    tmp_path: Path, write: Write
) -> None:
    write("a.py", TASK.format(name="mail"))
    write(
        "b.py",
        TASK.format(name="mail")
        .replace("def mail", "def post")
        .replace("@task", "@task(id='mail')"),
    )
    (error,) = scan(["."], root=tmp_path).errors
    assert isinstance(error, DuplicateTask)
    assert f"{tmp_path}/a.py:2" in error.message
    assert f"{tmp_path}/b.py:2" in error.message
    assert registry.get("mail").file == f"{tmp_path}/a.py"


def test_a_task_that_cannot_be_described_is_an_error_and_the_others_stay(
    tmp_path: Path, write: Write
) -> None:
    write("odd.py", TASK.format(name="fine") + "@task\ndef odd(*args): ...\n")
    (error,) = scan(["."], root=tmp_path).errors
    assert isinstance(error, InvalidTask)
    assert list(registry.tasks) == ["fine"]


def test_tests_hidden_folders_and_ignored_ones_are_left_alone(tmp_path: Path, write: Write) -> None:
    for name in (
        "test_mail.py",
        "conftest.py",
        "tests/mail.py",
        ".venv/lib/mail.py",
        "node_modules/mail.py",
        "old/mail.py",
        "mail_draft.py",
    ):
        write(name, "raise RuntimeError('task imported')\n")
    write("mail.py", TASK.format(name="mail"))
    found = scan(["."], ["old", "*_draft.py"], root=tmp_path)
    assert [path.name for path in found.files] == ["mail.py"]
    assert found.errors == []


def test_files_that_cannot_hold_tasks_are_not_imported(tmp_path: Path, write: Write) -> None:
    write("manage.py", "raise RuntimeError('imported')\n")
    assert scan(["."], root=tmp_path).errors == []


@pytest.mark.parametrize("name", ["json.py", "send-mail.py", "2fast.py", "my jobs/mail.py"])
def test_a_file_with_a_name_that_cannot_be_imported_is_loaded_by_its_path(
    tmp_path: Path, write: Write, name: str
) -> None:
    path = write(name, TASK.format(name="mail"))
    assert scan(["."], root=tmp_path).files == [path]
    assert registry.get("mail").func() == "mail"
    assert json.loads("1") == 1


def test_a_second_scan_imports_nothing_again(tmp_path: Path, write: Write) -> None:
    write("send-mail.py", TASK.format(name="mail"))
    write("pay.py", TASK.format(name="pay"))
    scan(["."], root=tmp_path)
    before = dict(registry.tasks)
    scan(["."], root=tmp_path)
    assert registry.tasks == before


def test_queues_of_a_file_are_registered(tmp_path: Path, write: Write) -> None:
    write("queues.py", "import mainspring\nmail = mainspring.Queue('mail', concurrency_limit=2)\n")
    scan(["."], root=tmp_path)
    _, (queue,) = registry.specs()
    assert (queue.name, queue.limit) == ("mail", 2)
