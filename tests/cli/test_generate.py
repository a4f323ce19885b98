"""Types of tasks that are written from their schemas: checkers take them, and catch mistakes."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec
import pytest
from click.testing import CliRunner
from hypothesis import given, strategies as st
from pydantic import BaseModel

from mainspring import task
from mainspring.cli.main import root
from mainspring.cli.typed import python, shapes, typescript
from mainspring.sdk.registry import registry
from mainspring.wire.calls import Task
from tests.architecture.sources import ROOT
from tests.cli.processes import dev


class Line(BaseModel):
    sku: str
    count: int = 1


class Order(BaseModel):
    """What a customer wants."""

    id: int
    lines: list[Line]
    kind: Literal["new", "repeat"] = "new"
    note: str | None = None


@dataclass
class Tree:
    name: str
    below: "list[Tree] | None" = None


with registry.isolated():

    @task(id="send-receipt")
    async def send_receipt(order: Order) -> dict[str, int]:
        """Send a receipt of "an order"."""

    @task
    def resize(
        path: str, width: int, ratio: float = 1.5, tree: Tree | None = None
    ) -> list[Tree]: ...

    @task(id="class")
    def nothing() -> Line: ...

    @task(id="Line")
    def namesake(line: Line) -> bool: ...

    @task(id="odd/äö 1")
    async def odd(payload: Any) -> None: ...

    DECLARED = [send_receipt, resize, nothing, namesake, odd]


def registered(*declared: Any) -> list[Task]:
    """The tasks as a server lists them."""
    found = []
    for each in declared or DECLARED:
        spec = each.spec
        plain = msgspec.to_builtins(spec)
        found.append(Task(spec.id, spec.queue, "", spec.description, spec.payload_schema, plain))
    return found


def of(schema: dict[str, Any]) -> list[Task]:
    return [Task("t", "q", "", "", schema, {})]


USES = """
from typing import assert_type
from mainspring import Client, Handle, SyncClient
from tasks import LinePayload, Order, Tree, class_, line, odd_1, resize, send_receipt

async def right(client: Client) -> None:
    order: Order = {"id": 1, "lines": [{"sku": "a"}], "note": None}
    handle = await send_receipt.trigger(order, client=client, delay="1h")
    assert_type(handle, Handle[dict[str, int]])
    assert_type(await (await class_.trigger()).result(), LinePayload)
    assert_type(await resize.batch_trigger([{"path": "a", "width": 1}]), list[Handle[list[Tree]]])
    assert_type(line.trigger_sync({"sku": "a"}, client=SyncClient()), Handle[bool])
    await odd_1.trigger({"payload": [1, "x"]})

async def wrong(client: Client) -> None:
    await send_receipt.trigger({"id": "1", "lines": []})  # type: ignore[typeddict-item]
    await send_receipt.trigger({"id": 1})  # type: ignore[typeddict-item]
    await send_receipt.trigger({"id": 1, "lines": [], "kind": 3})  # type: ignore[typeddict-item]
    await send_receipt.trigger()  # type: ignore[call-arg]
    await resize.trigger({"path": "a", "width": 1}, delya=3)  # type: ignore[call-arg]
