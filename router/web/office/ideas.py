"""Ideas of members: what is held, what goes further unless somebody objects, and what organizers decide about one."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from router.community.proposals.deciding import LONGEST_REASON, decide
from router.community.proposals.reading import OneProposal, list_proposals, read_proposal
from router.community.proposals.sights import one_idea
from router.core.errors import BadInput, NotAllowed, NotFound
from router.core.proposal_rules import KEPT, Decision, Hold
from router.office.desk import is_seen
from router.office.limits import sees_member
from router.store.tables import proposal
from router.web.auth import Page, Scope
from router.web.doors import first, form_of
from router.web.endpoints import Call, Registry, registrar
from router.web.office.editor import organizer_of
from router.web.office.form_values import as_sentence
from router.web.office.show import see, show

IDEA_ROOM: Registry = []
endpoint = registrar(IDEA_ROOM)

READS = Page(Scope.CAMPAIGNS_READ)
DECIDES = Page(Scope.CAMPAIGNS_LAUNCH)

ROOM = "/office/ideas"
ONE = ROOM + "/{id:[0-9]{1,9}}"
PAGE = 50

SHELVES: Final = {
    "": "All",
    "held": "Held",
    "open": "Open",
    "refused": "Refused",
    "done": "Over",
    "removed": "Removed",
    "withdrawn": "Taken back",
}

HOLDS: Final = {
    Hold.REPORTS.value: "members reported it",
    Hold.CROWD.value: "most who second it joined lately",
    Hold.LANGUAGE.value: "it is in a language that nobody here moderates",
    Hold.UNSENDABLE.value: "its ask cannot be sent as it is",
    Hold.CANCELLED.value: "an organizer cancelled its ask",
    KEPT: "organizers looked at it and kept it",
}

CHOICES: Final = {
    "held": (Decision.KEEP, Decision.REMOVE),
    "open": (Decision.REFUSE, Decision.REMOVE),
    "refused": (Decision.KEEP,),
}
"""What organizers can be for, by the status of an idea."""

CHOICE_WORDS: Final = {
    Decision.KEEP: "Keep it: it is open again",
    Decision.REMOVE: "Remove it: nobody sees it any more",
    Decision.REFUSE: "Refuse to ask more people: everybody can read by which rule",
}


class IdeaQuery(BaseModel):
    """Which ideas to list."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    show: Literal["", "held", "open", "refused", "done", "removed", "withdrawn"] = ""
    after: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0


@endpoint("GET", ROOM, access=READS, query=IdeaQuery, reply="text/html", summary="Ideas of members")
async def ideas(call: Call, query: IdeaQuery) -> web.StreamResponse:
    seen = is_seen(call.runtime, organizer_of(call), proposal.c.member_id)
    found = await list_proposals(call.runtime, status=query.show, limit=PAGE + 1, after=query.after, among=seen)
    return show(
        call, "ideas_office.html", ideas=found[:PAGE], next=found[PAGE - 1].number if len(found) > PAGE else 0,
        shelf=query.show, shelves=SHELVES, holds=HOLDS, is_first=not query.after,
    )  # fmt: skip


@endpoint("GET", ONE, access=READS, reply="text/html", summary="One idea, and what there is to decide about it")
async def idea(call: Call) -> web.StreamResponse:
    return await _one(call, await _found(call))


@endpoint("POST", ONE, access=DECIDES, reply="text/html", summary="Be for keeping, removing or refusing it")
async def decide_idea(call: Call) -> web.StreamResponse:
    found, form = await _found(call), await form_of(call.request)
    typed = {name: first(form, name) for name in ("decision", "rule", "reason")}
    try:
        if typed["decision"] not in list(Decision):
            raise BadInput("choose one of these", place="decision")
        await decide(
            call.runtime, call.id, Decision(typed["decision"]), by=call.by, rule=typed["rule"],
            reason=typed["reason"], now=call.now,
        )  # fmt: skip
    except BadInput as error:
        return await _one(call, found, status=422, typed=typed, wrong={error.place: as_sentence(error.sentence)})
    except NotAllowed as error:
        return await _one(call, await _found(call), status=422, typed=typed, wrong={"": as_sentence(str(error))})
    return see(f"{ROOM}/{call.id}")


async def _found(call: Call) -> OneProposal:
    found = await read_proposal(call.runtime, call.id)
    dialect = call.runtime.store.dialect
    async with call.runtime.store.read() as connection:
        if not await sees_member(connection, organizer_of(call), found.member_id, dialect=dialect):
            raise NotFound("there is no such idea")
    return found


async def _one(
    call: Call,
    found: OneProposal,
    *,
    status: int = 200,
    typed: dict[str, str] | None = None,
    wrong: dict[str, str] | None = None,
) -> web.Response:
    policy = call.runtime.policy.proposals
    choices = CHOICES.get(found.proposal.status, ())
    return show(
        call, "idea_office.html", status=status, found=found, idea=found.proposal, policy=policy, holds=HOLDS,
        public=await one_idea(call.runtime, call.id), choices=[(one.value, CHOICE_WORDS[one]) for one in choices],
        rules=[("", "No rule"), *((name, rule.sentence) for name, rule in sorted(policy.rules.items()))],
        longest=LONGEST_REASON, typed=typed or {"decision": "", "rule": "", "reason": ""}, wrong=wrong or {},
    )  # fmt: skip
