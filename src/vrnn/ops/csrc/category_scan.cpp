// The loop of a VRNN whose latents are categories, over complete rows, forward and backward; the equations are in
// category_scan.py.
//
// Prior, emission and density of all categories are computed for PANEL sequences at once, one category after the other, with
// the sequences side by side in a vector. The draw has no gradient, so nothing of these comes back through later states.

#include "density.hpp"

// What both passes work on; category_scan.py has the same fields in the same order. Rows are sequences, samples times batch.
template <class T>
struct CategoryScan {
  std::int64_t samples, batch, time, hidden, classes, dim, size, parts, threads;
  std::int64_t gates_row, gates_step, to_prior_row, to_prior_step;  // strides of what is fixed before the loop, whose last
  std::int64_t to_emission_row, to_emission_step, x_row, x_step, seen_row, seen_step, factor_row, factor_step;  // axis is dense
  double floor;
  const Index* density;  // of each part of the emission its kind, width and components
  // read: no to_prior and no weights of the prior where it is uniform; table: what each category adds to the gates;
  // emission_out and emission_bias: of the outputs (classes, size); seen: 1 where x is observed, 0 where it has no density,
  // as in padding; factor: what the outputs of every category are multiplied by, none for 1
  const T *gates, *to_prior, *to_emission, *x, *seen, *factor, *uniform;
  const T *table, *weight_hh, *bias_hh, *prior_state, *prior_out, *prior_bias, *emission_state, *emission_out, *emission_bias;
  // written forward, read back: the hidden layers of prior and emission and memory (r, u, n, m) are none where there is no
  // way back
  T *states, *prior, *joint, *exact, *raw;
  Index* chosen;
  T *prior_layer, *emission_layer, *memory;
  // backward: what arrives, none where it is nought, and what is written; d_gates: of m, prior, emission, r, u, n; d_table,
  // d_out and d_bias: of every worker
  const T *d_states, *d_prior, *d_joint, *d_exact, *d_raw;
  T *d_gates, *d_logits, *d_table, *d_out, *d_bias, *d_x, *d_start;
};

namespace {

// What the forward pass multiplies by, packed; of h to the gates, the emission and the prior, in this order.
template <class T>
struct CategoryWeights {
  Packed<T> of_h, of_p;

  explicit CategoryWeights(const CategoryScan<T>& loop)
      : of_h(loop.hidden, (4 + (loop.prior_state != nullptr)) * loop.hidden), of_p(loop.hidden, loop.prior_state ? loop.classes : 0) {
    const int H = loop.hidden;
    of_h.put_transposed(loop.weight_hh, 3 * H, H).put_transposed(loop.emission_state, H, H, 3 * H);
    if (loop.prior_state) {
      of_h.put_transposed(loop.prior_state, H, H, 4 * H);
      of_p.put_transposed(loop.prior_out, loop.classes, H);
    }
  }
};

// Prior, emission and log p(k) p(x | k) of all categories k, of at most PANEL sequences at a step.
template <class T>
struct Joints {
  static constexpr int P = PANEL<T>;
  const CategoryScan<T>& loop;
  const int H, K, D, E;
  Buffer<T> layer_, x_, seen_, factor_, raw_, prior_, joint_, exact_, most_;
  Density<T> density;
  T *layer, *x, *seen, *factor, *raw, *prior, *joint, *exact, *most;  // rows of PANEL; raw: (classes, size); prior: log p(k)

  explicit Joints(const CategoryScan<T>& loop)
      : loop(loop), H(loop.hidden), K(loop.classes), D(loop.dim), E(loop.size), layer_(H * P), x_(D * P),
        seen_(P), factor_(loop.factor ? E * P : 0), raw_(std::size_t(K) * E * P), prior_(K * P), joint_(K * P), exact_(P), most_(P),
        density(loop.parts, loop.density, T(loop.floor)), layer(layer_.get()), x(x_.get()),
        seen(seen_.get()), factor(factor_.get()), raw(raw_.get()), prior(prior_.get()), joint(joint_.get()), exact(exact_.get()), most(most_.get()) {}

  // Put rows (count, width) side by side, 0 where there is no sequence.
  static void across(int count, int width, const T* rows, std::ptrdiff_t row, T* to) {
    if (count < P) std::memset(to, 0, sizeof(T) * width * P);
    for (int j = 0; j < width; j++)
      for (int r = 0; r < count; r++) to[j * P + r] = rows[r * row + j];
  }

