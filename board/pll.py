"""Phase-locked loops of ECP5 and iCE40: their dividers for a frequency, and the cells."""

from dataclasses import dataclass
from itertools import product

from amaranth.hdl import Instance, Signal

from golden.errors import WesnpuError

MHZ = 1_000_000


@dataclass(frozen=True)
class Ecp5Dividers:
    """input_hz / reference * feedback = output_hz; the oscillator runs at output_hz * output.

    Lattice FPGA-DS-02012 (ECP5), table sysCLOCK PLL timing: reference / CLKI_DIV 10..400 MHz, oscillator 400..800 MHz.
    """

    reference: int
    feedback: int
    output: int


@dataclass(frozen=True)
class Ice40Dividers:
    """DIVR, DIVF, DIVQ: output_hz = input_hz * (feedback + 1) / ((reference + 1) * 2^output).

    Lattice FPGA-TN-02052: input_hz / (DIVR + 1) 10..133 MHz, oscillator 533..1066 MHz. filter_range: of DIVR's output.
    """

    reference: int
    feedback: int
    output: int
    filter_range: int


def ecp5_dividers(input_hz: int, output_hz: int) -> Ecp5Dividers:
    """The dividers that give exactly `output_hz` with the oscillator nearest to 600 MHz; WesnpuError if none do."""
    found = [
        Ecp5Dividers(*divided)
        for divided in product(range(1, 129), range(1, 81), range(1, 129))
        if input_hz * divided[1] == output_hz * divided[0]
        and input_hz >= 10 * MHZ * divided[0]
        and 400 * MHZ <= output_hz * divided[2] <= 800 * MHZ
    ]
    if not found:
        raise WesnpuError(f"no dividers of the ECP5 PLL make {output_hz} Hz of {input_hz} Hz")
    return min(found, key=lambda one: (one.reference, abs(output_hz * one.output - 600 * MHZ)))


def ice40_dividers(input_hz: int, output_hz: int) -> Ice40Dividers:
    """The dividers that give exactly `output_hz`; WesnpuError if none do."""
    for reference, feedback, output in product(range(16), range(128), range(1, 7)):
        compared, oscillator = input_hz / (reference + 1), input_hz * (feedback + 1) / (reference + 1)
        if not (10 * MHZ <= compared <= 133 * MHZ and 533 * MHZ <= oscillator <= 1066 * MHZ):
            continue
        if oscillator == output_hz << output:
            return Ice40Dividers(reference, feedback, output, _filter_range(compared))
    raise WesnpuError(f"no dividers of the iCE40 PLL make {output_hz} Hz of {input_hz} Hz")


def _filter_range(compared_hz: float) -> int:
    """FILTER_RANGE by the frequency at the phase detector (FPGA-TN-02052)."""
    limits = (17, 26, 44, 66, 101, 133)
    return 1 + next(i for i, limit in enumerate(limits) if compared_hz <= limit * MHZ)


def ecp5_pll(input_hz: int, output_hz: int, clock_in, clock_out: Signal, locked: Signal) -> Instance:
    """EHXPLLL with feedback from its output, which is in phase with it."""
    dividers = ecp5_dividers(input_hz, output_hz)
    return Instance(
        "EHXPLLL",
        a_FREQUENCY_PIN_CLKI=str(input_hz / MHZ), a_FREQUENCY_PIN_CLKOP=str(output_hz / MHZ),
        a_ICP_CURRENT="12", a_LPF_RESISTOR="8", a_MFG_ENABLE_FILTEROPAMP="1", a_MFG_GMCREF_SEL="2",
        p_PLLRST_ENA="DISABLED", p_INTFB_WAKE="DISABLED", p_STDBY_ENABLE="DISABLED", p_DPHASE_SOURCE="DISABLED",
        p_OUTDIVIDER_MUXA="DIVA", p_FEEDBK_PATH="CLKOP",
        p_CLKI_DIV=dividers.reference, p_CLKFB_DIV=dividers.feedback, p_CLKOP_DIV=dividers.output,
        p_CLKOP_ENABLE="ENABLED", p_CLKOP_CPHASE=dividers.output // 2, p_CLKOP_FPHASE=0,
        i_RST=0, i_STDBY=0, i_CLKI=clock_in, i_CLKFB=clock_out, o_CLKOP=clock_out, o_LOCK=locked,
        i_PHASESEL0=0, i_PHASESEL1=0, i_PHASEDIR=1, i_PHASESTEP=1, i_PHASELOADREG=1, i_PLLWAKESYNC=0, i_ENCLKOP=0,
    )


def ice40_pll(input_hz: int, output_hz: int, pad, clock_out: Signal, locked: Signal) -> Instance:
    """SB_PLL40_PAD: its input is the pin itself, its output the global clock network."""
    dividers = ice40_dividers(input_hz, output_hz)
    return Instance(
        "SB_PLL40_PAD",
        p_FEEDBACK_PATH="SIMPLE", p_DIVR=dividers.reference, p_DIVF=dividers.feedback, p_DIVQ=dividers.output,
        p_FILTER_RANGE=dividers.filter_range,
        i_RESETB=1, i_BYPASS=0, i_PACKAGEPIN=pad, o_PLLOUTGLOBAL=clock_out, o_LOCK=locked,
    )
