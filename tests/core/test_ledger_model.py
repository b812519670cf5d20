"""The rules of the ledger (DESIGN.md 6), searched exhaustively for small sizes; each is shown to be needed.

``make chaos ARGS=model`` searches larger sizes and prints what goes wrong without each rule, step by step.
"""

from __future__ import annotations

import pytest

from tests.support.ledger_scenes import NEEDED, SMALL, UNSEEN
from tests.support.ledger_search import search
from tests.support.ledger_state import RULES, Scene


@pytest.mark.parametrize("scene", SMALL, ids=lambda scene: scene.name.replace(" ", "-"))
def test_with_all_rules_nothing_goes_wrong(scene: Scene) -> None:
    found = search(scene)
    assert not found.wrong, "\n".join([found.wrong, *found.trace])
    assert found.states > 40, "a scene in which next to nothing happens"


@pytest.mark.parametrize("rule", NEEDED)
def test_without_a_rule_something_goes_wrong(rule: str) -> None:
    scene, wrong = NEEDED[rule]
    found = search(scene, frozenset({rule}))
    assert found.wrong == wrong, "\n".join([found.wrong, *found.trace])
    assert found.trace


def test_every_rule_of_the_model_is_shown_to_be_needed_or_said_not_to_be() -> None:
    assert NEEDED.keys() | UNSEEN.keys() == RULES.keys()
    for rule in UNSEEN:
        assert not any(search(scene, frozenset({rule})).wrong for scene in SMALL[2:]), f"{rule} can be shown"
