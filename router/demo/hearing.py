"""The demo's main scenario: everybody is asked to a hearing, on the channel that each chose."""

from __future__ import annotations

import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

from rich.console import Console

from channels.sandbox import Knobs
from channels.sandbox.twilio_content import ASK
from router.core.ask import Ask
from router.demo.crowd import import_members, join_groups, spread
from router.demo.house import EVENING, Clock, installation, working
from router.demo.watching import launch, settled, show_result, stay, watch
from router.preview import preview_ask
from router.runtime import Runtime
from router.screens import preview_table

PEOPLE = Knobs(
    p_yes=0.09, p_stop=0.012, p_help=0.008, reply_delay=0.4, receipt_delay=0.2, undelivered_rate=0.015,
    bounce_rate=0.01, duplicate_receipts=0.05, out_of_order=0.05, timeout_after_accept=0.002, seed=7,
)  # fmt: skip
"""How the made-up people and providers behave: M+R's text reply rates, a few dead numbers, an unreliable network."""

_TEXTS = {
    "en": {"default": {"text": (
        "Hi {{ first_name | default('neighbour') }}, the rent hearing is on Thursday at 6 pm. We need every chair"
        " filled. Can you come? Reply YES, or see {{ link }} - STOP ends these."
    )}},
    "es": {"default": {"text": (
        "Hola {{ first_name | default('vecina') }}: la audiencia del alquiler es el jueves a las 18 h. Hay que llenar"
        " cada silla. ¿Vienes? Responde YES o mira {{ link }} - STOP para salir."
    )}},
    "fr": {"default": {"text": (
        "Bonjour {{ first_name | default('à vous') }}, l'audience sur les loyers est jeudi à 18 h. Remplissons la"
        " salle ! Vous venez ? Répondez YES ou voyez {{ link }} - STOP pour arrêter."
    )}},
    "ar": {"default": {"text": (
        "مرحبا {{ first_name | default('جارنا') }}، جلسة الإيجار يوم الخميس الساعة 6 مساء. هل ستأتي؟"
        " أرسل YES أو انظر {{ link }} - STOP للإيقاف."
    )}},
}  # fmt: skip

_SUMMARIES = {
    "en": ("neighbour", "the rent hearing is on Thursday at 6 pm: {{ link }}"),
    "es": ("vecina", "la audiencia del alquiler es el jueves a las 18 h: {{ link }}"),
    "fr": ("à vous", "l'audience sur les loyers est jeudi à 18 h : {{ link }}"),
    "ar": ("جارنا", "جلسة الإيجار يوم الخميس الساعة 6 مساء: {{ link }}"),
}
"""What fills the text that WhatsApp approved beforehand: whom it greets, and what it says."""

_BUTTONS = [{"label": "I will come", "reply": "YES"}, {"label": "Details", "link": True}]


def _texts(locale: str) -> dict[str, Any]:
    words = {**_TEXTS[locale]["default"], "buttons": _BUTTONS}
    name, summary = _SUMMARIES[locale]
    variables = {
        "1": f"{{{{ first_name | default('{name}') }}}}", "2": summary, "3": "button:YES", "4": "button:NO",
    }  # fmt: skip
    return {"default": words, "whatsapp": {**words, "template": ASK.sid, "variables": variables}}


_ASK = {
    "title": "Rent hearing on Thursday",
    "link": "https://example.org/hearing",
    "picture": {"url": "https://example.org/hearing.png", "alt": "A full room with everybody's hand up"},
    "texts": {locale: _texts(locale) for locale in _TEXTS},
    "groups": ["rent"],
}

_EARLIER = (("Sign the open letter", 6), ("Call the council", 4), ("Share the flyer", 2))
"""What volunteers were already asked this week, and how many days ago."""


_LATER = (
    (15, "It is night in Sydney: what is queued waits. The clock jumps to the evening there."),
    (
        26,
        "The next day: phones that were off are tried again, and whose time zone nobody knows is texted only now, when"
        " it is day in all of their country.",
    ),
    (49, "Saturday: whoever was asked for something else this week has room for one more ask only now."),
)
"""Hours after the launch to which the clock jumps, and what the reader is told."""


async def run_hearing(out: Console, *, members: int, seed: int, once: bool) -> None:
    """Run it and print what happens; without `once`, keep it running to look around in."""
    clock = Clock(EVENING - timedelta(days=_EARLIER[0][1]))
    with tempfile.TemporaryDirectory(prefix="outreach-demo-") as folder:
        async with installation(Path(folder), clock) as (runtime, sandbox, url):
            out.rule("1. Members come in from a CSV file")
            await import_members(runtime, out, Path(folder) / "members.csv", members, seed)
            chose = await spread(runtime, sandbox, seed)
            out.print("Some opened a channel of their own: " + ", ".join(f"{n:,} {name}" for name, n in chose.items()))
            await join_groups(runtime)
            async with working(runtime):
                await _earlier_asks(runtime, clock, out)
                clock.move_to(EVENING)
                sandbox.knobs = PEOPLE
                out.rule("2. One ask, looked at before it leaves")
                ask = Ask.model_validate(_ASK)
                out.print(preview_table(await preview_ask(runtime, ask, now=clock())))
                out.rule("3. Launched: routed, sent, answered")
                campaign = await launch(runtime, ask)
                await watch(runtime, sandbox, campaign, out)
                for hours, what in _LATER:
                    out.print(what)
                    clock.move_to(EVENING + timedelta(hours=hours))
                    runtime.signals.wake()
                    await watch(runtime, sandbox, campaign, out)
                await show_result(runtime, sandbox, campaign, out)
                if not once:
                    await stay(out, runtime, sandbox, url)


async def _earlier_asks(runtime: Runtime, clock: Clock, out: Console) -> None:
    """A believable week: the volunteers were asked three times before, over the same machine."""
    for title, days in _EARLIER:
        clock.move_to(EVENING - timedelta(days=days))
        ask = Ask.model_validate(
            {
                "title": title,
                "audience": {"op": "tag", "tag": "volunteer"},
                "texts": {
                    "en": {"default": {"text": title + ", {{ first_name | default('friend') }}? It takes a minute."}}
                },
            }
        )
        campaign = await launch(runtime, ask)
        await settled(runtime, campaign)
    out.print("Earlier this week the volunteers were asked three times; that is as much as anybody should be asked.")
