"""The contract of a channel as tables: one for each channel, run by ``tests/channels/test_contract.py``."""