  // Of sequences from `from`: the hidden layer of their emission and their logits, none where the prior is uniform.
  void compute(std::int64_t t, std::int64_t from, int count, const T* layer_rows, const T* logits) {
    across(count, H, layer_rows, H, layer);
    std::memset(x, 0, sizeof(T) * D * P);
    std::memset(seen, 0, sizeof(T) * P);
    if (loop.factor) std::memset(factor, 0, sizeof(T) * E * P);
    for (int r = 0; r < count; r++) {
      seen[r] = loop.seen[(from + r) % loop.batch * loop.seen_row + t * loop.seen_step];
      const T* x_r = loop.x + (from + r) % loop.batch * loop.x_row + t * loop.x_step;
      for (int j = 0; j < D; j++) x[j * P + r] = x_r[j];
      const T* factor_r = loop.factor ? loop.factor + (from + r) % loop.batch * loop.factor_row + t * loop.factor_step : nullptr;
      for (int e = 0; loop.factor && e < E; e++) factor[e * P + r] = factor_r[e];
    }
    if (logits)
      across(count, K, logits, K, prior);
    else
      std::memset(prior, 0, sizeof(T) * K * P);
    log_sum_exp(K, prior, most, exact);
    multiply(K * E, H, P, loop.emission_out, H, layer, raw);
    for (int e = 0; e < K * E; e++)
#pragma GCC ivdep
      for (int c = 0; c < P; c++) raw[e * P + c] += loop.emission_bias[e];
    if (loop.factor)
      for (int k = 0; k < K; k++) by_factor(raw + std::ptrdiff_t(k) * E * P);
    for (int k = 0; k < K; k++) {
      T *prior_k = prior + k * P, *joint_k = joint + k * P, *raw_k = raw + std::ptrdiff_t(k) * E * P;
      density.log_prob(raw_k, x, joint_k);
#pragma GCC ivdep
      for (int c = 0; c < P; c++) {
        prior_k[c] -= exact[c];
        joint_k[c] = prior_k[c] + (seen[c] > T(0) ? joint_k[c] : T(0));
      }
    }
    log_sum_exp(K, joint, most, exact);
  }

  // Multiply the outputs of a category, or their gradients, by the factors.
  void by_factor(T* outputs) const {
#pragma GCC ivdep
    for (int i = 0; i < E * P; i++) outputs[i] *= factor[i];
  }

