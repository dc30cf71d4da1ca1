// The loop of the VRNN over complete rows, forward and backward, with the heads that read its states; the equations are in
// vrnn_scan.py.
//
// What comes before the loop, the projections of the data, is the caller's. Memory lies step after step, in each step
// sequence after sequence, so that what a worker reads and writes at a step is one piece. Nothing is allocated inside the
// loop.

#include "common.hpp"

// What both passes work on; vrnn_scan.py has the same fields in the same order. Rows are sequences, samples times batch.
template <class T>
struct VrnnScan {
  std::int64_t samples, batch, time, hidden, latent, size, threads;
  std::int64_t gates_row, gates_step, evidence_row, evidence_step;        // strides of what is fixed before the loop, whose
  std::int64_t to_prior_row, to_prior_step, to_emission_row, to_emission_step;  // last axis is dense
  double floor;
  // read: what is fixed, draws, weights; no to_emission where the heads are left out, no to_prior where p is N(0, I) too
  const T *gates, *evidence, *to_prior, *to_emission, *normals;
  const T *of_state, *out, *out_bias, *of_latent, *latent_bias, *of_features, *weight_hh, *bias_hh;
  const T *prior_state, *prior_out, *prior_bias, *emission_state, *emission_features, *emission_out, *emission_bias;
  // written forward, read back: states from the first, which is given, to the last; the hidden layers of posterior, prior
  // and emission, and memory (r, u, n, m), are none where there is no way back
  T *states, *mean, *scale, *z, *features, *prior_mean, *prior_scale, *raw;
  T *hidden_layer, *prior_layer, *emission_layer, *memory;
  // backward: what arrives, of states, features and raw none where it is nought, and what is written
  const T *d_states, *d_mean, *d_scale, *d_z, *d_features, *d_prior_mean, *d_prior_scale, *d_raw;
  T *d_gates, *d_features_raw, *d_out, *d_prior_out, *d_start;  // d_gates: of m, prior, emission, evidence, r, u, n
};

namespace {

// What the forward pass multiplies by, packed; of h to the posterior, the gates, the emission and the prior, in this order.
template <class T>
struct Weights {
  Packed<T> of_h, of_a, of_p, of_z, of_f, of_e;

  explicit Weights(const VrnnScan<T>& loop) : Weights(loop, loop.hidden, loop.latent, loop.emission_state ? loop.size : 0) {}

