"""What columns and cells mean."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from router.core.errors import BadInput
from router.records.columns import column_rules, fold, packaged_rules, plan_columns
from router.records.dates import DateOrder, day_order, parse_moment
from router.records.ready import Reading, is_american, name_key, prepare
from router.records.record import MemberRecord
from router.records.rows import RowReader
from tests.records.ledger import KEY, NOW

RULES = packaged_rules()


def read(header: str, row: str, **how: Any) -> tuple[MemberRecord, list[tuple[str, str]]]:
    problems: list[tuple[str, str]] = []
    reader = RowReader(plan=plan_columns(RULES, header.split(","), **how), rules=RULES, order="mdy", now=NOW)
    record = reader.read(row.split(","), lambda column, sentence: problems.append((column, sentence)))
    assert record is not None
    return record, problems


@pytest.mark.parametrize(
    ("header", "field"),
    [
        ("mobile", "phone"), ("cell", "phone"), ("Phone Number", "phone"), ("PHONE_NUMBER", "phone"),
        ("Handynummer", "phone"), ("Téléphone", "phone"), ("TELEFONO", "phone"), ("电话", "phone"),
        ("  Tel. No. ", "phone"), ("E-mail", "email"), ("e mail", "email"), ("Email Address", "email"),
        ("Courriel", "email"), ("correo electronico", "email"), ("First Name", "first_name"),
        ("Vorname", "first_name"), ("Surname", "last_name"), ("Apellidos", "last_name"),
        ("ZIP/Postal Code", "postcode"), ("PLZ", "postcode"), ("City", "place"), ("Time-Zone", "zone"),
        ("Tags", "tags"), ("SMS Opt-In", "sms_consent"), ("email_opt_in", "email_consent"),
        ("Consent Date", "consent_date"), ("Preferred Channel", "channel_order"), ("Member since", "joined_at"),
        ("Favourite colour", "attribute Favourite colour"),
    ],
)  # fmt: skip
def test_a_header_is_known_whatever_its_case_spaces_and_punctuation(header: str, field: str) -> None:
    assert plan_columns(RULES, [header, "external_id"]).meanings()[header.strip()] == field


@pytest.mark.parametrize(
    ("header", "profile", "meanings"),
    [
        (
            "Email Address,First Name,OPTIN_TIME,CONFIRM_TIME,LAST_CHANGED,MEMBER_RATING,CC,TIMEZONE,TAGS,LEID",
            "mailchimp",
            {"OPTIN_TIME": "email_consent", "CC": "country", "TAGS": "tags", "TIMEZONE": "zone"},
        ),
        (
            "email,first_name,zip_code,can2_phone,can2_user_tags,can2_subscription_status,can2_sms_status,uuid",
            "action_network",
            {"can2_phone": "phone", "can2_sms_status": "sms_consent", "uuid": "external_id"},
        ),
        (
            "nationbuilder_id,first_name,email1,mobile_number,tag_list,email_opt_in,primary_zip,is_mobile_bad",
            "nationbuilder",
            {"nationbuilder_id": "external_id", "mobile_number": "phone", "is_mobile_bad": "phone_dead"},
        ),
        ("email,first_name", "", {"email": "email"}),
    ],
)
def test_the_exports_of_other_tools_are_recognised(header: str, profile: str, meanings: dict[str, str]) -> None:
    plan = plan_columns(RULES, header.split(","))
    assert plan.profile == profile
    assert meanings.items() <= plan.meanings().items()


def test_a_profile_and_a_mapping_can_be_given() -> None:
    header = ["email", "Handle", "can2_phone"]
    assert plan_columns(RULES, header, profile="none").meanings()["can2_phone"] == "attribute can2_phone"
    plan = plan_columns(RULES, header, mapping={"handle": "first_name", "can2_phone": "ignore"})
    assert plan.meanings() == {"email": "email", "Handle": "first_name"}
    for how in ({"profile": "hal"}, {"mapping": {"Handle": "shoe_size"}}, {"mapping": {"Nowhere": "email"}}):
        with pytest.raises(BadInput, match=r"there is no|has no column"):
            plan_columns(RULES, header, **how)  # type: ignore[arg-type]


def test_no_header_row_and_no_address_column_get_a_sentence() -> None:
    with pytest.raises(BadInput, match="no header row"):
        plan_columns(RULES, ["Ann", "Lee", "ann@example.org"])
    with pytest.raises(BadInput, match="no header row"):
        plan_columns(RULES, ["Ann", "(202) 555-0123"])
    with pytest.raises(BadInput, match="no column holds a phone number or mailbox; the columns are first, colour"):
        plan_columns(RULES, ["first", "colour"])


def test_at_most_fifty_free_attributes() -> None:
    plan = plan_columns(RULES, ["email", *(f"extra {n}" for n in range(60))])
    assert len(plan.attributes) == 50
    assert "10 further columns were left out: extra 50," in plan.notes[0]


def test_one_header_stands_for_one_field() -> None:
    document = {"words": {}, "countries": {}, "languages": {}, "suppress": {}, "profiles": {}}
    with pytest.raises(BadInput, match="mail stands for both a and b"):
        column_rules({**document, "fields": {"a": ["mail"], "b": ["MAIL"]}})
    with pytest.raises(BadInput, match="missing"):
        column_rules(document)


def test_fields_of_a_row() -> None:
    record, problems = read(
        "Full name,Cell,E-mail,Country,Language,Tags,Zip,Union local,preferred_channel,member since",
        "Lee  Ann Marie,2025550123,ann@example.org,United States,Español,Tenant; North|north,10001,Local 12,"
        "WhatsApp/SMS,1/31/2020",
    )
    assert problems == []
    assert (record.first_name, record.last_name) == ("Lee", "Ann Marie")
    assert (record.country, record.locale, record.postcode) == ("US", "es", "10001")
    assert record.tags == ["Tenant", "North", "north"]
    assert record.attributes == {"Union local": "Local 12"}
    assert record.channel_order == ["whatsapp", "sms"]
    assert record.joined_at == datetime(2020, 1, 31, tzinfo=UTC)


def test_of_two_columns_for_one_field_the_better_is_taken() -> None:
    assert read("home_phone,mobile", "2025550111,2025550123")[0].phone == "2025550123"
    assert read("home_phone,mobile", "2025550111,")[0].phone == "2025550111"


@pytest.mark.parametrize(
    ("header", "row", "expected"),
    [
        ("phone,email,consent", "1,e,yes", {"sms": "granted", "email": "granted"}),
        ("phone,email,consent", "1,e,Nein", {"sms": "revoked", "email": "revoked"}),
        ("phone,email,consent", "1,e,", {}),
        ("phone,email,consent", "1,e,pending", {}),
        ("phone,email,consent", "1,e,2024-05-01", {"sms": "granted", "email": "granted"}),
        ("phone,email,sms_consent", "1,e,oui", {"sms": "granted"}),
        ("phone,email,sms_consent", "1,e,Subscribed", {"sms": "granted"}),
        ("phone,email,sms_consent,email_opt_in", "1,e,x,0", {"sms": "granted", "email": "revoked"}),
        ("phone,email,consent,email_opt_in", "1,e,yes,no", {"sms": "granted", "email": "revoked"}),
        ("phone,email,consent,consent_channel", "1,e,yes,email", {"email": "granted"}),
        ("phone,email,consent_date,consent_channel", "1,e,2024-01-01,sms", {"sms": "granted"}),
        ("phone,email,consent_date", "1,e,2024-01-01", {}),
        ("phone,email,whatsapp opt-in", "1,e,ja", {"whatsapp": "granted"}),
        ("phone,email,sms_consent", ",e,yes", {}),
        ("phone,email,unsubscribed", "1,e,true", {"sms": "revoked", "email": "revoked"}),
        ("phone,email,unsubscribed_at,consent", "1,e,2024-01-01,yes", {"sms": "revoked", "email": "revoked"}),
        ("phone,email,unsubscribed,consent", "1,e,no,yes", {"sms": "granted", "email": "granted"}),
        ("phone,email,do_not_text,consent", "1,e,yes,yes", {"sms": "revoked", "email": "granted"}),
        ("phone,email,email_status", "1,e,Unsubscribed", {"email": "revoked"}),
        ("phone,email,email_status", "1,e,cleaned", {"email": "revoked"}),
        ("phone,email,email_status", "1,e,never subscribed", {}),
    ],
)
def test_consent_columns(header: str, row: str, expected: dict[str, str]) -> None:
    record, problems = read(header, row)
    assert {consent.channel: consent.state for consent in record.consents} == expected
    assert problems == []


def test_evidence_of_consent() -> None:
    record, _ = read(
        "phone,email,consent,sms_consent_date,consent_date,consent_source,consent_wording",
        "1,e,yes,2024-02-02,3/4/2024,Picnic form,I agree to texts and mail",
    )
    sms, email = record.consents
    assert (sms.at, email.at) == (datetime(2024, 2, 2, tzinfo=UTC), datetime(2024, 3, 4, tzinfo=UTC))
    assert {(c.source, c.wording) for c in record.consents} == {("Picnic form", "I agree to texts and mail")}


@pytest.mark.parametrize(
    ("header", "row", "column", "sentence"),
    [
        ("email,Consent", "e,perhaps", "Consent", "neither yes, no nor a date"),
        ("email,consent", "e,2031-01-01", "consent", "lies in the future"),
        ("email,Consent Date,consent", "e,99/99/2024,yes", "Consent Date", "is no date"),
        ("email,Country", "e,Atlantis", "Country", "is not known"),
        ("email,language", "e,12", "language", "is no language"),
        ("email,first_name", "e," + "x" * 201, "first_name", "longer than 200"),
        ("email,note", "e," + "x" * 2001, "note", "longer than 2,000"),
        ("email,first_name", "e,Ren\ufffd", "first_name", "not in this encoding"),
        ("phone,email,bad_phone", "1,e,yes", "phone", "does not work any more"),
    ],
)
def test_a_cell_that_cannot_be_used_is_left_out_and_named(header: str, row: str, column: str, sentence: str) -> None:
    record, problems = read(header, row)
    assert record.email == "e"
    assert [(c, sentence in s) for c, s in problems] == [(column, True)]


@pytest.mark.parametrize(
    ("text", "order", "expected"),
    [
        ("2024-03-05", "mdy", (2024, 3, 5)),
        ("2024-03-05 06:07:08", "mdy", (2024, 3, 5, 6, 7, 8)),
        ("2024-03-05T06:07:08Z", "mdy", (2024, 3, 5, 6, 7, 8)),
        ("2024-03-05 06:07:08 UTC", "mdy", (2024, 3, 5, 6, 7, 8)),
        ("2024-03-05T06:07:08+02:00", "mdy", (2024, 3, 5, 4, 7, 8)),
        ("2024-03-05 06:07:08 -0500", "mdy", (2024, 3, 5, 11, 7, 8)),
        ("3/5/2024", "mdy", (2024, 3, 5)),
        ("3/5/2024", "dmy", (2024, 5, 3)),
        ("25/12/2024", "mdy", (2024, 12, 25)),
        ("12/25/2024", "dmy", (2024, 12, 25)),
        ("5.3.2024", "mdy", (2024, 3, 5)),
        ("5.3.24", "dmy", (2024, 3, 5)),
        ("2024/3/5", "dmy", (2024, 3, 5)),
        ("3/5/2024 1:30 PM", "mdy", (2024, 3, 5, 13, 30)),
        ("Mar 5, 2024", "dmy", (2024, 3, 5)),
        ("5 March 2024", "mdy", (2024, 3, 5)),
        ("Tue, 5 Mar 2024 06:07:08 GMT", "mdy", (2024, 3, 5, 6, 7, 8)),
    ],
)
def test_dates(text: str, order: DateOrder, expected: tuple[int, ...]) -> None:
    assert parse_moment(text, order) == datetime(*expected, tzinfo=UTC)  # type: ignore[misc, arg-type]


@pytest.mark.parametrize("text", ["soon", "31/31/2024", "2024-02-30", "1/2", "5 Foo 2024", "2024-03-05 tea", "45000"])
def test_what_is_no_date(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 any sentence will do, the caller has its own
        parse_moment(text, "dmy")


def test_the_order_of_dates_follows_the_country() -> None:
    assert (day_order("US"), day_order("GB")) == ("mdy", "dmy")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (("Ann", "Lee"), ("ANN", "lee "), True),
        (("Ann Lee", ""), ("Ann", "Lee"), True),
        (("José", "Peña"), ("Jose", "Pena"), True),
        (("Seán", "O'Brien"), ("Sean", "O’Brien"), True),
        (("Mary-Jane", "Watson"), ("Mary Jane", "Watson"), True),
        (("Straße", ""), ("STRASSE", ""), True),
        (("Ann", "Lee"), ("Anne", "Lee"), False),
        (("李", "明"), ("李", "强"), False),
        (("Ann", "Lee"), ("Ann", ""), False),
    ],
)
def test_folded_names(one: tuple[str, str], other: tuple[str, str], same: bool) -> None:
    assert (name_key(*one) == name_key(*other)) is same


@pytest.mark.parametrize("name", ["李明", "Олена", "أحمد", "राम", "!!!"])
def test_names_of_every_script_have_a_key(name: str) -> None:
    assert bool(name_key(name, "")) is (name != "!!!")


@pytest.mark.parametrize(
    ("phone", "country", "american"),
    [
        ("+12025550123", "", True),
        ("+12025550123", "CA", True),
        ("+14165550123", "", False),
        ("+14165550123", "US", True),
        ("+17875550123", "", True),
        ("+18005550123", "", True),
        ("+447700900123", "US", False),
    ],
)
def test_which_numbers_us_rules_on_texting_cover(phone: str, country: str, american: bool) -> None:
    assert is_american(phone, country) is american


def test_the_short_cut_for_american_numbers_reads_what_the_parser_reads() -> None:
    told: list[tuple[str, str]] = []
    reading = Reading(key=KEY, region="US", source="test")
    for raw in ("(202) 555-0123", "202-555-0123", "2025550123", "+1 202 555 0123", "1.202.555.0123", "202 555 0123"):
        ready = prepare(MemberRecord(phone=raw), reading, lambda *problem: told.append(problem))
        assert [a.value for a in ready.addresses] == ["+12025550123"]
    german = prepare(MemberRecord(phone="2025550123", country="DE"), reading, lambda *problem: told.append(problem))
    assert [a.value for a in german.addresses] == ["+492025550123"]
    assert told == []


def test_fold() -> None:
    assert fold("  É-Mail_Addresse (1) ") == "emailaddresse1"
