"""Going on with a fresh journal, for runs that would outgrow one."""

from __future__ import annotations

from typing import Any, NoReturn

from mainspring.errors import InvalidPayload
from mainspring.sdk.context import running
from mainspring.sdk.encode import BEYOND_JSON, to_json, why
from mainspring.sdk.local import outside
from mainspring.sdk.scopes import current_branch
from mainspring.sdk.signals import Continued


def continue_with(payload: Any = None) -> NoReturn:
    """End this stretch of the run, and begin the task anew with another payload.

    The run keeps its id, its attempts begin anew, and its journal is empty again. `payload` is what
    the task takes: its one object, or a dict of its arguments. Call it in the task itself: other
    branches are cancelled, and results that they have not stored are lost.

    Raises: InvalidPayload when the task cannot take it, Misplaced outside a run or in a step.
    """
    ctx = running.get()
    branch = current_branch.get()
    if ctx is None or (branch is not None and branch.step is not None):
        raise outside("continue_with")
    try:
        text = to_json(payload).decode()
    except BEYOND_JSON as error:
        raise InvalidPayload(
            f"continue_with: the payload cannot be written as JSON: {why(error)}."
        ) from error
    ctx.read_payload(text)
    if ctx.opened is not None:
        ctx.opened.hand_on()
    raise Continued(text)