 private:
  Weights(const VrnnScan<T>& loop, int H, int L, int E)
      : of_h(H, (4 + (E > 0) + (loop.prior_state != nullptr)) * H), of_a(H, 2 * L), of_p(H, loop.prior_state ? 2 * L : 0),
        of_z(L, H), of_f(H, (3 + (E > 0)) * H), of_e(H, E) {
    of_h.put_transposed(loop.of_state, H, H).put_transposed(loop.weight_hh, 3 * H, H, H);
    of_a.put_transposed(loop.out, 2 * L, H);
    of_z.put_transposed(loop.of_latent, H, L);
    of_f.put_transposed(loop.of_features, 3 * H, H);
    if (E) {
      of_h.put_transposed(loop.emission_state, H, H, 4 * H);
      of_f.put_transposed(loop.emission_features, H, H, 3 * H);
      of_e.put_transposed(loop.emission_out, E, H);
    }
    if (loop.prior_state) {
      of_h.put_transposed(loop.prior_state, H, H, 5 * H);
      of_p.put_transposed(loop.prior_out, 2 * L, H);
    }
  }
};

template <class T>
void forward(const VrnnScan<T>& loop, const Weights<T>& weights) {
  const int H = loop.hidden, L = loop.latent, E = loop.size;
  const std::int64_t all = loop.samples * loop.batch;
  const bool emits = loop.to_emission, learned = loop.to_prior;
  const int emission_at = 4 * H, prior_at = 5 * H;
  const Packed<T> &of_h = weights.of_h, &of_a = weights.of_a, &of_p = weights.of_p, &of_z = weights.of_z,
                  &of_f = weights.of_f, &of_e = weights.of_e;
  const int wide_h = of_h.wide(), wide_a = of_a.wide(), wide_z = of_z.wide(), wide_f = of_f.wide(), wide_e = of_e.wide();

  share_out(all, loop.threads, [&](const Share& share) {
    Buffer<T> of_h_(std::size_t(share.most) * wide_h), of_f_(std::size_t(share.most) * wide_f);
    Buffer<T> other_(std::size_t(share.most) * std::max({wide_a, wide_z, wide_e})), layer_(std::size_t(share.most) * H);
    Buffer<T> unread_(4 * H);
    T *from_h = of_h_.get(), *from_f = of_f_.get(), *other = other_.get();
    share.each([&](std::int64_t from, int rows) {
      // The rows of a record at a step; of the layers, which are not kept where there is no way back, a place to put them.
      auto at = [&](T* record, std::int64_t t, int width) { return record + (t * all + from) * width; };
      auto layer = [&](T* record, std::int64_t t) { return record ? at(record, t, H) : layer_.get(); };
      for (std::int64_t t = 0; t < loop.time; t++) {
        auto row_of = [&](const T* fixed, std::int64_t row, std::int64_t step, int i) {
          return fixed + (from + i) % loop.batch * row + t * step;
        };
        const T* h = at(loop.states, t, H);
        multiply(rows, h, H, of_h, from_h);
        if (learned) {
          T *p = layer(loop.prior_layer, t), *mean = at(loop.prior_mean, t, L), *scale = at(loop.prior_scale, t, L);
          for (int i = 0; i < rows; i++)
            relu_sum(H, from_h + std::ptrdiff_t(i) * wide_h + prior_at,
                     row_of(loop.to_prior, loop.to_prior_row, loop.to_prior_step, i), p + std::ptrdiff_t(i) * H);
          multiply(rows, p, H, of_p, other);
          for (int i = 0; i < rows; i++)
            gaussian(L, T(loop.floor), other + std::ptrdiff_t(i) * wide_a, loop.prior_bias, mean + i * L, scale + i * L);
        }
        T* a = layer(loop.hidden_layer, t);
        for (int i = 0; i < rows; i++)
          relu_sum(H, from_h + std::ptrdiff_t(i) * wide_h,
                   row_of(loop.evidence, loop.evidence_row, loop.evidence_step, i), a + std::ptrdiff_t(i) * H);
        multiply(rows, a, H, of_a, other);
        T *mean = at(loop.mean, t, L), *scale = at(loop.scale, t, L), *z = at(loop.z, t, L);
        const T* normals = loop.normals + (t * all + from) * L;
        for (int i = 0; i < rows; i++)
          gaussian(L, T(loop.floor), other + std::ptrdiff_t(i) * wide_a, loop.out_bias, mean + i * L, scale + i * L);
        for (std::ptrdiff_t j = 0; j < std::ptrdiff_t(rows) * L; j++) z[j] = mean[j] + scale[j] * normals[j];
        multiply(rows, z, L, of_z, other);
        T* f = at(loop.features, t, H);
        for (int i = 0; i < rows; i++)
          relu_sum(H, other + std::ptrdiff_t(i) * wide_z, loop.latent_bias, f + std::ptrdiff_t(i) * H);
        multiply(rows, f, H, of_f, from_f);
        if (emits) {
          T *e = layer(loop.emission_layer, t), *raw = at(loop.raw, t, E);
          for (int i = 0; i < rows; i++) {
            const T *p = from_h + std::ptrdiff_t(i) * wide_h + emission_at,
                    *g = from_f + std::ptrdiff_t(i) * wide_f + 3 * H,
                    *fixed = row_of(loop.to_emission, loop.to_emission_row, loop.to_emission_step, i);
            T* e_i = e + std::ptrdiff_t(i) * H;
#pragma GCC ivdep
            for (int j = 0; j < H; j++) {
              const T x = p[j] + g[j] + fixed[j];
              e_i[j] = x < T(0) ? T(0) : x;
            }
          }
          multiply(rows, e, H, of_e, other);
          for (int i = 0; i < rows; i++) {
            const T* o = other + std::ptrdiff_t(i) * wide_e;
            T* raw_i = raw + std::ptrdiff_t(i) * E;
#pragma GCC ivdep
            for (int j = 0; j < E; j++) raw_i[j] = o[j] + loop.emission_bias[j];
          }
        }
        T *next = at(loop.states, t + 1, H), *memory = loop.memory ? at(loop.memory, t, 4 * H) : unread_.get();
        for (int i = 0; i < rows; i++) {
          const T* fixed = row_of(loop.gates, loop.gates_row, loop.gates_step, i);
          gru<true>(H, fixed, from_f + std::ptrdiff_t(i) * wide_f, from_h + std::ptrdiff_t(i) * wide_h + H, loop.bias_hh,
                    h + std::ptrdiff_t(i) * H, memory + (loop.memory ? std::ptrdiff_t(i) * 4 * H : 0),
                    next + std::ptrdiff_t(i) * H);
        }
      }
    });
  });
}

// The gradient of the outputs (mean, raw) of a layer from that of the mean and the scale.
template <class T>
void gaussian_back(int L, T floor, const T* scale, const T* d_mean, const T* d_scale, T* d_out) {
#pragma GCC ivdep
  for (int j = 0; j < L; j++) {
    d_out[j] = d_mean[j];
    d_out[L + j] = d_scale[j] * softplus_slope(scale[j] - floor);
  }
}

template <class T>
void backward(const VrnnScan<T>& loop) {
  const int H = loop.hidden, L = loop.latent, E = loop.size;
  const std::int64_t all = loop.samples * loop.batch;
  const bool emits = loop.to_emission, learned = loop.to_prior;
  // d_gates, in order: what reads h is m to u, what reads f is r to n and the emission
  const int prior_at = H, emission_at = (1 + learned) * H, evidence_at = emission_at + emits * H, r_at = evidence_at + H,
            u_at = r_at + H, n_at = u_at + H, wide_g = n_at + H;
  Packed<T> to_h(n_at, H), to_f(3 * H, H), to_f_of_e(emits ? H : 0, H), to_z(H, L), to_a(2 * L, H),
      to_p(learned ? 2 * L : 0, H), to_e(emits ? E : 0, H);
  to_h.put(loop.weight_hh + 2 * H * H, H, H, H, 1)
      .put(loop.of_state, H, H, H, 1, evidence_at)
      .put(loop.weight_hh, 2 * H, H, H, 1, r_at);
  to_f.put(loop.of_features, 3 * H, H, H, 1);
  to_z.put(loop.of_latent, H, L, L, 1);
  to_a.put(loop.out, 2 * L, H, H, 1);
  if (learned) {
    to_h.put(loop.prior_state, H, H, H, 1, prior_at);
    to_p.put(loop.prior_out, 2 * L, H, H, 1);
  }
  if (emits) {
    to_h.put(loop.emission_state, H, H, H, 1, emission_at);
    to_f_of_e.put(loop.emission_features, H, H, H, 1);
    to_e.put(loop.emission_out, E, H, H, 1);
  }
  const int wide_h = to_h.wide(), wide_z = to_z.wide();

  share_out(all, loop.threads, [&](const Share& share) {
    Buffer<T> wide_(std::size_t(share.most) * wide_h), narrow_(std::size_t(share.most) * wide_z);
    T *wide = wide_.get(), *narrow = narrow_.get();
    share.each([&](std::int64_t from, int rows) {
      auto at = [&](auto* record, std::int64_t t, int width) { return record + (t * all + from) * width; };
      auto each_row = [&](auto body) {
        for (int i = 0; i < rows; i++) body(std::ptrdiff_t(i));
      };
      T* dh = at(loop.d_start, 0, H);
      std::memset(dh, 0, sizeof(T) * rows * H);
      for (std::int64_t t = loop.time - 1; t >= 0; t--) {
        const T *memory = at(loop.memory, t, 4 * H), *h = at(loop.states, t, H);
        T* gates = at(loop.d_gates, t, wide_g);
        const T* d_next = loop.d_states ? at(loop.d_states, t + 1, H) : nullptr;
        each_row([&](std::ptrdiff_t i) {
          T* g = gates + i * wide_g;
          if (d_next) add(H, d_next + i * H, dh + i * H);
          gru_back(H, memory + i * 4 * H, h + i * H, dh + i * H, g, g + r_at, g + u_at, g + n_at);
        });
        if (emits) {
          const T* layer = at(loop.emission_layer, t, H);
          if (loop.d_raw) multiply(rows, at(loop.d_raw, t, E), E, to_e, wide);
          else std::memset(wide, 0, sizeof(T) * rows * wide_h);
          each_row([&](std::ptrdiff_t i) {
            relu_back(H, layer + i * H, wide + i * wide_h, gates + i * wide_g + emission_at);
          });
        }
        if (learned) {
          const T* layer = at(loop.prior_layer, t, H);
          const T *scale = at(loop.prior_scale, t, L), *d_mean = at(loop.d_prior_mean, t, L),
                  *d_scale = at(loop.d_prior_scale, t, L);
          T* d_out = at(loop.d_prior_out, t, 2 * L);
          each_row([&](std::ptrdiff_t i) {
            gaussian_back(L, T(loop.floor), scale + i * L, d_mean + i * L, d_scale + i * L, d_out + i * 2 * L);
          });
          multiply(rows, d_out, 2 * L, to_p, wide);
          each_row([&](std::ptrdiff_t i) {
            relu_back(H, layer + i * H, wide + i * wide_h, gates + i * wide_g + prior_at);
          });
        }
        multiply(rows, gates + r_at, wide_g, to_f, wide);
        if (emits) multiply<true>(rows, gates + emission_at, wide_g, to_f_of_e, wide);
        const T *f = at(loop.features, t, H), *d_f = loop.d_features ? at(loop.d_features, t, H) : nullptr;
        T* raw = at(loop.d_features_raw, t, H);
        each_row([&](std::ptrdiff_t i) {
          T* o = wide + i * wide_h;
          if (d_f) add(H, d_f + i * H, o);
          relu_back(H, f + i * H, o, raw + i * H);
        });
        multiply(rows, raw, H, to_z, narrow);
        const T *d_mean = at(loop.d_mean, t, L), *d_scale = at(loop.d_scale, t, L), *d_z = at(loop.d_z, t, L);
        const T *scale = at(loop.scale, t, L), *normals = at(loop.normals, t, L);
        T* d_out = at(loop.d_out, t, 2 * L);
        each_row([&](std::ptrdiff_t i) {
          const std::ptrdiff_t k = i * L;
          drawn_back(L, T(loop.floor), narrow + i * wide_z, d_z + k, normals + k, scale + k, d_mean + k, d_scale + k,
                     d_out + 2 * k);
        });
        multiply(rows, d_out, 2 * L, to_a, wide);
        const T* layer = at(loop.hidden_layer, t, H);
        each_row([&](std::ptrdiff_t i) {
          relu_back(H, layer + i * H, wide + i * wide_h, gates + i * wide_g + evidence_at);
        });
        multiply(rows, gates, wide_g, to_h, wide);
        each_row([&](std::ptrdiff_t i) { add(H, wide + i * wide_h, dh + i * H); });
      }
      if (loop.d_states) add(rows * H, at(loop.d_states, 0, H), dh);
    });
  });
}

}  // namespace

