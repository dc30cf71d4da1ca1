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
        for (int i = 0; i < rows; i++) {
          const T *g = run.gates + (from + i) * run.gates_row + t * run.gates_step, *bias = run.carry_bias,
                  *p = from_h + std::ptrdiff_t(i) * wide, *h_i = h + std::ptrdiff_t(i) * H;
          T *next_i = next + std::ptrdiff_t(i) * H, *kept = memory + (run.memory ? std::ptrdiff_t(i) * 4 * H : 0);
#pragma GCC ivdep
          for (int j = 0; j < H; j++) {
            const T r = sigmoid(g[j] + p[j] + bias[j]), u = sigmoid(g[H + j] + p[H + j] + bias[H + j]);
            const T m = p[2 * H + j] + bias[2 * H + j];
            const T n = hyperbolic_tangent(g[2 * H + j] + r * m);
            kept[j] = r;
            kept[H + j] = u;
            kept[2 * H + j] = n;
            kept[3 * H + j] = m;
            next_i[j] = n + u * (h_i[j] - n);
          }
        }
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
        for (std::ptrdiff_t i = 0; i < rows; i++) {
          const T *kept = memory + i * 4 * H, *h_i = h + i * H, *d_i = d_next + i * H;
          T *g = gates + i * 4 * H, *dh_i = dh + i * H;
#pragma GCC ivdep
          for (int j = 0; j < H; j++) {
            const T r = kept[j], u = kept[H + j], n = kept[2 * H + j], m = kept[3 * H + j], d = dh_i[j] + d_i[j];
            const T dn = d * (T(1) - u) * (T(1) - n * n);
            g[j] = dn * r;
            g[H + j] = dn * m * r * (T(1) - r);
            g[2 * H + j] = d * (h_i[j] - n) * u * (T(1) - u);
            g[3 * H + j] = dn;
            dh_i[j] = d * u;
          }
        }
        multiply(rows, gates, 4 * H, to_h, product);
        for (std::ptrdiff_t i = 0; i < rows; i++) {
          const T* o = product + i * wide;
          T* dh_i = dh + i * H;
#pragma GCC ivdep
          for (int j = 0; j < H; j++) dh_i[j] += o[j];
        }
      }
      const T* d = at(run.d_states, 0, H);
#pragma GCC ivdep
      for (std::ptrdiff_t j = 0; j < std::ptrdiff_t(rows) * H; j++) dh[j] += d[j];
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
