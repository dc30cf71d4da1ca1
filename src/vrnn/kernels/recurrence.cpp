// The recurrent loop of the VRNN, forward and backward, for one stretch of complete rows; the equations are in
// recurrence.py.
//
// What waits for the state is here and nothing else: the products over all steps (input maps, heads, gradients of
// weights) are left to the caller. No memory is allocated inside the loop.

#include "common.hpp"

// What both passes work on; recurrence.py has the same fields in the same order. Sequences (samples times batch) lead,
// then steps.
template <class T>
struct Loop {
  std::int64_t samples, batch, time, hidden, latent, threads;
  std::int64_t gates_row, gates_step, evidence_row,
      evidence_step;  // strides of the two inputs, whose last axis is dense
  double floor;
  // read: inputs, draws, weights
  const T *gates, *evidence, *normals, *start;
  const T *of_state, *out, *out_bias, *of_latent, *latent_bias, *of_features, *of_carry, *carry_bias;
  // written forward, read back; no first_layer and memory where there is no way back
  T *carry, *last, *first_layer, *mean, *scale, *z, *features, *memory;  // memory: r, u, n, m
  // backward: what arrives, and what is written
  const T *d_carry, *d_last, *d_mean, *d_scale, *d_z, *d_features;
  T *d_gates, *d_features_raw, *d_out, *d_start;  // d_gates: of m, evidence, r, u, n
};

