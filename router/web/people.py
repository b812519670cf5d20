"""``/api/v1/members`` and ``/api/v1/actions``: who people are and what they did."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from router import actions
from router.actions import ActionResult
from router.community.forward_sights import Brought, what_they_brought
from router.community.forwarding import note_acted, passed_by
from router.community.welcome import welcome_new_member
from router.core.errors import BadAddress, BadInput, NotFound
from router.core.goals import REFUND
from router.core.moments import Moment
from router.records.members import MemberRecord, UpsertResult, upsert_member
from router.web.auth import Scope
from router.web.bodies import LARGEST_INTEGER
from router.web.endpoints import Call, Registry, registrar
from router.web.problems import FieldProblem, ProblemError

PEOPLE: Registry = []
endpoint = registrar(PEOPLE)

Number = Annotated[int, Field(ge=0, le=LARGEST_INTEGER, strict=True)]


class MemberIn(MemberRecord):
    """One person as another system of yours knows them. Empty fields say nothing and change nothing."""

    welcome: bool = False
    """Greet them, once, on each channel where they agreed: for who has just joined. An import never does."""


class ActionIn(BaseModel):
    """Something that a member did, as another system of yours tells it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    external_id: Annotated[str, Field(min_length=1, max_length=200)]
    """Your own key for this action: the same one told twice counts once."""
    kind: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
    """What they did. ``signed``, ``shared``, ``gave``, ``called``, ``came``, ``hosted`` and ``volunteered`` are the
    ladder's and decide what they are asked next; any other is your own. A ``refund`` takes its amount off a goal
    again."""
    member_id: Number | None = None
    phone: Annotated[str | None, Field(min_length=1, max_length=100)] = None
    email: Annotated[str | None, Field(min_length=1, max_length=320)] = None
    ref: Annotated[str | None, Field(min_length=1, max_length=200)] = None
    """In place of these and of `campaign_id`: what came with the visitor as ``ref=`` to your donation page."""
    via: Annotated[str | None, Field(min_length=1, max_length=200)] = None
    """What came with the visitor as ``via=`` to your page: a member passed the ask on to them. Beside who they are."""
    campaign_id: Number | None = None
    at: Annotated[Moment | None, Field(ge=datetime(2000, 1, 1, tzinfo=UTC))] = None
    """When; now where it is left out."""
    amount: Annotated[int, Field(ge=0, le=10**12, strict=True)] = 0
    """How much they gave, in minor units of `currency`: 1250 is 12.50 EUR."""
    currency: Annotated[str, Field(pattern=r"^([A-Z]{3})?$")] = ""
    """The amount's currency, three letters of ISO 4217 (``EUR``)."""

    @model_validator(mode="after")
    def _somebody(self) -> ActionIn:
        named = [self.member_id, self.phone, self.email, self.campaign_id]
        if self.ref is not None and named != [None] * len(named):
            raise ValueError("ref says who it was and in which campaign: leave the others out")
        if self.ref is None and named[:3] == [None] * 3:
            raise ValueError("say who did it: member_id, phone, email or ref")
        if self.via is not None and self.ref is not None:
            raise ValueError("a visitor came by a link of their own (ref) or by somebody else's (via): give one")
        if self.kind == REFUND and not self.amount:
            raise ValueError("a refund has an amount and a currency")
        if bool(self.amount) != bool(self.currency):
            raise ValueError("an amount and its currency go together: give both, or neither")
        return self


class MemberForwards(BaseModel):
    """A member's links and what came of them: for each ask how many, never who."""

    model_config = ConfigDict(frozen=True)

    member_id: int
    forwards: list[Brought]


@endpoint(
    "POST",
    "/api/v1/members",
    access=Scope.MEMBERS_WRITE,
    body=MemberIn,
    reply=UpsertResult,
    summary="Add a member, or bring the one with this address and name up to date",
)
async def put_member(call: Call, body: MemberIn) -> UpsertResult:
    runtime = call.runtime
    result = await upsert_member(
        runtime.store,
        runtime.key,
        runtime.settings.default_region,
        body,
        source=f"api: {call.by}",
        now=call.now,
        accounts=runtime.channels,
    )
    if body.welcome:
        await welcome_new_member(runtime, result.member_id, now=call.now)
    return result


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
    member_id, campaign_id = body.member_id, body.campaign_id
    if body.ref is not None:
        try:
            member_id, campaign_id = await actions.whose_ref(call.runtime, body.ref)
        except NotFound as error:
            raise _no_link("ref", error) from None
    passed = None
    if body.via is not None:
        try:
            passed = await passed_by(call.runtime, body.via)
        except NotFound as error:
            raise _no_link("via", error) from None
        if campaign_id not in (None, passed.campaign_id):
            raise BadInput("is another ask than the one that via= passed on; leave it out", place="campaign_id")
        campaign_id = passed.campaign_id
    try:
        result = await actions.record_action(
            call.runtime,
            member_id=member_id,
            phone=body.phone,
            email=body.email,
            external_id=body.external_id,
            kind=body.kind,
            campaign_id=campaign_id,
            at=body.at or call.now,
            now=call.now,
            amount=body.amount,
            currency=body.currency,
        )
    except BadAddress as error:
        raise BadAddress(error.sentence, place="phone" if body.phone else "email") from None
    if passed is not None:
        await note_acted(call.runtime, passed, result.id)
    return (201 if result.new else 200), result


@endpoint(
    "GET",
    "/api/v1/members/{id:[0-9]{1,18}}/forwards",
    access=Scope.CAMPAIGNS_READ,
    reply=MemberForwards,
    summary="What came of the asks that a member passed on, as they see it on their own page",
)
async def get_forwards(call: Call) -> MemberForwards:
    brought = await what_they_brought(call.runtime, call.id, now=call.now)
    return MemberForwards(member_id=call.id, forwards=brought)


def _no_link(field: str, error: NotFound) -> ProblemError:
    return ProblemError(404, f"{field}: {error}", errors=[FieldProblem(field=field, sentence=str(error))])