  // The category of every sequence whose cumulative weight exceeds `uniform`, as `choose` in choice.py finds it.
  void choose(int count, const T* uniform, Index* to) {
    T total[P] = {}, u[P] = {}, sum[P] = {};
    Index found[P] = {};
    for (int c = 0; c < count; c++) u[c] = uniform[c];
    T* weight = prior;  // log p(k) has been read
    for (int k = 0; k < K; k++)
#pragma GCC ivdep
      for (int c = 0; c < P; c++) {
        weight[k * P + c] = weight_of(joint[k * P + c] - most[c]);
        total[c] += weight[k * P + c];
      }
    for (int k = 0; k < K; k++)
#pragma GCC ivdep
      for (int c = 0; c < P; c++) sum[c] += weight[k * P + c] = weight[k * P + c] / total[c];
    for (int c = 0; c < P; c++) {
      const T below = std::nextafter(sum[c], T(0)), scaled = u[c] * sum[c];
      u[c] = below < scaled ? below : scaled;
      sum[c] = T(0);
    }
    for (int k = 0; k < K; k++)
#pragma GCC ivdep
      for (int c = 0; c < P; c++) {
        sum[c] += weight[k * P + c];
        found[c] += sum[c] <= u[c];
      }
    for (int c = 0; c < count; c++) to[c] = found[c];
  }
};

template <class T>
void category_forward(const CategoryScan<T>& loop, const CategoryWeights<T>& weights) {
  const int H = loop.hidden, K = loop.classes, E = loop.size;
  const std::int64_t all = loop.samples * loop.batch;
  const bool learned = loop.to_prior;
  const Packed<T> &of_h = weights.of_h, &of_p = weights.of_p;
  const int wide_h = of_h.wide(), wide_p = of_p.wide();

  share_out(all, loop.threads, [&](const Share& share) {
    Joints<T> joints(loop);
    Buffer<T> of_h_(std::size_t(share.most) * wide_h), of_p_(std::size_t(share.most) * wide_p);
    Buffer<T> prior_layer_(std::size_t(share.most) * H), layer_(std::size_t(share.most) * H), unread_(4 * H);
    T *from_h = of_h_.get(), *from_p = of_p_.get();
    share.each([&](std::int64_t from, int rows) {
      auto at = [&](auto* record, std::int64_t t, int width) { return record + (t * all + from) * width; };
      for (std::int64_t t = 0; t < loop.time; t++) {
        auto row_of = [&](const T* fixed, std::int64_t row, std::int64_t step, int i) {
          return fixed + (from + i) % loop.batch * row + t * step;
        };
        const T* h = at(loop.states, t, H);
        multiply(rows, h, H, of_h, from_h);
        T *logits = nullptr, *layer = loop.emission_layer ? at(loop.emission_layer, t, H) : layer_.get();
        if (learned) {
          T* p = loop.prior_layer ? at(loop.prior_layer, t, H) : prior_layer_.get();
          logits = at(loop.prior, t, K);
          for (int i = 0; i < rows; i++)
            relu_sum(H, from_h + std::ptrdiff_t(i) * wide_h + 4 * H,
                     row_of(loop.to_prior, loop.to_prior_row, loop.to_prior_step, i), p + std::ptrdiff_t(i) * H);
          multiply(rows, p, H, of_p, from_p);
          for (int i = 0; i < rows; i++)
#pragma GCC ivdep
            for (int k = 0; k < K; k++) logits[i * K + k] = from_p[std::ptrdiff_t(i) * wide_p + k] + loop.prior_bias[k];
        }
        for (int i = 0; i < rows; i++)
          relu_sum(H, from_h + std::ptrdiff_t(i) * wide_h + 3 * H,
                   row_of(loop.to_emission, loop.to_emission_row, loop.to_emission_step, i), layer + std::ptrdiff_t(i) * H);
        Index* chosen = at(loop.chosen, t, 1);
        for (int first = 0; first < rows; first += PANEL<T>) {
          const int count = std::min(PANEL<T>, rows - first);
          joints.compute(t, from + first, count, layer + std::ptrdiff_t(first) * H, logits ? logits + first * K : nullptr);
          joints.choose(count, at(loop.uniform, t, 1) + first, chosen + first);
          T *joint = at(loop.joint, t, K) + first * K, *exact = at(loop.exact, t, 1) + first, *raw = at(loop.raw, t, E) + first * E;
          for (int r = 0; r < count; r++) {
            const T* raw_r = joints.raw + chosen[first + r] * E * PANEL<T> + r;
            exact[r] = joints.exact[r];
            for (int k = 0; k < K; k++) joint[r * K + k] = joints.joint[k * PANEL<T> + r];
            for (int e = 0; e < E; e++) raw[r * E + e] = raw_r[e * PANEL<T>];
          }
        }
        T *next = at(loop.states, t + 1, H), *memory = loop.memory ? at(loop.memory, t, 4 * H) : unread_.get();
        for (int i = 0; i < rows; i++)
          gru<true>(H, row_of(loop.gates, loop.gates_row, loop.gates_step, i), loop.table + chosen[i] * 3 * H,
                    from_h + std::ptrdiff_t(i) * wide_h, loop.bias_hh, h + std::ptrdiff_t(i) * H,
                    memory + (loop.memory ? std::ptrdiff_t(i) * 4 * H : 0), next + std::ptrdiff_t(i) * H);
      }
    });
  });
}

// The gradients of the heads of at most PANEL sequences, and those of their weights over all of them.
template <class T>
struct JointsBack {
  static constexpr int P = PANEL<T>;
  const CategoryScan<T>& loop;
  const int H, K, D, E;
  Joints<T> joints;
  Packed<T> from_out;  // of the outputs of all categories back to the hidden layer
  const int wide;
  Buffer<T> arriving_, of_density_, share_, d_raw_, d_raw_rows_, d_layer_, layer_, d_out_, d_bias_, d_x_;
  T *arriving, *of_density, *share, *d_raw, *d_raw_rows, *d_layer, *layer, *d_out, *d_bias, *d_x;

  explicit JointsBack(const CategoryScan<T>& loop)
      : loop(loop), H(loop.hidden), K(loop.classes), D(loop.dim), E(loop.size), joints(loop), from_out(K * E, H),
        wide(from_out.wide()), arriving_(K * P), of_density_(P), share_(P), d_raw_(std::size_t(K) * E * P),
        d_raw_rows_(std::size_t(K) * E * P), d_layer_(P * wide), layer_(P * wide), d_out_(std::size_t(K) * E * wide),
        d_bias_(std::size_t(K) * E * P), d_x_(D * P), arriving(arriving_.get()), of_density(of_density_.get()),
        share(share_.get()), d_raw(d_raw_.get()), d_raw_rows(d_raw_rows_.get()), d_layer(d_layer_.get()),
        layer(layer_.get()), d_out(d_out_.get()), d_bias(d_bias_.get()), d_x(d_x_.get()) {
    from_out.put(loop.emission_out, K * E, H, H, 1);
    std::memset(layer, 0, sizeof(T) * P * wide);
    std::memset(d_out, 0, sizeof(T) * K * E * wide);
    std::memset(d_bias, 0, sizeof(T) * K * E * P);
  }

