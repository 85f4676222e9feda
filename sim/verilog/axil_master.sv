// One AXI4-Lite access at a time: `go` for one cycle, `done` for one cycle when the response is there.
module axil_master (
    input  logic clk,
    input  logic aresetn,
    input  logic go,
    input  logic write,
    input  logic [31:0] address,
    input  logic [31:0] data,
    output logic done,
    output logic [31:0] answer,
    output logic [1:0] response,
    output logic [31:0] awaddr,
    output logic awvalid,
    input  logic awready,
    output logic [31:0] wdata,
    output logic [3:0] wstrb,
    output logic wvalid,
    input  logic wready,
    input  logic [1:0] bresp,
    input  logic bvalid,
    output logic bready,
    output logic [31:0] araddr,
    output logic arvalid,
    input  logic arready,
    input  logic [31:0] rdata,
    input  logic [1:0] rresp,
    input  logic rvalid,
    output logic rready
);
    assign {wstrb, bready, rready} = '1;
    always @(posedge clk) begin
        done <= 0;
        if (!aresetn) {awvalid, wvalid, arvalid} <= 0;
        else begin
            if (awready) awvalid <= 0;
            if (wready) wvalid <= 0;
            if (arready) arvalid <= 0;
            if (go) begin
                awaddr <= address;
                araddr <= address;
                wdata <= data;
                {awvalid, wvalid, arvalid} <= {write, write, !write};
            end
            if (bvalid) begin done <= 1; response <= bresp; end
            if (rvalid) begin done <= 1; response <= rresp; answer <= rdata; end
        end
    end
endmodule