extern "C" {
void vrnn_use_pool(Pool torchs) { pool = torchs; }
int vrnn_forward_float32(const VrnnScan<float>* loop) {
  return guarded([&] { forward(*loop, Weights<float>(*loop)); });
}
int vrnn_forward_float64(const VrnnScan<double>* loop) {
  return guarded([&] { forward(*loop, Weights<double>(*loop)); });
}

// The same in parts, for many short passes by the same weights.
int vrnn_weights_float32(const VrnnScan<float>* loop, void** made) {
  return guarded([&] { *made = new Weights<float>(*loop); });
}
int vrnn_weights_float64(const VrnnScan<double>* loop, void** made) {
  return guarded([&] { *made = new Weights<double>(*loop); });
}
int vrnn_forward_by_float32(const VrnnScan<float>* loop, const void* weights) {
  return guarded([&] { forward(*loop, *static_cast<const Weights<float>*>(weights)); });
}
int vrnn_forward_by_float64(const VrnnScan<double>* loop, const void* weights) {
  return guarded([&] { forward(*loop, *static_cast<const Weights<double>*>(weights)); });
}
void vrnn_free_weights_float32(void* weights) { delete static_cast<Weights<float>*>(weights); }
void vrnn_free_weights_float64(void* weights) { delete static_cast<Weights<double>*>(weights); }
int vrnn_backward_float32(const VrnnScan<float>* loop) {
  return guarded([&] { backward(*loop); });
}
int vrnn_backward_float64(const VrnnScan<double>* loop) {
  return guarded([&] { backward(*loop); });
}
}
