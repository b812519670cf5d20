"""The picture of ``outreach simulate --picture``: small multiples in SVG, by setting and arm, with the seeds' range."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from html import escape

from router.simulation.findings import LISTENING, Spread, Years, growths_of, seeds_of, spread_of
from router.simulation.trials import ARMS, BOTH, CAPPED, EMAIL, ROUTER, Size
from router.simulation.year import Year

_COLOURS = {EMAIL: "#999999", CAPPED: "#56b4e9", BOTH: "#e69f00", ROUTER: "#0072b2"}
"""Okabe and Ito's, which people with colour-blindness tell apart (https://jfly.uni-koeln.de/color/)."""

_ROWS: tuple[tuple[str, Callable[[Year], float], Callable[[Year], float], str], ...] = (
    ("Actions in the year", lambda y: y.actions, lambda y: 0, ",.0f"),
    ("Actions for 1,000 messages", lambda y: 1000 * y.actions / (y.messages or 1), lambda y: 0, ".1f"),
    ("Messages per member", lambda y: y.messages / y.members, lambda y: 0, ".0f"),
    ("Opt-outs", lambda y: y.opt_outs, lambda y: 0, ",.0f"),
    (
        "Reachable at the end, and (pale) let go of these",
        lambda y: y.reachable / y.members,
        lambda y: y.let_go / y.members,
        ".0%",
    ),
)
"""Title, what the bar shows, the pale part at its end, how its number is written."""

_LEFT, _TOP, _WIDTH, _BAR, _GAP, _HEAD = 170, 112, 200, 16, 6, 30
_PANEL_X, _PANEL_Y = _WIDTH + 130, len(ARMS) * (_BAR + _GAP) + _HEAD + 18
_FONT = "font-family='system-ui, Helvetica, Arial, sans-serif'"


def draw_picture(years: Years, size: Size) -> str:
    """The whole file."""
    growths, seeds = growths_of(years), seeds_of(years)
    width, height = _LEFT + len(growths) * _PANEL_X, _TOP + len(_ROWS) * _PANEL_Y
    title = f"A year of {size.members:,} made-up members, asked in four ways"
    over = f"{len(seeds)} seeds: bars are means, lines run from least to most" if len(seeds) > 1 else "one seed"
    lines = [
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width} {height}' width='{width}' height='{height}'"
        " role='img' aria-labelledby='title desc'>",
        f"<title id='title'>{escape(title)}</title>",
        f"<desc id='desc'>{escape(' '.join(_told(years)))}</desc>",
        f"<rect width='{width}' height='{height}' fill='#ffffff'/>",
        _text(16, 30, title, size=20, weight=600),
        _text(16, 52, f"{over}; {size.weeks} weeks; made by outreach simulate", size=13, colour="#555555"),
        _text(
            16,
            70,
            "a: by so much each further ask within a week makes people likelier to opt out",
            size=13,
            colour="#555555",
        ),
    ]
    for column, growth in enumerate(growths):
        lines.append(_text(_LEFT + column * _PANEL_X, _TOP - 10, f"a = {growth:g}", size=14, weight=600))
    for row, (name, of, pale, how) in enumerate(_ROWS):
        spreads = {(growth, arm): spread_of(years, growth, arm, of) for growth in growths for arm in ARMS}
        most = max(one.most for one in spreads.values()) or 1.0
        y = _TOP + row * _PANEL_Y
        lines.append(_text(16, y + 16, name, size=14, weight=600))
        for column, growth in enumerate(growths):
            for place, arm in enumerate(ARMS):
                at = y + _HEAD + place * (_BAR + _GAP)
                if not column:
                    lines.append(_text(_LEFT - 8, at + 13, arm, size=12, anchor="end"))
                value, left_out = spreads[growth, arm], spread_of(years, growth, arm, pale).mean
                lines += _bar(_LEFT + column * _PANEL_X, at, value, left_out, most, how, _COLOURS[arm])
    return "\n".join([*lines, "</svg>", ""])


def _bar(x: int, y: int, value: Spread, pale: float, most: float, how: str, colour: str) -> Iterator[str]:
    scale = _WIDTH / most
    solid = (value.mean - pale) * scale
    yield f"<rect x='{x}' y='{y}' width='{solid:.1f}' height='{_BAR}' fill='{colour}'/>"
    if pale:
        yield (
            f"<rect x='{x + solid:.1f}' y='{y}' width='{pale * scale:.1f}' height='{_BAR}' fill='{colour}'"
            " fill-opacity='0.3'/>"
        )
    if value.most > value.least:
        middle = y + _BAR / 2
        yield (
            f"<path d='M{x + value.least * scale:.1f} {middle:g}H{x + value.most * scale:.1f}' stroke='#000000'"
            " stroke-width='2'/>"
        )
    told = format(value.mean, how) + (f", {format(pale, how)} let go" if pale else "")
    yield _text(x + value.most * scale + 5, y + 13, told, size=12)


def _told(years: Years) -> Iterator[str]:
    """The picture in words, for those who cannot see it."""
    for growth in growths_of(years):
        arms = []
        for arm in ARMS:
            actions = spread_of(years, growth, arm, lambda year: year.actions).mean
            messages = spread_of(years, growth, arm, lambda year: year.messages / year.members).mean
            asked = spread_of(years, growth, arm, lambda year: LISTENING.of(year) / year.members).mean
            arms.append(
                f"{arm}: {actions:,.0f} actions, {messages:.0f} messages per member, {asked:.0%} would still be asked"
            )
        yield f"a = {growth:g}. {'; '.join(arms)}."


def _text(
    x: float, y: float, text: str, *, size: int, weight: int = 400, colour: str = "#111111", anchor: str = "start"
) -> str:
    return (
        f"<text x='{x:.1f}' y='{y:.1f}' {_FONT} font-size='{size}' font-weight='{weight}' fill='{colour}'"
        f" text-anchor='{anchor}'>{escape(text)}</text>"
    )
