// What the models of ECP5's cells are tested with: block memories of every width and write mode, products of every
// signedness, distributed memories, sums and comparisons, wide functions, flip-flops of every kind. The same source is
// simulated as it is and as the netlist that synthesis makes of it.
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
    output reg signed [35:0] product_su,
    output reg [35:0] product_uu,
    output [151:0] fabric,
    output [35:0] late_36,
    output [17:0] late_18,
    output [17:0] late_a,
    output [17:0] late_b
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
    registered #(.WIDTH(36), .BITS(9)) r36 (.*, .register(write[3]), .read(late_36));
    registered #(.WIDTH(18), .BITS(10)) r18 (.*, .register(1'b1), .read(late_18));
    true_two late (.*, .both_a(early_a), .both_b(early_b));
    distributed small_memories (.*, .read(fabric[17:0]));
    carries sums (.a(data[35:16]), .b(data[19:0]), .of(fabric[121:18]));
    wide_functions functions (.of(data[9:0]), .is(fabric[127:122]));
    flip_flops registers (.*, .to(data[23:0]), .q(fabric[151:128]));
    // Registers behind the outputs of a memory: both go inside (fpga/memory_registers.py).
    wire [17:0] early_a, early_b;
    reg [17:0] held_a, held_b;
    always @(posedge clk) begin
        held_a <= early_a;
        if (reset) held_b <= early_b;
    end
    assign {late_a, late_b} = {held_a, held_b};
    reg signed [17:0] a, b;
    // Registers before, before and behind, behind: those inside the multiplier (fpga/multiplier_registers.py).
    // They are no registers of `data`, which memories have too.
    always @(posedge clk) begin
        {a, b} <= data ^ {36{other[3]}};
        product_su <= a * $signed({1'b0, b[16:0]});
        product_uu <= data[35:18] * data[17:0];
    end
    assign product_ss = a * b;
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

// One port writes, the other reads, never the same word; what it read goes on when `register` says so.
module registered #(parameter WIDTH = 18, BITS = 10) (
    input clk, enable, register,
    input [3:0] write,
    input [13:0] address, other,
    input [35:0] data,
    output reg [WIDTH-1:0] read
);
    (* ram_style = "block", no_rw_check *) reg [WIDTH-1:0] memory [0:2**BITS-1];
    reg [WIDTH-1:0] found;
    wire meet = write[0] && address[BITS-1:0] == other[BITS-1:0];
    integer i;
    initial for (i = 0; i < 2**BITS; i = i + 1) memory[i] = i * 40503;
    always @(posedge clk) begin
        if (write[0]) memory[address[BITS-1:0]] <= data[WIDTH-1:0];
        if (enable && !meet) found <= memory[other[BITS-1:0]];
        if (register) read <= found;
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

// Memories of 16 and 32 words in look-up tables: the word that another address has is there at once.
module distributed (
    input clk,
    input [3:0] write,
    input [13:0] address, other,
    input [35:0] data,
    output [17:0] read
);
    (* ram_style = "distributed" *) reg [4:0] short_memory [0:15];
    (* ram_style = "distributed" *) reg [12:0] long_memory [0:31];
    integer i;
    initial for (i = 0; i < 16; i = i + 1) short_memory[i] = 3 * i;
    initial for (i = 0; i < 32; i = i + 1) long_memory[i] = 211 * i;
    always @(posedge clk) begin
        if (write[0]) short_memory[address[3:0]] <= data[4:0];
        if (write[1]) long_memory[address[4:0]] <= data[17:5];
    end
    assign read = {long_memory[other[4:0]], short_memory[other[3:0]]};
endmodule

// What carry cells are made for; gates and choices in front of a sum go into them (fpga/adder_gates.py).
module carries (input [19:0] a, b, output [103:0] of);
    assign of = {a + b, a - b + a[3], $signed(a) < $signed(b), a <= b, a == b, b > 20'd77777, a * 3'd5,
        (a & {20{b[3]}}) + (b & {20{a[5]}}), {b[9:0], a[9:0]} + (b[19] ? a : b)};
endmodule

// Functions of 5, 6, 7, 8 and 10 bits that no smaller one is part of: multiplexers behind look-up tables.
module wide_functions (input [9:0] of, output [5:0] is);
    function odd(input [9:0] value, input integer bits);
        odd = (64'h9e3779b97f4a7c15 >> (value[5:0] ^ {value[8:6], value[9], bits[1:0]})) & 1;
    endfunction
    assign is = {^(of & 10'h2db), odd(of, 10), odd({2'b0, of[7:0]}, 8), odd({3'b0, of[6:0]}, 7),
        odd({4'b0, of[5:0]}, 6), odd({5'b0, of[4:0]}, 5)};
endmodule

// With and without enable, to 0 or 1 by a reset that goes before the enable or behind it, at once or with the clock.
module flip_flops (
    input clk, reset, enable,
    input [3:0] write,
    input [23:0] to,
    output reg [23:0] q
);
    initial q = 24'hf0_ff00;
    always @(posedge clk) begin
        q[2:0] <= to[2:0];
        if (enable) q[5:3] <= to[5:3];
        if (!write[0]) q[7:6] <= to[7:6];
        if (reset) q[11:8] <= 4'hf; else if (enable) q[11:8] <= to[11:8];
        if (enable) if (reset) q[15:12] <= 4'hf; else q[15:12] <= to[15:12];
        if (!write[1]) q[17:16] <= 0; else if (!enable) q[17:16] <= to[17:16];
        if (enable & reset) q[19:18] <= 0; else q[19:18] <= to[19:18];
    end
    always @(posedge clk or posedge reset)
        if (reset) q[21:20] <= 2'b11; else if (enable) q[21:20] <= to[21:20];
    always @(negedge clk)
        if (reset) q[23:22] <= 2'b11; else q[23:22] <= to[23:22];
endmodule
