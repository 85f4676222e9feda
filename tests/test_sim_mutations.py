"""Planted bugs: every one is caught by the bench that must catch it, with its place."""

import pytest

from sim.build import ROOT
from sim.mutations.__main__ import judge
from sim.mutations.catalogue import MUTATIONS


def test_enough_bugs_are_planted():
    assert len({mutation.name for mutation in MUTATIONS}) == len(MUTATIONS) >= 25
    assert f"plants {len(MUTATIONS)} single-line bugs" in (ROOT / "docs" / "verification.md").read_text()


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_planted_bug_has_its_line(mutation):
    """Found exactly once in the RTL, so that a change of the RTL cannot leave a bug without its place."""
    text = (ROOT / "rtl" / mutation.file).read_text()
    assert text.count(mutation.old) == 1 and mutation.new != mutation.old


@pytest.mark.long
@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_planted_bug_is_caught(mutation):
    verdict = judge(mutation)
    assert verdict.caught and verdict.placed, f"{mutation.name}: {verdict.report or 'survived'}"
