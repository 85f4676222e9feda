// Writes the bus signals of every cycle as a line of hexadecimal numbers when the simulator is started with +waves=FILE.
// The first line names the columns. A value is the one that the rising edge at the end of its cycle sees.
module wave_sampler #(
    parameter int BEAT_BYTES = 16
) (
    input logic clk,
    input logic dump,  // what was sampled is on disk afterwards
    input logic irq,
    input logic [31:0] s_axil_awaddr, s_axil_wdata, s_axil_araddr, s_axil_rdata,
    input logic s_axil_awvalid, s_axil_awready, s_axil_wvalid, s_axil_wready, s_axil_bvalid, s_axil_bready,
    input logic s_axil_arvalid, s_axil_arready, s_axil_rvalid, s_axil_rready,
    input logic [1:0] s_axil_bresp, s_axil_rresp,
    input logic [31:0] m_axi_araddr, m_axi_awaddr,
    input logic [7:0] m_axi_arlen, m_axi_awlen,
    input logic [BEAT_BYTES*8-1:0] m_axi_rdata, m_axi_wdata,
    input logic [1:0] m_axi_rresp, m_axi_bresp,
    input logic m_axi_arvalid, m_axi_arready, m_axi_rvalid, m_axi_rready, m_axi_rlast,
    input logic m_axi_awvalid, m_axi_awready, m_axi_wvalid, m_axi_wready, m_axi_wlast, m_axi_bvalid, m_axi_bready
);
    int file = 0;
    string name;
    initial
        if ($value$plusargs("waves=%s", name)) begin
            file = $fopen(name, "w");
            $fwrite(file, "irq ");
            $fwrite(file, "s_axil_awaddr s_axil_awvalid s_axil_awready s_axil_wdata s_axil_wvalid s_axil_wready ");
            $fwrite(file, "s_axil_bresp s_axil_bvalid s_axil_bready s_axil_araddr s_axil_arvalid s_axil_arready ");
            $fwrite(file, "s_axil_rdata s_axil_rresp s_axil_rvalid s_axil_rready ");
            $fwrite(file, "m_axi_araddr m_axi_arlen m_axi_arvalid m_axi_arready ");
            $fwrite(file, "m_axi_rdata m_axi_rresp m_axi_rlast m_axi_rvalid m_axi_rready ");
            $fwrite(file, "m_axi_awaddr m_axi_awlen m_axi_awvalid m_axi_awready ");
            $fwrite(file, "m_axi_wdata m_axi_wlast m_axi_wvalid m_axi_wready m_axi_bresp m_axi_bvalid m_axi_bready\n");
        end
    always @(posedge clk)
        if (file != 0) begin
            $fwrite(file, "%h ", irq);
            $fwrite(file, "%h %h %h %h %h %h ", s_axil_awaddr, s_axil_awvalid, s_axil_awready, s_axil_wdata,
                s_axil_wvalid, s_axil_wready);
            $fwrite(file, "%h %h %h %h %h %h ", s_axil_bresp, s_axil_bvalid, s_axil_bready, s_axil_araddr,
                s_axil_arvalid, s_axil_arready);
            $fwrite(file, "%h %h %h %h ", s_axil_rdata, s_axil_rresp, s_axil_rvalid, s_axil_rready);
            $fwrite(file, "%h %h %h %h ", m_axi_araddr, m_axi_arlen, m_axi_arvalid, m_axi_arready);
            $fwrite(file, "%h %h %h %h %h ", m_axi_rdata, m_axi_rresp, m_axi_rlast, m_axi_rvalid, m_axi_rready);
            $fwrite(file, "%h %h %h %h ", m_axi_awaddr, m_axi_awlen, m_axi_awvalid, m_axi_awready);
            $fwrite(file, "%h %h %h %h %h %h %h\n", m_axi_wdata, m_axi_wlast, m_axi_wvalid, m_axi_wready,
                m_axi_bresp, m_axi_bvalid, m_axi_bready);
            if (dump) $fflush(file);
        end
endmodule
