"""The little language of message texts: Jinja2's own syntax, narrowed to variables and filters from two lists.

Jinja parses (in its sandbox); `read_template` walks the syntax tree and lets through plain text, an offered variable
and offered filters with literal arguments, nothing else: no loops, conditions, calls, subscripts or arithmetic. What
is left is a list of pieces, so rendering is putting strings together (`fill`), with the very result that Jinja has.
"""

from __future__ import annotations

import difflib
import itertools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from jinja2 import StrictUndefined, TemplateSyntaxError, nodes
from jinja2.filters import do_title
from jinja2.sandbox import ImmutableSandboxedEnvironment

from router.core.errors import BadInput
from router.core.own_part import LENGTHS

MEMBER_LENGTHS: Final[Mapping[str, int]] = {"first_name": 40, "last_name": 40, "place": 60}
"""Variables that a member fills and the most characters of each that a message shows."""
ATTRIBUTE = "attribute"
ATTRIBUTE_LENGTH = 100
"""The most characters of a free attribute that a message shows."""
VARIABLES: Final = (*MEMBER_LENGTHS, "organization", "title", "link", "forward", "deadline", "total")
REPORTED: Final = tuple(LENGTHS)
"""Variables of a member's own part (`core.own_part`): for report-backs only."""
OFFERED = f"offered are {', '.join(VARIABLES)} and {ATTRIBUTE}.NAME"
FILTERS_PER_VARIABLE = 5
PROBLEMS_PER_TEXT = 20
"""A text that is wrong in more places than this is not worth listing further."""


def fall_back(value: str, fallback: str) -> str:
    """``default("friend")``: `fallback` where there is nothing to show."""
    return value if value and not value.isspace() else fallback


def shorten(value: str, length: int) -> str:
    """``truncate(20)``: at most `length` characters; three dots, which every phone has, stand for the rest."""
    if len(value) <= length:
        return value
    return value[: length - 3].rstrip() + "..." if length > 3 else value[:length]


FILTERS: Final[Mapping[str, Callable[..., str]]] = {
    "default": fall_back,
    "upper": str.upper,
    "lower": str.lower,
    "capitalize": str.capitalize,
    "title": do_title,
    "truncate": shorten,
}
_ARGUMENTS: Final[Mapping[str, tuple[type[str] | type[int], str]]] = {
    "default": (str, 'default takes one text, as in default("friend")'),
    "truncate": (int, "truncate takes one length from 1 to 1000, as in truncate(20)"),
}
_GROWTH: Final[Mapping[str, int]] = {"upper": 3, "capitalize": 3, "title": 3, "lower": 3}
"""Unicode's longest special casings (SpecialCasing.txt) make three characters of one."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A place in a text that is filled per member: a variable and the filters that it passes through."""

    variable: str
    """One of `VARIABLES`, or ``attribute.NAME``."""
    filters: tuple[tuple[str, tuple[str | int, ...]], ...] = ()
    """Names and arguments, in the order of application."""

    def apply(self, value: str) -> str:
        """What the slot shows for `value`."""
        for name, arguments in self.filters:
            value = FILTERS[name](value, *arguments)
        return value

    def longest(self, length: int) -> int:
        """The most characters it can show for a value of at most `length` characters."""
        for name, arguments in self.filters:
            length *= _GROWTH.get(name, 1)
            if name == "truncate":
                length = min(length, int(arguments[0]))
            elif name == "default":
                length = max(length, len(str(arguments[0])))
        return length


Piece = str | Slot


def sandbox() -> ImmutableSandboxedEnvironment:
    """Jinja as message texts see it: our filters, no globals, no tests, undefined names are errors."""
    environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False)
    environment.filters = dict(FILTERS)
    environment.globals = {}
    environment.tests = {}
    return environment


_JINJA = sandbox()


def read_template(source: str, place: str, *, reports: bool = False) -> tuple[tuple[Piece, ...], list[BadInput]]:
    """The pieces of a text, newlines as ``\\n``, and everything in it that is not offered, each with its place.

    `reports` says that it is a report-back's text, to which `REPORTED` is offered as well.
    """
    try:
        tree = _JINJA.parse(source)
    except TemplateSyntaxError as error:
        at = _position(source, error.lineno, "{")
        return (), [
            BadInput(
                f"cannot be read ({error.message}); write a variable as {{{{ first_name }}}}", place=f"{place}, {at}"
            )
        ]
    except (RecursionError, ValueError, OverflowError):
        return (), [BadInput("cannot be read: something between {{ and }} is far too long or too deep", place=place)]
    pieces: list[Piece] = []
    problems: list[BadInput] = []
    for part in _parts(tree.body):
        try:
            pieces.append(_piece(part, reports=reports))
        except _NotOfferedError as error:
            at = _position(source, error.line, error.needle)
            problems.append(BadInput(error.sentence, place=f"{place}, {at}"))
            if len(problems) == PROBLEMS_PER_TEXT:
                break
    return merged(pieces), problems


def merged(pieces: Sequence[Piece], constants: Mapping[str, str] | None = None) -> tuple[Piece, ...]:
    """The same pieces with the slots of `constants` filled in and neighbouring text joined."""
    result: list[Piece] = []
    for piece in pieces:
        if isinstance(piece, Slot) and constants and piece.variable in constants:
            piece = piece.apply(constants[piece.variable])
        if isinstance(piece, str) and result and isinstance(result[-1], str):
            result[-1] += piece
        elif piece != "":
            result.append(piece)
    return tuple(result)


def fill(pieces: Sequence[Piece], values: Mapping[str, str]) -> str:
    """The text with every slot filled from `values`; what is missing there is empty."""
    return "".join(p if isinstance(p, str) else p.apply(values.get(p.variable, "")) for p in pieces)


