// What the loops share: packed matrix products, functions of one number, sequences split over threads.
//
// Every worker takes a share of the sequences through all steps, with no barrier on the way.

#pragma once

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <limits>
#include <memory>
#include <new>
#include <system_error>
#include <thread>
#include <vector>

// GOMP_parallel of the threads that PyTorch works with, where it has such: they wait for work without giving their
// processor up, and threads of our own beside them would have half of it.
using Pool = void (*)(void (*work)(void*), void* data, unsigned threads, unsigned flags);
__attribute__((visibility("hidden"))) inline Pool pool = nullptr;

namespace {

#if defined(__AVX512F__)
constexpr int VECTOR_BYTES = 64, TILE_ROWS = 8;
#elif defined(__AVX__)
constexpr int VECTOR_BYTES = 32, TILE_ROWS = 6;  // two sums a row, 12 of the 16 registers
#else
constexpr int VECTOR_BYTES = 16, TILE_ROWS = 4;
#endif
// Sequences that go through the loop together, in whole tiles: their states stay in the near caches.
constexpr int BLOCK_ROWS = (60 + TILE_ROWS - 1) / TILE_ROWS * TILE_ROWS;
constexpr int WORTH_ROWS = 16;  // sequences that are worth a worker of their own

template <class T>
struct Vector {
  typedef T type __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(T)), may_alias));
};
template <class T>
constexpr int LANES = VECTOR_BYTES / sizeof(T);
template <class T>
constexpr int PANEL = 2 * LANES<T>;  // columns of a panel

// ---- memory ----

template <class T>
class Buffer {
 public:
  explicit Buffer(std::size_t count)
      : data_(static_cast<T*>(std::aligned_alloc(64, (count * sizeof(T) + 63) / 64 * 64 + 64))) {
    if (!data_) throw std::bad_alloc();
  }
  T* get() { return data_.get(); }
  const T* get() const { return data_.get(); }

 private:
  struct Free {
    void operator()(T* p) const { std::free(p); }
  };
  std::unique_ptr<T, Free> data_;
};

// ---- matrix products: (rows, inner) times a packed (inner, columns) ----

template <class T>
int padded(int columns) {
  return (columns + PANEL<T> - 1) / PANEL<T> * PANEL<T>;
}

// A matrix (inner, columns) cut into panels of PANEL columns, each (inner, PANEL) on end, filled up with zeros.
template <class T>
struct Packed {
  int inner, columns;
  Buffer<T> data;

  Packed(int inner, int columns) : inner(inner), columns(columns), data(std::size_t(inner) * padded<T>(columns)) {
    std::memset(data.get(), 0, sizeof(T) * inner * wide());
  }
  int wide() const { return padded<T>(columns); }  // of the rows of a product

  // Put `part`, whose entry (k, n) lies at k * along_inner + n * along_columns, at (first_inner, first_column).
  Packed& put(const T* part, int rows, int width, std::ptrdiff_t along_inner, std::ptrdiff_t along_columns,
              int first_inner = 0, int first_column = 0) {
    for (int n = 0; n < width; n++) {
      const int column = first_column + n;
      T* panel = data.get() + std::size_t(column / PANEL<T>) * inner * PANEL<T> + column % PANEL<T>;
      for (int k = 0; k < rows; k++)
        panel[std::size_t(first_inner + k) * PANEL<T>] = part[k * along_inner + n * along_columns];
    }
    return *this;
  }
  Packed& put_transposed(const T* weight, int out, int in, int first_column = 0) {  // of a layer (out, in): inner = in
    return put(weight, in, out, 1, in, 0, first_column);
  }
};

