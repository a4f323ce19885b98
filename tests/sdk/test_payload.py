"""Arguments become a payload and come back; whatever does not fit is named, all of it."""

import dataclasses
import datetime
import enum
import string
import typing
import uuid
from pathlib import Path
from typing import Any

import msgspec
import pydantic
import pytest
from hypothesis import given, strategies as st

from mainspring import Context, InvalidPayload, task
from mainspring.errors import InvalidOutput, InvalidTask, PayloadTooLarge
from mainspring.model import payload as schemas
from mainspring.sdk.payload import payload
from mainspring.sdk.signature import read
from tests.sdk.conftest import order


@dataclasses.dataclass
class Line:
    price: float
    name: str = "thing"


@dataclasses.dataclass
class Order:
    id: int
    lines: list[Line]


class Struct(msgspec.Struct, rename="camel"):
    user_id: int


class Typed(typing.TypedDict):
    id: int
    note: typing.NotRequired[str]


class Model(pydantic.BaseModel):
    price: float = pydantic.Field(gt=0, alias="thePrice")
    when: datetime.date | None = None


@pydantic.dataclasses.dataclass
class Checked:
    size: int = pydantic.Field(gt=0)


class Colour(enum.Enum):
    RED = "red"


def text(made: Any, *args: Any, **kwargs: Any) -> str:
    written: str = made.call(*args, **kwargs).request().payload
    return written


def faults(error: InvalidPayload) -> dict[str, str]:
    return {fault["path"]: fault["message"] for fault in error.details}


@pytest.mark.parametrize(
    "kind, value, json",
    [
        (Order, Order(1, [Line(2.5)]), '{"id":1,"lines":[{"price":2.5,"name":"thing"}]}'),
        (Struct, Struct(7), '{"userId":7}'),
        (Typed, {"id": 1}, '{"id":1}'),
        (Model, Model(thePrice=2), '{"thePrice":2.0,"when":null}'),
        (Checked, Checked(3), '{"size":3}'),
        (Order | None, Order(1, []), '{"id":1,"lines":[]}'),
        (typing.Annotated[Struct, "note"], Struct(7), '{"userId":7}'),
        (typing.NewType("Renamed", Struct), Struct(7), '{"userId":7}'),
    ],
)
def test_a_single_model_is_the_payload(kind: Any, value: Any, json: str) -> None:
    async def take(it): ...

    take.__annotations__["it"] = kind
    made = task(take)
    assert text(made, value) == json
    assert text(made, it=value) == json
    assert made.bind_payload(json) == ((value,), {})
    assert made.payload(json) == value
    assert schemas.problems(made.spec.payload_schema, msgspec.json.decode(json)) == []


def test_other_parameters_are_an_object_by_name() -> None:
    @task
    async def resize(path: Path, width: int, *, copies: set[int] | None = None) -> None: ...

    assert text(resize, Path("/a/b"), 3) == '{"path":"/a/b","width":3}'
    assert resize.bind_payload('{"path":"/a/b","width":3}') == (
        (),
        {"path": Path("/a/b"), "width": 3},
    )
    assert resize.payload('{"path":"x","width":3}') == {
        "path": Path("x"),
        "width": 3,
        "copies": None,
    }
    schema = resize.spec.payload_schema
    assert schema is not None
    assert schema["required"] == ["path", "width"]
    assert schema["properties"]["copies"]["default"] is None
    assert schema["additionalProperties"] is False


def test_a_parameter_of_type_object_takes_anything() -> None:
    @task
    async def take(it: object) -> object: ...

    assert take.bind_payload(text(take, [1, None])) == (([1, None],), {})


def test_two_models_are_an_object_by_name() -> None:
    @task
    async def both(order: Order, model: Model, n: pydantic.PositiveInt = 1) -> None: ...

    written = text(both, Order(1, []), Model(thePrice=2))
    assert written == '{"order":{"id":1,"lines":[]},"model":{"thePrice":2.0,"when":null}}'
    assert both.bind_payload(written) == (
        (),
        {"order": Order(1, []), "model": Model(thePrice=2)},
    )


