"""The body of a trigger, read into a request of the model. Every bad field is named at once."""

from __future__ import annotations

import hashlib
from typing import Any, Final

from msgspec import Struct

from mainspring.errors import (
    CallerError,
    InvalidOptions,
    InvalidPayload,
    MainspringError,
    NotBuilt,
    PayloadTooLarge,
)
from mainspring.model import limits
from mainspring.model.run import PAYLOAD_LIMIT, TriggerOptions, TriggerRequest
from mainspring.wire import packets
from mainspring.wire.batches import BatchItem
from mainspring.wire.options import Misshapen, tag_list, take, take_delay

Problem = dict[str, str]
_OF_BATCH: Final = frozenset({"parentRunId", "resumeParentOnCompletion", "parentBatch"})
"""Options that the batch has for all of its items."""


class _Found(Struct):
    """What is wrong with a request, or with all items of a batch."""

    options: list[Problem] = []
    payload: list[Problem] = []
    errors: list[MainspringError] = []
    misshapen: bool = False

    def refuse(self) -> None:
        """Raises: the error of `refusal`."""
        error = self.refusal()
        if error is not None:
            raise error

    def refusal(self) -> MainspringError | None:
        """The error that decides, with everything that is wrong, if anything is."""
        if self.errors:
            return self.errors[0]
        problems = self.options + self.payload
        if not problems:
            return None
        listed = "; ".join(f"{problem['path']}: {problem['message']}" for problem in problems[:10])
        more = f"; and {len(problems) - 10} more" if len(problems) > 10 else ""
        kind = InvalidOptions if self.options else InvalidPayload
        return kind(f"{listed}{more}", details=problems[:100])


def trigger(task: str, body: Any, request_key: str | None = None, index: int = 0) -> TriggerRequest:
    """The request of one body `{"payload"?, "options"?}`.

    `request_key` is the header that stays the same over the repeats of one call; the item's index
    in the call keeps equal items apart.

    Raises: PayloadTooLarge, NotBuilt, or InvalidPayload and InvalidOptions, whose details list
    every bad field with its path.
    """
    found = _Found()
    request = _read(task, body, "", request_key, index, found)
    found.refuse()
    return request


def batch(body: Any, task: str | None, request_key: str | None = None) -> list[TriggerRequest]:
    """The requests of a body `{"items": […]}`; each item names its task unless the path does.

    Raises: as `trigger`, with paths such as `items[3].options.delay`; one bad item refuses all.
    """
    items = body.get("items") if isinstance(body, dict) else None
    if not isinstance(items, list) or not 0 < len(items) <= limits.BATCH:
        shown = f"{len(items)} items" if isinstance(items, list) else "no list"
        raise CallerError(
            f'Body Error: "items" must be a list of 1 to {limits.BATCH} items; found {shown}.'
        )
    shared = _shared(body)
    requests: list[TriggerRequest] = []
    found = _Found()
    for index, item in enumerate(items):
        path = f"items[{index}]."
        named = item.get("task") if task is None and isinstance(item, dict) else task
        if not isinstance(named, str) or not named:
            found.options.append(_problem(f"{path}task", "a task id is missing"))
            named = ""
        options = item.get("options", {}) if shared and isinstance(item, dict) else None
        if isinstance(options, dict):
            item = item | {"options": shared | options}
        requests.append(_read(named, item, path, request_key, index, found))
    found.refuse()
    return requests


def item(value: Any, line: int) -> BatchItem:
    """The item of a line `{"index", "task", "payload"?, "options"?}` of a stream.

    What has the right form and cannot be triggered all the same, such as a payload that is too
    large, is an item with an error, so that it stops no other one.

    Raises: InvalidOptions that names the line when it is no item, NotBuilt for its options.
    """
    number = value.get("index") if isinstance(value, dict) else None
    task = value.get("task") if isinstance(value, dict) else None
    if not isinstance(number, int) or isinstance(number, bool) or number < 0:
        raise _no_item(line, "index", "must be a whole number, 0 or more")
    if not isinstance(task, str) or not task or "\0" in task:
        raise _no_item(line, "task", "must be the id of a task")
    options = value.get("options")
    if isinstance(options, dict):
        value["options"] = {name: options[name] for name in options if name not in _OF_BATCH}
    found = _Found()
    request = _read(task, value, "", None, number, found)
    error = found.refusal()
    if error is None:
        return BatchItem(number, request)
    if found.misshapen or not isinstance(options, dict | None) or isinstance(error, NotBuilt):
        told = f"Line {line}, index {number}: {error.message}"
        raise type(error)(told, details=error.details)
    return BatchItem(number, TriggerRequest(task), error.message, error.code.upper())


