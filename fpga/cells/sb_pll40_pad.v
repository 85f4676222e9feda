// The iCE40's PLL fed by a pin, as a design sees it: a clock, and a lock that comes later.
//
// The frequency is not modelled: the clock at the pin is the one that the dividers would make, so a simulation turns
// the pin at the design's own rate. LOCK_CYCLES edges pass without lock. A netlist that uses another member or bypasses
// the PLL does not elaborate or never locks. Source: Lattice FPGA-TN-02052.
module SB_PLL40_PAD #(
    parameter FEEDBACK_PATH = "SIMPLE",
    parameter [3:0] DIVR = 0,
    parameter [6:0] DIVF = 0,
    parameter [2:0] DIVQ = 0,
    parameter [2:0] FILTER_RANGE = 0
) (input PACKAGEPIN, RESETB, BYPASS, output PLLOUTGLOBAL, output LOCK);
    localparam LOCK_CYCLES = 7;
    reg [2:0] cycles = 0;
    assign PLLOUTGLOBAL = PACKAGEPIN;
    assign LOCK = cycles == LOCK_CYCLES && !BYPASS;
    always @(posedge PACKAGEPIN)
        if (!RESETB) cycles <= 0;
        else if (cycles != LOCK_CYCLES) cycles <= cycles + 1;
endmodule
