"""The two fields that say for which members an organizer is: a tag, or a filter as the API takes it."""

from __future__ import annotations

from pydantic import TypeAdapter, ValidationError

from router.core.audience import Everyone, Filter, Tagged, check_size
from router.core.errors import BadInput
from router.web.bodies import check_json
from router.web.office.form_values import as_sentence
from router.web.problems import ProblemError

_filter: TypeAdapter[Filter] = TypeAdapter(Filter)


def read_limit(tag: str, written: str) -> Filter | None:
    """Whom they see and write to; None for everybody. Raises `BadInput` with whole sentences."""
    if tag and written:
        raise BadInput("Give a tag or a filter, not both.", place="filter")
    if not tag and not written:
        return None
    if tag:
        try:
            return Tagged(op="tag", tag=tag)
        except ValidationError:
            raise BadInput("A tag has at most 200 characters, in one line.", place="tag") from None
    try:
        check_json(written.encode())
        found = _filter.validate_json(written)
        check_size(found)
    except ProblemError as error:
        raise BadInput(f"This is no filter: {error}.", place="filter") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise BadInput(f"This is no filter: {first['msg']}.", place="filter") from None
    except ValueError as error:
        raise BadInput(as_sentence(str(error)), place="filter") from None
    return None if isinstance(found, Everyone) else found


def say_limit(limit: Filter | None) -> tuple[str, str]:
    """The same as it stands in the two fields."""
    if limit is None:
        return "", ""
    return (limit.tag, "") if isinstance(limit, Tagged) else ("", limit.model_dump_json(exclude_none=True))
