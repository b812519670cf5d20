"""Message texts: checked when an ask is saved (`check_ask`), rendered for each member (`Renderer`).

content_syntax   the language: which variables and filters are offered, read from Jinja's syntax tree
content_check    what can be wrong with an ask's words
content_render   an ask and a member to the words that leave
"""

from __future__ import annotations

from router.core.content_check import check_ask, find_problems, sample_member
from router.core.content_render import BUTTON, Footer, MessageTemplates, Rendered, Renderer

__all__ = [
    "BUTTON",
    "Footer",
    "MessageTemplates",
    "Rendered",
    "Renderer",
    "check_ask",
    "find_problems",
    "sample_member",
]
