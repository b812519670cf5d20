"""What people may tell the bot in a group."""

from __future__ import annotations

from router.community.group_chats.turn import GroupTurn


async def obey(turn: GroupTurn) -> bool:
    """Do what a command says; False where it is none."""
    return False
