"""Organizers' accounts: who they are, how they come in, how long they stay in.

organizers   accounts, roles, passwords      invitations  one-time links that make an account
sessions     who is signed in where
"""