def test_names_that_pydantic_uses_itself_are_fine_as_parameters() -> None:
    @task
    async def odd(model: Model, copy: str, schema: int = 1, _private: str = "") -> None: ...

    written = text(odd, Model(thePrice=1), "c", _private="p")
    assert odd.bind_payload(written)[1] == {
        "model": Model(thePrice=1),
        "copy": "c",
        "_private": "p",
    }


@pytest.mark.parametrize("nothing", ["null", "{}"])
def test_a_task_without_parameters_takes_nothing(nothing: str) -> None:
    @task
    async def bare() -> None: ...

    assert text(bare) == "{}"
    assert bare.bind_payload(nothing) == ((), {})
    assert schemas.problems(bare.spec.payload_schema, msgspec.json.decode(nothing)) == []


def test_positional_only_parameters_keep_their_places() -> None:
    @task
    async def places(a: int = 1, b: int = 2, /, c: int = 3) -> None: ...

    assert text(places, 5) == '{"a":5}'
    assert places.bind_payload('{"b":7,"c":8}') == ((1, 7), {"c": 8})


def test_a_default_of_a_whole_payload_stands_for_null() -> None:
    @task
    async def maybe(order: Order = Order(0, [])) -> None: ...  # noqa: B008

    assert text(maybe) == "null"
    assert maybe.bind_payload("null") == ((), {})
    assert maybe.payload("null") == Order(0, [])


def test_the_context_goes_to_the_parameter_annotated_with_it() -> None:
    @task
    async def first(ctx: Context, n: int) -> None: ...

    @task
    async def last(order: Order, run: Context) -> None: ...

    @task
    async def key(n: int, *, where: Context | None = None) -> None: ...

    ctx = Context(order())
    assert text(first, 1) == '{"n":1}'
    assert first.bind_payload('{"n":1}', ctx) == ((), {"n": 1, "ctx": ctx})
    args, kwargs = last.bind_payload('{"id":1,"lines":[]}', ctx)
    assert (args, kwargs) == ((), {"order": Order(1, []), "run": ctx})
    assert key.bind_payload('{"n":1}', ctx)[1] == {"n": 1, "where": ctx}
    assert first.bind_payload('{"n":1}') == ((), {"n": 1})


def test_every_bad_field_is_named_before_anything_is_sent() -> None:
    @task
    async def many(a: int, b: str, lines: list[Line], c: Struct) -> None: ...

    with pytest.raises(InvalidPayload, match="does not fit task 'many'") as caught:
        many.call("x", 3, [Line(1.0), {"price": "y"}], {"userId": "z"}, d=1)  # type: ignore
    assert faults(caught.value) == {
        "a": "Expected `int`, got `str`",
        "b": "Expected `str`, got `int`",
        "lines[1].price": "Expected `float`, got `str`",
        "c.userId": "Expected `int`, got `str`",
        "d": "is not known here",
    }


def test_every_bad_field_of_pydantic_models_is_named() -> None:
    @task
    async def many(model: Model, n: pydantic.PositiveInt, name: str) -> None: ...

    with pytest.raises(InvalidPayload) as caught:
        many.bind_payload('{"model":{"thePrice":-1,"when":"never"},"n":0,"other":1}')
    assert list(faults(caught.value)) == ["model.thePrice", "model.when", "n", "name", "other"]


@pytest.mark.parametrize(
    "annotation, value, paths",
    [
        (dict[str, int], {"a": 1, "b": "x"}, ["it.b"]),
        (tuple[int, str], [1, 2], ["it[1]"]),
        (tuple[int, ...], [1, "x", "y"], ["it[1]", "it[2]"]),
        (tuple[int, str], [1], ["it"]),
        (Typed | None, {"note": 1}, ["it.id", "it.note"]),
        (typing.Annotated[int, msgspec.Meta(gt=3)], 2, ["it"]),
        (Colour, "blue", ["it"]),
        (int | str, [], ["it"]),
        (dict[str, list[Order]], {"x": [{"id": 1, "lines": [{}]}]}, ["it.x[0].lines[0].price"]),
        (uuid.UUID, "no", ["it"]),
    ],
)
def test_the_path_of_a_bad_field_leads_to_it(annotation: Any, value: Any, paths: list[str]) -> None:
    async def take(it, other): ...

    take.__annotations__.update(it=annotation, other=int)
    made = task(take)
    with pytest.raises(InvalidPayload) as caught:
        made.call(value, 1)
    assert list(faults(caught.value)) == paths


