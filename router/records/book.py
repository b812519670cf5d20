"""Who is who: rows meet members, in memory. The book holds the part of the ledger that a chunk of rows touches.

Rows are taken one after another, each against the state that the rows before it left, so that it makes no difference
where a file is cut into chunks.

- The same address (or the organization's own key) and the same name is one person: the row is merged into the member.
- The same address and another name is another person of the same *household*: one delivery, one budget.
- A row without a name is the one member at its address, or the only one who has all of its addresses; where several
  are as likely it cannot say whom it means.
- Two different keys of the organization are two people, whatever their names.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from router.records.people import Known, Outcome, Person, Place, Told
from router.records.ready import GRANTED, NONE, REVOKED, UNCONFIRMED, Claim, Ready, ReadyAddress

ZONE_RANK = {"": 0, "country": 1, "phone": 2, "postcode": 3, "given": 4}
"""A zone gives way only to one that is known as well or better."""

_CONSENT_RANK = {NONE: 0, UNCONFIRMED: 1, GRANTED: 2, REVOKED: 3}


class Book:
    """The members that a chunk of rows touches, and what the rows did to them."""

    def __init__(self, *, stamp: int, ids: Iterator[int], respell: bool = False) -> None:
        self.stamp = stamp
        self._respell = respell
        self.ids = ids
        self.people: dict[int, Person] = {}
        self._at: dict[str, dict[int, Person]] = {}
        self._by_key: dict[str, Person] = {}
        self.suppressed: set[Place] = set()
        self.refused: dict[Place, Claim] = {}
        """Addresses that are suppressed from now on."""
        self._into: dict[int, int] = {}
        self._lost: list[int] = []
        self.joined: dict[int, int] = {}
        """Household → household that it became part of."""
        self.households = 0
        """Households found."""
        self.records_joined = 0

    def add(self, person: Person) -> None:
        """Enter a member of the ledger, with addresses."""
        self.people[person.id] = person
        if person.external_id:
            self._by_key[person.external_id] = person
        for _, hash_ in person.addresses:
            self._at.setdefault(hash_, {})[person.id] = person

    def tell(self, row: Ready) -> Told:
        """Take one row in."""
        found = self._find(row)
        if found is None:
            self._silence(row)
            return Told(Outcome.AMBIGUOUS)
        if not found:
            if not row.addresses:
                return Told(Outcome.NO_ADDRESS)
            person = self._make(row)
        else:
            person = found[0]
            for other in found[1:]:
                self._fold(person, other)
        known_before = person.created_at == self.stamp or person.updated_at == self.stamp
        told = Told(Outcome.NEW, person)
        self._fill(person, row)
        for address in row.addresses:
            self._fill_address(person, address, row, told)
        self._house(row)
        if found:
            told.outcome = Outcome.MERGED if known_before else Outcome.UPDATED if person.changed else Outcome.UNCHANGED
        if person.changed:
            person.updated_at = self.stamp
        return told

    def root(self, household: int | None) -> int | None:
        """The household that this one is part of by now."""
        while household in self.joined:
            household = self.joined[household]
        return household

    def folded(self) -> list[tuple[int, int]]:
        """(kept, given up): members of the ledger that turned out to be another record of the same person."""
        pairs = []
        for lost in self._lost:
            kept = lost
            while kept in self._into:
                kept = self._into[kept]
            pairs.append((kept, lost))
        return pairs

    # ── finding ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _find(self, row: Ready) -> list[Person] | None:
        """The records of the person that the row means, oldest first: none if new, None where nobody can tell."""
        owner = self._by_key.get(row.external_id) if row.external_id else None
        here = {
            number: person for a in row.addresses if a.hash in self._at for number, person in self._at[a.hash].items()
        }
        if not here:
            return [owner] if owner is not None else []
        same = [
            person
            for _, person in sorted(here.items())
            if person is not owner and _keys_agree(person.external_id, row.external_id)
        ]
        if not row.name_key:
            nameless = [person for person in same if not person.name_key]
            if owner is not None:
                return [owner, *nameless]
            if len(same) > 1 and not (nameless == same and _one_key(same)):
                at_all = [p for p in same if all((a.channel, a.hash) in p.addresses for a in row.addresses)]
                return at_all if len(at_all) == 1 else None
            return same
        named = [person for person in same if person.name_key == row.name_key]
        if owner is not None:
            return [owner, *named]
        if not named and len(here) == 1 and same and not same[0].name_key:
            return same
        return named if _one_key(named) else named[:1]

    def _silence(self, row: Ready) -> None:
        """A refusal that cannot say whose it is silences the address for all who are there, unless it is known."""
        for address in row.addresses:
            place = (address.channel, address.hash)
            known = [e for p in self._at.get(address.hash, {}).values() for e in p.evidence.get(place, ())]
            for claim in address.claims:
                new = claim.state == REVOKED and not any(_same(earlier, claim) for earlier in known)
                if new and place not in self.suppressed:
                    self.suppressed.add(place)
                    self.refused[place] = claim

    # ── taking over ───────────────────────────────────────────────────────────────────────────────────────────────

    def _make(self, row: Ready) -> Person:
        person = Person(id=next(self.ids), created_at=self.stamp, joined_at=self.stamp, fresh=True)
        self.people[person.id] = person
        return person

    def _fill(self, person: Person, row: Ready) -> None:
        """Take over what the row says; what it leaves empty stays."""
        if row.name_key and (row.name_key != person.name_key or self._is_better_spelt(row, person)):
            person.name_key, person.first_name, person.last_name = row.name_key, row.first_name, row.last_name
            person.changed = True
        for name in ("locale", "country", "postcode", "place", "joined_at"):
            value = getattr(row, name)
            if value and value != getattr(person, name):
                setattr(person, name, value)
                person.changed = True
        zone = (row.zone, row.zone_source)
        known_better = ZONE_RANK[row.zone_source] < ZONE_RANK[person.zone_source]
        if row.zone and not known_better and zone != (person.zone, person.zone_source):
            person.zone, person.zone_source = zone
            person.changed = True
        if row.external_id and person.external_id is None:
            person.external_id = row.external_id
            self._by_key[row.external_id] = person
            person.changed = True
        for tag in row.tags:
            if tag not in person.tags:
                person.tags.add(tag)
                person.new_tags.append(tag)
                person.changed = True
        if row.attributes and not row.attributes.items() <= person.attributes.items():
            person.attributes = {**person.attributes, **row.attributes}
            person.changed = True

    def _is_better_spelt(self, row: Ready, person: Person) -> bool:
        """Of two spellings of one name: whether the row's is to be kept."""
        mine, theirs = (row.first_name, row.last_name), (person.first_name, person.last_name)
        return mine != theirs and (self._respell or _spelling(*mine) > _spelling(*theirs))

    def _fill_address(self, person: Person, address: ReadyAddress, row: Ready, told: Told) -> None:
        place = (address.channel, address.hash)
        known = person.addresses.get(place)
        if known is None:
            known = Known(next(self.ids), address.value, rank=address.rank, account=address.account, fresh=True)
            person.addresses[place] = known
            self._at.setdefault(address.hash, {})[person.id] = person
            person.changed = True
        elif row.ranked and known.rank != address.rank:
            known.rank = address.rank
            known.changed = person.changed = True
        if known.account != address.account:
            known.account = address.account
            known.changed = person.changed = True
        for claim in sorted(address.claims, key=_refusals_first) if len(address.claims) > 1 else address.claims:
            told.silenced += not self._weigh(person, known, place, claim)
        told.may_write |= known.consent == GRANTED and place not in self.suppressed
        told.own_word += address.needs_own_word and known.consent == UNCONFIRMED

    def _weigh(self, person: Person, known: Known, place: Place, claim: Claim) -> bool:
        """Let one piece of evidence change the consent for one address; False where an earlier no stands against it."""
        before = person.evidence.get(place, ())
        if claim.state == GRANTED:
            if known.consent == REVOKED or place in self.suppressed:
                if known.consent == NONE:
                    self._record(person, known, place, UNCONFIRMED, None)
                return False
        elif claim.state == REVOKED:
            if known.consent == GRANTED and any(_younger(e, claim) for e in before if e.state == GRANTED):
                return True
        elif known.consent != NONE:
            return True
        if not before or not any(_same(earlier, claim) for earlier in before):
            self._record(person, known, place, claim.state, claim)
        elif known.consent != claim.state:
            self._record(person, known, place, claim.state, None)
        return True

    def _record(self, person: Person, known: Known, place: Place, state: str, claim: Claim | None) -> None:
        person.changed = True
        if known.consent != state:
            known.consent = state
            known.changed = True
        if claim is not None:
            person.evidence.setdefault(place, []).append(claim)
            person.new_evidence.append((place, claim))

    # ── one person, several records; several people, one address ──────────────────────────────────────────────────

    def _fold(self, kept: Person, lost: Person) -> None:
        """Two records turn out to be one person."""
        for place, address in lost.addresses.items():
            mine = kept.addresses.get(place)
            if mine is None:
                kept.addresses[place] = address
            else:
                if _CONSENT_RANK[address.consent] > _CONSENT_RANK[mine.consent]:
                    mine.consent = address.consent
                    mine.changed = True
                if mine.fresh and not address.fresh:  # the ledger's row stays, and becomes `kept`'s
                    mine.id, mine.fresh, mine.changed = address.id, False, True
            self._at[place[1]].pop(lost.id, None)
            self._at[place[1]][kept.id] = kept
        for place, claims in lost.evidence.items():
            kept.evidence.setdefault(place, []).extend(claims)
        kept.new_evidence += lost.new_evidence
        stored = (kept.tags - set(kept.new_tags)) | (lost.tags - set(lost.new_tags))
        kept.new_tags = [tag for tag in dict.fromkeys(kept.new_tags + lost.new_tags) if tag not in stored]
        kept.tags |= lost.tags
        for name in ("first_name", "last_name", "name_key", "locale", "country", "postcode", "place"):
            if not getattr(kept, name):
                setattr(kept, name, getattr(lost, name))
        if ZONE_RANK[lost.zone_source] > ZONE_RANK[kept.zone_source]:
            kept.zone, kept.zone_source = lost.zone, lost.zone_source
        kept.attributes = {**lost.attributes, **kept.attributes}
        kept.joined_at = min(kept.joined_at, lost.joined_at)
        kept.created_at = min(kept.created_at, lost.created_at)
        if lost.external_id:
            kept.external_id = kept.external_id or lost.external_id
            self._by_key[lost.external_id] = kept
        if lost.household_id is not None:
            self._share([kept, lost])
        kept.changed = True
        del self.people[lost.id]
        self.records_joined += 1
        self._into[lost.id] = kept.id
        if not lost.fresh:
            self._lost.append(lost.id)

    def _house(self, row: Ready) -> None:
        for address in row.addresses:
            here = self._at.get(address.hash, {})
            if len(here) > 1:
                self._share(here.values())

    def _share(self, people: Iterable[Person]) -> None:
        """Put people into one household; households that meet become one."""
        people = sorted(people, key=lambda person: person.id)
        old = sorted({house for person in people if (house := self.root(person.household_id)) is not None})
        if old:
            house = old[0]
            self.joined.update(dict.fromkeys(old[1:], house))
        else:
            house = next(self.ids)
            self.households += 1
        for person in people:
            if person.household_id != house:
                person.household_id = house
                person.moved = True


def _spelling(first: str, last: str) -> tuple[bool, int]:
    """How well a name is spelt: ``Zoë Lee`` goes before ``Zoe Lee``, and that before ``ZOE LEE``."""
    name = f"{first} {last}"
    return not (name.isupper() or name.islower()), sum(not c.isascii() for c in name)


def _keys_agree(one: str | None, other: str | None) -> bool:
    return one is None or other is None or one == other


def _one_key(people: Iterable[Person]) -> bool:
    return len({person.external_id for person in people} - {None}) <= 1


def _refusals_first(claim: Claim) -> bool:
    return claim.state != REVOKED


def _younger(earlier: Claim, claim: Claim) -> bool:
    """Whether what was said before was said later; without dates the latest news counts."""
    return earlier.at is not None and claim.at is not None and earlier.at > claim.at


def _same(earlier: Claim, claim: Claim) -> bool:
    """Whether a claim adds nothing to this earlier one: what it leaves open (date, source, wording) is no news."""
    return (
        earlier.state == claim.state
        and earlier.basis == claim.basis
        and (claim.unnamed or earlier.source == claim.source)
        and (not claim.wording or earlier.wording == claim.wording)
        and (claim.at is None or earlier.at == claim.at)
    )
