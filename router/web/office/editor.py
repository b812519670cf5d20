"""Write an ask: its form, and beside it how it will look on people's phones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from router.core.ask import ANY_CHANNEL, Ask
from router.core.errors import BadInput, NotAllowed, SendError
from router.core.phrases import LANGUAGES
from router.drafting import edit_campaign, save_campaign
from router.office.limits import check_sees, limited
from router.office.once import MadeAlready, made_by, new_key, remember
from router.office.organizers import Organizer
from router.preview import send_test
from router.views import CampaignView, view_campaign
from router.web.auth import Page, Scope
from router.web.doors import first, form_of
from router.web.endpoints import Call, Registry, registrar
from router.web.keys import FORM_BRAKE
from router.web.office import ask_words
from router.web.office.ask_form import (
    PARTS,
    SWITCHES,
    Fields,
    WrongFields,
    add_place,
    ask_of,
    beside,
    blank,
    drop_place,
    fields_in,
    fields_of,
    places_in,
)
from router.web.office.form_values import as_sentence
from router.web.office.show import see, show
from router.wordings import marked_texts, problems_of, wordings_of

EDITOR: Registry = []
endpoint = registrar(EDITOR)

NEW = "/office/asks/new"
EDIT = "/office/asks/{id:[0-9]{1,18}}/edit"
WRITES = Page(Scope.CAMPAIGNS_WRITE)


@endpoint("GET", NEW, access=WRITES, reply="text/html", summary="The form of a new ask")
async def new_ask(call: Call) -> web.StreamResponse:
    return _editor(call, blank(), None)


@endpoint("POST", NEW, access=WRITES, reply="text/html", summary="Save a new ask, or look at it")
async def make_ask(call: Call) -> web.StreamResponse:
    form = await form_of(call.request)
    fields = fields_in(form)
    if first(form, "do") not in ("", "save"):
        return await _do(call, form, fields, None)
    me, key = organizer_of(call), first(form, "once") or new_key()
    try:
        ask = limited(me, _ask(fields, None))
        try:
            along = remember(me, key, now=call.now)
            number = (await save_campaign(call.runtime, ask, by=call.by, now=call.now, along=along)).id
        except MadeAlready:
            number = await _made(call, ask, key)
    except (WrongFields, BadInput, NotAllowed) as error:
        return _editor(call, fields, None, key=key, status=422, wrong=_wrong(error, fields))
    return see(f"/office/asks/{number}/audience")


@endpoint("GET", EDIT, access=WRITES, reply="text/html", summary="The form of an ask that is there")
async def change_ask(call: Call) -> web.StreamResponse:
    view = await seen_ask(call)
    return _editor(call, fields_of(view.ask), view)


@endpoint("POST", EDIT, access=WRITES, reply="text/html", summary="Save other words for an ask, or look at them")
async def keep_ask(call: Call) -> web.StreamResponse:
    view = await seen_ask(call)
    form = await form_of(call.request)
    fields = fields_in(form)
    if first(form, "do") not in ("", "save"):
        return await _do(call, form, fields, view)
    try:
        ask = limited(organizer_of(call), _ask(fields, view.ask))
        if ask == view.ask:
            return see(f"/office/asks/{view.id}")
        if first(form, "version") != str(view.text_version):
            raise WrongFields(
                {"": "Somebody saved other words meanwhile. Yours stand here: save again to replace them."}
            )
        await edit_campaign(call.runtime, view.id, ask, by=call.by, now=call.now)
    except (WrongFields, BadInput, NotAllowed) as error:
        return _editor(call, fields, view, status=422, wrong=_wrong(error, fields))
    return see(f"/office/asks/{view.id}")


@endpoint("POST", "/office/asks/preview-words", access=WRITES, reply="text/html", summary="How an ask looks on phones")
async def preview_words(call: Call) -> web.StreamResponse:
    fields = fields_in(await form_of(call.request))
    return show(call, "_phones.html", **_phones(call, fields))


def organizer_of(call: Call) -> Organizer:
    """Who is signed in."""
    assert call.session is not None, "a page is for those who are signed in"
    return call.session.organizer


async def seen_ask(call: Call) -> CampaignView:
    """The ask of this address. Raises `NotFound` where there is none, or none that this organizer may see."""
    view = await view_campaign(call.runtime, call.id)
    check_sees(organizer_of(call), view.ask)
    return view


async def _made(call: Call, ask: Ask, key: str) -> int:
    """The ask that this form made before, with the words that the form has by now."""
    number = await made_by(call.runtime, organizer_of(call), key)
    assert number is not None, "what was made already is remembered"
    old = (await view_campaign(call.runtime, number)).ask
    ask = ask.model_copy(update={"audience": old.audience})
    if ask != old:
        await edit_campaign(call.runtime, number, ask, by=call.by, now=call.now)
    return number


async def _do(call: Call, form: dict[str, list[str]], fields: Fields, view: CampaignView | None) -> web.StreamResponse:
    """Whatever does not save: the same form again, with more or fewer boxes, or with what was asked to see."""
    what, _, about = first(form, "do").partition(":")
    key, wrong, told = first(form, "once"), {}, ""
    try:
        match what:
            case "add-locale":
                add_place(fields, "texts", first(form, "new_locale"))
            case "add-words":
                add_place(fields, "texts", about, first(form, f"words.{about}"))
            case "add-second":
                add_place(fields, "second", *about.split(".")[:2])
            case "drop":
                drop_place(fields, about)
            case "test":
                told = await _test(call, _ask(fields, view.ask if view else None), first(form, "test_to"))
    except (WrongFields, BadInput, NotAllowed) as error:
        wrong = _wrong(error, fields, elsewhere="test_to" if what == "test" else "")
    except SendError as error:
        wrong = {"test_to": as_sentence(f"the provider did not take it: {error}")}
    return _editor(call, fields, view, key=key, status=422 if wrong else 200, wrong=wrong, told=told)


async def _test(call: Call, ask: Ask, to: str) -> str:
    if not to:
        raise BadInput("write a mailbox, a phone number, or as in telegram:42", place="test_to")
    brake = call.request.app[FORM_BRAKE]
    await brake.wrong(call.request)
    return await send_test(call.runtime, ask, to=to, now=call.now)


def _ask(fields: Fields, old: Ask | None) -> Ask:
    """The ask that the form makes, for the audience that it has already."""
    kinds = {kind.value for kind in ask_words.KINDS} | ({old.kind.value} if old else set())
    if fields["kind"] and fields["kind"] not in kinds:
        raise WrongFields({"kind": "Choose one of these."})
    return ask_of(fields, audience=old.audience if old else None)


def _wrong(error: Exception, fields: Fields, elsewhere: str = "") -> dict[str, str]:
    """Box → sentence; at `elsewhere` what has no box of its own."""
    if isinstance(error, WrongFields):
        return error.wrong
    if not isinstance(error, BadInput):
        return {elsewhere: as_sentence(str(error))}
    found = beside(error, [*fields, "new_locale", "test_to"])
    return {name or elsewhere: sentence for name, sentence in found.items()}


def _phones(call: Call, fields: Fields) -> dict[str, Any]:
    """What stands beside the form: how it looks now, as far as it can be read."""
    nothing: dict[str, Any] = {
        "phones": [], "tone": [], "problems": [], "is_blank": False, "box_name": ask_words.box_name,
    }  # fmt: skip
    if not any(value.strip() for name, value in fields.items() if name.endswith(".text")):
        return {**nothing, "is_blank": True}
    readable = {**fields, "title": fields["title"] or "(no title yet)"}
    try:
        ask = ask_of(readable)
    except WrongFields as error:
        return {**nothing, "problems": [_named(name, said) for name, said in error.wrong.items()]}
    runtime = call.runtime
    wrong = [each for problem in problems_of(runtime, ask) for each in _wrong(problem, fields).items()]
    return {
        **nothing,
        "phones": wordings_of(runtime, ask),
        "tone": marked_texts(runtime, ask),
        "problems": [_named(box, said) for box, said in wrong],
    }


def _named(box: str, sentence: str) -> str:
    return f"{ask_words.box_name(box)}: {sentence}" if box else sentence


def _editor(
    call: Call,
    fields: Fields,
    view: CampaignView | None,
    *,
    key: str = "",
    status: int = 200,
    wrong: Mapping[str, str] = {},
    told: str = "",
) -> web.Response:
    runtime = call.runtime
    full = {f"{place}.{part}": "" for place in places_in(fields) for part in PARTS} | fields
    locales = dict.fromkeys(place.split(".")[1] for place in places_in(fields))
    kinds = [(kind.value, words) for kind, words in ask_words.KINDS.items()]
    if fields["kind"] not in dict(kinds):
        kinds.append((fields["kind"], fields["kind"].replace("_", " ")))
    return show(
        call,
        "editor.html",
        status=status,
        view=view,
        key=key or new_key(),
        fields=full,
        wrong=wrong,
        told=told,
        texts={locale: _texts_in(fields, locale) for locale in locales},
        locales=[(locale, locale) for locale in locales],
        channels=sorted(runtime.channels),
        specs=runtime.specs,
        has_templates=any(runtime.specs[name].templates for name in runtime.channels),
        any_channel=ANY_CHANNEL,
        languages=[language for language in LANGUAGES if language not in locales],
        kinds=kinds,
        wants=[(one.value, words) for one, words in ask_words.WANTS.items()],
        purposes=[(one.value, words) for one, words in ask_words.PURPOSES.items()],
        starts=list(ask_words.STARTS.items()),
        switches=[(name, ask_words.SWITCH_WORDS[name]) for name in SWITCHES],
        variables=ask_words.VARIABLE_WORDS,
        limit=organizer_of(call).audience is not None,
        **_phones(call, fields),
    )


def _texts_in(fields: Fields, locale: str) -> list[tuple[str, str, bool]]:
    """The texts of one locale: (place, channel, whether it is a second one)."""
    found = [place.split(".") for place in places_in(fields)]
    mine = [(".".join(place), place[2], place[0] == "second") for place in found if place[1] == locale]
    return sorted(mine, key=lambda one: (one[1] != ANY_CHANNEL, one[1], one[2]))
