// Log-densities of emissions and their gradients, of PANEL sequences at once.
//
// An array of a number for each sequence is PANEL long; rows of such arrays lie behind one another. Every loop over them
// has the same length and no branch, so that the compiler makes vectors of it.

#pragma once

#include "common.hpp"

using Index = std::int64_t;

namespace {

// log(1 + e^x) to the last digit for large x too.
template <class T>
inline T log_one_plus_exp(T x) {
  const T e = exponential(-std::abs(x)), s = e / (T(2) + e), square = s * s;
  T sum = T(0);
#pragma GCC unroll 32
  for (int k = Float<T>::log_terms; k >= 0; k--) sum = sum * square + T(1) / T(2 * k + 1);
  return (x > T(0) ? x : x - x) + T(2) * s * sum;
}

// e^x, 0 where it is no normal number.
template <class T>
inline T weight_of(T x) {
  const T e = exponential(x);
  return x < Float<T>::least ? T(0) : e;
}

// log x = n log 2 + 2 artanh(s), s = (m - 1) / (m + 1), of x = 2^n m with m near 1; x is positive, normal and finite, or NaN.
template <class T>
inline T logarithm(T x) {
  using F = Float<T>;
  using I = typename F::integer;
  constexpr T root_half = T(0.70710678118654752440);
  const I bits = __builtin_bit_cast(I, x), offset = bits - __builtin_bit_cast(I, root_half);
  const I power = offset >> F::mantissa;
  const T m = __builtin_bit_cast(T, I(bits - power * (I(1) << F::mantissa)));
  const T s = (m - T(1)) / (m + T(1)), square = s * s;
  T sum = T(0);
#pragma GCC unroll 32
  for (int k = F::log_terms * 2 / 3; k >= 0; k--) sum = sum * square + T(1) / T(2 * k + 1);
  const T n = T(power);
  return n * F::ln2_high + (n * F::ln2_low + T(2) * s * sum) + (x - x);
}

// log sum_k e^x_k of rows x_k, and the largest of them in `most`.
template <class T>
void log_sum_exp(int count, const T* x, T* most, T* to) {
  constexpr int P = PANEL<T>;
#pragma GCC ivdep
  for (int c = 0; c < P; c++) most[c] = x[c];
  for (int k = 1; k < count; k++)
#pragma GCC ivdep
    for (int c = 0; c < P; c++) most[c] = x[k * P + c] > most[c] ? x[k * P + c] : most[c];
#pragma GCC ivdep
  for (int c = 0; c < P; c++) {
    most[c] = std::abs(most[c]) <= std::numeric_limits<T>::max() ? most[c] : T(0);
    to[c] = T(0);
  }
  for (int k = 0; k < count; k++)
#pragma GCC ivdep
    for (int c = 0; c < P; c++) to[c] += weight_of(x[k * P + c] - most[c]);
#pragma GCC ivdep
  for (int c = 0; c < P; c++) {
    const T value = most[c] + logarithm(to[c]);
    to[c] = to[c] == T(0) ? -std::numeric_limits<T>::infinity() : value;
  }
}

// ---- Gaussians: means, raw scales, then with FULL the entries of B below the diagonal, column after column ----

// (x - m) / s is (I + B) z; full_gaussian.py has the equations. Keeps z, (x - m) / s and s.
template <bool FULL, class T>
void gaussian_density(int D, T floor, const T* raw, const T* x, T* z, T* ratio, T* scale, T* to) {
  constexpr int P = PANEL<T>;
  constexpr T half_log_2pi = T(0.91893853320467274178);
#pragma GCC ivdep
  for (int c = 0; c < P; c++) to[c] = T(0);
  for (int i = 0; i < D; i++) {
    const T *mean = raw + i * P, *raw_scale = raw + (D + i) * P, *x_i = x + i * P;
    T *z_i = z + i * P, *ratio_i = ratio + i * P, *scale_i = scale + i * P;
#pragma GCC ivdep
    for (int c = 0; c < P; c++) {
      scale_i[c] = floor + softplus(raw_scale[c]);
      z_i[c] = ratio_i[c] = (x_i[c] - mean[c]) / scale_i[c];
    }
    if constexpr (FULL) {
      const T* column = raw + 2 * D * P;
      for (int j = 0; j < i; column += (D - 1 - j) * P, j++) {
        const T *b = column + (i - j - 1) * P, *z_j = z + j * P;
#pragma GCC ivdep
        for (int c = 0; c < P; c++) z_i[c] -= b[c] * z_j[c];
      }
    }
#pragma GCC ivdep
    for (int c = 0; c < P; c++) to[c] -= T(0.5) * z_i[c] * z_i[c] + logarithm(scale_i[c]) + half_log_2pi;
  }
}

// The gradient of the outputs, and that of x added to `d_x`, from that of the log-density and what was kept. `back` holds
// the gradients of (x - m) / s.
template <bool FULL, class T>
void gaussian_density_back(int D, T floor, const T* raw, const T* z, const T* ratio, const T* scale, const T* arriving,
                           T* back, T* d_raw, T* d_x) {
  constexpr int P = PANEL<T>;
  for (int i = D - 1; i >= 0; i--) {
    const T *z_i = z + i * P, *ratio_i = ratio + i * P, *scale_i = scale + i * P;
    T* back_i = back + i * P;
#pragma GCC ivdep
    for (int c = 0; c < P; c++) back_i[c] = -arriving[c] * z_i[c];
    if constexpr (FULL) {
      const int first = 2 * D + i * (D - 1) - i * (i - 1) / 2;
      for (int l = i + 1; l < D; l++) {
        const T *b = raw + (first + l - i - 1) * P, *back_l = back + l * P;
        T* d_b = d_raw + (first + l - i - 1) * P;
#pragma GCC ivdep
        for (int c = 0; c < P; c++) {
          back_i[c] -= b[c] * back_l[c];
          d_b[c] = -back_l[c] * z_i[c];
        }
      }
    }
    T *d_mean = d_raw + i * P, *d_scale = d_raw + (D + i) * P, *d_x_i = d_x + i * P;
#pragma GCC ivdep
    for (int c = 0; c < P; c++) {
      const T d = back_i[c] / scale_i[c];
      d_mean[c] = -d;
      d_x_i[c] += d;
      d_scale[c] = -(back_i[c] * ratio_i[c] + arriving[c]) / scale_i[c] * softplus_slope(scale_i[c] - floor);
    }
  }
}

// ---- emissions: parts over consecutive dimensions ----

enum Kind : Index { GAUSSIAN, FULL_GAUSSIAN, MIXTURE, BERNOULLI };

struct Part {
  Index kind, dim, components;
  int full_size() const { return int(dim * (dim + 3) / 2); }
  int size() const {
    switch (kind) {
      case GAUSSIAN: return int(2 * dim);
      case FULL_GAUSSIAN: return full_size();
      case MIXTURE: return int(components) * (1 + full_size());
      default: return int(dim);
    }
  }
};

// The density of an emission. It works in memory of its own, so every worker has one.
template <class T>
class Density {
 public:
  Density(Index count, const Index* parts, T floor)
      : parts_(reinterpret_cast<const Part*>(parts), reinterpret_cast<const Part*>(parts) + count), floor_(floor),
        memory_(rows() * PANEL<T>) {}

