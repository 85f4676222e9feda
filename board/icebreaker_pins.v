// The iCEBreaker's FPGA, module `top` as amaranth names its pins, seen as the simulated design is (board/simulation.py).
// Button and lights are active when low. `clk` turns at the frequency that the PLL makes.
module icebreaker_pins (input clk, rst, rx, output tx, busy, failed);
    wire pressed_n = !rst, line = rx, green_n, red_n;  // an input is no pin of the FPGA, which could drive it
    top fpga (
        .clk12_0__io(clk), .button_0__io(pressed_n), .uart_0__rx__io(line), .uart_0__tx__io(tx),
        .led_g_0__io(green_n), .led_r_0__io(red_n)
    );
    assign busy = !green_n, failed = !red_n;
endmodule
