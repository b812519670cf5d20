"""Web Push: notifications in browsers, encrypted for each one of them.

spec.py         what the router knows of the channel
adapter.py      the channel: headers, send, and what an answer means
payload.py      what the service worker gets: words, link, buttons, in at most 3,800 bytes
encryption.py   RFC 8291 and RFC 8188
vapid.py        RFC 8292: who we are, to push services
codes.py        their answers → failure class
"""
