"""Organizers' pages. They hold no rules: each calls the functions that the API calls.

show       how a page is made          static     what browsers load besides
door       sign-in, invitations, own account
"""
