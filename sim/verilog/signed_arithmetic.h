// Verilator's functions on signed values of up to 64 bits, from shifts: what verilated_funcs.h computes with masks, in
// fewer instructions, which g++ knows as sign extensions. An array's products and sums are made of them.
#pragma once
#include <cstdint>

namespace signed_arithmetic {

// The lowest `bits` of `value`, 1..32 (narrow) or 1..64 (wide), as two's complement.
constexpr int32_t narrow(int bits, uint32_t value) { return static_cast<int32_t>(value << (32 - bits)) >> (32 - bits); }
constexpr int64_t wide(int bits, uint64_t value) { return static_cast<int64_t>(value << (64 - bits)) >> (64 - bits); }

// The lowest `result_bits` of an arithmetic right shift.
constexpr uint64_t shifted(int result_bits, int64_t value, uint32_t amount) {
    return static_cast<uint64_t>(value >> (amount < 64 ? amount : 63)) & (~uint64_t{0} >> (64 - result_bits));
}

}  // namespace signed_arithmetic

#define VL_EXTENDS_II(result_bits, bits, value) IData(signed_arithmetic::narrow(bits, value))
#define VL_EXTENDS_QI(result_bits, bits, value) QData(signed_arithmetic::wide(bits, value))
#define VL_EXTENDS_QQ(result_bits, bits, value) QData(signed_arithmetic::wide(bits, value))
#define VL_MULS_III(bits, a, b) (IData(signed_arithmetic::narrow(bits, a)) * IData(signed_arithmetic::narrow(bits, b)))
#define VL_MULS_QQQ(bits, a, b) (QData(signed_arithmetic::wide(bits, a)) * QData(signed_arithmetic::wide(bits, b)))
#define VL_LTS_III(bits, a, b) IData(signed_arithmetic::narrow(bits, a) < signed_arithmetic::narrow(bits, b))
#define VL_LTES_III(bits, a, b) IData(signed_arithmetic::narrow(bits, a) <= signed_arithmetic::narrow(bits, b))
#define VL_GTS_III(bits, a, b) IData(signed_arithmetic::narrow(bits, a) > signed_arithmetic::narrow(bits, b))
#define VL_GTES_III(bits, a, b) IData(signed_arithmetic::narrow(bits, a) >= signed_arithmetic::narrow(bits, b))
#define VL_LTS_IQQ(bits, a, b) IData(signed_arithmetic::wide(bits, a) < signed_arithmetic::wide(bits, b))
#define VL_LTES_IQQ(bits, a, b) IData(signed_arithmetic::wide(bits, a) <= signed_arithmetic::wide(bits, b))
#define VL_GTS_IQQ(bits, a, b) IData(signed_arithmetic::wide(bits, a) > signed_arithmetic::wide(bits, b))
#define VL_GTES_IQQ(bits, a, b) IData(signed_arithmetic::wide(bits, a) >= signed_arithmetic::wide(bits, b))
#define VL_SHIFTRS_III(result_bits, bits, amount_bits, value, amount) \
    IData(signed_arithmetic::shifted(result_bits, signed_arithmetic::wide(bits, value), amount))
#define VL_SHIFTRS_QQI(result_bits, bits, amount_bits, value, amount) \
    QData(signed_arithmetic::shifted(result_bits, signed_arithmetic::wide(bits, value), amount))