template <bool ADD, int ROWS, class T>
void multiply_tile(int inner, const T* a, std::ptrdiff_t a_row, const T* panel, T* c, std::ptrdiff_t c_row) {
  using V = typename Vector<T>::type;
  V low[ROWS], high[ROWS];
  for (int i = 0; i < ROWS; i++) {
    low[i] = ADD ? *reinterpret_cast<const V*>(c + i * c_row) : V{};
    high[i] = ADD ? *reinterpret_cast<const V*>(c + i * c_row + LANES<T>) : V{};
  }
  for (int k = 0; k < inner; k++) {
    const V b0 = *reinterpret_cast<const V*>(panel + std::size_t(k) * PANEL<T>);
    const V b1 = *reinterpret_cast<const V*>(panel + std::size_t(k) * PANEL<T> + LANES<T>);
#pragma GCC unroll 8
    for (int i = 0; i < ROWS; i++) {
      const T x = a[i * a_row + k];
      low[i] += x * b0;
      high[i] += x * b1;
    }
  }
  for (int i = 0; i < ROWS; i++) {
    *reinterpret_cast<V*>(c + i * c_row) = low[i];
    *reinterpret_cast<V*>(c + i * c_row + LANES<T>) = high[i];
  }
}

template <bool ADD, int ROWS = TILE_ROWS, class T>
void multiply_some(int rows, int inner, const T* a, std::ptrdiff_t a_row, const T* panel, T* c, std::ptrdiff_t c_row) {
  if constexpr (ROWS > 1)
    if (rows < ROWS) return multiply_some<ADD, ROWS - 1>(rows, inner, a, a_row, panel, c, c_row);
  multiply_tile<ADD, ROWS>(inner, a, a_row, panel, c, c_row);
}

// c = a b, or with ADD c + a b, with b in panels that are `wide` columns together; rows of c are `wide` long.
template <bool ADD = false, class T>
void multiply(int rows, int inner, int wide, const T* a, std::ptrdiff_t a_row, const T* panels, T* c) {
  const int tiles = (rows + TILE_ROWS - 1) / TILE_ROWS;  // as equal as can be
  for (int n = 0; n < wide; n += PANEL<T>) {
    const T* panel = panels + std::size_t(n) * inner;
    for (int tile = 0; tile < tiles; tile++) {
      const int i = rows * tile / tiles;
      multiply_some<ADD>(rows * (tile + 1) / tiles - i, inner, a + i * a_row, a_row, panel,
                         c + std::ptrdiff_t(i) * wide + n, wide);
    }
  }
}

template <bool ADD = false, class T>
void multiply(int rows, const T* a, std::ptrdiff_t a_row, const Packed<T>& b, T* c) {
  multiply<ADD>(rows, b.inner, b.wide(), a, a_row, b.data.get(), c);
}

// ---- functions of one number, without a branch, so that the compiler makes vectors of them ----

// 1 / k! for k = 0, 1, ...
struct Series {
  double term[16] = {};
  constexpr Series() {
    double factorial = 1;
    for (int k = 0; k < 16; k++) {
      term[k] = 1 / factorial;
      factorial *= k + 1;
    }
  }
  constexpr double operator[](int k) const { return term[k]; }
};

template <class T>
struct Float;
template <>
struct Float<float> {
  using integer = std::int32_t;
  static constexpr Series series{};
  static constexpr int mantissa = 23, bias = 127, exp_terms = 7, log_terms = 8;
  static constexpr float near_zero = 1e-2f;  // where two terms of a series are exact
  static constexpr float least = -87.0f, most = 88.0f, ln2_high = 0.693359375f, ln2_low = -2.12194440054690583e-4f;
};
template <>
struct Float<double> {
  using integer = std::int64_t;
  static constexpr Series series{};
  static constexpr int mantissa = 52, bias = 1023, exp_terms = 13, log_terms = 18;
  static constexpr double near_zero = 1e-5;
  static constexpr double least = -708.0, most = 709.0, ln2_high = 0.693145751953125, ln2_low = 1.42860682030941723e-6;
};

