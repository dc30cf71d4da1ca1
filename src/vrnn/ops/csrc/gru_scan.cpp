// The loop of a GRU alone, forward and backward; the equations are in gru_scan.py.

#include "common.hpp"

// What both passes work on; gru_scan.py has the same fields in the same order. What is kept lies step after step.
template <class T>
struct GruScan {
  std::int64_t rows, time, hidden, layer, threads;  // layer: the width of what is fed back, 0 where nothing is
  std::int64_t gates_row, gates_step;  // strides of the projected inputs, whose last axis is dense
  const T *gates, *weight_hh, *bias_hh, *of_output, *output_bias, *to_gates;
  T *states, *memory, *fed;  // from the first, which is given, to the last; r, u, n, m, none where there is no way back; the layer
  const T* d_states;
  T *d_gates, *d_fed, *d_start;  // of m, r, u, n; of the layer before its function; of the first state
};

namespace {

template <class T>
void gru_forward(const GruScan<T>& scan) {
  const int H = scan.hidden, F = scan.layer;
  Packed<T> of_h(H, 3 * H + F), of_fed(F, 3 * H);
  of_h.put_transposed(scan.weight_hh, 3 * H, H);
  if (F) {
    of_h.put_transposed(scan.of_output, F, H, 3 * H);
    of_fed.put_transposed(scan.to_gates, 3 * H, F);
  }
  const int wide = of_h.wide(), wide_fed = of_fed.wide();
  share_out(scan.rows, scan.threads, [&](const Share& share) {
    Buffer<T> of_h_(std::size_t(share.most) * wide), unread_(4 * H);
    Buffer<T> layer_(std::size_t(share.most) * F), of_fed_(std::size_t(share.most) * wide_fed * (F > 0));
    T *from_h = of_h_.get(), *from_fed = of_fed_.get();
    share.each([&](std::int64_t from, int rows) {
      auto at = [&](T* record, std::int64_t t, int width) { return record + (t * scan.rows + from) * width; };
      for (std::int64_t t = 0; t < scan.time; t++) {
        const T* h = at(scan.states, t, H);
        T *next = at(scan.states, t + 1, H), *memory = scan.memory ? at(scan.memory, t, 4 * H) : unread_.get();
        multiply(rows, h, H, of_h, from_h);
        T* fed = scan.fed ? at(scan.fed, t, F) : layer_.get();
        if (F && t == 0) std::memset(fed, 0, sizeof(T) * rows * F);
        if (F && t > 0) {
          for (std::ptrdiff_t i = 0; i < rows; i++) relu_sum(F, from_h + i * wide + 3 * H, scan.output_bias, fed + i * F);
          multiply(rows, fed, F, of_fed, from_fed);
        }
        for (std::ptrdiff_t i = 0; i < rows; i++) {
          const T* fixed = scan.gates + (from + i) * scan.gates_row + t * scan.gates_step;
          T* kept = memory + (scan.memory ? i * 4 * H : 0);
          if (F && t > 0)
            gru<true>(H, fixed, from_fed + i * wide_fed, from_h + i * wide, scan.bias_hh, h + i * H, kept, next + i * H);
          else
            gru<false, T>(H, fixed, nullptr, from_h + i * wide, scan.bias_hh, h + i * H, kept, next + i * H);
        }
      }
    });
  });
}

template <class T>
void gru_backward(const GruScan<T>& scan) {
  const int H = scan.hidden, F = scan.layer;
  Packed<T> to_h(3 * H, H);
  to_h.put(scan.weight_hh + 2 * H * H, H, H, H, 1).put(scan.weight_hh, 2 * H, H, H, 1, H);
  Packed<T> to_fed(F ? 3 * H : 0, F), to_output(F, H);
  if (F) {
    to_fed.put(scan.to_gates, 3 * H, F, F, 1);
    to_output.put(scan.of_output, F, H, H, 1);
  }
  const int wide = to_h.wide(), wide_fed = to_fed.wide();
  share_out(scan.rows, scan.threads, [&](const Share& share) {
    Buffer<T> to_h_(std::size_t(share.most) * wide), to_fed_(std::size_t(share.most) * wide_fed);
    T *product = to_h_.get(), *for_fed = to_fed_.get();
    share.each([&](std::int64_t from, int rows) {
      auto at = [&](auto* record, std::int64_t t, int width) { return record + (t * scan.rows + from) * width; };
      T* dh = scan.d_start + from * H;
      std::memset(dh, 0, sizeof(T) * rows * H);
      for (std::int64_t t = scan.time - 1; t >= 0; t--) {
        const T *memory = at(scan.memory, t, 4 * H), *h = at(scan.states, t, H), *d_next = at(scan.d_states, t + 1, H);
        T* gates = at(scan.d_gates, t, 4 * H);
        add(rows * H, d_next, dh);
        for (std::ptrdiff_t i = 0; i < rows; i++) {
          T* g = gates + i * 4 * H;
          gru_back(H, memory + i * 4 * H, h + i * H, dh + i * H, g, g + H, g + 2 * H, g + 3 * H);
        }
        multiply(rows, gates, 4 * H, to_h, product);
        if (F) {  // the layer of the first step is 0
          T* d_fed = at(scan.d_fed, t, F);
          multiply(rows, gates + H, 4 * H, to_fed, for_fed);
          for (std::ptrdiff_t i = 0; i < rows; i++)
            relu_back(F, at(scan.fed, t, F) + i * F, for_fed + i * wide_fed, d_fed + i * F);
          multiply<true>(rows, d_fed, F, to_output, product);
        }
        for (std::ptrdiff_t i = 0; i < rows; i++) add(H, product + i * wide, dh + i * H);
      }
      add(rows * H, at(scan.d_states, 0, H), dh);
    });
  });
}

}  // namespace

extern "C" {
int vrnn_gru_forward_float32(const GruScan<float>* scan) {
  return guarded([&] { gru_forward(*scan); });
}
int vrnn_gru_forward_float64(const GruScan<double>* scan) {
  return guarded([&] { gru_forward(*scan); });
}
int vrnn_gru_backward_float32(const GruScan<float>* scan) {
  return guarded([&] { gru_backward(*scan); });
}
int vrnn_gru_backward_float64(const GruScan<double>* scan) {
  return guarded([&] { gru_backward(*scan); });
}
}
