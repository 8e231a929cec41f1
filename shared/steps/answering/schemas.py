"""Which JSON schemas of whoever asks are kept to: a list of what is allowed, and how much of it.

    schema ──► as JSON not too long ──► each schema inside: keywords known, values sane, not too deep ──► grammar

A grammar is compiled and followed by code that computes for as long as it is asked to: it took 30 s for 900 properties
with a minProperties, and did not end for a multipleOf. So what is not known to end soon is refused before it is there.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from shared.errors import UsageError

MOST_BYTES = 32 * 1024  # of a schema as JSON
MOST_NODES, MOST_NESTED = 20_000, 64  # values, and levels of JSON, of a schema with what its $refs name
MOST_DEPTH = 16  # schemas in schemas; as deep a value may be that is to be met
MOST_COUNT = 10_000  # letters or items that can be asked for: more than an answer has
MOST_NUMBER = 10**15  # whole numbers up to here are exact wherever JSON is read
MOST_CHOICES = 8  # of an anyOf
MOST_PROPERTIES, MOST_IN_ALL = 200, 1000  # of one object; of all of them
MOST_CHOSEN = 40  # properties of which at least one must come: the grammar grows with their square
TYPES = ("object", "array", "string", "integer", "number", "boolean", "null")
CLASSES = re.compile(r"\^(\[[^\[\]\\^]+\](\{\d{1,4}(,\d{1,4})?\})?){1,8}\$")  # ^[A-Z][a-z ]{2,60}$


def check(schema: Mapping[str, Any]) -> None:
    """Refuse a schema that is not known to be kept to in little time.

    >>> check({"type": "object", "properties": {"grams": {"type": "integer", "minimum": 1}}, "required": ["grams"]})
    >>> check({"type": "integer", "multipleOf": 7})
    Traceback (most recent call last):
    shared.errors.UsageError: this schema cannot be kept to: 'multipleOf' is not offered; leave it out

    Raises:
        UsageError: one sentence on what is wrong with it.
    """
    try:
        size = len(json.dumps(schema))
    except (TypeError, ValueError, RecursionError) as cause:
        raise refusal("it is not JSON, or nests too deep") from cause
    if size > MOST_BYTES:
        raise refusal(f"it has more than {MOST_BYTES // 1024} KB")
    if _checked(schema, 1) > MOST_IN_ALL:
        raise refusal(f"its objects have more than {MOST_IN_ALL} properties together")


def inlined(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return a schema with each ``$ref`` to its own ``$defs``, as pydantic writes them, replaced by what it names.

    >>> inlined({"items": {"$ref": "#/$defs/Egg"}, "$defs": {"Egg": {"type": "integer"}}})
    {'items': {'type': 'integer'}}

    Raises:
        UsageError: one names nothing or itself, or there are too many.
    """
    defined, left = schema.get("$defs", {}), iter(range(MOST_NODES))

    def whole(value: Any, depth: int) -> Any:  # noqa: ANN401 - JSON is anything
        if next(left, None) is None or depth > MOST_NESTED:
            raise refusal("what its $refs name is too much together, or names itself")
        if isinstance(value, list):
            return [whole(one, depth + 1) for one in value]
        if not isinstance(value, Mapping):
            return value
        if isinstance(to := value.get("$ref"), str):
            name = to.removeprefix("#/$defs/")
            if name == to or not isinstance(defined, Mapping) or not isinstance(defined.get(name), Mapping):
                raise refusal(f"{to[:40]!r} names none of its $defs")
            return whole({**defined[name], **{key: one for key, one in value.items() if key != "$ref"}}, depth + 1)
        return {key: whole(one, depth + 1) for key, one in value.items()}

    found: dict[str, Any] = whole({key: one for key, one in schema.items() if key != "$defs"}, 1)
    return found


def refusal(why: str) -> UsageError:
    """Return the error that says why a schema is refused."""
    return UsageError(f"this schema cannot be kept to: {why}")


