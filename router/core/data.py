"""Where the data that travels with the program lies: in the wheel, or in a checkout."""

from __future__ import annotations

from pathlib import Path

_PACKAGED = Path(__file__).parent.parent / "_data"
_CHECKOUT = Path(__file__).parent.parent.parent


def data_folder(name: str) -> Path:
    """``templates`` or ``config``: as packaged in the wheel, or the checkout's own."""
    packaged = _PACKAGED / name
    return packaged if packaged.is_dir() else _CHECKOUT / name
