"""A task's arguments as its payload and back, checked in both directions."""

from __future__ import annotations

import contextlib
import re
import sys
import typing
from typing import Any, Final, Protocol

import msgspec
from msgspec import UNSET, UnsetType

from mainspring.errors import InvalidPayload, PayloadTooLarge
from mainspring.model.run import PAYLOAD_LIMIT
from mainspring.sdk.codec import UNREADABLE, Codec, MsgspecCodec, codec, involves_pydantic
from mainspring.sdk.context import Context
from mainspring.sdk.encode import BEYOND_JSON, why
from mainspring.sdk.faults import Fault
from mainspring.sdk.signature import Parameter, Signature, is_model

Bound = tuple[tuple[Any, ...], dict[str, Any]]
_NOTHING: Final = ("null", "{}")


class Payload(Protocol):
    """How one task's arguments and its payload text correspond."""

    schema: dict[str, Any]

    def bind(self, text: str, ctx: Context | None = None) -> Bound:
        """The function's arguments. Raises: InvalidPayload."""
        ...

    def value(self, text: str) -> Any:
        """The payload object, or a dict of the arguments. Raises: InvalidPayload."""
        ...

    def text(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
        """The payload. Raises: InvalidPayload, PayloadTooLarge."""
        ...


def payload(task: str, signature: Signature) -> Payload:
    """The correspondence for a signature. Raises: InvalidTask for a type JSON cannot hold."""
    parameters = signature.parameters
    if len(parameters) == 1 and is_model(parameters[0].annotation):
        return WholePayload(task, parameters[0], signature.context)
    return NamedPayload(task, parameters, signature.context)


class WholePayload:
    """One parameter is the payload."""

    def __init__(self, task: str, parameter: Parameter, context: str | None) -> None:
        self._task = task
        self._parameter = parameter
        self._context = context
        self._codec = codec(
            parameter.annotation, f"Task {task!r}: the type of parameter {parameter.name!r}"
        )
        self._decode = self._codec.decode
        self._by_position = parameter.positional and (context is None or not parameter.keyword)
        self._may_lack = not parameter.required
        self.schema = self._codec.schema

    def bind(self, text: str, ctx: Context | None = None) -> Bound:
        if self._may_lack and text == "null":
            args: tuple[Any, ...] = ()
            kwargs: dict[str, Any] = {}
        else:
            try:
                value = self._decode(text)
            except UNREADABLE as error:
                raise refusal(self._task, self._codec.faults(text)) from error
            if self._by_position:
                args, kwargs = (value,), {}
            else:
                args, kwargs = (), {self._parameter.name: value}
        if ctx is not None and self._context is not None:
            kwargs[self._context] = ctx
        return args, kwargs

    def value(self, text: str) -> Any:
        args, kwargs = self.bind(text)
        return (*args, *kwargs.values(), self._parameter.default)[0]

    def text(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
        name = self._parameter.name
        if len(args) == 1 and not kwargs:
            value = args[0]
        elif not args and len(kwargs) == 1 and name in kwargs:
            value = kwargs[name]
        elif not args and not kwargs and self._may_lack:
            return "null"
        else:
            raise refusal(
                self._task, _misfits([name], {name: self._parameter.required}, args, kwargs)
            )
        try:
            data = self._codec.encode(value)
        except BEYOND_JSON as error:
            raise refusal(self._task, [{"path": "", "message": why(error)}]) from error
        return checked(self._task, data, self._codec)


class NamedPayload:
    """The payload is an object with a field for each parameter."""

    def __init__(self, task: str, parameters: tuple[Parameter, ...], context: str | None) -> None:
        self._task = task
        self._context = context
        self._positional = [p.name for p in parameters if p.positional]
        self._only_positional = [p.name for p in parameters if not p.keyword]
        self._known = {p.name: p.required for p in parameters}
        self._names = [p.name for p in parameters]
        self._defaults = {p.name: p.default for p in parameters if not p.required}
        self._codec, self._pydantic = _fields(task, parameters)
        self._decode = self._codec.decode
        # the quick way: no defaults to leave out, no names to give
        self._plain = not (self._defaults or self._pydantic or context) and (
            self._positional == self._names
        )
        self.schema = self._finished(self._codec.schema)

    def bind(self, text: str, ctx: Context | None = None) -> Bound:
        if self._plain:
            if not self._names and text in _NOTHING:
                return (), {}
            try:
                return msgspec.structs.astuple(self._decode(text)), {}
            except UNREADABLE as error:
                raise self._refusal(text) from error
        kwargs = self._given(text)
        args = tuple(kwargs.pop(n, self._defaults.get(n)) for n in self._only_positional)
        if ctx is not None and self._context is not None:
            kwargs[self._context] = ctx
        return args, kwargs

    def value(self, text: str) -> Any:
        return {**self._defaults, **self._given(text)}

    def text(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
        fields = dict(zip(self._positional, args, strict=False))
        if len(args) > len(self._positional) or not fields.keys().isdisjoint(kwargs):
            raise refusal(self._task, _misfits(self._positional, self._known, args, kwargs))
        fields.update(kwargs)
        try:
            data = self._codec.encode(fields)
        except BEYOND_JSON as error:
            raise refusal(self._task, list(self._unwritable(fields))) from error
        return checked(self._task, data, self._codec)

    def _given(self, text: str) -> dict[str, Any]:
        """The arguments that the payload holds; those with a default may be absent."""
        if text == "null":
            text = "{}"
        try:
            value = self._decode(text)
        except UNREADABLE as error:
            raise self._refusal(text) from error
        if self._pydantic:
            found = {int(field[1:]) for field in value.model_fields_set}
            return {n: getattr(value, f"p{i}") for i, n in enumerate(self._names) if i in found}
        return {n: v for n, v in msgspec.structs.asdict(value).items() if v is not UNSET}

    def _refusal(self, text: str) -> InvalidPayload:
        return refusal(self._task, self._codec.faults("{}" if text == "null" else text))

    def _unwritable(self, fields: dict[str, Any]) -> list[Fault]:
        """Which arguments have no JSON form."""
        found = []
        for name, value in fields.items():
            try:
                self._codec.encode(value)
            except BEYOND_JSON as error:
                found.append({"path": name, "message": why(error)})
        return found

    def _finished(self, schema: dict[str, Any]) -> dict[str, Any]:
        for name, default in self._defaults.items():
            try:
                shown = msgspec.json.decode(self._codec.encode(default))
            except BEYOND_JSON:
                continue  # a default that only Python can hold
            schema["properties"][name]["default"] = shown
        if not any(self._known.values()):
            schema["type"] = ["object", "null"]
        return schema


def checked(task: str, data: bytes, reader: Codec) -> str:
    """Payload text that a worker can read. Raises: InvalidPayload, PayloadTooLarge."""
    if len(data) > PAYLOAD_LIMIT:
        raise PayloadTooLarge(
            f"The payload for task {task!r} has {len(data):,} bytes; {PAYLOAD_LIMIT:,} are "
            "allowed. Store it elsewhere and send a reference."
        )
    try:
        reader.decode(data)
    except UNREADABLE as error:
        raise refusal(task, reader.faults(data)) from error
    return data.decode()


def refusal(task: str, faults: list[Fault]) -> InvalidPayload:
    """The error that names every bad field."""
    listed = "; ".join(f"{f['path'] or 'payload'}: {f['message']}" for f in faults[:10])
    more = f" and {len(faults) - 10} more" if len(faults) > 10 else ""
    return InvalidPayload(
        f"The payload does not fit task {task!r}: {listed}{more}.", details=faults
    )


def _misfits(
    positional: list[str], known: dict[str, bool], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> list[Fault]:
    """What a call is refused for by its names alone; `known` says which ones are required."""
    given = {*positional[: len(args)], *kwargs}
    twice = [n for n in positional[: len(args)] if n in kwargs]
    found = [{"path": n, "message": "is given twice"} for n in twice]
    found += [{"path": n, "message": "is not known here"} for n in kwargs if n not in known]
    found += [{"path": n, "message": "is missing"} for n in known if known[n] and n not in given]
    if len(args) > len(positional):
        text = f"{len(args)} positional arguments were given; at most {len(positional)} are taken"
        found.append({"path": "", "message": text})
    return found


def _fields(task: str, parameters: tuple[Parameter, ...]) -> tuple[Codec, bool]:
    """The codec of an object with a field for each parameter, and whether it is pydantic's."""
    pydantic = sys.modules.get("pydantic")
    if pydantic is None or not any(involves_pydantic(p.annotation) for p in parameters):
        with contextlib.suppress(NameError, TypeError):
            return MsgspecCodec(_struct(task, parameters)), False
    for p in parameters:  # names the one that cannot be read
        codec(p.annotation, f"Task {task!r}: the type of parameter {p.name!r}")
    together = f"Task {task!r}: the parameters together"
    if pydantic is None:
        return codec(_struct(task, parameters), together), False
    return codec(_model(task, parameters), together), True


def _struct(task: str, parameters: tuple[Parameter, ...]) -> type:
    """A Struct with a field for each parameter; those with a default stay UNSET when absent."""
    fields: list[Any] = [
        (p.name, p.annotation)
        if p.required
        else (p.name, typing.Union[p.annotation, UnsetType], UNSET)  # noqa: UP007 - also for Any
        for p in parameters
    ]
    return msgspec.defstruct(_title(task), fields, forbid_unknown_fields=True, kw_only=True)


def _model(task: str, parameters: tuple[Parameter, ...]) -> type:
    """A pydantic model with a field p0, p1, … for each parameter, and its name as alias."""
    pydantic = sys.modules["pydantic"]
    fields: dict[str, Any] = {}
    for index, p in enumerate(parameters):
        absent = {} if p.required else {"default_factory": lambda: None}
        fields[f"p{index}"] = (p.annotation, pydantic.Field(alias=p.name, title=p.name, **absent))
    forbid = pydantic.ConfigDict(extra="forbid")
    model: type = pydantic.create_model(_title(task), __config__=forbid, **fields)
    return model


def _title(task: str) -> str:
    return re.sub(r"\W", "_", task)
