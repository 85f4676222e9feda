// The iCE40's look-up table, written so that a simulator needs no variable for it. Source: Lattice FPGA-TN-02026.
module SB_LUT4 #(parameter [15:0] LUT_INIT = 0) (input I0, I1, I2, I3, output O);
    assign O = LUT_INIT[{I3, I2, I1, I0}];
endmodule
