"""Slack's error codes → failure class. Slack answers most of its refusals with HTTP 200 and ``"ok": false``.

https://docs.slack.dev/reference/methods/chat.postMessage and https://docs.slack.dev/reference/methods/chat.update,
under "Errors"; the classes are those of FACTS.md 1.7.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime

from channels.http import failure_of, json_object
from router.core.channel import HttpReply
from router.core.errors import FailureClass, NotSent, OutcomeUnknown, SendError

CODES: Mapping[str, FailureClass] = {
    # This person or channel cannot be written to:
    "channel_not_found": FailureClass.ADDRESS_DEAD,
    "user_not_found": FailureClass.ADDRESS_DEAD,
    "user_not_visible": FailureClass.ADDRESS_DEAD,
    "user_disabled": FailureClass.ADDRESS_DEAD,
    "cannot_dm_bot": FailureClass.ADDRESS_DEAD,
    "not_in_channel": FailureClass.ADDRESS_DEAD,  # until somebody invites us
    "is_archived": FailureClass.ADDRESS_DEAD,
    "is_inactive": FailureClass.ADDRESS_DEAD,  # frozen, archived or deleted
    "restricted_action_read_only_channel": FailureClass.ADDRESS_DEAD,
    "restricted_action_thread_only_channel": FailureClass.ADDRESS_DEAD,
    "restricted_action_non_threadable_channel": FailureClass.ADDRESS_DEAD,
    "restricted_action_thread_locked": FailureClass.ADDRESS_DEAD,
    "cannot_reply_to_message": FailureClass.ADDRESS_DEAD,  # a thread that takes no answers
    # Too fast:
    "ratelimited": FailureClass.RATE,  # HTTP 429 with Retry-After
    "rate_limited": FailureClass.RATE,  # "Application has posted too many messages"
    "message_limit_exceeded": FailureClass.RATE,  # "Members on this team are sending too many messages"
    # This body will never pass:
    "msg_too_long": FailureClass.CONTENT,
    "msg_blocks_too_long": FailureClass.CONTENT,
    "no_text": FailureClass.CONTENT,
    "invalid_blocks": FailureClass.CONTENT,  # also a picture that Slack could not fetch
    "invalid_blocks_format": FailureClass.CONTENT,
    "invalid_arguments": FailureClass.CONTENT,  # "more likely when using complex arguments like blocks"
    "block_mismatch": FailureClass.CONTENT,
    "metadata_too_large": FailureClass.CONTENT,
    "invalid_metadata_format": FailureClass.CONTENT,
    "invalid_metadata_schema": FailureClass.CONTENT,
    # Our app, token or workspace is at fault:
    "not_authed": FailureClass.SENDER_CONFIG,
    "invalid_auth": FailureClass.SENDER_CONFIG,
    # "Authentication token is for a deleted user or workspace": ours, not the recipient's. A message to a deactivated
    # member is accepted, without an error (slackapi/python-slack-sdk issue 1156).
    "account_inactive": FailureClass.SENDER_CONFIG,
    "token_revoked": FailureClass.SENDER_CONFIG,
    "token_expired": FailureClass.SENDER_CONFIG,
    "missing_scope": FailureClass.SENDER_CONFIG,
    "no_permission": FailureClass.SENDER_CONFIG,
    "not_allowed_token_type": FailureClass.SENDER_CONFIG,
    "restricted_action": FailureClass.SENDER_CONFIG,  # a preference of the workspace forbids us to post
    "messages_tab_disabled": FailureClass.SENDER_CONFIG,  # our app's own Messages tab is switched off
    "ekm_access_denied": FailureClass.SENDER_CONFIG,
    "access_denied": FailureClass.SENDER_CONFIG,
    "accesslimited": FailureClass.SENDER_CONFIG,
    "enterprise_is_restricted": FailureClass.SENDER_CONFIG,
    "team_access_not_granted": FailureClass.SENDER_CONFIG,
    "team_not_found": FailureClass.SENDER_CONFIG,
    "two_factor_setup_required": FailureClass.SENDER_CONFIG,
    "metadata_must_be_sent_from_app": FailureClass.SENDER_CONFIG,
    "method_deprecated": FailureClass.SENDER_CONFIG,
    "deprecated_endpoint": FailureClass.SENDER_CONFIG,
    "link_disabled": FailureClass.SENDER_CONFIG,  # Socket Mode is switched off
    # Met when editing; the address is as good as before:
    "message_not_found": FailureClass.EXPIRED,
    "edit_window_closed": FailureClass.EXPIRED,
    "cant_update_message": FailureClass.EXPIRED,
}

IN_A_CHANNEL: Mapping[str, FailureClass] = {
    # "A workspace preference prevents the authenticated user from posting": there it says who may post in this one
    # channel (slack-samples/javascript-announcement-bot issue 6, dblock/slack-strava issue 81).
    "restricted_action": FailureClass.ADDRESS_DEAD,
}
"""What a code means where we wrote to a channel, not to a person."""

NOT_NOW = frozenset({"team_added_to_org", "org_login_required", "external_channel_migrating", "request_timeout"})
"""Refused for the moment: a workspace or channel on the move, a request that did not arrive whole."""

PERHAPS = frozenset({"fatal_error", "internal_error", "service_unavailable", "update_failed"})
""" "It's possible some aspect of the operation succeeded before the error was raised." """

_CODE = re.compile(r"[a-z][a-z0-9_]{0,59}")


def failure(reply: HttpReply, now: datetime, *, to: str = "") -> SendError:
    """What an answer other than success means, to a message that went to this person or channel."""
    said = json_object(reply.body).get("error")
    code = said if isinstance(said, str) and _CODE.fullmatch(said) else ""
    if code in NOT_NOW:
        return NotSent(FailureClass.TRANSPORT, code)
    if code in PERHAPS:
        return OutcomeUnknown(code)
    known = (IN_A_CHANNEL.get(code) if to.startswith(("C", "G")) else None) or CODES.get(code)
    if known is None and code and reply.status == 200:
        known = FailureClass.UNKNOWN
    return failure_of(reply, known, code, now)