  // The log-density `to` of x, rows (dim), under the outputs, rows (size).
  void log_prob(const T* raw, const T* x, T* to) {
    constexpr int P = PANEL<T>;
#pragma GCC ivdep
    for (int c = 0; c < P; c++) to[c] = T(0);
    for (const Part& part : parts_) {
      value(part, raw, x);
#pragma GCC ivdep
      for (int c = 0; c < P; c++) to[c] += value_[c];
      raw += part.size() * P;
      x += part.dim * P;
    }
  }

  // The gradient of the outputs, and that of x added to `d_x`, from that of the log-density.
  void log_prob_back(const T* raw, const T* x, const T* arriving, T* d_raw, T* d_x) {
    for (const Part& part : parts_) {
      value(part, raw, x);
      back(part, raw, x, arriving, d_raw, d_x);
      raw += part.size() * PANEL<T>;
      d_raw += part.size() * PANEL<T>;
      x += part.dim * PANEL<T>;
      d_x += part.dim * PANEL<T>;
    }
  }

 private:
  std::size_t rows() const {
    std::size_t most = 0;
    for (const Part& part : parts_) most = std::max(most, std::size_t(4 * part.dim + part.components));
    return most + 6;
  }
  T* row(std::size_t which) { return memory_.get() + which * PANEL<T>; }
  T *most_ = nullptr, *value_ = nullptr, *total_ = nullptr, *share_ = nullptr;

