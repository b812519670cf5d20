"""What Twilio does not take, and what WhatsApp does not deliver. https://www.twilio.com/docs/api/errors"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from channels.sandbox.httpd import Reply, json_reply
from channels.sandbox.phones import WHATSAPP, is_phone
from channels.sandbox.twilio_content import MARKETING, Content, Contents

ERRORS = {
    20003: (401, "Authenticate"),
    20404: (404, "The requested resource was not found"),
    20429: (429, "Too Many Requests"),
    20500: (500, "An internal server error has occurred"),
    21211: (400, "Invalid 'To' Phone Number"),
    21602: (400, "Message body is required."),
    21603: (400, "A 'From' phone number is required."),
    21604: (400, "A 'To' phone number is required."),
    21609: (400, "The 'StatusCallback' URL is not a valid URL."),
    21610: (400, "Attempt to send to unsubscribed recipient"),
    21617: (400, "The concatenated message body exceeds the 1600 character limit"),
    21620: (400, "Invalid media URL(s)"),
    21624: (400, "The ValidityPeriod must be from 1 to 36000 seconds."),
    21655: (400, "The ContentSid is Invalid"),
    21656: (400, "The Content Variables Parameter is invalid"),
    21910: (400, "Invalid From and To pair. From and To should be of the same channel"),
}
"""Code: HTTP status and sentence, as Twilio has them."""
MAX_BODY = 1600
MAX_VALIDITY = 36_000
NO_MARKETING = "whatsapp:+1"


def twilio_error(code: int, **more: Any) -> Reply:
    """An error in Twilio's shape. A code that is not in the table is a plain 400."""
    status, message = ERRORS.get(code, (400, "The request was refused"))
    more_info = f"https://www.twilio.com/docs/errors/{code}"
    return json_reply({"code": code, "message": message, "more_info": more_info, "status": status}, status, **more)


def fault_of(form: Mapping[str, str], contents: Contents) -> int:
    """The error code of a message that Twilio would not take, or 0."""
    to, sender = form.get("To", ""), form.get("From", "")
    if not is_phone(to.removeprefix(WHATSAPP)):
        return 21211 if to else 21604
    if not (sender or form.get("MessagingServiceSid")):
        return 21603
    if sender and sender.startswith(WHATSAPP) != to.startswith(WHATSAPP):
        return 21910
    code = _content_fault(form, contents) if "ContentSid" in form else _body_fault(form)
    if code:
        return code
    validity = form.get("ValidityPeriod")
    if validity is not None and not (validity.isascii() and validity.isdigit() and 1 <= int(validity) <= MAX_VALIDITY):
        return 21624
    callback = form.get("StatusCallback")
    return 21609 if callback and not callback.startswith(("http://", "https://")) else 0


def _body_fault(form: Mapping[str, str]) -> int:
    body, media = form.get("Body", ""), form.get("MediaUrl")
    if not body and not media:
        return 21602
    if media is not None and not media.startswith(("http://", "https://")):
        return 21620
    # Twilio counts UTF-16 units; where every one is a character there is nothing to convert.
    too_long = len(body) > MAX_BODY or (not body.isascii() and len(body.encode("utf-16-le")) // 2 > MAX_BODY)
    return 21617 if too_long else 0


def _content_fault(form: Mapping[str, str], contents: Contents) -> int:
    if contents.get(form["ContentSid"]) is None:
        return 21655
    return 21656 if variables_of(form) is None else 0


def variables_of(form: Mapping[str, str]) -> dict[str, str] | None:
    """What fills a template's holes; None where it is no JSON object, or something in it is empty."""
    try:
        values = json.loads(form.get("ContentVariables", "{}"))
    except ValueError:
        return None
    if not isinstance(values, dict) or not all(isinstance(value, str) and value for value in values.values()):
        return None
    return values


def whatsapp_fault(to: str, template: Content | None, *, filled: bool, in_window: bool) -> int:
    """Why WhatsApp does not deliver an accepted message, or 0."""
    if template is not None and not filled:
        return 63028
    if template is not None and template.category == MARKETING and to.startswith(NO_MARKETING):
        return 63049
    return 0 if in_window or (template is not None and template.category) else 63016
