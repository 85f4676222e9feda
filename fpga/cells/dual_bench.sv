// Every pair of INT8 factors through both products of the dual multiplier (rtl/dual.py, module wesnpu) against `*`.
// compared: bits; ones: how many of them must be 1; differences: cycles.
module dual_bench (
    input logic clk,
    output logic [63:0] compared,
    output logic [63:0] ones,
    output logic [63:0] differences
);
    localparam int PAIRS = 1 << 16, PER_CYCLE = 2;
    int cycle = 0;
    initial {compared, ones, differences} = 0;

    logic [PER_CYCLE*32-1:0] wanted, found;
    for (genvar i = 0; i < PER_CYCLE; i++) begin : multiplier
        wire [15:0] pair = 16'(PER_CYCLE * cycle + i), other = ~{pair[7:0], pair[15:8]};
        wire signed [7:0] a0 = pair[7:0], b0 = pair[15:8], a1 = other[7:0], b1 = other[15:8];
        wire signed [15:0] y0 = a0 * b0, y1 = a1 * b1;
        assign wanted[32*i +: 32] = {y1, y0};
        wesnpu dual (.a0, .b0, .a1, .b1, .y0(found[32*i +: 16]), .y1(found[32*i + 16 +: 16]));
    end

    always @(posedge clk) if (cycle < PAIRS / PER_CYCLE) begin
        cycle <= cycle + 1;
        compared <= compared + $bits(wanted);
        ones <= ones + 64'($countones(wanted));
        if (wanted !== found) differences <= differences + 1;
    end
endmodule
