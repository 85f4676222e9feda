// The engine, its memory and its watchers, driven by single operations so that no cycle needs Python.
//
// An operation starts when `request` changes and is over when `reply` equals it:
// 1 load files and clear memory's state; 2 dump files; 3 write register; 4 read register;
// 5 start (a register write) and wait for the interrupt, then `drain` more cycles. `late_cycle` cycles after that
// start, if not 0, one more register write is made. The wait ends at `cycle_limit` cycles or at a broken rule.
// 6 wait as 5 does, for a program that a register write (3) has started.
`include "bench_config.svh"
`include "bench_faults.svh"

module bench (
    input  logic clk,
    input  logic aresetn,
    input  logic request,
    input  logic [2:0] operation,
    input  logic [31:0] operand_address,
    input  logic [31:0] operand_data,
    input  logic [31:0] late_cycle,
    input  logic [31:0] late_address,
    input  logic [31:0] late_data,
    input  logic [31:0] cycle_limit,
    input  logic [15:0] drain,
    output logic reply,
    output logic [31:0] answer,
    output logic [1:0] response,
    output logic finished,  // the interrupt came within the limit
    output logic [31:0] cycles,  // from the start's register write to the interrupt
    output logic [31:0] read_beats,  // taken since the files were loaded
    output logic [31:0] write_beats,
    output logic [31:0] faults,
    output logic [15:0] at_layer,  // of the COMPUTE command being issued or waited for
    input  logic [31:0] job,
    input  logic [1:0] record,
    input  logic [15:0] layers,
    input  logic [31:0] base,
    input  logic [31:0] size,
    input  logic [31:0] image_base,
    input  logic [31:0] image_size,
    input  logic [31:0] data_base,
    input  logic [31:0] data_size,
    input  logic [15:0] read_latency,
    input  logic [15:0] write_latency,
    input  logic [9:0] stalls,
    input  logic [31:0] seed,
    input  logic [1:0] order,
    input  logic [31:0] fail_read,
    input  logic [31:0] fail_write,
    input  logic [1:0] fail_response,
    input  logic [2:0] stop_channel,
    input  logic [31:0] stop_after
);
    localparam int BEAT_BYTES = `BENCH_BEAT_BYTES;
    localparam int RESULTS = `BENCH_PIXELS * `BENCH_LANES;

    logic irq, idle, read_issued, axil_done;
    logic load = 0, dump = 0, go = 0, late = 0;
    logic started = 0;  // by a register write
    logic [31:0] m_axi_araddr, m_axi_awaddr, s_axil_awaddr, s_axil_araddr, s_axil_wdata, s_axil_rdata;
    logic [7:0] m_axi_arlen, m_axi_awlen;
    logic [2:0] m_axi_arsize, m_axi_awsize;
    logic [1:0] m_axi_arburst, m_axi_awburst, m_axi_rresp, m_axi_bresp, s_axil_bresp, s_axil_rresp;
    logic [BEAT_BYTES*8-1:0] m_axi_rdata, m_axi_wdata;
    logic [BEAT_BYTES-1:0] m_axi_wstrb;
    logic m_axi_arvalid, m_axi_arready, m_axi_rvalid, m_axi_rready, m_axi_rlast, m_axi_awvalid, m_axi_awready;
    logic m_axi_wvalid, m_axi_wready, m_axi_wlast, m_axi_bvalid, m_axi_bready;
    logic s_axil_awvalid, s_axil_awready, s_axil_wvalid, s_axil_wready, s_axil_bvalid, s_axil_bready;
    logic s_axil_arvalid, s_axil_arready, s_axil_rvalid, s_axil_rready;
    logic [3:0] s_axil_wstrb;

    logic trace_valid, trace_cause_valid;
    logic [15:0] trace_layer, trace_cause_layer, trace_address_0, trace_address_1, trace_address_2, trace_address_3;
    logic [2:0] trace_sub;
    logic [3:0] trace_cause;
    logic [`BENCH_PIXELS-1:0] trace_pixel_valid;
    logic [`BENCH_LANES*8-1:0] trace_output_0, trace_output_1, trace_output_2, trace_output_3;
    logic [`BENCH_LANES*32-1:0] trace_acc_0, trace_acc_1, trace_acc_2, trace_acc_3;
    logic [`BENCH_LANES*(`BENCH_GUARD_BITS+11)-1:0] trace_shifted_0, trace_shifted_1, trace_shifted_2, trace_shifted_3;
    logic [`BENCH_LANES*(`BENCH_GUARD_BITS+27)-1:0] trace_product_0, trace_product_1, trace_product_2, trace_product_3;

    // Until the first reset all is held in reset: inputs and registers begin with random values that mean nothing.
    logic was_reset = 0, alive;
    assign alive = aresetn && was_reset;
    // Registered, so that no logic of the engine hangs on an input of the bench: it would be evaluated twice a cycle.
    logic resetn = 0;
    always @(posedge clk) begin
        if (!aresetn) was_reset <= 1;
        resetn <= alive;
    end

    // verilator lint_off WIDTH
    `BENCH_INSTANCE
    // verilator lint_on WIDTH

    axi_memory #(.BEAT_BYTES(BEAT_BYTES)) memory (
        .clk, .aresetn(alive), .load, .dump, .job, .base, .size, .read_latency, .write_latency, .stalls, .seed, .order,
        .fail_read, .fail_write, .fail_response, .stop_channel, .stop_after, .idle, .read_issued,
        .araddr(m_axi_araddr), .arlen(m_axi_arlen), .arvalid(m_axi_arvalid), .arready(m_axi_arready),
        .rdata(m_axi_rdata), .rresp(m_axi_rresp), .rlast(m_axi_rlast), .rvalid(m_axi_rvalid), .rready(m_axi_rready),
        .awaddr(m_axi_awaddr), .awlen(m_axi_awlen), .awvalid(m_axi_awvalid), .awready(m_axi_awready),
        .wdata(m_axi_wdata), .wstrb(m_axi_wstrb), .wlast(m_axi_wlast), .wvalid(m_axi_wvalid),
        .wready(m_axi_wready), .bresp(m_axi_bresp), .bvalid(m_axi_bvalid), .bready(m_axi_bready)
    );

    axi_rules #(.BEAT_BYTES(BEAT_BYTES)) rules (
        .clk, .aresetn(resetn), .active(state == RUN || started || (state == DRAIN && late_cycle != 0)),
        .image_base, .image_size, .data_base, .data_size,
        .araddr(m_axi_araddr), .arlen(m_axi_arlen), .arsize(m_axi_arsize), .arburst(m_axi_arburst),
        .arvalid(m_axi_arvalid), .arready(m_axi_arready),
        .awaddr(m_axi_awaddr), .awlen(m_axi_awlen), .awsize(m_axi_awsize), .awburst(m_axi_awburst),
        .awvalid(m_axi_awvalid), .awready(m_axi_awready),
        .wdata(m_axi_wdata), .wstrb(m_axi_wstrb), .wlast(m_axi_wlast), .wvalid(m_axi_wvalid), .wready(m_axi_wready)
    );

    axil_master master (
        .clk, .aresetn(alive), .go(go || late), .write(late || operation != 4),
        .address(late ? late_address : operand_address), .data(late ? late_data : operand_data),
        .done(axil_done), .answer, .response,
        .awaddr(s_axil_awaddr), .awvalid(s_axil_awvalid), .awready(s_axil_awready),
        .wdata(s_axil_wdata), .wstrb(s_axil_wstrb), .wvalid(s_axil_wvalid), .wready(s_axil_wready),
        .bresp(s_axil_bresp), .bvalid(s_axil_bvalid), .bready(s_axil_bready),
        .araddr(s_axil_araddr), .arvalid(s_axil_arvalid), .arready(s_axil_arready),
        .rdata(s_axil_rdata), .rresp(s_axil_rresp), .rvalid(s_axil_rvalid), .rready(s_axil_rready)
    );

    trace_recorder #(
        .PIXELS(`BENCH_PIXELS), .LANES(`BENCH_LANES), .GUARD_BITS(`BENCH_GUARD_BITS), .STAGES(`BENCH_STAGES)
    ) trace (
        .clk, .open(load), .close(dump), .job, .record, .layers,
        .valid(trace_valid), .layer(trace_layer), .sub(trace_sub), .pixel_valid(trace_pixel_valid),
        .address((`BENCH_PIXELS*16)'({trace_address_3, trace_address_2, trace_address_1, trace_address_0})),
        .outputs((RESULTS*8)'({trace_output_3, trace_output_2, trace_output_1, trace_output_0})), .acc((RESULTS*32)'({trace_acc_3, trace_acc_2, trace_acc_1, trace_acc_0})),
        .shifted((RESULTS*(`BENCH_GUARD_BITS+11))'({trace_shifted_3, trace_shifted_2, trace_shifted_1, trace_shifted_0})),
        .product((RESULTS*(`BENCH_GUARD_BITS+27))'({trace_product_3, trace_product_2, trace_product_1, trace_product_0})),
        .cause_valid(trace_cause_valid), .cause(trace_cause), .cause_layer(trace_cause_layer)
    );

    wave_sampler #(.BEAT_BYTES(BEAT_BYTES)) waves (.*);

    typedef enum {WAIT, FILES, ACCESS, RUN, DRAIN} state_t;
    state_t state = WAIT;
    logic [31:0] elapsed;
    assign faults = bench_fault_pkg::faults;
    assign at_layer = trace_cause_layer;

    always @(posedge clk) begin
        {load, dump, go, late} <= 0;
        elapsed <= elapsed + 1;
        read_beats <= load ? 0 : read_beats + 32'(m_axi_rvalid && m_axi_rready);
        write_beats <= load ? 0 : write_beats + 32'(m_axi_wvalid && m_axi_wready);
        case (state)
            WAIT: if (request != reply) begin
                elapsed <= 0;
                finished <= 0;
                case (operation)
                    1: begin load <= 1; started <= 0; state <= FILES; end
                    2: begin
                        dump <= 1;
                        started <= 0;
                        state <= FILES;
                        if (!idle && stop_channel == 0) `FAULT("AXI: bursts are open after the end of the program")
                    end
                    3, 4: begin
                        go <= 1;
                        if (operation == 3 && operand_address == `BENCH_CONTROL && operand_data[0]) started <= 1;
                        state <= ACCESS;
                    end
                    5, 6: begin go <= operation == 5; state <= RUN; end
                    default: reply <= request;
                endcase
            end
            FILES: if (elapsed == 2) begin reply <= request; state <= WAIT; end
            ACCESS: if (axil_done) begin reply <= request; state <= WAIT; end
            RUN: begin
                late <= late_cycle != 0 && elapsed == late_cycle;
                if ((irq && elapsed > 4 && elapsed > late_cycle) || elapsed > cycle_limit || faults != 0) begin
                    finished <= irq;
                    cycles <= elapsed;
                    elapsed <= 0;
                    state <= DRAIN;
                end
            end
            DRAIN: if (elapsed >= 32'(drain)) begin reply <= request; state <= WAIT; end
        endcase
        if (!alive) begin state <= WAIT; reply <= request; {load, dump, go, late, started} <= 0; end
    end
endmodule
