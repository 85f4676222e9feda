"""Network-wide choice of power-of-two exponents (RAPQ, 2204.12322) on the integer network, without gradients."""

from quant.exponents.loss import ExponentLoss
from quant.exponents.search import Found, descend
from quant.plan.plan import Plan

IMAGES = 16  # calibration images that the loss is measured on
POWER = 2.0  # p of the L_p loss
#: With at most so many exponents, so many neighbours are tried together, then any two; 17 are 8 layers and the input.
JOINT = {8: 8, 17: 4}


def rapq(plan: Plan) -> None:
    """Choose each exponent of a power-of-two network anew, against the loss of the network's outputs.

    The values that each may take are told in quant.exponents.exponents, the loss in quant.exponents.loss. It never
    increases (quant.exponents.search); the search starts at the plan's exponents or at those of least squared weight
    error, whichever loses less. Up to 8 exponents the result is that of brute force; up to 17 no change of 4 neighbours
    or of any two lowers the loss, unless the sweeps ran out. What the engine cannot run is left out.
    """
    loss = ExponentLoss(plan, IMAGES, POWER)
    given = tuple(place.start for place in loss.places)
    nearest = tuple(place.nearest for place in loss.places)
    first = loss(given, 0)
    start = nearest if loss(nearest, 0) < first else given
    joint = next((width for count, width in JOINT.items() if len(given) <= count), 1)

    def progress(tried: int) -> None:
        plan.report("exponents", tried)

    options = [place.options for place in loss.places]
    found = descend(options, start, loss, joint=joint, pairs=joint > 1, progress=progress)
    loss.put(found.choice)
    _note(plan, loss, given, first, found)


def _note(plan: Plan, loss: ExponentLoss, given: tuple[int, ...], first: float, found: Found) -> None:
    changed = sum(a != b for a, b in zip(found.choice, given, strict=True))
    plan.note(
        f"rapq: {changed} of {len(given)} exponents changed, loss {first:.6g} to {found.loss:.6g}, "
        f"{found.tried} choices tried, {loss.infeasible} of them not runnable"
    )
