# amaranth: UnusedElaboratable=no
"""Every proof holds, and fails as soon as one of its planted bugs is in the source."""

import pytest

from rtl.prove.__main__ import main
from rtl.prove.catalogue import PROOFS
from rtl.prove.proof import Proof, copy_of, run

BUGS = [(proof, number) for proof in PROOFS for number in range(len(proof.bugs))]


@pytest.mark.long
@pytest.mark.parametrize("proof", PROOFS, ids=lambda proof: proof.name)
def test_it_holds(proof):
    outcome = run(proof, label="_test")
    assert outcome.status == "PASS", outcome.log[-2000:]


@pytest.mark.long
@pytest.mark.parametrize("proof, number", BUGS, ids=[f"{proof.name}-{number}" for proof, number in BUGS])
def test_it_fails_with_a_bug(proof, number):
    outcome = run(proof, namespace=copy_of(proof.module, *proof.bugs[number]), label=f"_bug_{number}")
    # UNKNOWN: no counterexample within `depth` cycles after reset, but the induction does not go through any more
    assert outcome.status in ("FAIL", "UNKNOWN"), f"{proof.bugs[number]} was not found: {outcome.log[-2000:]}"


def test_names_are_unique():
    assert len({proof.name for proof in PROOFS}) == len(PROOFS)


def test_a_bug_must_be_there_to_be_planted():
    for proof in PROOFS:
        for text, replacement in proof.bugs:
            copy_of(proof.module, text, replacement)
    with pytest.raises(ValueError, match="stands 0 times"):
        copy_of(PROOFS[0].module, "no such text", "")


def test_a_proof_that_cannot_fail_is_refused():
    with pytest.raises(ValueError, match="must be able to fail"):
        Proof(name="p", claim="", module="rtl.requantizer", harness=lambda _: None, depth=1, bugs=())


def test_unknown_name(capsys):
    assert main(["nonsense"]) == 2
    assert "requantizer_g7_residual" in capsys.readouterr().err
