"""Posts to group chats on services that we have no channel of our own for, over the apprise library.

spec.py      what the router knows of the channel
adapter.py   the channel

https://github.com/caronc/apprise knows over a hundred (Discord, Matrix, Mattermost, ntfy …), each under an address of
its own kind that holds its secrets: ``discord://ID/TOKEN``. Only groups are written to, never single people, because
so little comes back:

- The library says yes or no. A no may be a refusal, an unreachable server or an answer that came too late, after the
  post was taken; so every no is `OutcomeUnknown`, and nothing is ever posted twice.
- Nobody can answer there, there are no receipts, and our delivery id reaches the service only in links in the text.
- The library uses blocking ``requests`` in a pool of threads of its own. A thread cannot be stopped: a post that we no
  longer wait for may still go out. It obeys the environment's proxy variables, and does not use the router's wire.
- A picture would be downloaded to a file first, so pictures stay links.
"""
