"""Where an answer leads: conversations, the inbox, events, calls, giving, joining, report-backs.

Start with `turn` (what a handler is given and gives back) and `dialogue` (who is asked in which order).
"""
