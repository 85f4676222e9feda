// The ECP5's 18x18 multiplier: both operands from the fabric; no register inside, as yosys infers it, or one behind each
// operand and one behind the product (product_map.v), always enabled and never reset.
//
// Anything else that the cell can do (a pipeline register, other clocks, operands from the neighbouring cell) is no
// parameter here, so that a netlist which uses it does not elaborate. Source: Lattice FPGA-TN-02205.
module MULT18X18D #(
    parameter REG_INPUTA_CLK = "NONE", REG_INPUTB_CLK = "NONE", REG_PIPELINE_CLK = "NONE", REG_OUTPUT_CLK = "NONE",
    parameter GSR = "ENABLED"
) (
    input CLK0, CE0, RST0,
    input
        A17, A16, A15, A14, A13, A12, A11, A10, A9, A8, A7, A6, A5, A4, A3, A2, A1, A0,
    input
        B17, B16, B15, B14, B13, B12, B11, B10, B9, B8, B7, B6, B5, B4, B3, B2, B1, B0,
    input  // the third operand belongs to the cascade, which is not used
        C17, C16, C15, C14, C13, C12, C11, C10, C9, C8, C7, C6, C5, C4, C3, C2, C1, C0,
    input SIGNEDA, SIGNEDB, SOURCEA, SOURCEB,
    output
        P35, P34, P33, P32, P31, P30, P29, P28, P27, P26, P25, P24, P23, P22, P21, P20, P19, P18, P17, P16, P15, P14,
        P13, P12, P11, P10, P9, P8, P7, P6, P5, P4, P3, P2, P1, P0
);
    wire signed [18:0] a = {SIGNEDA & A17,
        A17, A16, A15, A14, A13, A12, A11, A10, A9, A8, A7, A6, A5, A4, A3, A2, A1, A0};
    wire signed [18:0] b = {SIGNEDB & B17,
        B17, B16, B15, B14, B13, B12, B11, B10, B9, B8, B7, B6, B5, B4, B3, B2, B1, B0};
    wire signed [18:0] used_a, used_b;
    wire signed [37:0] made = used_a * used_b, product;
    optional_register #(.BITS(19), .USED(REG_INPUTA_CLK == "CLK0")) at_a (.clk(CLK0), .d(a), .q(used_a));
    optional_register #(.BITS(19), .USED(REG_INPUTB_CLK == "CLK0")) at_b (.clk(CLK0), .d(b), .q(used_b));
    optional_register #(.BITS(38), .USED(REG_OUTPUT_CLK == "CLK0")) at_p (.clk(CLK0), .d(made), .q(product));
    assign {
        P35, P34, P33, P32, P31, P30, P29, P28, P27, P26, P25, P24, P23, P22, P21, P20, P19, P18, P17, P16, P15, P14,
        P13, P12, P11, P10, P9, P8, P7, P6, P5, P4, P3, P2, P1, P0
    } = product[35:0];
endmodule

module optional_register #(parameter BITS = 1, USED = 1) (input clk, input [BITS-1:0] d, output [BITS-1:0] q);
    generate
        if (USED) begin : registered
            reg [BITS-1:0] held;
            always @(posedge clk) held <= d;
            assign q = held;
        end else assign q = d;
    endgenerate
endmodule
