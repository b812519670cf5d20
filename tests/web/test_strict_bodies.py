"""What the API's document does not allow in a body is refused, field by field, and not read as something else."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from typing import Annotated, Any, get_args

import jsonschema
import pytest
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from router.web.app import ENDPOINTS

_SCALARS: tuple[Any, ...] = (0, 1, 5, -1, 0.0, 1.5, 1e30, True, "0", "1", "5", "1.5", "true", "no", "x", "", None)
_PROBES = [*_SCALARS, *([one] for one in _SCALARS), *({"sms": one} for one in _SCALARS), [], {}, [[]], {"sms": []}]


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models in an annotation, and in their fields."""
    found = [annotation]
    seen: set[Any] = set()
    while found:
        one = found.pop()
        found += get_args(one)
        if isinstance(one, type) and issubclass(one, BaseModel) and one not in seen:
            seen.add(one)
            yield one
            found += [field.annotation for field in one.model_fields.values()]


BODIES = sorted(
    {model for endpoint in ENDPOINTS for model in _models(endpoint.body)},
    key=lambda model: f"{model.__module__}.{model.__name__}",
)


def _takes(adapter: TypeAdapter[Any], probe: Any) -> bool:
    try:
        adapter.validate_json(json.dumps(probe))
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize("model", BODIES, ids=lambda model: model.__name__)
def test_a_field_takes_only_what_its_schema_allows(model: type[BaseModel]) -> None:
    wrong = []
    for name, field in model.model_fields.items():
        adapter = _adapter(model, field)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # defaults are of no interest here
            schema = adapter.json_schema()
        document = jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker())
        wrong += [f"{name}: {probe!r}" for probe in _PROBES if _takes(adapter, probe) and not document.is_valid(probe)]
    assert wrong == []


def _adapter(model: type[BaseModel], field: FieldInfo) -> TypeAdapter[Any]:
    """The field alone, as strict as its model; a model in it has settings of its own."""
    kind: Any = Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation
    if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
        return TypeAdapter(kind)
    return TypeAdapter(kind, config=ConfigDict(strict=model.model_config.get("strict", False)))


def test_every_body_is_looked_at() -> None:
    assert {endpoint.body for endpoint in ENDPOINTS if endpoint.body} <= set(BODIES)
    assert len(BODIES) > 50
