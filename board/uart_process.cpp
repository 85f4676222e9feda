// Runs a board design as a plain process, seen through its UART pins alone.
//
// A command on standard input is a letter and a 32-bit number N, little-endian:
//   S N bytes  queue N bytes for the rx pin
//   R N        run the clock until a FLAG has come from the tx pin or N cycles are over; answers: how many bytes have
//              come (32 bits), these bytes, cycles since the start of the process (64 bits), framing errors (32 bits)
//   X N        hold reset for N cycles; what was queued and not yet begun is kept
//   B N        pull rx low for N cycles, whatever is being sent: a line break
// The end of the input ends the process. Argument divisor=N: clock cycles per bit.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <memory>
#include <vector>

#include "Vtop.h"

namespace {

constexpr uint8_t FLAG = 0x7E;
constexpr int FRAME_BITS = 10;  // start, 8 data, stop

struct Sender {
    uint32_t divisor;
    std::deque<uint8_t> queue;
    uint32_t bits = 0, left = 0, timer = 0;

    bool level() {
        if (left == 0 && !queue.empty()) {
            bits = 1u << 9 | uint32_t(queue.front()) << 1;
            queue.pop_front();
            left = FRAME_BITS;
            timer = divisor;
        }
        if (left == 0) return true;
        const bool now = bits & 1;
        if (--timer == 0) {
            bits >>= 1;
            left--;
            timer = divisor;
        }
        return now;
    }
};

struct Receiver {
    uint32_t divisor;
    std::vector<uint8_t> bytes;
    uint32_t errors = 0, shift = 0, left = 0, timer = 0;

    // True when a FLAG has just come.
    bool take(bool level) {
        if (left == 0) {
            if (!level) {
                left = FRAME_BITS - 1;
                timer = divisor + divisor / 2;
            }
            return false;
        }
        if (--timer) return false;
        timer = divisor;
        if (--left) {
            shift = shift >> 1 | uint32_t(level) << 7;
            return false;
        }
        if (!level) {
            errors++;
            return false;
        }
        bytes.push_back(uint8_t(shift));
        return bytes.back() == FLAG;
    }
};

uint64_t cycles_run = 0;

void run_cycle(Vtop& board) {
    board.clk = 1;
    board.eval();
    board.clk = 0;
    board.eval();
    cycles_run++;
}

bool run_cycle(Vtop& board, Sender& sender, Receiver& receiver) {
    board.rx = sender.level();
    run_cycle(board);
    return receiver.take(board.tx);
}

void answer(Receiver& receiver) {
    const uint32_t count = receiver.bytes.size();
    std::fwrite(&count, sizeof count, 1, stdout);
    std::fwrite(receiver.bytes.data(), 1, count, stdout);
    std::fwrite(&cycles_run, sizeof cycles_run, 1, stdout);
    std::fwrite(&receiver.errors, sizeof receiver.errors, 1, stdout);
    std::fflush(stdout);
    receiver.bytes.clear();
}

void operate(Vtop& board, Sender& sender, Receiver& receiver, int command, uint32_t number) {
    if (command == 'S') {
        std::vector<uint8_t> bytes(number);
        if (std::fread(bytes.data(), 1, number, stdin) != number) std::exit(2);
        sender.queue.insert(sender.queue.end(), bytes.begin(), bytes.end());
    } else if (command == 'R') {
        while (number-- && !run_cycle(board, sender, receiver)) {
        }
        answer(receiver);
    } else if (command == 'X') {
        board.rst = 1;
        while (number--) run_cycle(board, sender, receiver);
        board.rst = 0;
    } else if (command == 'B') {
        board.rx = 0;
        while (number--) {
            run_cycle(board);
            receiver.take(board.tx);
        }
    } else {
        std::fprintf(stderr, "no command %d\n", command);
        std::exit(2);
    }
}

}  // namespace

int main(int argc, char** argv) {
    const auto context = std::make_unique<VerilatedContext>();
    context->commandArgs(argc, argv);
    uint32_t divisor = 0;
    for (int i = 1; i < argc; i++)
        if (std::strncmp(argv[i], "divisor=", 8) == 0) divisor = std::atoi(argv[i] + 8);
    if (divisor < 2) {
        std::fprintf(stderr, "divisor=N must be given\n");
        return 2;
    }
    const auto board = std::make_unique<Vtop>(context.get());
    Sender sender{divisor};
    Receiver receiver{divisor};
    board->rx = 1;
    board->rst = 1;
    for (int i = 0; i < 16; i++) run_cycle(*board);
    board->rst = 0;
    uint32_t number;
    for (int command; (command = std::getchar()) != EOF;) {
        if (std::fread(&number, sizeof number, 1, stdin) != 1) return 2;
        operate(*board, sender, receiver, command, number);
    }
    return 0;
}