def test_a_check_that_a_class_makes_itself_is_reported_where_the_class_is() -> None:
    @dataclasses.dataclass
    class Even:
        n: int

        def __post_init__(self) -> None:
            if isinstance(self.n, int) and self.n % 2:
                raise ValueError("n must be even")

    @task
    async def take(it: list[Even]) -> None: ...

    with pytest.raises(InvalidPayload) as caught:
        take.bind_payload('{"it":[{"n":2},{"n":3}]}')
    assert faults(caught.value) == {"it[1]": "n must be even"}


def test_a_pydantic_model_inside_a_struct_is_read_and_named() -> None:
    class Outer(msgspec.Struct):
        model: Model

    @task
    async def take(it: Outer) -> None: ...

    assert take.bind_payload(text(take, Outer(Model(thePrice=1))))[0][0].model.price == 1
    with pytest.raises(InvalidPayload) as caught:
        take.bind_payload('{"model":{"thePrice":0}}')
    assert list(faults(caught.value)) == ["model.thePrice"]


@pytest.mark.parametrize(
    "args, kwargs, wrong",
    [
        ((), {}, {"a": "is missing", "b": "is missing"}),
        ((1,), {"a": 2, "b": 3}, {"a": "is given twice"}),
        (
            (1, 2, 3),
            {},
            {"": "3 positional arguments were given; at most 2 are taken"},
        ),
        ((1,), {"c": 2}, {"b": "is missing", "c": "is not known here"}),
    ],
)
def test_a_call_with_wrong_names_is_an_invalid_payload(
    args: Any, kwargs: Any, wrong: dict[str, str]
) -> None:
    @task
    async def two(a: int, b: int) -> None: ...

    with pytest.raises(InvalidPayload) as caught:
        two.call(*args, **kwargs)
    assert faults(caught.value) == wrong


def test_a_missing_or_second_payload_object_is_an_invalid_payload() -> None:
    @task
    async def whole(order: Order) -> None: ...

    for args, kwargs in (((), {}), ((Order(1, []),) * 2, {}), ((), {"other": 1})):
        with pytest.raises(InvalidPayload):
            whole.call(*args, **kwargs)  # type: ignore


@pytest.mark.parametrize("bad", ["{", "", "[1]", "1", '{"n":1}x', '{"n":"\\ud800"}'])
def test_text_that_is_no_payload_is_refused(bad: str) -> None:
    @task
    async def one(n: int) -> None: ...

    with pytest.raises(InvalidPayload):
        one.bind_payload(bad)


@pytest.mark.parametrize(
    "value, said",
    [
        ("a\0b", "NUL"),
        ("\ud800", "surrogate"),
        (object(), "no JSON form"),
        ({1.5: object()}, "no JSON form"),
        ({(1, 2): 3}, "keys"),
    ],
)
def test_what_json_or_a_database_cannot_hold_is_refused_by_name(value: Any, said: str) -> None:
    @task
    async def take(fine: int, it: Any) -> None: ...

    with pytest.raises(InvalidPayload, match=said) as caught:
        take.call(1, value)
    assert list(faults(caught.value)) == ["it"]


def test_a_value_that_contains_itself_is_refused() -> None:
    @task
    async def take(it: Any) -> None: ...

    ring: list[Any] = []
    ring.append(ring)
    with pytest.raises(InvalidPayload, match="contains itself"):
        take.call(ring)


def test_a_text_that_only_looks_like_nul_passes() -> None:
    @task
    async def take(it: str) -> str: ...

    looks = "\\u0000"
    assert take.bind_payload(text(take, looks)) == ((looks,), {})
    assert take.decode_output(take.encode_output(looks)) == looks


def test_a_payload_over_three_megabytes_is_too_large() -> None:
    @task
    async def take(it: str) -> None: ...

    take.call("x" * (3 * 1024 * 1024 - 100))
    with pytest.raises(PayloadTooLarge, match="3,145,728"):
        take.call("x" * (3 * 1024 * 1024))


def test_a_parameter_of_a_class_without_json_form_is_an_invalid_task() -> None:
    class Connection: ...

    @task
    async def take(it: Connection) -> None: ...

    with pytest.raises(InvalidTask, match=r"Task 'take'.*Connection have no JSON form"):
        _ = take.spec