def take_one(options: TriggerOptions, name: str, value: Any) -> None:
    """Read one option that a body has at its top. Raises: InvalidOptions, NotBuilt."""
    try:
        take(options, name, value)
    except InvalidOptions as error:
        raise InvalidOptions(
            f"{name}: {error.message}", details=[_problem(name, error.message)]
        ) from error


def _no_item(line: int, path: str, message: str) -> InvalidOptions:
    return InvalidOptions(f"Line {line}: {path} {message}.", details=[_problem(path, message)])


def tags(body: Any) -> tuple[str, ...]:
    """The tags of a body `{"tags": text or list}`. Raises: InvalidOptions, CallerError."""
    if not isinstance(body, dict) or "tags" not in body:
        raise CallerError('Body Error: "tags" is missing; give a text or a list of texts.')
    try:
        return tag_list(body["tags"])
    except InvalidOptions as error:
        raise InvalidOptions(
            f"tags: {error.message}.", details=[_problem("tags", error.message)]
        ) from error


def delay(body: Any) -> tuple[int | None, int | None]:
    """The new time of a body `{"delay": …}`: ms from now, or epoch ms.

    Raises: CallerError (400, as the contract says of a bad delay).
    """
    if not isinstance(body, dict) or "delay" not in body:
        raise CallerError('Body Error: "delay" is missing; give a duration or a date.')
    options = TriggerOptions()
    try:
        take_delay(options, body["delay"])
    except InvalidOptions as error:
        raise CallerError(
            f"delay: {error.message}.", details=[_problem("delay", error.message)]
        ) from error
    return options.delay_ms, options.delay_until


def key_of_request(task: str, request_key: str, index: int) -> str:
    """What stands for one item of a repeatable request; the same length for any header."""
    text = f"{task}\0{request_key}\0{index}"
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()


def _read(
    task: str, body: Any, path: str, request_key: str | None, index: int, found: _Found
) -> TriggerRequest:
    """The request of one item; what is wrong with it goes to `found`."""
    options = TriggerOptions()
    request = TriggerRequest(task, "null", options)
    given = body.get("options", {}) if isinstance(body, dict) else None
    if not isinstance(given, dict):
        place = path + "options" if isinstance(body, dict) else path[:-1] or "the body"
        found.options.append(_problem(place, "must be an object"))
        return request
    for name, value in given.items():
        try:
            take(options, name, value)
        except InvalidOptions as error:
            found.options.append(_problem(f"{path}options.{name}", error.message))
            found.misshapen = found.misshapen or isinstance(error, Misshapen)
        except NotBuilt as error:
            found.errors.append(NotBuilt(f"{path}options.{name}: {error.message}"))
    try:
        if _type(given) == packets.STORE:
            options.upload = packets.stored_at(body.get("payload"))
        else:
            request.payload = packets.decode(body.get("payload"), _type(given))
            _check_size(request.payload)
    except InvalidOptions as error:
        found.options.append(_problem(f"{path}options.payloadType", error.message))
    except InvalidPayload as error:
        found.payload.append(_problem(f"{path}payload", error.message))
    except (PayloadTooLarge, NotBuilt) as error:
        found.errors.append(error)
    if request_key:
        options.request_key = key_of_request(task, request_key, index)
    return request


def _type(given: dict[str, Any]) -> str:
    type_ = given.get("payloadType", packets.JSON)
    return type_ if isinstance(type_, str) else repr(type_)


def _check_size(payload: str) -> None:
    size = len(payload) if payload.isascii() else len(payload.encode())
    if size > PAYLOAD_LIMIT:
        raise PayloadTooLarge(
            f"The payload has {size:,} bytes; the limit is {PAYLOAD_LIMIT:,}. Store it elsewhere "
            "and send a reference."
        )


def _shared(body: dict[str, Any]) -> dict[str, Any]:
    """What a batch says once for all its items."""
    names = ("parentRunId", "resumeParentOnCompletion")
    return {name: body[name] for name in names if body.get(name) is not None}


def _problem(path: str, message: str) -> Problem:
    return {"path": path, "message": message}