  // Put the log-density of a part at value_, and what its gradient reads into memory.
  void value(const Part& part, const T* raw, const T* x) {
    constexpr int P = PANEL<T>;
    const int D = int(part.dim), C = int(part.components);
    most_ = row(0), value_ = row(1), total_ = row(2), share_ = row(3);
    T *kept = row(4), *each = kept + 4 * D * P;
    if (part.kind == GAUSSIAN) gaussian_density<false>(D, floor_, raw, x, kept, kept + D * P, kept + 2 * D * P, value_);
    if (part.kind == FULL_GAUSSIAN)
      gaussian_density<true>(D, floor_, raw, x, kept, kept + D * P, kept + 2 * D * P, value_);
    if (part.kind == MIXTURE) {
      for (int k = 0; k < C; k++) {
        const T* outputs = raw + (C + k * part.full_size()) * P;
        gaussian_density<true>(D, floor_, outputs, x, kept, kept + D * P, kept + 2 * D * P, each + k * P);
      }
      log_sum_exp(C, raw, most_, total_);
      for (int k = 0; k < C; k++)
#pragma GCC ivdep
        for (int c = 0; c < P; c++) each[k * P + c] += raw[k * P + c] - total_[c];
      log_sum_exp(C, each, most_, value_);
    }
    if (part.kind == BERNOULLI) {
#pragma GCC ivdep
      for (int c = 0; c < P; c++) value_[c] = T(0);
      for (int i = 0; i < D; i++)
#pragma GCC ivdep
        for (int c = 0; c < P; c++) {
          const T x_i = x[i * P + c], odds = raw[i * P + c];
          const T term = -log_one_plus_exp(x_i > T(0.5) ? -odds : odds);
          value_[c] += (x_i == T(0)) | (x_i == T(1)) ? term : -std::numeric_limits<T>::infinity();
        }
    }
  }

  void back(const Part& part, const T* raw, const T* x, const T* arriving, T* d_raw, T* d_x) {
    constexpr int P = PANEL<T>;
    const int D = int(part.dim), C = int(part.components);
    T *kept = row(4), *work = kept + 3 * D * P, *each = kept + 4 * D * P;
    if (part.kind == GAUSSIAN)
      gaussian_density_back<false>(D, floor_, raw, kept, kept + D * P, kept + 2 * D * P, arriving, work, d_raw, d_x);
    if (part.kind == FULL_GAUSSIAN)
      gaussian_density_back<true>(D, floor_, raw, kept, kept + D * P, kept + 2 * D * P, arriving, work, d_raw, d_x);
    if (part.kind == MIXTURE)
      for (int k = 0; k < C; k++) {
        const int at = C + k * part.full_size();
        gaussian_density<true>(D, floor_, raw + at * P, x, kept, kept + D * P, kept + 2 * D * P, most_);
#pragma GCC ivdep
        for (int c = 0; c < P; c++) {
          share_[c] = arriving[c] * weight_of(each[k * P + c] - value_[c]);
          d_raw[k * P + c] = share_[c] - arriving[c] * weight_of(raw[k * P + c] - total_[c]);
        }
        gaussian_density_back<true>(D, floor_, raw + at * P, kept, kept + D * P, kept + 2 * D * P, share_, work,
                                    d_raw + at * P, d_x);
      }
    if (part.kind == BERNOULLI)
      for (int i = 0; i < D; i++)
#pragma GCC ivdep
        for (int c = 0; c < P; c++) {
          const T x_i = x[i * P + c], d = arriving[c] * (x_i - sigmoid(raw[i * P + c]));
          d_raw[i * P + c] = (x_i == T(0)) | (x_i == T(1)) ? d : T(0);
        }
  }

  std::vector<Part> parts_;
  T floor_;
  Buffer<T> memory_;
};

}  // namespace
