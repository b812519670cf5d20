"""``/api/v1/members`` and ``/api/v1/actions``: who people are and what they did."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from router import actions
from router.actions import ActionResult
from router.core.errors import BadAddress
from router.records.members import MemberRecord, UpsertResult, upsert_member
from router.web.auth import Scope
from router.web.bodies import LARGEST_INTEGER
from router.web.endpoints import Call, Registry, registrar

PEOPLE: Registry = []
endpoint = registrar(PEOPLE)

Number = Annotated[int, Field(ge=0, le=LARGEST_INTEGER, strict=True)]


class ActionIn(BaseModel):
    """Something that a member did, as another system of yours tells it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    external_id: Annotated[str, Field(min_length=1, max_length=200)]
    """Your own key for this action: the same one told twice counts once."""
    kind: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
    """What they did: signed, gave, called, came, hosted, shared …"""
    member_id: Number | None = None
    phone: Annotated[str | None, Field(min_length=1, max_length=100)] = None
    email: Annotated[str | None, Field(min_length=1, max_length=320)] = None
    campaign_id: Number | None = None
    at: Annotated[AwareDatetime | None, Field(ge=datetime(2000, 1, 1, tzinfo=UTC))] = None
    """When; now where it is left out."""
    amount: Annotated[int, Field(ge=0, le=10**12, strict=True)] = 0
    """How much they gave, in minor units of `currency`: 1250 is 12.50 EUR."""
    currency: Annotated[str, Field(pattern=r"^([A-Z]{3})?$")] = ""
    """The amount's currency, three letters of ISO 4217 (``EUR``)."""

    @model_validator(mode="after")
    def _somebody(self) -> ActionIn:
        if self.member_id is None and self.phone is None and self.email is None:
            raise ValueError("say who did it: member_id, phone or email")
        if bool(self.amount) != bool(self.currency):
            raise ValueError("an amount and its currency go together: give both, or neither")
        return self


@endpoint(
    "POST",
    "/api/v1/members",
    access=Scope.MEMBERS_WRITE,
    body=MemberRecord,
    reply=UpsertResult,
    summary="Add a member, or bring the one with this address and name up to date",
)
async def put_member(call: Call, body: MemberRecord) -> UpsertResult:
    runtime = call.runtime
    return await upsert_member(
        runtime.store,
        runtime.key,
        runtime.settings.default_region,
        body,
        source=f"api: {call.by}",
        now=call.now,
        accounts=runtime.channels,
    )


@endpoint(
    "POST",
    "/api/v1/actions",
    access=Scope.ACTIONS_WRITE,
    body=ActionIn,
    reply=ActionResult,
    status=201,
    also={200: ActionResult},
    summary="Record what a member did; the same external_id twice counts once",
)
async def record_action(call: Call, body: ActionIn) -> tuple[int, ActionResult]:
    try:
        result = await actions.record_action(
            call.runtime,
            member_id=body.member_id,
            phone=body.phone,
            email=body.email,
            external_id=body.external_id,
            kind=body.kind,
            campaign_id=body.campaign_id,
            at=body.at or call.now,
            now=call.now,
            amount=body.amount,
            currency=body.currency,
        )
    except BadAddress as error:
        raise BadAddress(error.sentence, place="phone" if body.phone else "email") from None
    return (201 if result.new else 200), result
