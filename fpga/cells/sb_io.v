// The iCE40's pin without registers: an input, or an output with an enable.
//
// PIN_TYPE 000001: D_IN_0 is the pin. PIN_TYPE 101001: the pin is D_OUT_0 while OUTPUT_ENABLE is high. Another type does
// not elaborate, nor does a netlist that connects a clock. Electrical parameters do nothing here. Source: Lattice
// FPGA-TN-02026.
module SB_IO #(
    parameter [5:0] PIN_TYPE = 0,
    parameter PULLUP = 0,
    parameter IO_STANDARD = "SB_LVCMOS"
) (inout PACKAGE_PIN, input CLOCK_ENABLE, OUTPUT_ENABLE, D_OUT_0, output D_IN_0);
    generate
        if (PIN_TYPE == 6'b000001) assign D_IN_0 = PACKAGE_PIN;
        else if (PIN_TYPE == 6'b101001) assign PACKAGE_PIN = OUTPUT_ENABLE ? D_OUT_0 : 1'bz;
        else NO_SUCH_PIN_TYPE pin ();
    endgenerate
endmodule
