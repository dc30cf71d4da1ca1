// One step of the VRNN going on alone: from its own last observation to the parameters of the next; see vrnn_rollout.py.

#include "density.hpp"

// vrnn_rollout.py has the same fields in the same order. Sequences (samples times batch) lead; what the known inputs add is
// given for each sequence of the batch.
template <class T>
struct RolloutStep {
  std::int64_t samples, batch, hidden, latent, dim, size, classes, threads;
  std::int64_t gates_row, prior_row, emission_row;  // strides from one sequence of the batch to the next
  double floor;
  const T *x, *gates;  // the last observation and what its inputs add to the gates; x is none before the first step
  const T *prior, *emission;   // what the inputs of this step add to the hidden layers of the prior and the emission
  const T *normals, *weights;  // draws of this step's latent; the products
  const T *table, *emission_out;  // with categories: what each adds to the gates, and (classes, size, hidden) of the outputs
  const T *x_bias, *prior_bias, *latent_bias, *out_bias, *bias_hh;
  T *carry, *pending, *out;  // the state, what its next value waits with (r, u, n, m), the parameters of the emission
};

namespace {

enum Product { OF_STATE, TO_LATENT, OF_LATENT, OF_FEATURES, TO_OUT, OF_X, OF_X_FEATURES, PRODUCTS };

// Where each packed product lies behind the others.
template <class T>
struct Layout {
  int inner[PRODUCTS], columns[PRODUCTS];
  std::size_t offset[PRODUCTS + 1];

