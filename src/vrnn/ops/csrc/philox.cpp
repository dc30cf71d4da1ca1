// Numbers between 0 and 1 by a counter: the cipher Philox 4x32 with 10 rounds; the equations are in philox.py.

#include "common.hpp"

// What one call draws; philox.py has the same fields in the same order.
struct Philox {
  std::int64_t keys, steps, blocks, first, threads;
  const std::uint64_t* key;
  float* out;  // (keys, steps, blocks, 4)
};

namespace {

constexpr int ROUNDS = 10;
constexpr std::uint32_t MULTIPLIER_0 = 0xD2511F53u, MULTIPLIER_1 = 0xCD9E8D57u;
constexpr std::uint32_t WEYL_0 = 0x9E3779B9u, WEYL_1 = 0xBB67AE85u;

// The numbers of one key and step.
inline void philox_blocks(std::uint64_t key, std::uint32_t step, std::int64_t blocks, float* __restrict__ out) {
  for (std::int64_t i = 0; i < blocks; i++) {
    std::uint32_t c0 = std::uint32_t(i), c1 = std::uint32_t(i >> 32), c2 = step, c3 = 0;
    std::uint32_t k0 = std::uint32_t(key), k1 = std::uint32_t(key >> 32);
    for (int round = 0; round < ROUNDS; round++) {
      const std::uint64_t p0 = std::uint64_t(MULTIPLIER_0) * c0, p1 = std::uint64_t(MULTIPLIER_1) * c2;
      c0 = std::uint32_t(p1 >> 32) ^ c1 ^ k0;
      c2 = std::uint32_t(p0 >> 32) ^ c3 ^ k1;
      c1 = std::uint32_t(p1);
      c3 = std::uint32_t(p0);
      k0 += WEYL_0;
      k1 += WEYL_1;
    }
    // 23 bits and a half: a float holds them exactly, and 0 and 1 are never reached.
    out[4 * i] = (float(std::int32_t(c0 >> 9)) + 0.5f) * 0x1p-23f;
    out[4 * i + 1] = (float(std::int32_t(c1 >> 9)) + 0.5f) * 0x1p-23f;
    out[4 * i + 2] = (float(std::int32_t(c2 >> 9)) + 0.5f) * 0x1p-23f;
    out[4 * i + 3] = (float(std::int32_t(c3 >> 9)) + 0.5f) * 0x1p-23f;
  }
}

void philox(const Philox& call) {
  share_out(call.keys * call.steps, call.threads, [&](const Share& share) {
    for (std::int64_t row = share.begin; row < share.end; row++) {
      const auto step = std::uint32_t(call.first + row % call.steps);
      philox_blocks(call.key[row / call.steps], step, call.blocks, call.out + row * call.blocks * 4);
    }
  });
}

}  // namespace

extern "C" int vrnn_philox_float32(const Philox* call) {
  return guarded([&] { philox(*call); });
}
