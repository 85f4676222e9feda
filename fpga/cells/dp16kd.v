// The ECP5's 18 Kbit block RAM as yosys infers it: two ports, 1, 2, 4, 9, 18 or 36 bits each; with REGMODE OUTREG, which
// fpga/memory_registers.py sets, a register behind a port that is not reset, with its enable OCE.
//
// Memory is 1024 words of two 9-bit bytes. A port of 18 bits takes its byte enables from the two lowest address bits,
// one of 36 bits from the four lowest, its upper half through the data pins of port B (write) or A's outputs being the
// lower half (read). Narrower than 9 bits, the ninth bits are not used. A reset clears the outputs and blocks writing.
// A port that reads what the other one writes at the same edge gets wrong bits: the silicon promises nothing, so no
// design may use them. Both ports must have the same clock. Other modes are refused. Source: Lattice FPGA-TN-02204.
module DP16KD (
    input CLKA, CEA, OCEA, WEA, RSTA, CSA0, CSA1, CSA2,
    input
        ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2, ADA1, ADA0,
    input
        DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9, DIA8, DIA7, DIA6, DIA5, DIA4, DIA3, DIA2, DIA1,
        DIA0,
    output
        DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9, DOA8, DOA7, DOA6, DOA5, DOA4, DOA3, DOA2, DOA1,
        DOA0,
    input CLKB, CEB, OCEB, WEB, RSTB, CSB0, CSB1, CSB2,
    input
        ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2, ADB1, ADB0,
    input
        DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9, DIB8, DIB7, DIB6, DIB5, DIB4, DIB3, DIB2, DIB1,
        DIB0,
    output
        DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9, DOB8, DOB7, DOB6, DOB5, DOB4, DOB3, DOB2, DOB1,
        DOB0
);
    parameter DATA_WIDTH_A = 18;
    parameter DATA_WIDTH_B = 18;
    parameter REGMODE_A = "NOREG";
    parameter REGMODE_B = "NOREG";
    parameter RESETMODE = "SYNC";
    parameter ASYNC_RESET_RELEASE = "SYNC";
    parameter CSDECODE_A = "0b000";
    parameter CSDECODE_B = "0b000";
    parameter WRITEMODE_A = "NORMAL";
    parameter WRITEMODE_B = "NORMAL";
    parameter CLKAMUX = "CLKA";
    parameter CLKBMUX = "CLKB";
    parameter GSR = "AUTO";
    parameter [319:0] INITVAL_00 = 0;
    parameter [319:0] INITVAL_01 = 0;
    parameter [319:0] INITVAL_02 = 0;
    parameter [319:0] INITVAL_03 = 0;
    parameter [319:0] INITVAL_04 = 0;
    parameter [319:0] INITVAL_05 = 0;
    parameter [319:0] INITVAL_06 = 0;
    parameter [319:0] INITVAL_07 = 0;
    parameter [319:0] INITVAL_08 = 0;
    parameter [319:0] INITVAL_09 = 0;
    parameter [319:0] INITVAL_0A = 0;
    parameter [319:0] INITVAL_0B = 0;
    parameter [319:0] INITVAL_0C = 0;
    parameter [319:0] INITVAL_0D = 0;
    parameter [319:0] INITVAL_0E = 0;
    parameter [319:0] INITVAL_0F = 0;
    parameter [319:0] INITVAL_10 = 0;
    parameter [319:0] INITVAL_11 = 0;
    parameter [319:0] INITVAL_12 = 0;
    parameter [319:0] INITVAL_13 = 0;
    parameter [319:0] INITVAL_14 = 0;
    parameter [319:0] INITVAL_15 = 0;
    parameter [319:0] INITVAL_16 = 0;
    parameter [319:0] INITVAL_17 = 0;
    parameter [319:0] INITVAL_18 = 0;
    parameter [319:0] INITVAL_19 = 0;
    parameter [319:0] INITVAL_1A = 0;
    parameter [319:0] INITVAL_1B = 0;
    parameter [319:0] INITVAL_1C = 0;
    parameter [319:0] INITVAL_1D = 0;
    parameter [319:0] INITVAL_1E = 0;
    parameter [319:0] INITVAL_1F = 0;
    parameter [319:0] INITVAL_20 = 0;
    parameter [319:0] INITVAL_21 = 0;
    parameter [319:0] INITVAL_22 = 0;
    parameter [319:0] INITVAL_23 = 0;
    parameter [319:0] INITVAL_24 = 0;
    parameter [319:0] INITVAL_25 = 0;
    parameter [319:0] INITVAL_26 = 0;
    parameter [319:0] INITVAL_27 = 0;
    parameter [319:0] INITVAL_28 = 0;
    parameter [319:0] INITVAL_29 = 0;
    parameter [319:0] INITVAL_2A = 0;
    parameter [319:0] INITVAL_2B = 0;
    parameter [319:0] INITVAL_2C = 0;
    parameter [319:0] INITVAL_2D = 0;
    parameter [319:0] INITVAL_2E = 0;
    parameter [319:0] INITVAL_2F = 0;
    parameter [319:0] INITVAL_30 = 0;
    parameter [319:0] INITVAL_31 = 0;
    parameter [319:0] INITVAL_32 = 0;
    parameter [319:0] INITVAL_33 = 0;
    parameter [319:0] INITVAL_34 = 0;
    parameter [319:0] INITVAL_35 = 0;
    parameter [319:0] INITVAL_36 = 0;
    parameter [319:0] INITVAL_37 = 0;
    parameter [319:0] INITVAL_38 = 0;
    parameter [319:0] INITVAL_39 = 0;
    parameter [319:0] INITVAL_3A = 0;
    parameter [319:0] INITVAL_3B = 0;
    parameter [319:0] INITVAL_3C = 0;
    parameter [319:0] INITVAL_3D = 0;
    parameter [319:0] INITVAL_3E = 0;
    parameter [319:0] INITVAL_3F = 0;

    initial
        if (CSDECODE_A != "0b000"
            || CSDECODE_B != "0b000" || CLKAMUX != "CLKA" || CLKBMUX != "CLKB")
            $fatal(1, "DP16KD: a mode that the model does not have");
    wire registered_a = REGMODE_A == "OUTREG", registered_b = REGMODE_B == "OUTREG";
    always @(posedge CLKA) begin
        if (DATA_WIDTH_B == 36 && (registered_a != registered_b || (registered_b && OCEA != OCEB)))
            $fatal(1, "DP16KD: the halves of an output differ");
        if (registered_a && RSTA || registered_b && RSTB) $fatal(1, "DP16KD: a register behind a port is reset");
        if (RESETMODE != "SYNC" && (RSTA || RSTB)) $fatal(1, "DP16KD: an asynchronous reset is used");
    end

    function [319:0] initial_row(input integer row);
        case (row)
            0: initial_row = INITVAL_00;
            1: initial_row = INITVAL_01;
            2: initial_row = INITVAL_02;
            3: initial_row = INITVAL_03;
            4: initial_row = INITVAL_04;
            5: initial_row = INITVAL_05;
            6: initial_row = INITVAL_06;
            7: initial_row = INITVAL_07;
            8: initial_row = INITVAL_08;
            9: initial_row = INITVAL_09;
            10: initial_row = INITVAL_0A;
            11: initial_row = INITVAL_0B;
            12: initial_row = INITVAL_0C;
            13: initial_row = INITVAL_0D;
            14: initial_row = INITVAL_0E;
            15: initial_row = INITVAL_0F;
            16: initial_row = INITVAL_10;
            17: initial_row = INITVAL_11;
            18: initial_row = INITVAL_12;
            19: initial_row = INITVAL_13;
            20: initial_row = INITVAL_14;
            21: initial_row = INITVAL_15;
            22: initial_row = INITVAL_16;
            23: initial_row = INITVAL_17;
            24: initial_row = INITVAL_18;
            25: initial_row = INITVAL_19;
            26: initial_row = INITVAL_1A;
            27: initial_row = INITVAL_1B;
            28: initial_row = INITVAL_1C;
            29: initial_row = INITVAL_1D;
            30: initial_row = INITVAL_1E;
            31: initial_row = INITVAL_1F;
            32: initial_row = INITVAL_20;
            33: initial_row = INITVAL_21;
            34: initial_row = INITVAL_22;
            35: initial_row = INITVAL_23;
            36: initial_row = INITVAL_24;
            37: initial_row = INITVAL_25;
            38: initial_row = INITVAL_26;
            39: initial_row = INITVAL_27;
            40: initial_row = INITVAL_28;
            41: initial_row = INITVAL_29;
            42: initial_row = INITVAL_2A;
            43: initial_row = INITVAL_2B;
            44: initial_row = INITVAL_2C;
            45: initial_row = INITVAL_2D;
            46: initial_row = INITVAL_2E;
            47: initial_row = INITVAL_2F;
            48: initial_row = INITVAL_30;
            49: initial_row = INITVAL_31;
            50: initial_row = INITVAL_32;
            51: initial_row = INITVAL_33;
            52: initial_row = INITVAL_34;
            53: initial_row = INITVAL_35;
            54: initial_row = INITVAL_36;
            55: initial_row = INITVAL_37;
            56: initial_row = INITVAL_38;
            57: initial_row = INITVAL_39;
            58: initial_row = INITVAL_3A;
            59: initial_row = INITVAL_3B;
            60: initial_row = INITVAL_3C;
            61: initial_row = INITVAL_3D;
            62: initial_row = INITVAL_3E;
            63: initial_row = INITVAL_3F;
            default: initial_row = 0;
        endcase
    endfunction

    reg [17:0] memory [0:1023];
    reg [319:0] row;
    integer i, j;
    initial
        for (i = 0; i < 64; i = i + 1) begin
            row = initial_row(i);
            for (j = 0; j < 16; j = j + 1) memory[16 * i + j] = row[20 * j +: 18];
        end

    // Bits of a pair of words (36 bits) that a port of `width` at `address` has, and where its value begins.
    function [35:0] bits_of(input integer width, input [13:0] address);
        case (width)
            36: bits_of = {36{1'b1}};
            18: bits_of = 36'h3ffff << 18 * address[4];
            9: bits_of = 36'h1ff << 9 * address[4:3];
            4: bits_of = 36'hf << place(width, address);
            2: bits_of = 36'h3 << place(width, address);
            default: bits_of = 36'h1 << place(width, address);
        endcase
    endfunction

    function integer place(input integer width, input [13:0] address);
        case (width)
            36: place = 0;
            18: place = 18 * address[4];
            9: place = 9 * address[4:3];
            4: place = 9 * address[4:3] + 4 * address[2];
            2: place = 9 * address[4:3] + 2 * address[2:1];
            default: place = 9 * address[4:3] + address[2:0];
        endcase
    endfunction

    // Byte enables of a write within the pair of words.
    function [35:0] enabled(input integer width, input [13:0] address);
        case (width)
            36: enabled = {{9{address[3]}}, {9{address[2]}}, {9{address[1]}}, {9{address[0]}}};
            18: enabled = {2{{9{address[1]}}, {9{address[0]}}}};
            default: enabled = {36{1'b1}};
        endcase
    endfunction

    wire [13:0] address_a = {
        ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2, ADA1, ADA0
    };
    wire [17:0] given_a = {
        DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9, DIA8, DIA7, DIA6, DIA5, DIA4, DIA3, DIA2, DIA1,
        DIA0
    };
    wire [13:0] address_b = {
        ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2, ADB1, ADB0
    };
    wire [17:0] given_b = {
        DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9, DIB8, DIB7, DIB6, DIB5, DIB4, DIB3, DIB2, DIB1,
        DIB0
    };

    // What each port writes and reads, as a pair of words beginning at an even one.
    wire chosen_a = CEA & ~CSA0 & ~CSA1 & ~CSA2;
    wire chosen_b = CEB & ~CSB0 & ~CSB1 & ~CSB2;
    wire [35:0] bits_a = bits_of(DATA_WIDTH_A, address_a), bits_b = bits_of(DATA_WIDTH_B, address_b);
    wire [35:0] written_a = chosen_a & WEA & ~RSTA ? bits_a & enabled(DATA_WIDTH_A, address_a) : 36'b0;
    wire [35:0] written_b = chosen_b & WEB & ~RSTB ? bits_b & enabled(DATA_WIDTH_B, address_b) : 36'b0;
    wire [35:0] data_a = (DATA_WIDTH_A == 36 ? {given_b, given_a} : {18'b0, given_a})
        << place(DATA_WIDTH_A, address_a);
    wire [35:0] data_b = {18'b0, given_b} << place(DATA_WIDTH_B, address_b);
    wire [8:0] pair_a = address_a[13:5], pair_b = address_b[13:5];
    wire [35:0] old_a = {memory[{pair_a, 1'b1}], memory[{pair_a, 1'b0}]};
    wire [35:0] old_b = {memory[{pair_b, 1'b1}], memory[{pair_b, 1'b0}]};
    wire same = pair_a == pair_b;
    wire [35:0] seen_a = old_a ^ (same ? written_b : 36'b0), seen_b = old_b ^ (same ? written_a : 36'b0);
    wire [35:0] through_a = seen_a & ~written_a | data_a & written_a;
    wire [35:0] through_b = seen_b & ~written_b | data_b & written_b;
    reg [35:0] out_a = 0, out_b = 0, held_a = 0, held_b = 0;

    always @(posedge CLKA) begin
        if (written_a[17:0] != 0) memory[{pair_a, 1'b0}] <= old_a[17:0] & ~written_a[17:0] | data_a[17:0] & written_a[17:0];
        if (written_a[35:18] != 0) memory[{pair_a, 1'b1}] <= old_a[35:18] & ~written_a[35:18] | data_a[35:18] & written_a[35:18];
        if (written_b[17:0] != 0) memory[{pair_b, 1'b0}] <= old_b[17:0] & ~written_b[17:0] | data_b[17:0] & written_b[17:0];
        if (written_b[35:18] != 0) memory[{pair_b, 1'b1}] <= old_b[35:18] & ~written_b[35:18] | data_b[35:18] & written_b[35:18];
        if (RSTA) out_a <= 0;
        else if (chosen_a && (written_a == 0 || WRITEMODE_A != "NORMAL"))
            out_a <= (WRITEMODE_A == "WRITETHROUGH" ? through_a : seen_a) >> place(DATA_WIDTH_A, address_a);
        if (RSTB) out_b <= 0;
        else if (chosen_b && (written_b == 0 || WRITEMODE_B != "NORMAL"))
            out_b <= (WRITEMODE_B == "WRITETHROUGH" ? through_b : seen_b) >> place(DATA_WIDTH_B, address_b);
        if (OCEA) held_a <= out_a;
        if (OCEB) held_b <= out_b;
    end
    wire [35:0] given_out_a = registered_a ? held_a : out_a, given_out_b = registered_b ? held_b : out_b;

    assign {
        DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9, DOA8, DOA7, DOA6, DOA5, DOA4, DOA3, DOA2, DOA1,
        DOA0
    } = DATA_WIDTH_B == 36 ? given_out_b[17:0] : given_out_a[17:0];
    assign {
        DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9, DOB8, DOB7, DOB6, DOB5, DOB4, DOB3, DOB2, DOB1,
        DOB0
    } = DATA_WIDTH_B == 36 ? given_out_b[35:18] : given_out_b[17:0];
endmodule
