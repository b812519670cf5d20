"""The outreach router: one ask, many channels, each member's attention respected.

Reading order: ``core/model.py``, ``core/channel.py``, ``channels/email.py``, ``dispatch.py``.
"""

__version__ = "0.1.0"
