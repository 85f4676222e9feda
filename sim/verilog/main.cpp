// Runs the bench as a plain process: operations come as lines on standard input, outputs go as lines to standard output.
//
// In: "PORT=VALUE ..." sets inputs of the bench, then starts an operation (bench.sv) and runs the clock until it is
// over; "reset" holds aresetn low for some cycles. Out: "at LAYER CYCLES" now and then while an operation runs, at its
// end one line "PORT=VALUE ..." with every output and cpu_microseconds. The end of the input ends the process.
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>

#include "Vtop.h"
#include "bench_ports.h"  // BENCH_INPUTS, BENCH_OUTPUTS: lists of BENCH_PORT(name)

namespace {

constexpr int RESET_CYCLES = 20;
constexpr uint32_t TELL_CYCLES = 1 << 16;

void run_cycle(Vtop& bench) {
    bench.clk = 1;
    bench.eval();
    bench.clk = 0;
    bench.eval();
}

void set_port(Vtop& bench, const std::string& name, uint32_t value) {
#define BENCH_PORT(port) \
    if (name == #port) { \
        bench.port = value; \
        return; \
    }
    BENCH_INPUTS
#undef BENCH_PORT
    std::cerr << "the bench has no input " << name << std::endl;
    std::exit(2);
}

void tell_outputs(const Vtop& bench) {
#define BENCH_PORT(port) std::cout << #port "=" << uint64_t(bench.port) << ' ';
    BENCH_OUTPUTS
#undef BENCH_PORT
    std::cout << "cpu_microseconds=" << uint64_t(std::clock()) * 1000000 / CLOCKS_PER_SEC << std::endl;
}

void reset(Vtop& bench) {
    for (int level = 0; level < 2; level++) {
        bench.aresetn = level;
        for (int i = 0; i < RESET_CYCLES; i++) run_cycle(bench);
    }
}

void operate(Vtop& bench) {
    bench.request = !bench.reply;
    for (uint32_t cycles = 1; bench.reply != bench.request; cycles++) {
        run_cycle(bench);
        if (cycles % TELL_CYCLES == 0) std::cout << "at " << uint32_t(bench.at_layer) << ' ' << cycles << std::endl;
    }
}

}  // namespace

int main(int argc, char** argv) {
    const auto context = std::make_unique<VerilatedContext>();
    context->commandArgs(argc, argv);
    const auto bench = std::make_unique<Vtop>(context.get());
    for (std::string line; std::getline(std::cin, line);) {
        if (line == "reset") {
            reset(*bench);
        } else {
            std::istringstream words(line);
            for (std::string word; words >> word;) {
                const auto at = word.find('=');
                set_port(*bench, word.substr(0, at), std::stoul(word.substr(at + 1)));
            }
            operate(*bench);
        }
        tell_outputs(*bench);
    }
    return 0;
}
