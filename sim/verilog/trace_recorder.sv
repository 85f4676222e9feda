// Writes the engine's trace port to job_<n>.trace and counts the causes of cycles per layer (job_<n>.causes).
//
// Record, in little-endian 32-bit words: layer | sub << 16 | pixel_valid << 24; the addresses, 16 bits each,
// padded to whole words; the output bytes, padded to whole words; with `record` = 2 then per result acc, shifted (32 bits each, sign-extended)
// and product (64 bits); STAGES = 0 leaves these out and breaks the run that asks for them. Causes file: per layer 16 counts of 32 bits.
`include "bench_faults.svh"

module trace_recorder #(
    parameter int PIXELS = 1,
    parameter int LANES = 2,
    parameter int GUARD_BITS = 7,
    parameter bit STAGES = 1
) (
    input logic clk,
    input logic open,
    input logic close,
    input logic [31:0] job,
    input logic [1:0] record,  // 0 nothing, 1 outputs, 2 every stage
    input logic [15:0] layers,  // layers in the causes file
    input logic valid,
    input logic [15:0] layer,
    input logic [2:0] sub,
    input logic [PIXELS-1:0] pixel_valid,
    input logic [PIXELS*16-1:0] address,
    input logic [PIXELS*LANES*8-1:0] outputs,
    input logic [PIXELS*LANES*32-1:0] acc,
    input logic [PIXELS*LANES*(GUARD_BITS+11)-1:0] shifted,
    input logic [PIXELS*LANES*(GUARD_BITS+27)-1:0] product,
    input logic cause_valid,
    input logic [3:0] cause,
    input logic [15:0] cause_layer
);
    localparam int RESULTS = PIXELS * LANES;
    localparam int ADDRESS_BITS = (PIXELS + 1) / 2 * 32;
    localparam int OUTPUT_BITS = (RESULTS * 8 + 31) / 32 * 32;
    localparam int SHIFTED_BITS = GUARD_BITS + 11;
    localparam int PRODUCT_BITS = GUARD_BITS + 27;

    localparam int RECORD_WORDS = 1 + (ADDRESS_BITS + OUTPUT_BITS) / 32;
    localparam int STAGES_WORDS = 4 * RESULTS;

    import "DPI-C" function void trace_open(input string name);
    import "DPI-C" function void trace_close();
    import "DPI-C" function void trace_result(input bit [RECORD_WORDS*32-1:0] vector, input int words);
    import "DPI-C" function void trace_stages(input bit [STAGES_WORDS*32-1:0] vector, input int words);

    logic [31:0] causes[1<<16][16];
    logic [RESULTS*32-1:0] wide_shifted;
    logic [RESULTS*64-1:0] wide_product;

    logic [RECORD_WORDS*32-1:0] write;
    assign write = {OUTPUT_BITS'(outputs), ADDRESS_BITS'(address), 8'(pixel_valid), 5'b0, sub, layer};

    for (genvar i = 0; i < RESULTS; i++) begin : widen
        assign wide_shifted[32*i +: 32] = 32'($signed(shifted[SHIFTED_BITS*i +: SHIFTED_BITS]));
        assign wide_product[64*i +: 64] = 64'($signed(product[PRODUCT_BITS*i +: PRODUCT_BITS]));
    end

    always @(posedge clk) begin
        if (open) begin
            if (!STAGES && record == 2) `FAULT("this bench records no stages")
            if (record != 0) trace_open($sformatf("job_%0d.trace", job));
            for (int i = 0; i < int'(layers); i++) causes[i] = '{default: 0};
        end else if (close) begin
            int causes_file;
            trace_close();
            causes_file = $fopen($sformatf("job_%0d.causes", job), "wb");
            for (int i = 0; i < int'(layers); i++)
                for (int j = 0; j < 16; j++) $fwrite(causes_file, "%u", causes[i][j]);
            $fclose(causes_file);
        end else begin
            if (valid && record != 0) trace_result(write, RECORD_WORDS);
            if (STAGES && valid && record == 2) trace_stages({wide_product, wide_shifted, acc}, STAGES_WORDS);
            if (cause_valid) causes[cause_layer][cause] = causes[cause_layer][cause] + 1;
        end
    end
endmodule
