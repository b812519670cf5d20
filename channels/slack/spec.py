"""What the router knows of the slack channel before it is set up."""

from __future__ import annotations

from router.core.channel import ChannelSpec, Idempotency, Setting


def place(address: str) -> tuple[str, str]:
    """What kind of place an address is: a channel takes about one message a second, a conversation too (FACTS.md 1.4).

    A thread counts as its channel.
    """
    channel = address.partition("/")[0]
    return ("chat" if channel.startswith(("U", "W", "D")) else "group", channel)


SPEC = ChannelSpec(
    name="slack",
    address_kind="slack",
    max_length=3000,  # of one text object: https://docs.slack.dev/reference/block-kit/composition-objects/text-object
    receipts=False,
    inbound=True,
    idempotency=Idempotency.NONE,
    groups=True,
    media=True,
    buttons=5,
    bound=True,
    answer_within=3.0,  # https://docs.slack.dev/interactivity/handling-user-interaction#acknowledgment_response
    limit_key=place,
    settings=(
        Setting(name="bot_token", help="Bot User OAuth Token, begins with xoxb-", secret=True),
        Setting(
            name="signing_secret",
            help="Signing Secret, which signs Slack's webhooks; needed unless listen is yes",
            secret=True,
            required=False,
        ),
        Setting(
            name="app_token",
            help="App-Level Token with connections:write, begins with xapp-; needed where listen is yes",
            secret=True,
            required=False,
        ),
        Setting(
            name="listen", help="yes to fetch events over Socket Mode, without webhooks", required=False, default="no"
        ),
        Setting(name="team_id", help="Workspace, begins with T: webhooks of others are refused", required=False),
        Setting(name="api_url", help="Address of the API", required=False, default="https://slack.com/api"),
    ),
)
