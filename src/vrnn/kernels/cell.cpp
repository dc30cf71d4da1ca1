// The loop of a GRU alone, forward and backward; the equations are in cell.py.

#include "common.hpp"

// What both passes work on; cell.py has the same fields in the same order. What is kept lies step after step.
template <class T>
struct Run {
  std::int64_t rows, time, hidden, threads;
  std::int64_t gates_row, gates_step;  // strides of the projected inputs, whose last axis is dense
  const T *gates, *of_carry, *carry_bias;
  T *states, *memory;  // from the first, which is given, to the last; r, u, n, m, none where there is no way back
  const T* d_states;
  T *d_gates, *d_start;  // of m, r, u, n; of the first state
};

namespace {

template <class T>
void run_forward(const Run<T>& run) {
  const int H = run.hidden;
  Packed<T> of_h(H, 3 * H);
  of_h.put_transposed(run.of_carry, 3 * H, H);
  const int wide = of_h.wide();
  share_out(run.rows, run.threads, [&](const Share& share) {
    Buffer<T> of_h_(std::size_t(share.most) * wide), unread_(4 * H);
    T* from_h = of_h_.get();
    share.each([&](std::int64_t from, int rows) {
      auto at = [&](T* record, std::int64_t t, int width) { return record + (t * run.rows + from) * width; };
      for (std::int64_t t = 0; t < run.time; t++) {
        const T* h = at(run.states, t, H);
        T *next = at(run.states, t + 1, H), *memory = run.memory ? at(run.memory, t, 4 * H) : unread_.get();
        multiply(rows, h, H, of_h, from_h);
        for (std::ptrdiff_t i = 0; i < rows; i++)
          gru<false, T>(H, run.gates + (from + i) * run.gates_row + t * run.gates_step, nullptr, from_h + i * wide,
                        run.carry_bias, h + i * H, memory + (run.memory ? i * 4 * H : 0), next + i * H);
      }
    });
  });
}

template <class T>
void run_backward(const Run<T>& run) {
  const int H = run.hidden;
  Packed<T> to_h(3 * H, H);
  to_h.put(run.of_carry + 2 * H * H, H, H, H, 1).put(run.of_carry, 2 * H, H, H, 1, H);
  const int wide = to_h.wide();
  share_out(run.rows, run.threads, [&](const Share& share) {
    Buffer<T> to_h_(std::size_t(share.most) * wide);
    T* product = to_h_.get();
    share.each([&](std::int64_t from, int rows) {
      auto at = [&](auto* record, std::int64_t t, int width) { return record + (t * run.rows + from) * width; };
      T* dh = run.d_start + from * H;
      std::memset(dh, 0, sizeof(T) * rows * H);
      for (std::int64_t t = run.time - 1; t >= 0; t--) {
        const T *memory = at(run.memory, t, 4 * H), *h = at(run.states, t, H), *d_next = at(run.d_states, t + 1, H);
        T* gates = at(run.d_gates, t, 4 * H);
        add(rows * H, d_next, dh);
        for (std::ptrdiff_t i = 0; i < rows; i++) {
          T* g = gates + i * 4 * H;
          gru_back(H, memory + i * 4 * H, h + i * H, dh + i * H, g, g + H, g + 2 * H, g + 3 * H);
        }
        multiply(rows, gates, 4 * H, to_h, product);
        for (std::ptrdiff_t i = 0; i < rows; i++) add(H, product + i * wide, dh + i * H);
      }
      add(rows * H, at(run.d_states, 0, H), dh);
    });
  });
}

}  // namespace

extern "C" {
int vrnn_run_forward_float32(const Run<float>* run) {
  return guarded([&] { run_forward(*run); });
}
int vrnn_run_forward_float64(const Run<double>* run) {
  return guarded([&] { run_forward(*run); });
}
int vrnn_run_backward_float32(const Run<float>* run) {
  return guarded([&] { run_backward(*run); });
}
int vrnn_run_backward_float64(const Run<double>* run) {
  return guarded([&] { run_backward(*run); });
}
}
