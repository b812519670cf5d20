"""``/api/v1/proposals``: ideas of members, by the number that people write, and what organizers decide about them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from router.community.proposals.deciding import LONGEST_REASON, decide
from router.community.proposals.reading import OneProposal, ProposalView, list_proposals, read_proposal
from router.core.proposal_rules import Decision
from router.web.auth import Scope
from router.web.endpoints import Call, Registry, registrar

PROPOSALS: Registry = []
endpoint = registrar(PROPOSALS)

_MANY = "/api/v1/proposals"
_ONE = f"{_MANY}/{{id:[0-9]{{1,9}}}}"


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ProposalPage(_In):
    """Which ideas to list."""

    status: Literal["", "open", "held", "refused", "removed", "withdrawn", "done"] = ""
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    after: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0
    """The number of the last idea of the page before."""


class ProposalList(_In):
    """Ideas by their number."""

    proposals: list[ProposalView]


class DecisionIn(_In):
    """What you hold of an idea."""

    decision: Decision
    rule: Annotated[str, Field(max_length=40)] = ""
    """The published rule by which it is refused (`proposals.rules` of the policy)."""
    reason: Annotated[str, Field(max_length=LONGEST_REASON)] = ""
    """For the other organizers."""


@endpoint(
    "GET",
    _MANY,
    access=Scope.CAMPAIGNS_READ,
    query=ProposalPage,
    reply=ProposalList,
    summary="List the ideas of members, without who proposed them",
)
async def list_ideas(call: Call, query: ProposalPage) -> ProposalList:
    found = await list_proposals(call.runtime, status=query.status, limit=query.limit, after=query.after)
    return ProposalList(proposals=found)


@endpoint("GET", _ONE, access=Scope.CAMPAIGNS_READ, reply=ProposalView, summary="One idea, by its number")
async def get_idea(call: Call) -> ProposalView:
    return (await read_proposal(call.runtime, call.id)).proposal


@endpoint(
    "GET",
    _ONE + "/votes",
    access=Scope.CAMPAIGNS_LAUNCH,
    reply=OneProposal,
    summary="What there is to decide about an idea: its proposer, why members reported it, how organizers voted",
)
async def get_votes(call: Call) -> OneProposal:
    return await read_proposal(call.runtime, call.id)


@endpoint(
    "POST",
    _ONE + "/decide",
    access=Scope.CAMPAIGNS_LAUNCH,
    body=DecisionIn,
    reply=OneProposal,
    summary="Vote to keep, remove or refuse an idea; it is done once enough organizers agree",
)
async def decide_idea(call: Call, body: DecisionIn) -> OneProposal:
    return await decide(
        call.runtime, call.id, body.decision, by=call.by, rule=body.rule, reason=body.reason, now=call.now
    )
