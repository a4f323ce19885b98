"""What `import mainspring` shows is what the reference page documents, and it loads quickly."""

import ast
import re
import subprocess
import sys
import types

import pytest

import mainspring
from mainspring.sdk import names
from mainspring.sdk.declaration import TaskOptions
from mainspring.sdk.options import Options
from mainspring.sdk.runs import Filters
from tests.architecture.sources import PACKAGE, ROOT, tree

PAGE = (ROOT / "docs" / "reference" / "sdk.md").read_text()
NAMES = {
    # declarations
    "task", "Task", "Call", "Retry", "Queue", "RateLimit", "Debounce", "Machine", "schedule",
    "Cron", "ScheduledPayload",
    # in a run and around it
    "Batch", "Client", "Context", "Handle", "Local", "RemoteTask", "SyncClient", "current",
    "logger", "meter", "tracer", "configure",
    # durable code
    "Step", "checkpoint", "continue_with", "gather", "now", "parallel", "random", "step",
    "transaction", "uuid",
    # namespaces
    "batches", "bulk", "deployments", "env_vars", "events", "hooks", "idempotency", "metadata",
    "observe", "queues", "retry", "runs", "schedules", "streams", "sync", "tags", "tasks", "wait",
    # errors
    "AbortRun", "Conflict", "InvalidOptions", "InvalidPayload", "MainspringError", "NotFound",
    "RateLimited", "ResultTimeout", "RetryRun", "RunCanceled", "RunFailed", "ServerUnreachable",
    "Unauthorized", "UnknownTask", "JournalFull", "Misplaced", "StepConflict", "StepFailed",
    "WaitTimeout",
}  # fmt: skip


def test_the_public_names_are_these_and_no_others() -> None:
    assert set(mainspring.__all__) == NAMES
    assert mainspring.__all__ == sorted(mainspring.__all__)
    assert all(hasattr(mainspring, name) for name in NAMES)


def test_every_public_name_has_a_docstring_and_stands_in_the_reference() -> None:
    things = {name: getattr(mainspring, name) for name in NAMES}
    assert [name for name, thing in things.items() if not thing.__doc__] == []
    assert [name for name in NAMES if not re.search(rf"\b{name}\b", PAGE)] == []


def test_every_verb_of_a_namespace_stands_in_the_reference() -> None:
    documented = {
        "runs": "retrieve list page cancel replay reschedule add_tags poll result logs explain "
        "subscribe subscribe_tag handle",
        "batches": "trigger retrieve runs subscribe",
        "queues": "list retrieve pause resume set_limit reset_limit",
        "tasks": "trigger trigger_sync call batch batch_sync batch_trigger trigger_and_poll list",
        "idempotency": "create_key reset",
        "bulk": "cancel replay retrieve poll abort list",
        "schedules": "create update retrieve activate deactivate delete run_now next_runs list",
        "env_vars": "list retrieve set delete",
        "deployments": "list retrieve current promote rollback",
        "tags": "add",
        "events": "emit",
        "streams": "input define append append_sync pipe pipe_sync writer read read_sync",
        "metadata": "set delete replace append remove increment decrement get current flush "
        "flush_sync refresh stream",
        "retry": "on_throw on_throw_sync fetch fetch_sync skip after at RateHeaders",
        "sync": "run iterate checkpoint gather transaction",
        "wait": "seconds for_ until token event input create_token retrieve_token complete_token "
        "list_tokens",
        "observe": "on_worker_event",
    }
    for namespace, verbs in documented.items():
        module: types.ModuleType = getattr(mainspring, namespace)
        for verb in verbs.split():
            assert getattr(module, verb).__doc__, f"{namespace}.{verb}"
            assert f"{namespace}.{verb}(" in PAGE, f"{namespace}.{verb}"


def test_every_option_stands_in_the_reference() -> None:
    for options in (TaskOptions, Options, Filters):
        for name in options.__annotations__:
            assert re.search(rf"\b{name}[:=]", PAGE), f"{options.__name__}: {name}"


def test_names_are_found_where_checkers_see_them_imported() -> None:
    block = next(node for node in tree(PACKAGE / "__init__.py").body if isinstance(node, ast.If))
    seen = {
        alias.asname or alias.name: (node.module, alias.name)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    homes = {name: (f"mainspring.{home}", name) for name, home in names.HOMES.items()}
    modules = {
        name: ("mainspring.sdk", home.removeprefix("sdk.")) for name, home in names.MODULES.items()
    }
    assert seen == homes | modules
    assert set(mainspring.__all__) <= set(dir(mainspring))


def test_a_name_that_is_none_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'tsak'"):
        _ = mainspring.tsak  # type: ignore[attr-defined]


def test_importing_the_package_loads_no_client_server_or_driver() -> None:
    heavy = "httpx2 uvicorn starlette websockets apsw asyncpg pydantic click rich"
    program = f"import sys, mainspring; print([m for m in {heavy.split()} if m in sys.modules])"
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip() == "[]"


def test_importing_the_package_loads_nothing_that_is_not_used() -> None:
    program = (
        "import sys, mainspring; print(sum(name.startswith('mainspring') for name in sys.modules))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert int(ran.stdout) == 3  # the package, its sdk, and the table of names
