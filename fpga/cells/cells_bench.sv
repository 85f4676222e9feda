// Runs cells_test.v as source (module wesnpu_source) and as netlist (module wesnpu) on the same random inputs and
// compares every output in every cycle. compared: bits; ones: how many of them were 1 in the source; differences: cycles.
module cells_bench (
    input logic clk,
    output logic [63:0] compared,
    output logic [63:0] ones,
    output logic [63:0] differences
);
    logic reset, enable;
    logic [3:0] write;
    logic [13:0] address, other;
    logic [35:0] data;
    logic [392:0] source, netlist;
    int cycle = 0;
    initial {compared, ones, differences} = 0;

    `define OUTPUTS(all) \
        .read_36(all[35:0]), .read_18(all[53:36]), .read_9(all[62:54]), .read_4(all[66:63]), .read_2(all[68:67]), \
        .read_1(all[69]), .keep_18(all[87:70]), .first_18(all[105:88]), .through_9(all[114:106]), \
        .both_a(all[132:115]), .both_b(all[150:133]), .fabric(all[302:151]), .late_36(all[338:303]), .late_18(all[356:339]), \
        .late_a(all[374:357]), .late_b(all[392:375])
    logic [35:0] ss, su, uu, netlist_ss, netlist_su, netlist_uu;
    wesnpu_source expected (.*, `OUTPUTS(source), .product_ss(ss), .product_su(su), .product_uu(uu));
    wesnpu actual (.*, `OUTPUTS(netlist), .product_ss(netlist_ss), .product_su(netlist_su), .product_uu(netlist_uu));

    // Few addresses, so that what was written is read; now and then all of them.
    function automatic logic [13:0] drawn_address();
        return $urandom_range(0, 3) == 0 ? 14'($urandom) : 14'($urandom_range(0, 63) << $urandom_range(0, 8));
    endfunction

    always @(posedge clk) begin
        cycle <= cycle + 1;
        reset <= $urandom_range(0, 15) == 0;
        enable <= $urandom_range(0, 3) != 0;
        write <= 4'($urandom);
        address <= drawn_address();
        other <= $urandom_range(0, 7) == 0 ? address : drawn_address();
        data <= $urandom_range(0, 7) == 0 ? {36{data[0]}} : {4'($urandom), $urandom};
        if (cycle > 4) begin  // registers begin with random values
            compared <= compared + $bits(source) + 3 * $bits(ss);
            ones <= ones + 64'($countones({source, ss, su, uu}));
            if ({source, ss, su, uu} !== {netlist, netlist_ss, netlist_su, netlist_uu}) begin
                differences <= differences + 1;
                if (differences < 4)
                    $display("cycle %0d address %0x other %0x write %b enable %b reset %b: wrong bits %x %x %x %x",
                        cycle, address, other, write, enable, reset, source ^ netlist, ss ^ netlist_ss,
                        su ^ netlist_su, uu ^ netlist_uu);
            end
        end
    end
endmodule