  // Of K categories, or of a Gaussian latent of width L where there are none.
  Layout(int H, int L, int D, int E, int K)
      : inner{H, H, L, K ? 0 : H, K ? 0 : H, D, H}, columns{5 * H, K ? K : 2 * L, H, 4 * H, E, H, 3 * H} {
    offset[0] = 0;
    for (int i = 0; i < PRODUCTS; i++) offset[i + 1] = offset[i] + std::size_t(inner[i]) * padded<T>(columns[i]);
  }
  int wide(Product which) const { return padded<T>(columns[which]); }
};

// Lay the weights of layers (out, in) out behind one another: of the state to the prior, the emission and the gates; of
// the prior's hidden layer; of the latent; of its features to the emission and the gates; of the emission's hidden
// layer; of x and its features. Those that are not given are not read.
template <class T>
void pack(int H, int L, int D, int E, int K, const T* const* layers, T* to) {
  const Layout<T> plan(H, L, D, E, K);
  auto place = [&](Product which, const Packed<T>& packed) {
    std::memcpy(to + plan.offset[which], packed.data.get(), sizeof(T) * (plan.offset[which + 1] - plan.offset[which]));
  };
  Packed<T> of_state(H, 5 * H), to_latent(H, plan.columns[TO_LATENT]), to_out(H, E), of_x(D, H), of_x_features(H, 3 * H);
  of_state.put_transposed(layers[1], H, H, H).put_transposed(layers[2], 3 * H, H, 2 * H);
  if (layers[0]) {
    of_state.put_transposed(layers[0], H, H);
    to_latent.put_transposed(layers[3], plan.columns[TO_LATENT], H);
  }
  place(OF_STATE, of_state);
  place(TO_LATENT, to_latent);
  if (!K) {
    Packed<T> of_latent(L, H), of_features(H, 4 * H);
    of_features.put_transposed(layers[5], H, H).put_transposed(layers[6], 3 * H, H, H);
    place(TO_OUT, to_out.put_transposed(layers[7], E, H));
    place(OF_LATENT, of_latent.put_transposed(layers[4], H, L));
    place(OF_FEATURES, of_features);
  }
  place(OF_X, of_x.put_transposed(layers[8], H, D));
  place(OF_X_FEATURES, of_x_features.put_transposed(layers[9], 3 * H, H));
}

// The first category whose cumulative weight exceeds u, of logits that become weights; as `choose` in choice.py finds it.
template <class T>
int choose(int K, T* logits, T u) {
  const T most = *std::max_element(logits, logits + K);
  T total = T(0), sum = T(0);
#pragma GCC ivdep
  for (int k = 0; k < K; k++) logits[k] = weight_of(logits[k] - most);
  for (int k = 0; k < K; k++) total += logits[k];
  for (int k = 0; k < K; k++) sum += logits[k] /= total;
  u = std::min(u * sum, std::nextafter(sum, T(0)));
  int found = 0;
  sum = T(0);
  for (int k = 0; k < K; k++) found += (sum += logits[k]) <= u;
  return found;
}

// The sum of products, in as many lanes as a vector has.
template <class T>
T dot(int count, const T* a, const T* b) {
  T lanes[LANES<T>] = {}, sum = T(0);
  int j = 0;
  for (; j + LANES<T> <= count; j += LANES<T>)
#pragma GCC ivdep
    for (int c = 0; c < LANES<T>; c++) lanes[c] += a[j + c] * b[j + c];
  for (; j < count; j++) sum += a[j] * b[j];
  for (int c = 0; c < LANES<T>; c++) sum += lanes[c];
  return sum;
}

template <class T>
void rollout_step(const RolloutStep<T>& step) {
  const int H = step.hidden, L = step.latent, D = step.dim, E = step.size, K = step.classes;
  const Layout<T> plan(H, L, D, E, K);
  const bool standard = step.prior == nullptr;  // the prior is N(0, I), or uniform over the categories
  const int drawn = standard ? 0 : L;

  share_out(step.samples * step.batch, step.threads, [&](const Share& share) {
    Buffer<T> hidden_(std::size_t(share.most) * H), z_(std::size_t(share.most) * L);
    Buffer<T> of_state_(std::size_t(share.most) * plan.wide(OF_STATE)),
        other_(std::size_t(share.most) *
               std::max({plan.wide(OF_FEATURES), plan.wide(TO_LATENT), plan.wide(TO_OUT), plan.wide(OF_X)}));
    T *hidden = hidden_.get(), *z = z_.get(), *of_state = of_state_.get(), *other = other_.get();
    std::vector<const T*> added(share.most);  // what the latents add to the gates
    std::vector<T> weight(K);
    std::vector<std::ptrdiff_t> chosen(share.most);  // with categories
    share.each([&](std::int64_t from, int rows) {
      auto product = [&](Product which, const T* a, T* c) {
        multiply(rows, plan.inner[which], plan.wide(which), a, plan.inner[which], step.weights + plan.offset[which],
                 c);
      };
      T *h = step.carry + from * H, *pending = step.pending + from * 4 * H;
      auto row_of = [&](const T* fixed, std::int64_t stride, int i) {
        return fixed + (from + i) % step.batch * stride;
      };

      if (step.x) {
        product(OF_X, step.x + from * D, other);
        for (int i = 0; i < rows; i++)
          relu_sum(H, other + std::ptrdiff_t(i) * plan.wide(OF_X), step.x_bias, hidden + std::ptrdiff_t(i) * H);
        product(OF_X_FEATURES, hidden, other);
        for (int i = 0; i < rows; i++) {
          const T *g = other + std::ptrdiff_t(i) * plan.wide(OF_X_FEATURES),
                  *fixed = row_of(step.gates, step.gates_row, i);
          const T* p = pending + std::ptrdiff_t(i) * 4 * H;
          T* h_i = h + std::ptrdiff_t(i) * H;
#pragma GCC ivdep
          for (int j = 0; j < H; j++) {
            const T r = sigmoid(fixed[j] + g[j] + p[j]), u = sigmoid(fixed[H + j] + g[H + j] + p[H + j]);
            const T n = hyperbolic_tangent(fixed[2 * H + j] + g[2 * H + j] + p[2 * H + j] + r * p[3 * H + j]);
            h_i[j] = n + u * (h_i[j] - n);
          }
        }
      }
      product(OF_STATE, h, of_state);
      if (!standard) {
        for (int i = 0; i < rows; i++)
          relu_sum(H, of_state + std::ptrdiff_t(i) * plan.wide(OF_STATE), row_of(step.prior, step.prior_row, i),
                   hidden + std::ptrdiff_t(i) * H);
        product(TO_LATENT, hidden, other);
      }
      for (int i = 0; K && i < rows; i++) {
        const T* logits = other + std::ptrdiff_t(i) * plan.wide(TO_LATENT);
        for (int k = 0; k < K; k++) weight[k] = standard ? T(0) : logits[k] + step.prior_bias[k];
        chosen[i] = choose(K, weight.data(), step.normals[from + i]);
        added[i] = step.table + chosen[i] * 3 * H;
      }
      for (int i = 0; !K && i < rows; i++) {
        const T *o = other + std::ptrdiff_t(i) * plan.wide(TO_LATENT), *normals = step.normals + (from + i) * L;
        T* z_i = z + std::ptrdiff_t(i) * L;
        if (standard) std::memcpy(z_i, normals, sizeof(T) * L);
#pragma GCC ivdep
        for (int j = 0; j < drawn; j++)
          z_i[j] =
              o[j] + step.prior_bias[j] + (T(step.floor) + softplus(o[L + j] + step.prior_bias[L + j])) * normals[j];
      }
      if (!K) {
        product(OF_LATENT, z, other);
        for (int i = 0; i < rows; i++)
          relu_sum(H, other + std::ptrdiff_t(i) * plan.wide(OF_LATENT), step.latent_bias,
                   hidden + std::ptrdiff_t(i) * H);
        product(OF_FEATURES, hidden, other);
        for (int i = 0; i < rows; i++) added[i] = other + std::ptrdiff_t(i) * plan.wide(OF_FEATURES) + H;
      }
      for (int i = 0; i < rows; i++) {
        const T *s = of_state + std::ptrdiff_t(i) * plan.wide(OF_STATE), *f = added[i];
        const T *fixed = row_of(step.emission, step.emission_row, i), *bias = step.bias_hh;
        const T* to_emission = K ? nullptr : f - H;
        T *hidden_i = hidden + std::ptrdiff_t(i) * H, *p = pending + std::ptrdiff_t(i) * 4 * H;
#pragma GCC ivdep
        for (int j = 0; j < H; j++) {
          const T x = s[H + j] + (to_emission ? to_emission[j] : T(0)) + fixed[j];
          hidden_i[j] = x < T(0) ? T(0) : x;
          p[j] = s[2 * H + j] + bias[j] + f[j];
          p[H + j] = s[3 * H + j] + bias[H + j] + f[H + j];
          p[2 * H + j] = f[2 * H + j];
          p[3 * H + j] = s[4 * H + j] + bias[2 * H + j];
        }
      }
      for (int i = 0; K && i < rows; i++) {
        const T *layer = hidden + std::ptrdiff_t(i) * H, *bias = step.out_bias + chosen[i] * E;
        T* out = step.out + (from + i) * E;
        for (int e = 0; e < E; e++) out[e] = bias[e] + dot(H, step.emission_out + (chosen[i] * E + e) * H, layer);
      }
      if (!K) product(TO_OUT, hidden, other);
      for (int i = 0; !K && i < rows; i++) {
        const T* o = other + std::ptrdiff_t(i) * plan.wide(TO_OUT);
        T* out = step.out + (from + i) * E;
        for (int j = 0; j < E; j++) out[j] = o[j] + step.out_bias[j];
      }
    });
  });
}

}  // namespace

extern "C" {
std::int64_t vrnn_packed_float32(int H, int L, int D, int E, int K) { return Layout<float>(H, L, D, E, K).offset[PRODUCTS]; }
std::int64_t vrnn_packed_float64(int H, int L, int D, int E, int K) { return Layout<double>(H, L, D, E, K).offset[PRODUCTS]; }
int vrnn_pack_float32(int H, int L, int D, int E, int K, const float* const* layers, float* to) {
  return guarded([&] { pack(H, L, D, E, K, layers, to); });
}
int vrnn_pack_float64(int H, int L, int D, int E, int K, const double* const* layers, double* to) {
  return guarded([&] { pack(H, L, D, E, K, layers, to); });
}
int vrnn_rollout_step_float32(const RolloutStep<float>* step) {
  return guarded([&] { rollout_step(*step); });
}
int vrnn_rollout_step_float64(const RolloutStep<double>* step) {
  return guarded([&] { rollout_step(*step); });
}
}