// e^x = 2^n e^r with |r| <= log(2) / 2 and the power series of e^r; NaN stays NaN.
template <class T>
inline T exponential(T x) {
  using F = Float<T>;
  x = x < F::least ? F::least : x;
  x = x > F::most ? F::most : x;
  const T n = std::rint(x * T(1.4426950408889634));
  const T r = (x - n * F::ln2_high) - n * F::ln2_low;
  T sum = T(F::series[F::exp_terms]);
#pragma GCC unroll 16
  for (int k = F::exp_terms - 1; k >= 0; k--) sum = sum * r + T(F::series[k]);
  const typename F::integer bits = (typename F::integer(n) + F::bias) << F::mantissa;
  return sum * __builtin_bit_cast(T, bits);
}

template <class T>
inline T sigmoid(T x) {
  return T(1) / (T(1) + exponential(-x));
}

template <class T>
inline T hyperbolic_tangent(T x) {
  return T(1) - T(2) / (T(1) + exponential(T(2) * x));
}

// max(x, 0) + log(1 + e), e = e^-|x|, the logarithm as 2 artanh(e / (2 + e)); x itself above 20, as in PyTorch.
template <class T>
inline T softplus(T x) {
  const T e = exponential(-std::abs(x)), s = e / (T(2) + e), square = s * s;
  T sum = T(0);
#pragma GCC unroll 32
  for (int k = Float<T>::log_terms; k >= 0; k--) sum = sum * square + T(1) / T(2 * k + 1);
  const T low = (x > T(0) ? x : x - x) + T(2) * s * sum;
  return x > T(20) ? x : low;
}

// The derivative of softplus, 1 - e^-y, from its value y.
template <class T>
inline T softplus_slope(T y) {
  const T far = y > T(20) ? T(1) : T(1) - exponential(-y), near = y * (T(1) - y * (T(0.5) - y / T(6)));
  return y < Float<T>::near_zero ? near : far;
}

// to = max(a + b, 0).
template <class T>
void relu_sum(int width, const T* a, const T* b, T* to) {
#pragma GCC ivdep
  for (int j = 0; j < width; j++) {
    const T x = a[j] + b[j];
    to[j] = x < T(0) ? T(0) : x;
  }
}

// to = what arrives where the layer is above 0.
template <class T>
void relu_back(int width, const T* layer, const T* arriving, T* to) {
#pragma GCC ivdep
  for (int j = 0; j < width; j++) to[j] = layer[j] > T(0) ? arriving[j] : T(0);
}

// ---- a Gaussian head, of one sequence ----

// A mean and a scale from the outputs (mean, raw) of a layer without its bias.
template <class T>
void gaussian(int L, T floor, const T* out, const T* bias, T* mean, T* scale) {
#pragma GCC ivdep
  for (int j = 0; j < L; j++) {
    mean[j] = out[j] + bias[j];
    scale[j] = floor + softplus(out[L + j] + bias[L + j]);
  }
}

// The gradient of the outputs (mean, raw) behind a draw z = mean + scale * normals: from that of z, in two parts, and from those of
// mean and scale themselves.
template <class T>
void drawn_back(int L, T floor, const T* later, const T* d_z, const T* normals, const T* scale, const T* d_mean,
                const T* d_scale, T* d_out) {
#pragma GCC ivdep
  for (int j = 0; j < L; j++) {
    const T dz = later[j] + d_z[j];
    d_out[j] = dz + d_mean[j];
    d_out[L + j] = (dz * normals[j] + d_scale[j]) * softplus_slope(scale[j] - floor);
  }
}

// ---- the gates of a GRU, of one sequence ----

