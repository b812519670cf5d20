"""Keeps ``templates/locale`` at what members' pages say: ``python -m tests.support.catalogues`` (``make catalogues``).

It takes the sentences from the pages, the code and the published rules, and brings each catalogue up to date: a new
sentence waits there for its translation, one that nobody says any more goes. Translations are written by people, into
the ``.po`` files.
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from babel.messages import Catalog
from babel.messages.extract import extract
from babel.messages.pofile import read_po, write_po

from router.core.attention import Refusal
from router.core.catalogue import DOMAIN
from router.core.model import Reason
from router.core.phrases import LANGUAGES
from router.core.policy_directions import DIRECTIONS

ROOT = Path(__file__).parents[2]
TEMPLATES = ROOT / "templates" / "member"
TRANSLATED = LANGUAGES[1:]
"""English is what the pages are written in."""
PLURALS = {"ar": "nplurals=6; plural=(n==0 ? 0 : n==1 ? 1 : n==2 ? 2 : n%100>=3 && n%100<=10 ? 3 : n%100>=11 ? 4 : 5);"}
"""Where Babel's own rule is not gettext's (gnu.org/software/gettext/manual, "Plural forms")."""
Keywords = dict[str, tuple[int, ...] | None]
KEYWORDS: Keywords = {"gettext": None, "ngettext": (1, 2), "gettext_noop": None}

Message = tuple[str, str | tuple[str, ...]]
"""Where a sentence stands, and the sentence; a pair where it has two forms in English."""


def sentences() -> Iterator[Message]:
    """All that members' pages say, in the order of the files."""
    options = {"trimmed": "true", "newstyle_gettext": "true", "silent": "false"}
    for path in sorted(TEMPLATES.glob("*.html")):
        yield from _found(path, "jinja2.ext:babel_extract", {"_": None, **KEYWORDS}, options)
    for path in sorted((ROOT / "router").rglob("*.py")):
        if "gettext" in path.read_text("utf-8") and path.name != "catalogue.py":
            yield from _found(path, "python", KEYWORDS, {})
    for reason in (*Reason, *Refusal):
        yield "router/core/model.py", reason.sentence
    for direction in DIRECTIONS.values():
        yield "router/core/policy_directions.py", direction.says
    policy = ROOT / "config" / "policy.toml"
    for rule in tomllib.loads(policy.read_text("utf-8"))["proposals"]["rules"].values():
        yield policy.relative_to(ROOT).as_posix(), rule["sentence"]


def _found(path: Path, method: str, keywords: Keywords, options: dict[str, str]) -> list[Message]:
    with path.open("rb") as file:
        found = extract(method, file, keywords=keywords, options=options)
        return [(path.relative_to(ROOT).as_posix(), message) for _, message, _, _ in found]


def template() -> Catalog:
    """A catalogue of all sentences without translations."""
    made = Catalog(domain=DOMAIN, charset="utf-8", fuzzy=False)
    for place, message in sentences():
        made.add(message, locations=[(place, None)])
    return made


def path_of(language: str) -> Path:
    """The file of a language's catalogue."""
    return ROOT / "templates" / "locale" / language / "LC_MESSAGES" / f"{DOMAIN}.po"


def read_catalogue(language: str) -> Catalog:
    """A catalogue as it stands."""
    with path_of(language).open("rb") as file:
        return read_po(file, locale=language, domain=DOMAIN)


def brought_up_to_date(language: str) -> bytes:
    """What the file of a language's catalogue is to hold: its translations, for the sentences that there are now."""
    known = read_catalogue(language) if path_of(language).exists() else Catalog(locale=language)
    fresh = Catalog(locale=language, domain=DOMAIN, charset="utf-8", fuzzy=False)
    for message in template():
        if message.id:
            old = known.get(message.id)
            string = old.string if old is not None else ("",) * fresh.num_plurals if message.pluralizable else ""
            fresh.add(message.id, string, locations=message.locations, flags=old.flags if old is not None else ())
    body = BytesIO()
    write_po(body, fresh, width=118, omit_header=True, include_lineno=False)
    plurals = PLURALS.get(language, f"{fresh.plural_forms};".replace(";;", ";"))
    header = (
        f"# What members' pages say. See docs/languages.md.\n"
        'msgid ""\nmsgstr ""\n'
        f'"Language: {language}\\n"\n"Plural-Forms: {plurals}\\n"\n'
        '"MIME-Version: 1.0\\n"\n"Content-Type: text/plain; charset=utf-8\\n"\n"Content-Transfer-Encoding: 8bit\\n"\n\n'
    )
    return header.encode() + body.getvalue()


def main() -> int:
    """Write all catalogues; says how many sentences wait for a translation, and is 1 where there are any."""
    waiting = 0
    for language in TRANSLATED:
        path_of(language).parent.mkdir(parents=True, exist_ok=True)
        path_of(language).write_bytes(brought_up_to_date(language))
        missing = [one for one in read_catalogue(language) if one.id and not all(_forms(one.string))]
        waiting += len(missing)
        for one in missing:
            sys.stdout.write(f"{language}: {one.id if isinstance(one.id, str) else one.id[0]}\n")
    return 1 if waiting else 0


def _forms(string: str | tuple[str, ...]) -> tuple[str, ...]:
    return (string,) if isinstance(string, str) else tuple(string)


if __name__ == "__main__":
    sys.exit(main())