def longest(pieces: Sequence[Piece], lengths: Mapping[str, int]) -> int:
    """The most characters a text can come to; `lengths` has those of variables that no member fills."""
    return sum(len(p) if isinstance(p, str) else p.longest(_length_of(p.variable, lengths)) for p in pieces)


def variables(pieces: Sequence[Piece]) -> set[str]:
    """The variables that a text uses."""
    return {piece.variable for piece in pieces if isinstance(piece, Slot)}


def _length_of(variable: str, lengths: Mapping[str, int]) -> int:
    if variable in MEMBER_LENGTHS:
        return MEMBER_LENGTHS[variable]
    if variable in LENGTHS:
        return LENGTHS[variable]
    return ATTRIBUTE_LENGTH if variable.startswith(f"{ATTRIBUTE}.") else lengths[variable]


class _NotOfferedError(Exception):
    """Something a text may not contain: what to say, and what to look for in which line."""

    def __init__(self, sentence: str, line: int, needle: str) -> None:
        self.sentence = sentence
        self.line = line
        self.needle = needle


def _parts(body: Sequence[nodes.Node]) -> Iterator[nodes.Node]:
    for node in body:
        if isinstance(node, nodes.Output):
            yield from node.nodes
        else:
            yield node


def _piece(node: nodes.Node, *, reports: bool) -> Piece:
    """One piece of the text, or `_NotOfferedError`."""
    if isinstance(node, nodes.TemplateData):
        return node.data
    if isinstance(node, nodes.Stmt):
        raise _NotOfferedError(
            "{% … %} is not offered: a message has plain text and {{ variables }} only", node.lineno, "{%"
        )
    filters: list[tuple[str, tuple[str | int, ...]]] = []
    inner = node
    while isinstance(inner, nodes.Filter) and inner.node is not None:
        filters.append((inner.name, _arguments(inner)))
        inner = inner.node
        if len(filters) > FILTERS_PER_VARIABLE:
            raise _NotOfferedError(f"at most {FILTERS_PER_VARIABLE} filters for one variable", node.lineno, "{{")
    steps = tuple(reversed(filters))
    if isinstance(inner, nodes.Const) and isinstance(inner.value, str):
        return Slot("", steps).apply(inner.value)
    return Slot(_variable(inner, reports=reports), steps)


def _variable(node: nodes.Node, *, reports: bool) -> str:
    if isinstance(node, nodes.Name):
        if node.name in REPORTED:
            if reports:
                return node.name
            sentence = f"{{{{ {node.name} }}}} is offered to report-backs only, which tell people of their own part"
            raise _NotOfferedError(sentence, node.lineno, node.name)
        if node.name in VARIABLES:
            return node.name
        if node.name == ATTRIBUTE:
            raise _NotOfferedError("say which attribute, as in {{ attribute.branch }}", node.lineno, ATTRIBUTE)
        raise _unknown(node.name, node.lineno)
    if isinstance(node, nodes.Getattr) and isinstance(node.node, nodes.Name):
        if node.node.name == ATTRIBUTE and not node.attr.startswith("_"):
            return f"{ATTRIBUTE}.{node.attr}"
        raise _unknown(f"{node.node.name}.{node.attr}", node.lineno, guess=node.attr)
    sentence = f"only one variable and its filters may stand between {{{{ and }}}}; {OFFERED}"
    raise _NotOfferedError(sentence, node.lineno, "{{")


def _unknown(name: str, line: int, guess: str = "") -> _NotOfferedError:
    shown = name[:60]
    return _NotOfferedError(
        f"{{{{ {shown} }}}} is not offered{_closest(guess or shown, VARIABLES)}; {OFFERED}", line, name
    )


def _closest(name: str, offered: Sequence[str]) -> str:
    close = difflib.get_close_matches(name[:60].lower(), offered, n=1)
    return f"; did you mean {close[0]}?" if close else ""


def _arguments(node: nodes.Filter) -> tuple[str | int, ...]:
    """The arguments of an offered filter, checked, or `_NotOfferedError`."""
    if node.name not in FILTERS:
        hint = _closest(node.name, tuple(FILTERS))
        sentence = f"the filter {node.name[:60]} is not offered{hint}; offered are {', '.join(FILTERS)}"
        raise _NotOfferedError(sentence, node.lineno, node.name)
    given = [argument.value if isinstance(argument, nodes.Const) else None for argument in node.args]
    extra = bool(node.kwargs or node.dyn_args or node.dyn_kwargs)
    if node.name not in _ARGUMENTS:
        if given or extra:
            raise _NotOfferedError(f"the filter {node.name} takes nothing in brackets", node.lineno, node.name)
        return ()
    wanted, sentence = _ARGUMENTS[node.name]
    if extra or len(given) != 1 or type(given[0]) is not wanted:
        raise _NotOfferedError(sentence, node.lineno, node.name)
    value = given[0]
    if isinstance(value, int) and not 1 <= value <= 1000:
        raise _NotOfferedError(sentence, node.lineno, node.name)
    return (value,)


def _position(source: str, line: int, needle: str) -> str:
    """``line 2 column 5``: where `needle` stands in that line as code, or else where it first stands.

    Jinja knows lines only.
    """
    lines = re.split(r"\r\n|\r|\n", source)
    text = lines[min(line, len(lines)) - 1]
    pattern = rf"(?<!\w){re.escape(needle)}(?!\w)" if needle[:1] != "{" else re.escape(needle)
    starts = [match.start() for match in itertools.islice(re.finditer(pattern, text), 50)]
    in_code = (start for start in starts if text.rfind("{{", 0, start) > text.rfind("}}", 0, start))
    return f"line {line} column {next(in_code, starts[0] if starts else 0) + 1}"
