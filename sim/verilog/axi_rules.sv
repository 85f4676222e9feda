// Rules that an AXI4 master must keep, checked in every cycle; the first broken ones end the run.
//
// Bursts: INCR, full width, aligned, within 4 KB and the given regions (reads: both, writes: data only). VALID stays
// and its payload holds until READY. Nothing is valid in reset. WLAST is checked by the memory. No unknown values:
// a two-state simulator has none, random initial values take that place.
`include "bench_faults.svh"

module axi_rules #(
    parameter int BEAT_BYTES = 16
) (
    input logic clk,
    input logic aresetn,
    input logic active,  // bursts may be issued
    input logic [31:0] image_base,
    input logic [31:0] image_size,
    input logic [31:0] data_base,
    input logic [31:0] data_size,
    input logic [31:0] araddr,
    input logic [7:0] arlen,
    input logic [2:0] arsize,
    input logic [1:0] arburst,
    input logic arvalid,
    input logic arready,
    input logic [31:0] awaddr,
    input logic [7:0] awlen,
    input logic [2:0] awsize,
    input logic [1:0] awburst,
    input logic awvalid,
    input logic awready,
    input logic [BEAT_BYTES*8-1:0] wdata,
    input logic [BEAT_BYTES-1:0] wstrb,
    input logic wlast,
    input logic wvalid,
    input logic wready
);
    typedef struct packed {
        logic [31:0] address;
        logic [7:0] length;
        logic [2:0] size;
        logic [1:0] burst;
    } burst_t;
    typedef struct packed {
        logic [BEAT_BYTES*8-1:0] data;
        logic [BEAT_BYTES-1:0] strobe;
        logic last;
    } write_t;

    burst_t ar, aw, ar_before, aw_before;
    write_t w, w_before;
    logic ar_waits, aw_waits, w_waits;
    logic in_reset = 0;  // since the clock edge before
    assign ar = '{araddr, arlen, arsize, arburst};
    assign aw = '{awaddr, awlen, awsize, awburst};
    assign w = '{wdata, wstrb, wlast};

    function automatic logic inside_region(logic [31:0] address, logic [31:0] bytes, logic [31:0] start,
        logic [31:0] length);
        return address >= start && {1'b0, address} + 33'(bytes) <= {1'b0, start} + 33'(length);
    endfunction

    function automatic void check_burst(string channel, burst_t burst, logic writes);
        logic [31:0] bytes;
        bytes = (32'(burst.length) + 1) * BEAT_BYTES;
        if (burst.burst != 2'b01)
            `FAULT($sformatf("AXI: %s burst type is %0d, not INCR", channel, burst.burst))
        if ((1 << burst.size) != BEAT_BYTES)
            `FAULT($sformatf("AXI: %s size is %0d bytes on a bus of %0d", channel, 1 << burst.size, BEAT_BYTES))
        if (burst.address % BEAT_BYTES != 0)
            `FAULT($sformatf("AXI: %s address 0x%0x is not aligned", channel, burst.address))
        if (32'(burst.address[11:0]) + bytes > 4096)
            `FAULT($sformatf("AXI: %s burst of %0d bytes from 0x%0x crosses 4 KB", channel, bytes, burst.address))
        if (!inside_region(burst.address, bytes, data_base, data_size)
            && (writes || !inside_region(burst.address, bytes, image_base, image_size)))
            `FAULT($sformatf("AXI: %s burst of %0d bytes from 0x%0x is outside its regions", channel, bytes,
                burst.address))
        if (!active) `FAULT($sformatf("AXI: %s burst from 0x%0x while the engine is idle", channel, burst.address))
    endfunction

    always @(posedge clk) begin
        in_reset <= !aresetn;
        if (!aresetn) begin
            {ar_waits, aw_waits, w_waits} <= 0;
            if (in_reset && (arvalid || awvalid || wvalid)) `FAULT("AXI: VALID in reset")
        end else begin
            if (arvalid && arready) check_burst("AR", ar, 0);
            if (awvalid && awready) check_burst("AW", aw, 1);
            if (ar_waits && (!arvalid || ar != ar_before)) `FAULT("AXI: AR changed or left before ARREADY")
            if (aw_waits && (!awvalid || aw != aw_before)) `FAULT("AXI: AW changed or left before AWREADY")
            if (w_waits && (!wvalid || w != w_before)) `FAULT("AXI: W changed or left before WREADY")
            ar_waits <= arvalid && !arready;
            aw_waits <= awvalid && !awready;
            w_waits <= wvalid && !wready;
            ar_before <= ar;
            aw_before <= aw;
            w_before <= w;
        end
    end
endmodule
