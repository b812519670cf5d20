"""How a change of the rules comes into force: announced on ``/open``, spoken on by members, in the ledger all along.

The files are where rules are written; which of them hold is what the ledger says, so that all processes agree.
"""
