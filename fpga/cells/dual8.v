// What rtl/dual.py is until logic is mapped: yosys makes one 16 x 16 multiplier of every SB_MAC16 that it sees before.
(* blackbox *)
module DUAL8 (input [7:0] a0, b0, a1, b1, output [15:0] y0, y1);
endmodule