def _checked(schema: object, depth: int) -> int:
    """Return how many properties a schema has, with those of the schemas in it, all of which are fine."""
    if not isinstance(schema, Mapping):
        raise refusal("a schema in it is not an object")
    if depth > MOST_DEPTH:
        raise refusal(f"it nests more than {MOST_DEPTH} deep")
    for keyword, value in schema.items():
        _must_fit(keyword, value)
    properties = schema.get("properties", {})
    if schema.get("minProperties") and len(properties) > MOST_CHOSEN:
        raise refusal(f"with minProperties an object has at most {MOST_CHOSEN} properties")
    inner = [*properties.values(), *schema.get("anyOf", []), *([schema["items"]] if "items" in schema else [])]
    return len(properties) + sum(_checked(one, depth + 1) for one in inner)


def _must_fit(keyword: str, value: object) -> None:
    if keyword not in KEYWORDS:
        raise refusal(f"{str(keyword)[:40]!r} is not offered; leave it out")
    fits, wanted = KEYWORDS[keyword]
    if not fits(value):
        raise refusal(f"{keyword} is {wanted}")


def _is_text(value: object) -> bool:
    """Return whether it is text that can be sent: half of a pair of surrogates has no UTF-8."""
    return isinstance(value, str) and not any("\ud800" <= letter <= "\udfff" for letter in value)


def _is_type(value: object) -> bool:
    return (isinstance(value, str) and value in TYPES) or (
        isinstance(value, list) and 0 < len(value) <= len(TYPES) and all(one in TYPES for one in value)
    )


def _is_object(value: object) -> bool:
    return isinstance(value, Mapping) and len(value) <= MOST_PROPERTIES and all(_is_text(name) for name in value)


def _are_names(value: object) -> bool:
    return isinstance(value, list) and all(_is_text(name) for name in value)


def _is_number(value: object) -> bool:
    """Return whether it is a finite number, and a small one."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return number and abs(value) <= MOST_NUMBER and math.isfinite(value)  # type: ignore[arg-type, operator]


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST_COUNT


def _is_value(value: object, depth: int = 1) -> bool:
    """Return whether it is JSON that an answer can hold."""
    if depth > MOST_DEPTH:
        return False
    if isinstance(value, Mapping):
        return _is_object(value) and all(_is_value(one, depth + 1) for one in value.values())
    if isinstance(value, list):
        return all(_is_value(one, depth + 1) for one in value)
    return value is None or isinstance(value, bool) or _is_text(value) or _is_number(value)


Form = tuple[Callable[[Any], bool], str]  # whether a keyword's value will do, and what it must be
_NUMBER: Form = (_is_number, f"a number within {MOST_NUMBER:.0e} of 0")
_COUNT: Form = (_is_count, f"a whole number from 0 to {MOST_COUNT}")
_TEXT: Form = (_is_text, "text")
KEYWORDS: dict[str, Form] = {
    "type": (_is_type, f"one of {', '.join(TYPES)}, or a list of them"),
    "properties": (_is_object, f"an object of at most {MOST_PROPERTIES} schemas by name"),
    "required": (_are_names, "a list of names"),
    "additionalProperties": (lambda value: isinstance(value, bool), "false, or left out"),
    "minProperties": (lambda value: value in (0, 1), "0 or 1"),
    "items": (lambda value: isinstance(value, Mapping), "a schema"),
    "enum": (lambda value: isinstance(value, list) and value != [] and _is_value(value), "a list of JSON values"),
    "const": (_is_value, "a JSON value"),
    "anyOf": (lambda value: isinstance(value, list) and 0 < len(value) <= MOST_CHOICES, f"1 to {MOST_CHOICES} schemas"),
    "pattern": (
        lambda value: _is_text(value) and CLASSES.fullmatch(value) is not None,
        "classes of letters, each with a count, such as ^[A-Z][a-z ]{2,60}$",
    ),
    **dict.fromkeys(("minimum", "maximum"), _NUMBER),
    **dict.fromkeys(("minLength", "maxLength", "minItems", "maxItems"), _COUNT),
    **dict.fromkeys(("title", "description"), _TEXT),
}
