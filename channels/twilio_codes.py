"""What Twilio's numbers and words mean: error codes, message statuses, opt-out words. Data for every Twilio channel."""

from __future__ import annotations

from collections.abc import Mapping

from router.core.channel import Keyword
from router.core.errors import FailureClass
from router.core.model import DeliveryStatus

CODES: Mapping[str, FailureClass] = {
    # https://www.twilio.com/docs/api/errors; the classes are those of FACTS.md 1.7.
    # Met when sending:
    "20003": FailureClass.SENDER_CONFIG,  # authentication failed
    "20404": FailureClass.SENDER_CONFIG,  # no such account
    "20429": FailureClass.RATE,  # too many requests; never processed
    "21211": FailureClass.ADDRESS_DEAD,  # invalid 'To' number
    "21408": FailureClass.SENDER_CONFIG,  # this region is not enabled
    "21606": FailureClass.SENDER_CONFIG,  # 'From' cannot send there
    "21610": FailureClass.OPT_OUT,  # the recipient replied STOP
    "21611": FailureClass.RATE,  # the queue of this 'From' is full
    "21612": FailureClass.RECIPIENT_TRANSIENT,  # no route from this 'From' to this 'To'
    "21614": FailureClass.ADDRESS_DEAD,  # not a mobile number
    "21617": FailureClass.CONTENT,  # body over 1,600 characters
    "21620": FailureClass.CONTENT,  # invalid address of a picture
    "21655": FailureClass.TEMPLATE,  # no such ContentSid in this account
    "21656": FailureClass.TEMPLATE,  # ContentVariables are no JSON, or one of them is empty
    "21703": FailureClass.SENDER_CONFIG,  # Messaging Service without senders
    "21704": FailureClass.SENDER_CONFIG,  # Messaging Service without a fitting sender
    "21705": FailureClass.SENDER_CONFIG,  # Messaging Service is invalid
    "21910": FailureClass.SENDER_CONFIG,  # 'From' and 'To' are of different channels
    # Met in status callbacks:
    "30001": FailureClass.RATE,  # queue overflow
    "30002": FailureClass.SENDER_CONFIG,  # account suspended
    "30003": FailureClass.RECIPIENT_TRANSIENT,  # handset unreachable
    "30004": FailureClass.CONTENT,  # message blocked
    "30005": FailureClass.ADDRESS_DEAD,  # unknown handset
    "30006": FailureClass.ADDRESS_DEAD,  # landline or unreachable carrier
    "30007": FailureClass.CONTENT,  # filtered as spam
    "30008": FailureClass.RECIPIENT_TRANSIENT,  # unknown error at the carrier
    "30017": FailureClass.RECIPIENT_TRANSIENT,  # carrier network congestion
    "30019": FailureClass.CONTENT,  # larger than the carrier takes
    "30022": FailureClass.RATE,  # US A2P 10DLC rate limit
    "30023": FailureClass.DAILY_CAP,  # US A2P 10DLC daily cap
    "30024": FailureClass.SENDER_CONFIG,  # number not provisioned by the carrier
    "30027": FailureClass.DAILY_CAP,  # T-Mobile daily cap, until midnight Pacific
    "30032": FailureClass.SENDER_CONFIG,  # toll-free number not verified
    "30034": FailureClass.SENDER_CONFIG,  # number without A2P registration
    "30036": FailureClass.EXPIRED,  # validity period ran out
    "30410": FailureClass.RECIPIENT_TRANSIENT,  # provider time-out
    # WhatsApp's, in status callbacks: https://www.twilio.com/docs/whatsapp/api/error-code-mapping
    "63001": FailureClass.SENDER_CONFIG,  # the channel could not authenticate us
    "63002": FailureClass.SENDER_CONFIG,  # the channel does not know 'From'
    "63003": FailureClass.ADDRESS_DEAD,  # the channel does not know 'To': no WhatsApp there
    "63005": FailureClass.CONTENT,  # the channel does not accept this content
    "63007": FailureClass.SENDER_CONFIG,  # no channel with this 'From' in the account
    "63008": FailureClass.SENDER_CONFIG,  # the channel is misconfigured
    "63010": FailureClass.RECIPIENT_TRANSIENT,  # internal error at Twilio
    "63012": FailureClass.RECIPIENT_TRANSIENT,  # internal error at WhatsApp
    "63013": FailureClass.CONTENT,  # against WhatsApp's policy
    "63014": FailureClass.OPT_OUT,  # the user blocked us
    "63015": FailureClass.SENDER_CONFIG,  # Twilio's WhatsApp sandbox reaches only who joined it
    "63016": FailureClass.TEMPLATE,  # free text outside of the 24 h window
    "63017": FailureClass.RATE,  # over 2,000 messages/s of all accounts
    "63018": FailureClass.RATE,  # over the sender's rate
    "63019": FailureClass.CONTENT,  # the picture could not be fetched
    "63020": FailureClass.SENDER_CONFIG,  # error in the Meta Business Manager account
    "63021": FailureClass.CONTENT,  # invalid content
    "63022": FailureClass.SENDER_CONFIG,  # invalid certificate of the sender's name
    "63023": FailureClass.RECIPIENT_TRANSIENT,  # generic error of the channel
    "63024": FailureClass.ADDRESS_DEAD,  # invalid recipient
    "63026": FailureClass.CONTENT,  # data does not fit together
    "63027": FailureClass.TEMPLATE,  # no such template in that language
    "63028": FailureClass.TEMPLATE,  # not as many variables as the template has
    "63029": FailureClass.TEMPLATE,  # the receiver could not load the template
    "63032": FailureClass.WA_MARKETING,  # a limitation of WhatsApp: the user is part of an experiment
    "63033": FailureClass.OPT_OUT,  # the recipient is blocked
    "63038": FailureClass.DAILY_CAP,  # daily limit of messages
    "63041": FailureClass.TEMPLATE,  # template paused
    "63042": FailureClass.TEMPLATE,  # template disabled
    "63049": FailureClass.WA_MARKETING,  # Meta chose not to deliver marketing to this user; always so in the US
}

STATUSES: Mapping[str, DeliveryStatus] = {
    # https://www.twilio.com/docs/messaging/guides/outbound-message-status-in-status-callbacks
    # queued, accepted, scheduled and sending say no more than the answer to our request did: no event.
    "sent": DeliveryStatus.SENT,
    "delivered": DeliveryStatus.DELIVERED,
    "read": DeliveryStatus.READ,
    "undelivered": DeliveryStatus.FAILED,
    "failed": DeliveryStatus.FAILED,
}

OPT_OUT_TYPES: Mapping[str, Keyword] = {"STOP": Keyword.STOP, "START": Keyword.START, "HELP": Keyword.HELP}
"""https://www.twilio.com/docs/messaging/tutorials/advanced-opt-out"""

ANSWERED_WORDS = frozenset(
    {"STOP", "STOPALL", "UNSUBSCRIBE", "END", "QUIT", "CANCEL", "REVOKE", "OPTOUT"}
    | {"START", "UNSTOP", "HELP", "INFO"}
)
"""What Twilio's default opt-out handling of SMS answers itself (FACTS.md 2.1). Only a body of this one word counts.

YES, which it also takes for START after a STOP, is left out: as the answer to an ask it deserves ours.
"""
