// Choices of one of four and of eight as an ECP5's slice makes them: the two look-up tables of a PFUMX need not share
// inputs, which a mapper of functions does not know (Lattice FPGA-DS-02012, "Slice").
module \$_MUX4_ (input A, B, C, D, S, T, output Y);
    wire low, high;
    LUT4 #(.INIT(16'hCACA)) first (.A(A), .B(B), .C(S), .D(1'b0), .Z(low));
    LUT4 #(.INIT(16'hCACA)) second (.A(C), .B(D), .C(S), .D(1'b0), .Z(high));
    PFUMX chosen (.BLUT(low), .ALUT(high), .C0(T), .Z(Y));
endmodule

module \$_MUX8_ (input A, B, C, D, E, F, G, H, S, T, U, output Y);
    wire low, high;
    \$_MUX4_ first (.A(A), .B(B), .C(C), .D(D), .S(S), .T(T), .Y(low));
    \$_MUX4_ second (.A(E), .B(F), .C(G), .D(H), .S(S), .T(T), .Y(high));
    L6MUX21 chosen (.D0(low), .D1(high), .SD(U), .Z(Y));
endmodule
