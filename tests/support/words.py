"""Small asks, the channels they go by, and what a member reads of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

from router.core.ask import Ask
from router.core.channel import ChannelSpec, Idempotency
from router.core.content import Renderer, find_problems
from router.core.content_syntax import VARIABLES
from router.core.model import Member
from router.messages import load_message_templates


def spec(name: str, **more: Any) -> ChannelSpec:
    base: dict[str, Any] = {
        "address_kind": "phone",
        "max_length": 1600,
        "receipts": True,
        "inbound": True,
        "idempotency": Idempotency.NONE,
        "settings": (),
    }
    return ChannelSpec(name=name, **(base | more))


SMS = spec("sms", counts_segments=True)
EMAIL = spec("email", address_kind="email", max_length=100_000, subject=True, html=True)
CHAT = spec("chat", address_kind="chat", max_length=300)
SPECS = {"sms": SMS, "email": EMAIL}
LINK = "https://go.example.org/a/wgKHrUsJ2b9fkFc"
STOP = "https://go.example.org/u/wgKHrUug8WaItGGxxbVaj4A"
TEMPLATES = load_message_templates()


def ask(text: str = "Come tonight, {{ first_name }}", **more: Any) -> Ask:
    return Ask.model_validate({"title": "Rents", "texts": {"en": {"default": {"text": text}}}} | more)


def problems(text: str, specs: Mapping[str, ChannelSpec] = SPECS, **more: Any) -> list[str]:
    return [str(problem) for problem in find_problems(ask(text, **more), specs)]


def renderer(of: Ask, organization: str = "Tenants United", postal: str = "1 Main St\nSpringfield") -> Renderer:
    return Renderer(of, organization=organization, postal_address=postal, templates=TEMPLATES)


def sms(of: Ask, member: Member, organization: str = "Tenants United") -> str:
    return renderer(of, organization).render(member, "sms", SMS, link=LINK, unsubscribe_url=STOP).text


ANA = Member(id=1, first_name="Ana", last_name="Ruiz", place="Leeds", locale="es-MX", zone="Europe/London")

variable = st.sampled_from([*VARIABLES, "attribute.branch", "attribute.t_shirt"])
step = st.one_of(
    st.sampled_from(["upper", "lower", "capitalize", "title"]),
    st.integers(1, 30).map(lambda n: f"truncate({n})"),
    st.text("ab ä", max_size=5).map(lambda t: f'default("{t}")'),
)
slot = st.builds(lambda name, steps: "{{ " + "|".join([name, *steps]) + " }}", variable, st.lists(step, max_size=3))
"""Anything that the language of an ask's words allows between braces (hypothesis)."""
