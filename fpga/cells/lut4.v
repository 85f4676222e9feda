// The ECP5's look-up table, written so that a simulator needs no variable for it. Source: Lattice FPGA-DS-02012.
module LUT4 #(parameter [15:0] INIT = 0) (input A, B, C, D, output Z);
    assign Z = INIT[{D, C, B, A}];
endmodule
