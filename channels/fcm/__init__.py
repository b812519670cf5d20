"""Push notifications to mobile apps over Firebase Cloud Messaging, HTTP v1.

spec.py      what the router knows of the channel
adapter.py   the channel: send, and what an answer means
message.py   one message as FCM wants it, cut to its size limit
account.py   the service account and its access tokens

Documentation: https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages
"""
