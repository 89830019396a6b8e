"""Which keys a pydantic model knows at a place: for "allowed here" and "did you mean"."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from engine.toml.faults import Loc


def fields_at(model: type[BaseModel], loc: Loc) -> list[str]:
    """Return the keys the model allows at `loc` (as pydantic writes it, with the tags of unions)."""
    return [name for found in models_at(model, loc) for name in keys_of(found)]


def models_at(model: type[BaseModel], loc: Loc) -> list[type[BaseModel]]:
    """Return the models that can stand at `loc`."""
    candidates: list[Any] = [model]
    for part in loc:
        candidates = [step for candidate in candidates for step in _into(candidate, part)]
    return [found for candidate in candidates for found in _models(candidate)]


def keys_of(model: type[BaseModel]) -> list[str]:
    """Return a model's keys as the file writes them."""
    return [key_of(name, info) for name, info in model.model_fields.items()]


def key_of(name: str, info: FieldInfo) -> str:
    """Return a field's key as the file writes it."""
    return info.alias or name


def tables_with(model: type[BaseModel], key: str) -> list[str]:
    """Return the tables directly below the top that have a key of this name."""
    tables = {key_of(name, info): info.annotation for name, info in model.model_fields.items()}
    return [table for table, kind in tables.items() if any(key in keys_of(found) for found in _models(kind))]


def _into(annotation: Any, part: str | int) -> Iterator[Any]:
    models = list(_models(annotation))
    if not models:
        return
    if isinstance(part, int) or get_origin(annotation) is dict:
        yield from models  # an element of a list, or a name of the owner's choosing
        return
    named = [
        info.annotation for found in models for name, info in found.model_fields.items() if key_of(name, info) == part
    ]
    tagged = [found for found in models if part in _tags(found)]
    yield from named or tagged or models


def _tags(model: type[BaseModel]) -> tuple[Any, ...]:
    on = model.model_fields.get("on")
    return get_args(on.annotation) if on else ()


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
        return
    for argument in get_args(annotation):
        yield from _models(argument)
