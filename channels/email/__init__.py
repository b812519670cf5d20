"""Email over SMTP, with delivery events from Twilio SendGrid's webhook.

spec.py      what the router knows of the channel
adapter.py   the channel: send, and what an SMTP answer means
mime.py      the bytes of a message
signing.py   DKIM
smtp.py      a few kept-open connections
session.py   one of them, after its login
codes.py     enhanced status codes → failure class
sendgrid.py  the event webhook
"""
