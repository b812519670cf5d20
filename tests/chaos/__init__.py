"""Faults of every kind against real processes, counted at the provider: ``make chaos``."""