namespace {

template <class T>
void forward(const Loop<T>& loop) {
  const int H = loop.hidden, L = loop.latent;
  const std::int64_t time = loop.time;
  Packed<T> of_h(H, 4 * H), of_a(H, 2 * L), of_z(L, H), of_f(H, 3 * H);
  of_h.put_transposed(loop.of_state, H, H).put_transposed(loop.of_carry, 3 * H, H, H);
  of_a.put_transposed(loop.out, 2 * L, H);
  of_z.put_transposed(loop.of_latent, H, L);
  of_f.put_transposed(loop.of_features, 3 * H, H);
  const int wide_h = padded<T>(4 * H), wide_a = padded<T>(2 * L), wide_z = padded<T>(H), wide_f = padded<T>(3 * H);

  share_out(loop.samples * loop.batch, loop.threads, [&](const Share& share) {
    Buffer<T> h_(std::size_t(share.most) * H), a_(std::size_t(share.most) * H), f_(std::size_t(share.most) * H),
        z_(std::size_t(share.most) * L);
    Buffer<T> of_h_(std::size_t(share.most) * wide_h), of_f_(std::size_t(share.most) * wide_f);
    Buffer<T> of_a_(std::size_t(share.most) * wide_a), of_z_(std::size_t(share.most) * wide_z);
    Buffer<T> unread_(4 * H);
    T *h = h_.get(), *a = a_.get(), *f = f_.get(), *z = z_.get(), *unread = unread_.get();
    share.each([&](std::int64_t from, int rows) {
      std::memcpy(h, loop.start + from * H, sizeof(T) * rows * H);
      for (std::int64_t t = 0; t < time; t++) {
        multiply(rows, h, H, of_h, of_h_.get());
        for (int i = 0; i < rows; i++) {
          const std::int64_t at = (from + i) * time + t;
          const T* fixed = loop.evidence + (from + i) % loop.batch * loop.evidence_row + t * loop.evidence_step;
          const T* p = of_h_.get() + std::ptrdiff_t(i) * wide_h;
          T* a_i = a + std::ptrdiff_t(i) * H;
          relu_sum(H, fixed, p, a_i);
          std::memcpy(loop.carry + at * H, h + std::ptrdiff_t(i) * H, sizeof(T) * H);
          if (loop.first_layer) std::memcpy(loop.first_layer + at * H, a_i, sizeof(T) * H);
        }
        multiply(rows, a, H, of_a, of_a_.get());
        for (int i = 0; i < rows; i++) {
          const std::int64_t at = ((from + i) * time + t) * L;
          const T* o = of_a_.get() + std::ptrdiff_t(i) * wide_a;
#pragma GCC ivdep
          for (int j = 0; j < L; j++) {
            const T mean = o[j] + loop.out_bias[j];
            const T scale = T(loop.floor) + softplus(o[L + j] + loop.out_bias[L + j]);
            const T value = mean + scale * loop.normals[at + j];
            loop.mean[at + j] = mean;
            loop.scale[at + j] = scale;
            loop.z[at + j] = value;
            z[std::ptrdiff_t(i) * L + j] = value;
          }
        }
        multiply(rows, z, L, of_z, of_z_.get());
        for (int i = 0; i < rows; i++) {
          const T* o = of_z_.get() + std::ptrdiff_t(i) * wide_z;
          T* f_i = f + std::ptrdiff_t(i) * H;
          relu_sum(H, o, loop.latent_bias, f_i);
          std::memcpy(loop.features + ((from + i) * time + t) * H, f_i, sizeof(T) * H);
        }
        multiply(rows, f, H, of_f, of_f_.get());
        for (int i = 0; i < rows; i++) {
          const T* fixed = loop.gates + (from + i) % loop.batch * loop.gates_row + t * loop.gates_step;
          const T* g = of_f_.get() + std::ptrdiff_t(i) * wide_f;
          const T* p = of_h_.get() + std::ptrdiff_t(i) * wide_h + H;
          T* h_i = h + std::ptrdiff_t(i) * H;
          T* kept = loop.memory ? loop.memory + ((from + i) * time + t) * 4 * H : unread;
#pragma GCC ivdep
          for (int j = 0; j < H; j++) {
            const T r = sigmoid(fixed[j] + g[j] + p[j] + loop.carry_bias[j]);
            const T u = sigmoid(fixed[H + j] + g[H + j] + p[H + j] + loop.carry_bias[H + j]);
            const T m = p[2 * H + j] + loop.carry_bias[2 * H + j];
            const T n = hyperbolic_tangent(fixed[2 * H + j] + g[2 * H + j] + r * m);
            kept[j] = r;
            kept[H + j] = u;
            kept[2 * H + j] = n;
            kept[3 * H + j] = m;
            h_i[j] = n + u * (h_i[j] - n);
          }
        }
      }
      std::memcpy(loop.last + from * H, h, sizeof(T) * rows * H);
    });
  });
}

template <class T>
void backward(const Loop<T>& loop) {
  const int H = loop.hidden, L = loop.latent;
  const std::int64_t time = loop.time;
  Packed<T> to_f(3 * H, H), to_z(H, L), to_a(2 * L, H), to_h(4 * H, H);
  to_f.put(loop.of_features, 3 * H, H, H, 1);
  to_z.put(loop.of_latent, H, L, L, 1);
  to_a.put(loop.out, 2 * L, H, H, 1);
  to_h.put(loop.of_carry + 2 * H * H, H, H, H, 1)
      .put(loop.of_state, H, H, H, 1, H)
      .put(loop.of_carry, 2 * H, H, H, 1, 2 * H);
  const int wide_h = padded<T>(H), wide_z = padded<T>(L);

  share_out(loop.samples * loop.batch, loop.threads, [&](const Share& share) {
    Buffer<T> dh_(std::size_t(share.most) * H), gates_(std::size_t(share.most) * 5 * H),
        raw_(std::size_t(share.most) * H);
    Buffer<T> out_(std::size_t(share.most) * 2 * L), wide_(std::size_t(share.most) * wide_h),
        narrow_(std::size_t(share.most) * wide_z);
    T *dh = dh_.get(), *gates = gates_.get(), *raw = raw_.get(), *out = out_.get();
    share.each([&](std::int64_t from, int rows) {
      std::memcpy(dh, loop.d_last + from * H, sizeof(T) * rows * H);
      for (std::int64_t t = time - 1; t >= 0; t--) {
        for (int i = 0; i < rows; i++) {
          const std::int64_t at = (from + i) * time + t;
          const T *kept = loop.memory + at * 4 * H, *h = loop.carry + at * H;
          T *g = gates + std::ptrdiff_t(i) * 5 * H, *dh_i = dh + std::ptrdiff_t(i) * H;
#pragma GCC ivdep
          for (int j = 0; j < H; j++) {
            const T r = kept[j], u = kept[H + j], n = kept[2 * H + j], m = kept[3 * H + j], d = dh_i[j];
            const T dn = d * (T(1) - u) * (T(1) - n * n);
            g[j] = dn * r;
            g[2 * H + j] = dn * m * r * (T(1) - r);
            g[3 * H + j] = d * (h[j] - n) * u * (T(1) - u);
            g[4 * H + j] = dn;
            dh_i[j] = d * u;
          }
        }
        multiply(rows, gates + 2 * H, 5 * H, to_f, wide_.get());
        for (int i = 0; i < rows; i++) {
          const std::int64_t at = (from + i) * time + t;
          const T *o = wide_.get() + std::ptrdiff_t(i) * wide_h, *f = loop.features + at * H,
                  *d = loop.d_features + at * H;
          T* raw_i = raw + std::ptrdiff_t(i) * H;
#pragma GCC ivdep
          for (int j = 0; j < H; j++) raw_i[j] = f[j] > T(0) ? o[j] + d[j] : T(0);
          std::memcpy(loop.d_features_raw + at * H, raw_i, sizeof(T) * H);
        }
        multiply(rows, raw, H, to_z, narrow_.get());
        for (int i = 0; i < rows; i++) {
          const std::int64_t at = ((from + i) * time + t) * L;
          const T* o = narrow_.get() + std::ptrdiff_t(i) * wide_z;
          T* out_i = out + std::ptrdiff_t(i) * 2 * L;
#pragma GCC ivdep
          for (int j = 0; j < L; j++) {
            const T dz = o[j] + loop.d_z[at + j];
            const T ds = dz * loop.normals[at + j] + loop.d_scale[at + j];
            out_i[j] = dz + loop.d_mean[at + j];
            out_i[L + j] = ds * softplus_slope(loop.scale[at + j] - T(loop.floor));
          }
          std::memcpy(loop.d_out + 2 * at, out_i, sizeof(T) * 2 * L);
        }
        multiply(rows, out, 2 * L, to_a, wide_.get());
        for (int i = 0; i < rows; i++) {
          const std::int64_t at = (from + i) * time + t;
          const T *o = wide_.get() + std::ptrdiff_t(i) * wide_h, *a = loop.first_layer + at * H;
          T* g = gates + std::ptrdiff_t(i) * 5 * H;
#pragma GCC ivdep
          for (int j = 0; j < H; j++) g[H + j] = a[j] > T(0) ? o[j] : T(0);
          std::memcpy(loop.d_gates + at * 5 * H, g, sizeof(T) * 5 * H);
        }
        multiply(rows, gates, 5 * H, to_h, wide_.get());
        for (int i = 0; i < rows; i++) {
          const T *o = wide_.get() + std::ptrdiff_t(i) * wide_h, *d = loop.d_carry + ((from + i) * time + t) * H;
          T* dh_i = dh + std::ptrdiff_t(i) * H;
#pragma GCC ivdep
          for (int j = 0; j < H; j++) dh_i[j] += o[j] + d[j];
        }
      }
      std::memcpy(loop.d_start + from * H, dh, sizeof(T) * rows * H);
    });
  });
}

}  // namespace

extern "C" {
void vrnn_use_pool(Pool torchs) { pool = torchs; }
int vrnn_forward_float32(const Loop<float>* loop) {
  return guarded([&] { forward(*loop); });
}
int vrnn_forward_float64(const Loop<double>* loop) {
  return guarded([&] { forward(*loop); });
}
int vrnn_backward_float32(const Loop<float>* loop) {
  return guarded([&] { backward(*loop); });
}
int vrnn_backward_float64(const Loop<double>* loop) {
  return guarded([&] { backward(*loop); });
}
}
