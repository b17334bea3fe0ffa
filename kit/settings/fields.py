"""Configuration objects as plain values: to and from JSON, and changed copies by dotted names.

Every name and type is checked here: "stpes", a number in quotes or an unknown method raises an error that lists the
choices, before anything heavy starts. JSON has no infinity; it is written as "inf".
"""

import dataclasses
import difflib
import math
import types
import typing

from kit.errors import KitError, unknown
from kit.settings.run import METHOD_CONFIGS, RunConfig


def to_dict(cfg: RunConfig) -> dict:
    """Plain dicts, lists, numbers and strings; the method carries its name under "name"."""
    plain = dataclasses.asdict(cfg, dict_factory=lambda pairs: {k: _plain(v) for k, v in pairs})
    plain["method"] = {"name": cfg.method.name, **plain["method"]}
    return plain


def from_dict(plain: dict) -> RunConfig:
    """The configuration from the result of `to_dict`. Raises KitError on unknown names and wrong values."""
    if not isinstance(plain, dict):
        raise KitError(f"a configuration is an object of names and values, got {type(plain).__name__}")
    return _build(RunConfig, plain, "")


def replace_fields(cfg: RunConfig, changes: dict[str, object]) -> RunConfig:
    """A copy with some fields changed, by dotted names such as {"train.steps": 100, "method.cnn.d0": 5.0}."""
    plain = to_dict(cfg)
    for dotted, value in changes.items():
        if dotted == "method.name" and value != cfg.method.name:
            raise KitError(f"method.name is {cfg.method.name!r}; choose another by method, not by a single field")
        *parents, last = dotted.split(".")
        place = plain
        for depth, name in enumerate(parents):
            if not isinstance(place.get(name), dict):
                raise _no_field(".".join(parents[: depth + 1]), place)
            place = place[name]
        if last not in place:
            raise _no_field(dotted, place)
        place[last] = _plain(value)
    return from_dict(plain)


def flat(cfg: RunConfig) -> dict[str, object]:
    """Dotted name of every field -> its plain value."""
    return dict(_flat(to_dict(cfg)))


def differences(a: RunConfig, b: RunConfig) -> list[str]:
    """Dotted names of the fields in which two configurations differ."""
    flat_a, flat_b = flat(a), flat(b)
    return sorted(k for k in flat_a.keys() | flat_b.keys() if flat_a.get(k) != flat_b.get(k))


def _build(cls: type, plain: dict, where: str):
    """An instance of the dataclass `cls` from a dict; `where` is the dotted path so far, for messages."""
    hints = typing.get_type_hints(cls)
    known = [f.name for f in dataclasses.fields(cls)]
    values = {}
    for name, value in plain.items():
        dotted = f"{where}.{name}" if where else name
        if name not in known:
            raise _no_field(dotted, known)
        if name == "method" and cls is RunConfig:
            values[name] = _method(value)
        else:
            values[name] = _convert(hints[name], value, dotted)
    return cls(**values)


def _method(plain: object):
    if not isinstance(plain, dict) or "name" not in plain:
        raise KitError(f'method must be an object with a "name", got {plain!r}')
    if plain["name"] not in METHOD_CONFIGS:
        raise unknown("method", plain["name"], METHOD_CONFIGS)
    return _build(METHOD_CONFIGS[plain["name"]], {k: v for k, v in plain.items() if k != "name"}, "method")


def _convert(hint: object, value: object, dotted: str):
    """`value` as the annotated type, or a KitError; nothing is guessed from strings."""
    if typing.get_origin(hint) is typing.Literal:
        hint = type(typing.get_args(hint)[0])  # the object itself checks the choice
    if dataclasses.is_dataclass(hint):
        if isinstance(value, dict):
            return _build(hint, value, dotted)
    elif typing.get_origin(hint) in (types.UnionType, typing.Union):
        if value is None:
            return None
        return _convert(next(a for a in typing.get_args(hint) if a is not type(None)), value, dotted)
    elif typing.get_origin(hint) is tuple:
        kinds = typing.get_args(hint)
        if isinstance(value, (list, tuple)) and kinds[-1] is Ellipsis:
            kinds = kinds[:1] * len(value)
        if isinstance(value, (list, tuple)) and len(value) == len(kinds):
            return tuple(_convert(kind, v, dotted) for kind, v in zip(kinds, value, strict=True))
    elif hint is float:
        if value == "inf" or (isinstance(value, (int, float)) and not isinstance(value, bool)):
            return float(value)
    elif type(value) is hint:
        return value
    wanted = getattr(hint, "__name__", str(hint)) if typing.get_origin(hint) is None else str(hint)
    raise KitError(f"{dotted} must be {wanted}, got {value!r}")


def _no_field(dotted: str, known) -> KitError:
    close = difflib.get_close_matches(dotted.rsplit(".", 1)[-1], list(known), n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return KitError(f"unknown setting {dotted!r}; {hint}choose one of: {', '.join(sorted(known))}")


def _plain(value: object):
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    return "inf" if value == math.inf else value


def _flat(plain: dict, where: str = ""):
    for name, value in plain.items():
        dotted = f"{where}.{name}" if where else name
        if isinstance(value, dict):
            yield from _flat(value, dotted)
        else:
            yield dotted, value