  // Of sequences from `from`: put the gradients of the hidden layer of their emission, before its function, and of their
  // logits.
  void compute(std::int64_t t, std::int64_t from, int count, T* d_emission, std::ptrdiff_t d_emission_row) {
    const std::int64_t place = t * loop.samples * loop.batch + from;
    const T *rows = loop.emission_layer + place * H, *logits = loop.prior ? loop.prior + place * K : nullptr;
    const Index* chosen = loop.chosen + place;
    joints.compute(t, from, count, rows, logits);
    if (loop.d_joint)
      joints.across(count, K, loop.d_joint + place * K, K, arriving);
    else
      std::memset(arriving, 0, sizeof(T) * K * P);
    if (loop.d_exact) {
      T d_exact[P] = {};
      for (int r = 0; r < count; r++) d_exact[r] = loop.d_exact[place + r];
      for (int k = 0; k < K; k++)
#pragma GCC ivdep
        for (int c = 0; c < P; c++) arriving[k * P + c] += d_exact[c] * weight_of(joints.joint[k * P + c] - joints.exact[c]);
    }
    std::memset(d_x, 0, sizeof(T) * D * P);
    for (int k = 0; k < K; k++) {
#pragma GCC ivdep
      for (int c = 0; c < P; c++) of_density[c] = joints.seen[c] > T(0) ? arriving[k * P + c] : T(0);
      T* d_raw_k = d_raw + std::ptrdiff_t(k) * E * P;
      joints.density.log_prob_back(joints.raw + std::ptrdiff_t(k) * E * P, joints.x, of_density, d_raw_k, d_x);
      if (loop.d_raw)
        for (int r = 0; r < count; r++)
          if (chosen[r] == k)
            for (int e = 0; e < E; e++) d_raw_k[e * P + r] += loop.d_raw[(place + r) * E + e];
      if (loop.factor) joints.by_factor(d_raw_k);
    }
    for (int e = 0; e < K * E; e++)
      for (int r = 0; r < count; r++) d_raw_rows[std::ptrdiff_t(r) * K * E + e] = d_raw[e * P + r];
    add(K * E * P, d_raw, d_bias);
    multiply(count, d_raw_rows, K * E, from_out, d_layer);
    for (int first = 0; first < H; first += P) {
      const int width = std::min(P, H - first);
      for (int r = 0; r < count; r++)
        std::memcpy(layer + std::ptrdiff_t(first) * count + r * P, rows + r * H + first, sizeof(T) * width);
    }
    for (int r = 0; r < count; r++) relu_back(H, rows + r * H, d_layer + r * wide, d_emission + r * d_emission_row);
    multiply<true>(K * E, count, wide, d_raw, P, layer, d_out);
    if (loop.d_x)
      for (int r = 0; r < count; r++)
        for (int j = 0; j < D; j++) loop.d_x[(place + r) * D + j] = d_x[j * P + r];
    if (!logits) return;
    std::memset(share, 0, sizeof(T) * P);
    for (int k = 0; k < K; k++) add(P, arriving + k * P, share);
    T* d_logits = loop.d_logits + place * K;
    for (int k = 0; k < K; k++) {
#pragma GCC ivdep
      for (int c = 0; c < P; c++) arriving[k * P + c] -= share[c] * weight_of(joints.prior[k * P + c]);
      for (int r = 0; r < count; r++)
        d_logits[r * K + k] = arriving[k * P + r] + (loop.d_prior ? loop.d_prior[(place + r) * K + k] : T(0));
    }
  }

