"""An agent: a loop of model and tools whose every answer is kept, and a test without a network."""

from __future__ import annotations

from typing import Final

TASKS: Final = '''"""An agent as a task: what the model says and what tools find is kept.

When the process dies, the run goes on behind its last step: no model is asked twice, and no tool
acts twice.
"""

from datetime import date

import model

from mainspring import AbortRun, Retry, logger, metadata, step, task

TURNS = 8
ORDERS = {"A-17": {"item": "kettle", "shipped": date(2026, 5, 4).isoformat()}}


async def find_order(number: str) -> dict:
    """What is known of an order."""
    return ORDERS.get(number, {"error": f"there is no order {number}"})


TOOLS = {"find_order": find_order}


@task(retry=Retry(max_attempts=3), max_duration="10m")
async def assistant(question: str) -> str:
    """Answer a question, with tools where they are needed."""
    messages = [{"role": "user", "content": question}]
    for turn in range(1, TURNS + 1):
        metadata.set("turn", turn)
        said = await step(f"model {turn}", model.ask, messages, sorted(TOOLS))
        messages.append(said)
        if said.get("tool") is None:
            return said["content"]
        logger.info("uses a tool", tool=said["tool"], arguments=said["arguments"])
        tool = TOOLS.get(said["tool"])
        if tool is None:
            found = {"error": f"there is no tool {said['tool']!r}"}
        else:
            found = await step(f"{said['tool']} {turn}", tool, **said["arguments"])
        messages.append({"role": "tool", "content": found})
    raise AbortRun(f"No answer after {TURNS} turns.")
'''

MODEL: Final = '''"""The model that the agent asks: scripted, until your own client is in `ask`.

An answer is {"role", "content"}, or {"role", "tool", "arguments"} when a tool is to be used. The
client goes in here and nowhere else, so that tests run without a network.
"""


async def ask(messages: list[dict], tools: list[str]) -> dict:
    """The next message of the model."""
    last = messages[-1]
    if last["role"] == "user":
        number = next((word for word in last["content"].split() if "-" in word), "A-17")
        arguments = {"number": number.strip("?.,!")}
        return {"role": "assistant", "tool": "find_order", "arguments": arguments}
    found = last["content"]
    text = found.get("error") or f"Your {found['item']} was shipped on {found['shipped']}."
    return {"role": "assistant", "content": text}
'''

TEST: Final = '''"""Tests of the agent; run them with `pytest`. They need no network."""

import asyncio

import model
import pytest
from tasks import assistant

from mainspring import RunFailed


async def answered(question: str) -> str:
    handle = await assistant.trigger(question)
    return await handle.result()


def test_a_question_is_answered_with_what_a_tool_has_found(jobs) -> None:
    async def scenario() -> list[str]:
        return [await answered(f"Where is order {number}?") for number in ("A-17", "B-1")]

    found, missing = asyncio.run(scenario())
    assert found == "Your kettle was shipped on 2026-05-04."
    assert missing == "there is no order B-1"


def test_a_model_that_never_comes_to_an_end_is_stopped(jobs, monkeypatch) -> None:
    asked = []

    async def restless(messages: list[dict], tools: list[str]) -> dict:
        asked.append(len(messages))
        return {"role": "assistant", "tool": "unknown", "arguments": {}}

    monkeypatch.setattr(model, "ask", restless)
    with pytest.raises(RunFailed, match="No answer after 8 turns"):
        asyncio.run(answered("Where is it?"))
    assert len(asked) == 8
'''

FILES: Final = {"tasks.py": TASKS, "model.py": MODEL, "test_agent.py": TEST}
NEXT: Final = "mainspring dev"
THEN: Final = (
    """mainspring tasks trigger assistant --payload '{"question": "Where is order A-17?"}' --wait"""
)
