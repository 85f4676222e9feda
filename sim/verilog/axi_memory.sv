// Behavioural AXI4 RAM that is as unfriendly as AXI allows.
//
// Full throughput on reads and writes at once, any number outstanding. A word that has been written holds poison
// until its write response has been taken. A read burst samples its words when its address is accepted and again when
// a beat is sent; where the two differ the beat is poison. So neither a read before the write response nor a write
// before the read data goes unseen. Files: job_<n>.memory in, job_<n>.dump out, raw bytes.
`include "bench_faults.svh"

module axi_memory #(
    parameter int BEAT_BYTES = 16,
    parameter int MEMORY_BYTES = 1 << 26
) (
    input  logic clk,
    input  logic aresetn,
    // Files: pulses; `size` bytes from address `base` on are the memory.
    input  logic load,
    input  logic dump,
    input  logic [31:0] job,
    input  logic [31:0] base,
    input  logic [31:0] size,
    // Manners: cycles from address to data and from last data to response; a stall pattern for each channel
    // (AR, R, AW, W, B from bit 0, two bits each: 0 none, 1 alternating, 2 random, 3 random in runs);
    // order: 0 AW and W independent, 1 W waits for AW, 2 AW waits for W.
    input  logic [15:0] read_latency,
    input  logic [15:0] write_latency,
    input  logic [9:0] stalls,
    input  logic [31:0] seed,
    input  logic [1:0] order,
    // Errors: byte addresses; the read beat and the write burst that hold them are answered with `fail_response`; all
    // ones: none.
    input  logic [31:0] fail_read,
    input  logic [31:0] fail_write,
    input  logic [1:0] fail_response,
    // Silence: channel 1..5 (AR, R, AW, W, B) makes `stop_after` handshakes and then no more; 0: none.
    input  logic [2:0] stop_channel,
    input  logic [31:0] stop_after,
    output logic idle,
    output logic read_issued,
    // AXI4
    input  logic [31:0] araddr,
    input  logic [7:0] arlen,
    input  logic arvalid,
    output logic arready,
    output logic [BEAT_BYTES*8-1:0] rdata,
    output logic [1:0] rresp,
    output logic rlast,
    output logic rvalid,
    input  logic rready,
    input  logic [31:0] awaddr,
    input  logic [7:0] awlen,
    input  logic awvalid,
    output logic awready,
    input  logic [BEAT_BYTES*8-1:0] wdata,
    input  logic [BEAT_BYTES-1:0] wstrb,
    input  logic wlast,
    input  logic wvalid,
    output logic wready,
    output logic [1:0] bresp,
    output logic bvalid,
    input  logic bready
);
    localparam int WORDS = MEMORY_BYTES / BEAT_BYTES;
    localparam int BURSTS = 1024;  // outstanding bursts, reads and writes each
    localparam int BEATS = 16384;  // outstanding beats, reads and writes each
    typedef logic [BEAT_BYTES*8-1:0] beat_t;
    typedef logic [31:0] count_t;

    beat_t memory[WORDS];

    // A read burst: address, beats - 1, cycle of acceptance.
    count_t ar_address[BURSTS], ar_time[BURSTS];
    logic [7:0] ar_length[BURSTS];
    beat_t sample[BEATS];
    count_t ar_head, ar_tail, sample_head, sample_tail, read_beat;
    // A write burst: address, beats - 1; its beats; then the response that is due.
    count_t aw_address[BURSTS], b_time[BURSTS], b_address[BURSTS], b_beats[BURSTS];
    logic [7:0] aw_length[BURSTS];
    beat_t w_data[BEATS];
    logic [BEAT_BYTES-1:0] w_strobe[BEATS];
    logic w_last[BEATS];
    count_t aw_head, aw_tail, w_bound, w_head, w_tail, write_beat, b_head, b_sent, b_tail;

    count_t now, handshakes[6], word, index;
    logic [63:0] random;
    logic [4:0] stall, flowing;
    logic [4:0] runs[5];
    beat_t value;
    logic aw_held, failed;

    function automatic beat_t poison(count_t number);
        return {(BEAT_BYTES / 4){32'h9e3779b9 * (number | 1)}};
    endfunction

    function automatic logic stopped(int channel);
        return stop_channel == 3'(channel) && handshakes[channel] >= stop_after;
    endfunction

    // Whether each channel stalls in the next cycle.
    function automatic void draw_stalls();
        random = random ^ (random << 13);
        random = random ^ (random >> 7);
        random = random ^ (random << 17);
        for (int channel = 0; channel < 5; channel++) begin
            if (runs[channel] == 0) begin
                flowing[channel] = !flowing[channel];
                runs[channel] = random[32+5*channel +: 5];
            end else runs[channel] = runs[channel] - 1;
            case (stalls[2*channel +: 2])
                0: stall[channel] = 0;
                1: stall[channel] = !stall[channel];
                2: stall[channel] = random[3*channel] ^ random[3*channel+20];
                3: stall[channel] = !flowing[channel];
            endcase
        end
    endfunction

    function automatic void load_file();
        int file;
        file = $fopen($sformatf("job_%0d.memory", job), "rb");
        if (file == 0) `FAULT($sformatf("job_%0d.memory cannot be opened", job))
        else begin
            // Bytes are stored in reverse within a word: $fread takes the first byte as the most significant.
            index = $fread(memory, file, 0, int'(size) / BEAT_BYTES);
            if (index != size) `FAULT($sformatf("job_%0d.memory holds %0d bytes, not %0d", job, index, size))
            $fclose(file);
        end
        handshakes = '{default: 0};
        random = {seed, 32'h2545f491} | 1;
        runs = '{default: 0};
        now = 0;
    endfunction

    function automatic void dump_file();
        int file;
        file = $fopen($sformatf("job_%0d.dump", job), "wb");
        for (int i = 0; i < int'(size) / BEAT_BYTES; i++) $fwrite(file, "%u", memory[i]);
        $fclose(file);
    endfunction

    function automatic void clear();
        ar_head = 0; ar_tail = 0; sample_head = 0; sample_tail = 0; read_beat = 0;
        aw_head = 0; aw_tail = 0; w_bound = 0; w_head = 0; w_tail = 0; write_beat = 0;
        b_head = 0; b_sent = 0; b_tail = 0; stall = 0; flowing = 0;
    endfunction

    function automatic void accept_read();
        ar_address[ar_tail % BURSTS] = araddr;
        ar_length[ar_tail % BURSTS] = arlen;
        ar_time[ar_tail % BURSTS] = now;
        ar_tail = ar_tail + 1;
        for (int i = 0; i <= int'(arlen); i++) begin
            word = (araddr - base) / BEAT_BYTES + i;
            sample[sample_tail % BEATS] = memory[word % WORDS];
            sample_tail = sample_tail + 1;
        end
    endfunction

    // Beats of a burst become poison in memory as soon as both address and data are there.
    function automatic void bind_write();
        word = (aw_address[aw_head % BURSTS] - base) / BEAT_BYTES + write_beat;
        value = memory[word % WORDS];
        for (int i = 0; i < BEAT_BYTES; i++)
            if (w_strobe[w_bound % BEATS][i]) value[8*i +: 8] = 8'(poison(word) >> 8 * i);
        memory[word % WORDS] = value;
        if (w_last[w_bound % BEATS] != (write_beat == 32'(aw_length[aw_head % BURSTS])))
            `FAULT($sformatf("AXI: WLAST is %0d on beat %0d of a burst of %0d", w_last[w_bound % BEATS], write_beat,
                aw_length[aw_head % BURSTS] + 1))
        w_bound = w_bound + 1;
        write_beat = write_beat + 1;
        if (write_beat > 32'(aw_length[aw_head % BURSTS])) begin
            b_address[b_tail % BURSTS] = aw_address[aw_head % BURSTS];
            b_beats[b_tail % BURSTS] = write_beat;
            b_time[b_tail % BURSTS] = now;
            b_tail = b_tail + 1;
            aw_head = aw_head + 1;
            write_beat = 0;
        end
    endfunction

    function automatic logic write_fails(count_t burst);
        index = burst % BURSTS;
        return fail_write >= b_address[index] && fail_write - b_address[index] < b_beats[index] * BEAT_BYTES;
    endfunction

    // The response was taken: the data is visible. A failed burst leaves its poison.
    function automatic void commit_write();
        for (int i = 0; i < int'(b_beats[b_head % BURSTS]); i++) begin
            word = (b_address[b_head % BURSTS] - base) / BEAT_BYTES + i;
            value = memory[word % WORDS];
            for (int j = 0; j < BEAT_BYTES; j++)
                if (w_strobe[w_head % BEATS][j]) value[8*j +: 8] = w_data[w_head % BEATS][8*j +: 8];
            if (!write_fails(b_head)) memory[word % WORDS] = value;
            w_head = w_head + 1;
        end
        b_head = b_head + 1;
    endfunction

    function automatic void send_read();
        index = ar_head % BURSTS;
        word = (ar_address[index] - base) / BEAT_BYTES + read_beat;
        value = sample[sample_head % BEATS];
        sample_head = sample_head + 1;
        failed = fail_read / BEAT_BYTES == ar_address[index] / BEAT_BYTES + read_beat;
        rvalid <= 1;
        rdata <= failed || value != memory[word % WORDS] ? poison(word) : value;
        rresp <= failed ? fail_response : 2'b00;
        rlast <= read_beat == 32'(ar_length[index]);
        read_beat = read_beat + 1;
        if (read_beat > 32'(ar_length[index])) begin
            read_beat = 0;
            ar_head = ar_head + 1;
        end
    endfunction

    assign idle = ar_head == ar_tail && !rvalid && aw_head == aw_tail && w_bound == w_tail && b_head == b_tail;
    assign read_issued = ar_head != ar_tail;

    always @(posedge clk) begin
        now = now + 1;
        if (load) load_file();
        if (dump) dump_file();
        if (!aresetn || load) begin
            clear();
            {arready, rvalid, awready, wready, bvalid} <= 0;
        end else begin
            if (stalls != 0) draw_stalls();
            else stall = 0;
            // Handshakes of the cycle that ends here.
            if (arvalid && arready) begin accept_read(); handshakes[1] = handshakes[1] + 1; end
            if (rvalid && rready) handshakes[2] = handshakes[2] + 1;
            if (awvalid && awready) begin
                aw_address[aw_tail % BURSTS] = awaddr;
                aw_length[aw_tail % BURSTS] = awlen;
                aw_tail = aw_tail + 1;
                handshakes[3] = handshakes[3] + 1;
            end
            if (wvalid && wready) begin
                w_data[w_tail % BEATS] = wdata;
                w_strobe[w_tail % BEATS] = wstrb;
                w_last[w_tail % BEATS] = wlast;
                w_tail = w_tail + 1;
                handshakes[4] = handshakes[4] + 1;
            end
            if (aw_head != aw_tail && w_bound != w_tail) bind_write();
            if (bvalid && bready) begin commit_write(); handshakes[5] = handshakes[5] + 1; end

            // What the next cycle shows.
            arready <= !stall[0] && !stopped(1) && ar_tail - ar_head < BURSTS - 2
                && sample_tail - sample_head < BEATS - 512;
            if (!rvalid || rready) begin
                rvalid <= 0;
                if (ar_head != ar_tail && now - ar_time[ar_head % BURSTS] >= 32'(read_latency) && !stall[1]
                    && !stopped(2)) send_read();
            end
            aw_held = order == 2 && aw_tail - aw_head >= 1 && w_bound == w_tail;
            awready <= !stall[2] && !stopped(3) && aw_tail - aw_head < BURSTS - 2 && b_tail - b_head < BURSTS - 2
                && !(order == 2 && (aw_held || !(wvalid || w_bound != w_tail)));
            wready <= !stall[3] && !stopped(4) && w_tail - w_head < BEATS - 2
                && !(order == 1 && aw_head == aw_tail);
            if (!bvalid || bready) begin
                bvalid <= 0;
                if (b_sent != b_tail && now - b_time[b_sent % BURSTS] >= 32'(write_latency) && !stall[4]
                    && !stopped(5)) begin
                    bvalid <= 1;
                    bresp <= write_fails(b_sent) ? fail_response : 2'b00;
                    b_sent = b_sent + 1;
                end
            end
        end
    end
endmodule
