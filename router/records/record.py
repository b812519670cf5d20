"""One person as an API call or a row of a file tells of them."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from router.core.model import LegalBasis
from router.core.moments import Moment

CHANNELS = ("sms", "email", "whatsapp")
"""The channels of phones and mailboxes."""

OWN_CHANNELS = ("telegram", "slack", "fcm")
"""Channels whose addresses belong to an account of ours; each has a kind of address of the same name."""

MAX_ATTRIBUTES = 50
MAX_TAGS = 100


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class ConsentRecord(_Model):
    """What a person agreed to, refused, or has yet to confirm, on one channel."""

    channel: Annotated[str, Field(min_length=1, max_length=20)]
    basis: Annotated[LegalBasis, Field(strict=False)] = LegalBasis.CONSENT
    source: Annotated[str, Field(max_length=400)] = ""
    wording: Annotated[str, Field(max_length=10_000)] = ""
    """What the person read when they agreed, word for word."""
    at: Moment | None = None
    """When; the moment of recording where it is not known."""
    state: Literal["granted", "unconfirmed", "revoked"] = "granted"


Short = Annotated[str, Field(max_length=200)]


class MemberRecord(_Model):
    """One person as somebody outside knows them. Empty fields say nothing and change nothing."""

    first_name: Short = ""
    last_name: Short = ""
    phone: Annotated[str, Field(max_length=100)] = ""
    email: Annotated[str, Field(max_length=320)] = ""
    whatsapp: Annotated[str, Field(max_length=100)] = ""
    """Their number there, where it is another one than `phone`."""
    telegram: Annotated[str, Field(max_length=200)] = ""
    """The number of their chat with our bot: ``12345``, or ``12345@ACCOUNT`` where that is not the main one."""
    slack: Annotated[str, Field(max_length=200)] = ""
    """Their member ID in the workspace, ``U012AB3CD`` or ``U012AB3CD@ACCOUNT``."""
    fcm: Annotated[str, Field(max_length=2_100)] = ""
    """The registration token of their app, ``TOKEN`` or ``TOKEN@ACCOUNT``."""
    locale: Annotated[str, Field(pattern=r"^([a-z]{2,3}(-[A-Za-z0-9]{2,8})*)?$", max_length=35)] = ""
    zone: Annotated[str, Field(max_length=64)] = ""
    """IANA name; found from postcode, phone or country where it is empty."""
    country: Annotated[str, Field(pattern=r"^([A-Z]{2})?$")] = ""
    postcode: Annotated[str, Field(max_length=20)] = ""
    place: Short = ""
    joined_at: Moment | None = None
    external_id: Short = ""
    """The organization's own key for this person."""
    tags: Annotated[list[Annotated[str, Field(min_length=1, max_length=200)]], Field(max_length=MAX_TAGS)] = []
    attributes: Annotated[
        dict[Annotated[str, Field(min_length=1, max_length=200)], Annotated[str, Field(max_length=2_000)]],
        Field(max_length=MAX_ATTRIBUTES),
    ] = {}
    channel_order: Annotated[list[str], Field(max_length=20)] = []
    """Channels, best liked first."""
    consents: Annotated[list[ConsentRecord], Field(max_length=20)] = []


class Attestation(_Model):
    """An admin's word for the legal basis of a whole file."""

    basis: Annotated[LegalBasis, Field(strict=False)]
    source: Annotated[str, Field(min_length=1, max_length=400)]
    dated: Annotated[date, Field(strict=False)]
    """When the basis came to be."""
