"""What a check can find."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from router.watch import NoticeView, SenderView


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True)


class Finding(_Model):
    """One thing that was looked at. All is well with it where `mend` is empty."""

    subject: str
    """``database``, ``sms (main)`` …"""
    says: str
    """What it is: a version, the name by which a provider knows us."""
    webhook: str = ""
    """For accounts: how its provider reaches us."""
    mend: tuple[str, ...] = ()
    """What must be mended, one sentence each."""
    advice: tuple[str, ...] = ()
    """What cannot be found out from here, or does no harm as it is."""


class Report(_Model):
    """All that was found."""

    around: tuple[Finding, ...]
    """What all channels stand on."""
    accounts: tuple[Finding, ...]
    """Every account of which the environment says anything."""
    absent: tuple[str, ...]
    """Channels of which it says nothing."""
    resting: tuple[SenderView, ...]
    """Senders whose circuit breaker is open."""
    notices: tuple[NoticeView, ...]

    @property
    def mend(self) -> list[str]:
        """Everything that must be mended."""
        found = [f"{one.subject}: {sentence}" for one in (*self.around, *self.accounts) for sentence in one.mend]
        return found + [f"{one.label} rests{_until(one)}: {one.reason}" for one in self.resting]

    @property
    def advice(self) -> list[str]:
        """Everything else that is worth knowing."""
        return [f"{one.subject}: {sentence}" for one in (*self.around, *self.accounts) for sentence in one.advice]


def _until(sender: SenderView) -> str:
    return f" until {sender.until:%Y-%m-%d %H:%M} UTC" if sender.until else ""
