// Gradients of the weights of an affine layer: one product over all rows, and the sums of columns.

#include "common.hpp"

namespace {

constexpr int CHUNK = 240;  // rows that are packed together: what a tile reads stays in the nearest cache

// c (outs, ins) = a' b of a (rows, outs) and b (rows, ins), and sums (outs) of the columns of a.
//
// Every worker takes some of the columns of a through all rows.
template <class T>
void outer(std::int64_t rows, int outs, int ins, const T* a, std::int64_t a_row, const T* b, std::int64_t b_row, T* c,
           T* sums, std::int64_t threads) {
  const int wide = padded<T>(ins), tiles = (outs + TILE_ROWS - 1) / TILE_ROWS;
  const std::int64_t workers = rows * outs * ins < (1 << 18) ? 1 : threads;
  run_workers(std::min<std::int64_t>(workers, tiles), [&](std::int64_t worker, std::int64_t count) {
    const int first = tiles * worker / count, last = tiles * (worker + 1) / count;
    const int begin = first * TILE_ROWS, end = std::min(outs, last * TILE_ROWS), mine = last - first;
    Buffer<T> columns_(std::size_t(mine) * CHUNK * TILE_ROWS), panels_(std::size_t(CHUNK) * wide),
        found_(std::size_t(mine) * TILE_ROWS * wide);
    T *columns = columns_.get(), *panels = panels_.get(), *found = found_.get();
    std::memset(columns, 0, sizeof(T) * mine * CHUNK * TILE_ROWS);
    std::memset(panels, 0, sizeof(T) * CHUNK * wide);
    std::memset(found, 0, sizeof(T) * mine * TILE_ROWS * wide);
    std::memset(sums + begin, 0, sizeof(T) * (end - begin));
    for (std::int64_t from = 0; from < rows; from += CHUNK) {
      const int some = int(std::min<std::int64_t>(CHUNK, rows - from));
      for (int k = 0; k < some; k++) {
        const T *a_k = a + (from + k) * a_row + begin, *b_k = b + (from + k) * b_row;
        for (int j = 0; j < end - begin; j++) sums[begin + j] += a_k[j];
        for (int tile = 0; tile < mine; tile++) {
          T* to = columns + (std::size_t(tile) * CHUNK + k) * TILE_ROWS;
          const int width = std::min(TILE_ROWS, end - begin - tile * TILE_ROWS);
          if (width == TILE_ROWS)
            std::memcpy(to, a_k + tile * TILE_ROWS, sizeof(T) * TILE_ROWS);
          else
            std::memcpy(to, a_k + tile * TILE_ROWS, sizeof(T) * width);
        }
        for (int n = 0; n < ins; n += PANEL<T>) {
          T* to = panels + std::size_t(n) * CHUNK + std::size_t(k) * PANEL<T>;
          if (ins - n >= PANEL<T>)
            std::memcpy(to, b_k + n, sizeof(T) * PANEL<T>);
          else
            std::memcpy(to, b_k + n, sizeof(T) * (ins - n));
        }
      }
      for (int n = 0; n < wide; n += PANEL<T>)
        for (int tile = 0; tile < mine; tile++)
          multiply_tile<true, TRANSPOSED, TILE_ROWS>(some, columns + std::size_t(tile) * CHUNK * TILE_ROWS, TILE_ROWS,
                                                     panels + std::size_t(n) * CHUNK,
                                                     found + std::size_t(tile) * TILE_ROWS * wide + n, wide);
    }
    for (int i = begin; i < end; i++)
      std::memcpy(c + std::ptrdiff_t(i) * ins, found + std::ptrdiff_t(i - begin) * wide, sizeof(T) * ins);
  });
}

}  // namespace

extern "C" {
int vrnn_outer_float32(std::int64_t rows, int outs, int ins, const float* a, std::int64_t a_row, const float* b,
                       std::int64_t b_row, float* c, float* sums, std::int64_t threads) {
  return guarded([&] { outer(rows, outs, ins, a, a_row, b, b_row, c, sums, threads); });
}
int vrnn_outer_float64(std::int64_t rows, int outs, int ins, const double* a, std::int64_t a_row, const double* b,
                       std::int64_t b_row, double* c, double* sums, std::int64_t threads) {
  return guarded([&] { outer(rows, outs, ins, a, a_row, b, b_row, c, sums, threads); });
}
}
