// The trace file of trace_recorder.sv: $fwrite would format every word.
#include <cstdio>

#include "svdpi.h"

namespace {
std::FILE* file = nullptr;

// The first `words` 32-bit words of a vector, the least significant first.
void write(const svBitVecVal* vector, int words) {
    if (file) std::fwrite(vector, sizeof(svBitVecVal), words, file);
}
}

extern "C" void trace_close() {
    if (file) std::fclose(file);
    file = nullptr;
}

extern "C" void trace_open(const char* name) {
    trace_close();
    file = std::fopen(name, "wb");
}

extern "C" void trace_result(const svBitVecVal* vector, int words) { write(vector, words); }

extern "C" void trace_stages(const svBitVecVal* vector, int words) { write(vector, words); }
