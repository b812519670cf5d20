"""How fast the shipped program is, each number beside its yardstick. ``python -m bench`` runs it."""