"""


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_the_module_passes_mypy_strict_and_ruff_and_reports_wrong_payloads(tmp_path: Path) -> None:
    (tmp_path / "tasks.py").write_text(python.write(shapes.read(registered())))
    (tmp_path / "uses.py").write_text(USES)
    config = tmp_path / "mypy.ini"
    config.write_text("[mypy]\nstrict = True\nwarn_unreachable = True\n")
    mypy = ["mypy", "--config-file", str(config), "--cache-dir", str(tmp_path / "cache"), "uses.py"]
    ruff = ["ruff", "check", "--config", str(ROOT / "pyproject.toml"), "tasks.py"]
    for command in (mypy, ruff):
        ran = subprocess.run(
            [sys.executable, "-m", *command],
            cwd=tmp_path,
            env={"MYPYPATH": str(ROOT / "src"), "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr


def test_the_same_tasks_give_the_same_text_in_any_order() -> None:
    first = registered()
    assert python.write(shapes.read(first)) == python.write(shapes.read(first[::-1]))
    assert typescript.write(shapes.read(first)) == typescript.write(shapes.read(first[::-1]))


def test_tasks_that_only_call_failure_hooks_are_left_out() -> None:
    hooks = Task("a:on_failure", "q", "", "", None, {})
    assert shapes.read([hooks]).tasks == ()
    assert "RemoteTask" not in python.write(shapes.read([hooks]))


def test_the_text_for_typescript_has_the_form_of_the_official_sdk() -> None:
    text = typescript.write(shapes.read(registered(send_receipt, nothing, resize)))
    assert 'import type { Task } from "@trigger.dev/sdk";' in text
    assert "/** What a customer wants. */\nexport type Order = {" in text
    assert '  kind?: "new" | "repeat";' in text
    assert "  note?: string | null;" in text
    assert "  lines: Array<Line>;" in text
    assert 'export type SendReceipt = Task<"send-receipt", Order, Record<string, number>>;' in text
    assert 'export type Class = Task<"class", void, Line>;' in text


def test_names_that_python_does_not_take_stand_in_the_functional_form() -> None:
    schema = {"type": "object", "properties": {"class": {"type": "string"}, "a b": {}}}
    text = python.write(shapes.read(of({**schema, "required": ["class"]})))
    assert 'TPayload = TypedDict(\n    "TPayload",' in text
    assert '"class": "str",' in text
    assert '"a b": "NotRequired[Any]",' in text


def test_different_types_of_one_name_get_different_names() -> None:
    def named(kind: str) -> dict[str, Any]:
        return {"title": "Item", "type": "object", "properties": {"x": {"type": kind}}}

    tasks = [Task(kind, "q", "", "", named(kind), {}) for kind in ("integer", "string", "integer2")]
    tasks[2].payload_schema = named("integer")
    types = shapes.read(tasks)
    assert [record.name for record in types.records] == ["Item", "Item2"]
    assert [task.payload for task in types.tasks] == [
        shapes.Named("Item"), shapes.Named("Item"), shapes.Named("Item2")
    ]  # fmt: skip


_names = st.text(st.sampled_from("ab _-\"'\\/1ß\n"), max_size=4)
_scalars = st.sampled_from(["string", "integer", "number", "boolean", "null"])
_leaves = st.one_of(
    st.just({}),
    _scalars.map(lambda kind: {"type": kind}),
    st.lists(st.one_of(_names, st.integers(), st.booleans(), st.none()), max_size=3).map(
        lambda values: {"enum": values}
    ),
    st.just({"$ref": "#/$defs/X"}),
    st.just({"$ref": "#/$defs/missing"}),
)
_schemas = st.recursive(
    _leaves,
    lambda inner: st.one_of(
        inner.map(lambda of: {"type": "array", "items": of}),
        st.lists(inner, max_size=3).map(lambda of: {"anyOf": of}),
        st.builds(
            lambda fields, text: {"type": "object", "properties": fields, "description": text},
            st.dictionaries(_names, inner, max_size=3),
            _names,
        ),
        inner.map(lambda of: {"type": "object", "additionalProperties": of}),
    ),
    max_leaves=8,
)


@given(_schemas, _schemas, st.lists(_names, max_size=3, unique=True), _names)
def test_every_schema_gives_a_module_that_can_be_imported(
    schema: Any, x: Any, ids: list[str], text: str
) -> None:
    whole = {**schema, "$defs": {"X": {**x, "title": "X"}}}
    tasks = [Task(id_, "q", "", text, whole, {"output_schema": whole}) for id_ in ids]
    types = shapes.read(tasks)
    module: dict[str, Any] = {}
    exec(compile(python.write(types), "tasks.py", "exec"), module)
    assert len([v for v in module.values() if type(v).__name__ == "RemoteTask"]) == len(ids)
    assert typescript.write(types).count("= Task<") == len(ids)


@pytest.mark.slow
def test_the_command_writes_the_tasks_of_a_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with dev(tmp_path):
        monkeypatch.chdir(tmp_path)
        told = CliRunner().invoke(root, ["generate", "client", "--out", "client.py"])
        assert told.exit_code == 0, told.output
        printed = CliRunner().invoke(root, ["generate", "client", "--language", "typescript"])
    text = (tmp_path / "client.py").read_text()
    assert "RemoteTask(" in text
    assert "= Task<" in printed.output
    assert json.dumps("hello") in text
