"""Webhooks out: other systems hear of opt-outs, actions and finished campaigns.

registry   which addresses, what waits for each, dead letters        posting   the loop that tells them
"""
