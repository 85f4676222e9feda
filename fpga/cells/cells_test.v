// What the models of mult18x18d.v and dp16kd.v are tested with: memories of every width and write mode, products of
// every signedness. The same source is simulated as it is and as the netlist that synthesis makes of it.
module wesnpu (
    input clk,
    input reset,
    input [3:0] write,
    input enable,
    input [13:0] address,
    input [13:0] other,
    input [35:0] data,
    output [35:0] read_36,
    output [17:0] read_18,
    output [8:0] read_9,
    output [3:0] read_4,
    output [1:0] read_2,
    output read_1,
    output [17:0] keep_18,
    output [17:0] first_18,
    output [8:0] through_9,
    output [17:0] both_a,
    output [17:0] both_b,
    output signed [35:0] product_ss,
    output signed [35:0] product_su,
    output [35:0] product_uu
);
    two_ports #(.WIDTH(36), .BITS(9), .ENABLES(4)) m36 (.*, .read(read_36));
    two_ports #(.WIDTH(18), .BITS(10), .ENABLES(2)) m18 (.*, .read(read_18));
    two_ports #(.WIDTH(9), .BITS(11), .ENABLES(1)) m9 (.*, .read(read_9));
    two_ports #(.WIDTH(4), .BITS(12), .ENABLES(1)) m4 (.*, .read(read_4));
    two_ports #(.WIDTH(2), .BITS(13), .ENABLES(1)) m2 (.*, .read(read_2));
    two_ports #(.WIDTH(1), .BITS(14), .ENABLES(1)) m1 (.*, .read(read_1));
    one_port #(.WIDTH(18), .BITS(10), .MODE(0)) keep (.*, .read(keep_18));
    one_port #(.WIDTH(18), .BITS(10), .MODE(1)) first (.*, .read(first_18));
    one_port #(.WIDTH(9), .BITS(11), .MODE(2)) through (.*, .read(through_9));
    true_two both (.*);
    reg signed [17:0] a, b;
    always @(posedge clk) {a, b} <= data;
    assign product_ss = a * b;
    assign product_su = a * $signed({1'b0, b[16:0]});
    assign product_uu = data[35:18] * data[17:0];
endmodule

// One port writes with byte enables, the other reads at its own address.
module two_ports #(parameter WIDTH = 18, BITS = 10, ENABLES = 1) (
    input clk, reset, enable,
    input [3:0] write,
    input [13:0] address, other,
    input [35:0] data,
    output reg [WIDTH-1:0] read
);
    localparam PART = WIDTH / ENABLES;
    (* ram_style = "block" *) reg [WIDTH-1:0] memory [0:2**BITS-1];
    integer i;
    initial for (i = 0; i < 2**BITS; i = i + 1) memory[i] = i * 40503;
    always @(posedge clk) begin
        for (i = 0; i < ENABLES; i = i + 1)
            if (write[i]) memory[address[BITS-1:0]][PART*i +: PART] <= data[PART*i +: PART];
        if (reset) read <= 0;
        else if (enable) read <= memory[other[BITS-1:0]];
    end
endmodule

// One port that writes or reads; MODE: what it reads while it writes: 0 nothing, 1 the old value, 2 the new one.
module one_port #(parameter WIDTH = 18, BITS = 10, MODE = 0) (
    input clk, enable,
    input [3:0] write,
    input [13:0] address,
    input [35:0] data,
    output reg [WIDTH-1:0] read
);
    (* ram_style = "block" *) reg [WIDTH-1:0] memory [0:2**BITS-1];
    integer i;
    initial for (i = 0; i < 2**BITS; i = i + 1) memory[i] = 0;
    always @(posedge clk)
        if (enable) begin
            if (write[0]) memory[address[BITS-1:0]] <= data[WIDTH-1:0];
            if (MODE == 2 && write[0]) read <= data[WIDTH-1:0];
            else if (MODE != 0 || !write[0]) read <= memory[address[BITS-1:0]];
        end
endmodule

// Two ports that both write and read; they never meet at one address.
module true_two (
    input clk, enable,
    input [3:0] write,
    input [13:0] address, other,
    input [35:0] data,
    output reg [17:0] both_a, both_b
);
    (* ram_style = "block" *) reg [17:0] memory [0:1023];
    integer i;
    initial for (i = 0; i < 1024; i = i + 1) memory[i] = 0;
    wire [9:0] at_a = {address[8:0], 1'b0}, at_b = {other[8:0], 1'b1};
    always @(posedge clk)
        if (write[2]) memory[at_a] <= data[17:0];
        else both_a <= memory[at_a];
    always @(posedge clk)
        if (write[3]) memory[at_b] <= data[35:18];
        else both_b <= memory[at_b];
endmodule
