"""python -m rtl.prove [NAME ...]: run all proofs (or those whose names begin so); 0 when every one holds."""

import sys

from rtl.prove.catalogue import PROOFS
from rtl.prove.proof import run


def main(prefixes: list[str]) -> int:
    """Print one line per proof; a proof that fails shows the end of its log."""
    chosen = [proof for proof in PROOFS if not prefixes or proof.name.startswith(tuple(prefixes))]
    if not chosen:
        names = ", ".join(proof.name for proof in PROOFS)
        print(f"no proof is called {' or '.join(prefixes)}; proofs are {names}", file=sys.stderr)
        return 2
    failed = 0
    for proof in chosen:
        outcome = run(proof)
        extent = "always" if proof.unbounded else f"for {proof.depth} cycles after reset"
        print(f"{outcome.status:5} {outcome.seconds:6.1f} s  {proof.name}: {proof.claim} ({extent})", flush=True)
        if outcome.status != "PASS":
            failed += 1
            print("\n".join(outcome.log.splitlines()[-15:]))
    print(f"{len(chosen) - failed} of {len(chosen)} proofs hold")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