  // Put the gradients of the weights where a worker leaves its own.
  void leave(std::int64_t worker) {
    for (int e = 0; e < K * E; e++) {
      T sum = T(0);
      for (int c = 0; c < P; c++) sum += d_bias[e * P + c];
      loop.d_bias[worker * K * E + e] = sum;
      std::memcpy(loop.d_out + (worker * K * E + e) * H, d_out + std::ptrdiff_t(e) * wide, sizeof(T) * H);
    }
  }
};

template <class T>
void category_backward(const CategoryScan<T>& loop) {
  const int H = loop.hidden, K = loop.classes;
  const std::int64_t all = loop.samples * loop.batch;
  const bool learned = loop.to_prior, heads = loop.d_prior || loop.d_joint || loop.d_exact || loop.d_raw;
  // d_gates, in order: what reads h is m to u
  const int prior_at = H, emission_at = (1 + learned) * H, r_at = emission_at + H, u_at = r_at + H, n_at = u_at + H,
            wide_g = n_at + H;
  Packed<T> to_h(n_at, H), to_p(learned ? K : 0, H);
  to_h.put(loop.weight_hh + 2 * H * H, H, H, H, 1)
      .put(loop.emission_state, H, H, H, 1, emission_at)
      .put(loop.weight_hh, 2 * H, H, H, 1, r_at);
  if (learned) {
    to_h.put(loop.prior_state, H, H, H, 1, prior_at);
    to_p.put(loop.prior_out, K, H, H, 1);
  }
  const int wide_h = to_h.wide();

  share_out(all, loop.threads, [&](const Share& share) {
    JointsBack<T> back(loop);
    Buffer<T> wide_(std::size_t(share.most) * wide_h);
    T *wide = wide_.get(), *d_table = loop.d_table + share.index * K * 3 * H;
    share.each([&](std::int64_t from, int rows) {
      auto at = [&](auto* record, std::int64_t t, int width) { return record + (t * all + from) * width; };
      T* dh = at(loop.d_start, 0, H);
      std::memset(dh, 0, sizeof(T) * rows * H);
      for (std::int64_t t = loop.time - 1; t >= 0; t--) {
        const T *memory = at(loop.memory, t, 4 * H), *h = at(loop.states, t, H);
        const T* d_next = loop.d_states ? at(loop.d_states, t + 1, H) : nullptr;
        const Index* chosen = at(loop.chosen, t, 1);
        T* gates = at(loop.d_gates, t, wide_g);
        if (d_next) add(rows * H, d_next, dh);
        for (std::ptrdiff_t i = 0; i < rows; i++) {
          T *g = gates + i * wide_g, *d_of_category = d_table + chosen[i] * 3 * H;
          gru_back(H, memory + i * 4 * H, h + i * H, dh + i * H, g, g + r_at, g + u_at, g + n_at);
          add(3 * H, g + r_at, d_of_category);
          if (!heads) std::memset(g + prior_at, 0, sizeof(T) * (1 + learned) * H);
        }
        for (int first = 0; heads && first < rows; first += PANEL<T>)
          back.compute(t, from + first, std::min(PANEL<T>, rows - first), gates + std::ptrdiff_t(first) * wide_g + emission_at,
                       wide_g);
        if (heads && learned) {
          const T* layer = at(loop.prior_layer, t, H);
          multiply(rows, at(loop.d_logits, t, K), K, to_p, wide);
          for (std::ptrdiff_t i = 0; i < rows; i++)
            relu_back(H, layer + i * H, wide + i * wide_h, gates + i * wide_g + prior_at);
        }
        multiply(rows, gates, wide_g, to_h, wide);
        for (std::ptrdiff_t i = 0; i < rows; i++) add(H, wide + i * wide_h, dh + i * H);
      }
      if (loop.d_states) add(rows * H, at(loop.d_states, 0, H), dh);
    });
    back.leave(share.index);
  });
}

}  // namespace

extern "C" {
int vrnn_category_forward_float32(const CategoryScan<float>* loop) {
  return guarded([&] { category_forward(*loop, CategoryWeights<float>(*loop)); });
}
int vrnn_category_forward_float64(const CategoryScan<double>* loop) {
  return guarded([&] { category_forward(*loop, CategoryWeights<double>(*loop)); });
}

// The same in parts, for many short passes by the same weights.
int vrnn_category_weights_float32(const CategoryScan<float>* loop, void** made) {
  return guarded([&] { *made = new CategoryWeights<float>(*loop); });
}
int vrnn_category_weights_float64(const CategoryScan<double>* loop, void** made) {
  return guarded([&] { *made = new CategoryWeights<double>(*loop); });
}
int vrnn_category_forward_by_float32(const CategoryScan<float>* loop, const void* weights) {
  return guarded([&] { category_forward(*loop, *static_cast<const CategoryWeights<float>*>(weights)); });
}
int vrnn_category_forward_by_float64(const CategoryScan<double>* loop, const void* weights) {
  return guarded([&] { category_forward(*loop, *static_cast<const CategoryWeights<double>*>(weights)); });
}
void vrnn_free_category_weights_float32(void* weights) { delete static_cast<CategoryWeights<float>*>(weights); }
void vrnn_free_category_weights_float64(void* weights) { delete static_cast<CategoryWeights<double>*>(weights); }
int vrnn_category_backward_float32(const CategoryScan<float>* loop) {
  return guarded([&] { category_backward(*loop); });
}
int vrnn_category_backward_float64(const CategoryScan<double>* loop) {
  return guarded([&] { category_backward(*loop); });
}
}