def test_a_type_that_is_not_to_be_found_is_an_invalid_task() -> None:
    @task
    async def take(it: "Nowhere") -> None: ...  # type: ignore # noqa: F821

    with pytest.raises(InvalidTask, match=r"'Nowhere' of parameter 'it'.*TYPE_CHECKING"):
        take.call(1)


def test_types_written_as_text_are_found_where_the_task_is_declared() -> None:
    @dataclasses.dataclass
    class Local:
        n: int

    @task
    async def take(it: "Local") -> "list[Local]": ...

    assert take.bind_payload('{"n":1}') == ((Local(1),), {})
    assert take.decode_output('[{"n":1}]') == [Local(1)]


def test_a_type_inside_a_type_that_is_not_to_be_found_is_an_invalid_task() -> None:
    @dataclasses.dataclass
    class Broken:
        inner: "Nowhere"  # type: ignore # noqa: F821

    @task
    async def take(it: Broken) -> None: ...

    with pytest.raises(InvalidTask, match=r"'it' cannot be read from JSON.*Nowhere"):
        _ = take.spec


@pytest.mark.parametrize("star", ["*args", "**kwargs"])
def test_open_ended_parameters_are_an_invalid_task(star: str) -> None:
    namespace: dict[str, Any] = {}
    exec(f"async def take(a: int, {star}): ...", namespace)
    with pytest.raises(InvalidTask, match="named parameters only"):
        _ = task(namespace["take"]).spec


def test_two_contexts_are_an_invalid_task() -> None:
    @task
    async def take(a: Context, b: Context) -> None: ...

    with pytest.raises(InvalidTask, match="'b' cannot take the Context"):
        _ = take.spec


@pytest.mark.parametrize(
    "annotation, value, json",
    [
        (None, None, "null"),
        (int, 5, "5"),
        (list[Order], [Order(1, [])], '[{"id":1,"lines":[]}]'),
        (Model, Model(thePrice=1), '{"thePrice":1.0,"when":null}'),
        (dict[str, Model], {"a": Model(thePrice=1)}, '{"a":{"thePrice":1.0,"when":null}}'),
        (datetime.datetime, datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC), None),
        (bytes, b"\0\xff", '"AP8="'),
        (Path, Path("/a"), '"/a"'),
        (set[int], {1}, "[1]"),
        (Colour, Colour.RED, '"red"'),
        (uuid.UUID, uuid.UUID(int=1), None),
        (Any, {"a": [1, None]}, '{"a":[1,null]}'),
    ],
)
def test_an_output_comes_back_as_the_annotated_type(annotation: Any, value: Any, json: Any) -> None:
    async def give(): ...

    give.__annotations__["return"] = annotation
    made = task(give)
    written = made.encode_output(value)
    assert json is None or written == json
    assert made.decode_output(written) == value


def test_an_output_of_another_type_than_annotated_is_an_invalid_output_for_its_reader() -> None:
    @task
    async def give() -> int: ...

    with pytest.raises(InvalidOutput, match="does not fit its annotation"):
        give.decode_output('"x"')


def test_a_return_type_that_json_cannot_hold_leaves_plain_values() -> None:
    class Odd: ...

    @task
    async def give() -> Odd: ...

    assert give.spec.output_schema is None
    assert give.decode_output('{"a":1}') == {"a": 1}
    with pytest.raises(InvalidOutput, match="Odd has no JSON form"):
        give.encode_output(Odd())


def test_an_output_over_ten_megabytes_is_refused() -> None:
    @task
    async def give() -> str: ...

    with pytest.raises(InvalidOutput, match="10,485,760"):
        give.encode_output("x" * (10 * 1024 * 1024))


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(string.ascii_letters), inner),
    max_leaves=10,
)


@pytest.mark.slow
@given(json_values, json_values)
def test_what_is_bound_is_what_was_called_with(first: Any, second: Any) -> None:
    async def take(a: Any, b: Any = 0) -> Any: ...

    shape = payload("take", read(take, "take", {}))
    assert shape.bind(shape.text((first,), {"b": second})) == ((), {"a": first, "b": second})
