// A latent that depends on the one before it through one hidden layer, over all steps, forward and backward.
// The equations are in latent_scan.py.

#include "common.hpp"

// What both passes work on; latent_scan.py has the same fields in the same order. What is kept lies step after step.
template <class T>
struct LatentScan {
  std::int64_t rows, time, hidden, latent, threads, tanh, drawn;  // whether g is tanh, and whether z has a scale
  std::int64_t inside_row, inside_step, outside_row, outside_step, normals_row, normals_step;  // last axes are dense
  double floor;
  const T *inside, *outside, *normals, *weight_z, *out;
  T *z, *mean, *scale, *layer;  // z from the first, which is given; no layer where there is no way back
  const T *d_z, *d_mean, *d_scale;
  T *d_inside, *d_out, *d_start;
};

namespace {

template <class T>
void latent_forward(const LatentScan<T>& scan) {
  const int H = scan.hidden, L = scan.latent, O = scan.drawn ? 2 * L : L;
  Packed<T> of_z(L, H), of_a(H, O);
  of_z.put_transposed(scan.weight_z, H, L);
  of_a.put_transposed(scan.out, O, H);
  const int wide_z = of_z.wide(), wide_a = of_a.wide();
  share_out(scan.rows, scan.threads, [&](const Share& share) {
    Buffer<T> of_z_(std::size_t(share.most) * wide_z), of_a_(std::size_t(share.most) * wide_a);
    Buffer<T> layer_(std::size_t(share.most) * H);
    T *from_z = of_z_.get(), *from_a = of_a_.get();
    share.each([&](std::int64_t from, int rows) {
      auto at = [&](T* record, std::int64_t t, int width) { return record + (t * scan.rows + from) * width; };
      for (std::int64_t t = 0; t < scan.time; t++) {
        auto row_of = [&](const T* fixed, std::int64_t row, std::int64_t step, std::ptrdiff_t i) {
          return fixed + (from + i) * row + t * step;
        };
        T* a = scan.layer ? at(scan.layer, t, H) : layer_.get();
        multiply(rows, at(scan.z, t, L), L, of_z, from_z);
        for (std::ptrdiff_t i = 0; i < rows; i++) {
          const T *o = from_z + i * wide_z, *inside = row_of(scan.inside, scan.inside_row, scan.inside_step, i);
          if (scan.tanh) {
            T* a_i = a + i * H;
#pragma GCC ivdep
            for (int j = 0; j < H; j++) a_i[j] = hyperbolic_tangent(o[j] + inside[j]);
          } else {
            relu_sum(H, o, inside, a + i * H);
          }
        }
        multiply(rows, a, H, of_a, from_a);
        T* z = at(scan.z, t + 1, L);
        for (std::ptrdiff_t i = 0; i < rows; i++) {
          const T *o = from_a + i * wide_a, *outside = row_of(scan.outside, scan.outside_row, scan.outside_step, i);
          T* z_i = z + i * L;
          if (!scan.drawn) {
#pragma GCC ivdep
            for (int j = 0; j < L; j++) z_i[j] = o[j] + outside[j];
            continue;
          }
          const T* normals = row_of(scan.normals, scan.normals_row, scan.normals_step, i);
          T *mean = at(scan.mean, t, L) + i * L, *scale = at(scan.scale, t, L) + i * L;
          gaussian(L, T(scan.floor), o, outside, mean, scale);
          for (int j = 0; j < L; j++) z_i[j] = mean[j] + scale[j] * normals[j];
        }
      }
    });
  });
}

template <class T>
void latent_backward(const LatentScan<T>& scan) {
  const int H = scan.hidden, L = scan.latent, O = scan.drawn ? 2 * L : L;
  Packed<T> to_a(O, H), to_z(H, L);
  to_a.put(scan.out, O, H, H, 1);
  to_z.put(scan.weight_z, H, L, L, 1);
  const int wide_a = to_a.wide(), wide_z = to_z.wide();
  share_out(scan.rows, scan.threads, [&](const Share& share) {
    Buffer<T> to_a_(std::size_t(share.most) * wide_a), to_z_(std::size_t(share.most) * wide_z);
    T *for_a = to_a_.get(), *for_z = to_z_.get();  // the gradients of the layer, and of z by the step after it
    share.each([&](std::int64_t from, int rows) {
      auto at = [&](auto* record, std::int64_t t, int width) { return record + (t * scan.rows + from) * width; };
      std::memset(for_z, 0, sizeof(T) * rows * wide_z);
      for (std::int64_t t = scan.time - 1; t >= 0; t--) {
        const T *a = at(scan.layer, t, H), *d_z = at(scan.d_z, t + 1, L);
        T *d_out = at(scan.d_out, t, O), *d_inside = at(scan.d_inside, t, H);
        for (std::ptrdiff_t i = 0; i < rows; i++) {
          const T* later = for_z + i * wide_z;
          if (scan.drawn) {
            const std::ptrdiff_t k = i * L;
            const T* normals = scan.normals + (from + i) * scan.normals_row + t * scan.normals_step;
            drawn_back(L, T(scan.floor), later, d_z + k, normals, at(scan.scale, t, L) + k, at(scan.d_mean, t, L) + k,
                       at(scan.d_scale, t, L) + k, d_out + i * O);
          } else {
            for (int j = 0; j < L; j++) d_out[i * O + j] = later[j] + d_z[i * L + j];
          }
        }
        multiply(rows, d_out, O, to_a, for_a);
        for (std::ptrdiff_t i = 0; i < rows; i++) {
          const T *d_a = for_a + i * wide_a, *a_i = a + i * H;
          T* d = d_inside + i * H;
          if (scan.tanh) {
#pragma GCC ivdep
            for (int j = 0; j < H; j++) d[j] = d_a[j] * (T(1) - a_i[j] * a_i[j]);
          } else {
            relu_back(H, a_i, d_a, d);
          }
        }
        multiply(rows, d_inside, H, to_z, for_z);
      }
      for (std::ptrdiff_t i = 0; i < rows; i++)
        for (int j = 0; j < L; j++)
          at(scan.d_start, 0, L)[i * L + j] = for_z[i * wide_z + j] + at(scan.d_z, 0, L)[i * L + j];
    });
  });
}

}  // namespace

extern "C" {
int vrnn_latent_forward_float32(const LatentScan<float>* scan) {
  return guarded([&] { latent_forward(*scan); });
}
int vrnn_latent_forward_float64(const LatentScan<double>* scan) {
  return guarded([&] { latent_forward(*scan); });
}
int vrnn_latent_backward_float32(const LatentScan<float>* scan) {
  return guarded([&] { latent_backward(*scan); });
}
int vrnn_latent_backward_float64(const LatentScan<double>* scan) {
  return guarded([&] { latent_backward(*scan); });
}
}