// The next state from what the input and, with MORE, another part add to the gates, from W h without its bias, and from h.
// Keeps (r, u, n, m).
template <bool MORE, class T>
void gru(int H, const T* input, const T* more, const T* of_h, const T* bias, const T* h, T* kept, T* next) {
#pragma GCC ivdep
  for (int j = 0; j < H; j++) {
    const T a = MORE ? input[j] + more[j] : input[j], b = MORE ? input[H + j] + more[H + j] : input[H + j],
            c = MORE ? input[2 * H + j] + more[2 * H + j] : input[2 * H + j];
    const T r = sigmoid(a + of_h[j] + bias[j]), u = sigmoid(b + of_h[H + j] + bias[H + j]);
    const T m = of_h[2 * H + j] + bias[2 * H + j], n = hyperbolic_tangent(c + r * m);
    kept[j] = r;
    kept[H + j] = u;
    kept[2 * H + j] = n;
    kept[3 * H + j] = m;
    next[j] = n + u * (h[j] - n);
  }
}

// The gradients of m, r, u and n before their functions, and dh, that of the next state, turned into what goes straight to h.
template <class T>
void gru_back(int H, const T* kept, const T* h, T* dh, T* dm, T* dr, T* du, T* dn) {
#pragma GCC ivdep
  for (int j = 0; j < H; j++) {
    const T r = kept[j], u = kept[H + j], n = kept[2 * H + j], m = kept[3 * H + j], d = dh[j];
    const T e = d * (T(1) - u) * (T(1) - n * n);
    dm[j] = e * r;
    dr[j] = e * m * r * (T(1) - r);
    du[j] = d * (h[j] - n) * u * (T(1) - u);
    dn[j] = e;
    dh[j] = d * u;
  }
}

template <class T>
void add(int width, const T* a, T* to) {
#pragma GCC ivdep
  for (int j = 0; j < width; j++) to[j] += a[j];
}

// ---- sequences split over threads ----

// Run a function on some threads of our own, this one among them.
template <class Body>
void on_threads(std::int64_t count, Body& body) {
  std::vector<std::thread> others;
  others.reserve(count);
  try {
    while (std::int64_t(others.size()) + 1 < count) others.emplace_back([&] { body(); });
  } catch (const std::system_error&) {  // no more threads to be had: the rest is done here
  }
  body();
  for (auto& other : others) other.join();
}

// A worker's share of the sequences, in blocks of at most `most` rows.
struct Share {
  std::int64_t begin, end;
  int most = BLOCK_ROWS;
  std::int64_t index = 0;  // of the share, below the number of threads

  // Call body(first row, count) for every block.
  template <class Body>
  void each(Body body) const {
    const std::int64_t blocks = (end - begin + most - 1) / most;
    for (std::int64_t b = 0; b < blocks; b++) {
      const std::int64_t from = begin + (end - begin) * b / blocks;
      body(from, int(begin + (end - begin) * (b + 1) / blocks - from));
    }
  }
};

// Call work(share) for shares that cover all rows, by as many workers. What a worker throws is thrown here, once all have
// ended.
template <class Work>
void share_out(std::int64_t rows, std::int64_t threads, Work work) {
  const std::int64_t workers = std::max<std::int64_t>(1, std::min(threads, rows / WORTH_ROWS));
  std::vector<std::exception_ptr> errors(workers);
  std::atomic<std::int64_t> taken{0};
  auto take_shares = [&] {  // all of them, whoever is there to do so
    for (std::int64_t i; (i = taken++) < workers;) try {
        Share share{rows * i / workers, rows * (i + 1) / workers};
        share.most = int(std::max<std::int64_t>(1, std::min<std::int64_t>(BLOCK_ROWS, share.end - share.begin)));
        share.index = i;
        work(share);
      } catch (...) {
        errors[i] = std::current_exception();
      }
  };
  if (workers == 1)
    take_shares();
  else if (pool)
    pool([](void* take) { (*static_cast<decltype(take_shares)*>(take))(); }, &take_shares, unsigned(workers), 0);
  else
    on_threads(workers, take_shares);
  for (auto& error : errors)
    if (error) std::rethrow_exception(error);
}

// Call body; give 0, or 1 where it threw, which must not cross into another language.
template <class Body>
int guarded(Body body) {
  try {
    body();
    return 0;
  } catch (...) {
    return 1;
  }
}

}  // namespace
