// SPDX-License-Identifier: Apache-2.0
#include "plugins/reference/ops/roi_pool.h"

#include "plugins/reference/ops/compute.h"

namespace braid::reference {
namespace {

void CheckImage(const OpContext& op, const Tensor& x) {
  op.Check(x.rank() == 4, "the input " + DimsText(x.dims()) + " is not of shape (N, C, H, W)");
}

// A rounded coordinate, kept where integers can hold it; NaN is 0.
int64_t ToInt(double v) {
  constexpr double kFar = 1e15;
  return std::isnan(v) ? 0 : static_cast<int64_t>(std::clamp(v, -kFar, kFar));
}

}  // namespace

// MaxRoiPool-22: the region's corners are scaled and rounded (half away from zero), its bins cover whole
// elements and overlap where they must; a bin without elements is 0.
void MaxRoiPool(OpContext& op) {
  const Tensor &x = op.input(0), &rois = op.input(1);
  CheckImage(op, x);
  op.Check(rois.rank() == 2 && rois.dim(1) == 5,
           "rois " + DimsText(rois.dims()) + " is not of shape (num_rois, 5)");
  Dims shape = op.Ints("pooled_shape");
  op.Check(shape.size() == 2 && shape[0] >= 1 && shape[1] >= 1,
           "pooled_shape " + DimsText(shape) + " is not two positive extents");
  const double scale = op.Float("spatial_scale", 1);
  const int64_t channels = x.dim(1), height = x.dim(2), width = x.dim(3), count = rois.dim(0), ph = shape[0],
                pw = shape[1];
  Dims dims = {count, channels, ph, pw};
  Count(dims);
  Tensor wide = As<double>(x);
  OutputAs<double> y(op, 0, x.type(), dims);
  for (int64_t r = 0; r < count; ++r) {
    const int64_t batch = ToInt(rois.AsDouble(r * 5));
    op.Check(batch >= 0 && batch < x.dim(0), "roi " + std::to_string(r) + " is of image " +
                                                 std::to_string(batch) + " of " + std::to_string(x.dim(0)));
    auto corner = [&](int64_t i) { return ToInt(std::round(rois.AsDouble(r * 5 + i) * scale)); };
    const int64_t x0 = corner(1), y0 = corner(2), x1 = corner(3), y1 = corner(4);
    const double bin_h = static_cast<double>(std::max<int64_t>(y1 - y0 + 1, 1)) / static_cast<double>(ph);
    const double bin_w = static_cast<double>(std::max<int64_t>(x1 - x0 + 1, 1)) / static_cast<double>(pw);
    op.parallel().For(channels, ph * pw * 16, [&](int64_t c) {
      const double* image = wide.data<double>() + (batch * channels + c) * height * width;
      double* to = y.data() + (r * channels + c) * ph * pw;
      for (int64_t i = 0; i < ph; ++i)
        for (int64_t j = 0; j < pw; ++j) {
          const int64_t top =
              std::clamp<int64_t>(ToInt(std::floor(static_cast<double>(i) * bin_h)) + y0, 0, height);
          const int64_t bottom =
              std::clamp<int64_t>(ToInt(std::ceil(static_cast<double>(i + 1) * bin_h)) + y0, 0, height);
          const int64_t left =
              std::clamp<int64_t>(ToInt(std::floor(static_cast<double>(j) * bin_w)) + x0, 0, width);
          const int64_t right =
              std::clamp<int64_t>(ToInt(std::ceil(static_cast<double>(j + 1) * bin_w)) + x0, 0, width);
          double best = bottom <= top || right <= left ? 0 : -std::numeric_limits<double>::infinity();
          for (int64_t h = top; h < bottom; ++h)
            for (int64_t w = left; w < right; ++w) {
              const double v = image[h * width + w];
              if (v > best || std::isnan(v)) best = v;
            }
          to[i * pw + j] = best;
        }
    });
  }
  y.Store();
}

// RoiAlign-22: each bin is the mean ("max": the largest term) of samples by bilinear interpolation.
void RoiAlign(OpContext& op) {
  const Tensor &x = op.input(0), &rois = op.input(1), &batches = op.input(2);
  CheckImage(op, x);
  op.Check(rois.rank() == 2 && rois.dim(1) == 4,
           "rois " + DimsText(rois.dims()) + " is not of shape (num_rois, 4)");
  const int64_t count = rois.dim(0);
  op.Check(batches.rank() == 1 && batches.dim(0) == count,
           "batch_indices " + DimsText(batches.dims()) + " is not of shape [" + std::to_string(count) + "]");
  const std::string mode = op.String("mode", "avg"),
                    transform = op.String("coordinate_transformation_mode", "half_pixel");
  op.Check(mode == "avg" || mode == "max", "mode '" + mode + "' is neither avg nor max");
  op.Check(transform == "half_pixel" || transform == "output_half_pixel",
           "coordinate_transformation_mode '" + transform + "' is neither half_pixel nor output_half_pixel");
  const bool half_pixel = transform == "half_pixel", average = mode == "avg";
  const int64_t ph = op.Int("output_height", 1), pw = op.Int("output_width", 1),
                ratio = op.Int("sampling_ratio", 0);
  constexpr int64_t kMost = 1 << 20;
  op.Check(ph >= 1 && pw >= 1 && ph <= kMost && pw <= kMost, "the output's extents " + std::to_string(ph) +
                                                                 " x " + std::to_string(pw) +
                                                                 " are not within [1, 2^20]");
  op.Check(ratio >= 0 && ratio <= 4096,
           "sampling_ratio " + std::to_string(ratio) + " is not within [0, 4096]");
  const double scale = op.Float("spatial_scale", 1), offset = half_pixel ? 0.5 : 0.0;
  const int64_t channels = x.dim(1), height = x.dim(2), width = x.dim(3);
  Dims dims = {count, channels, ph, pw};
  Count(dims);
  struct Corner {
    int64_t at;
    double weight;
  };
  ComputeIn(x.type(), [&]<class W>() {
    Tensor wide = As<W>(x);
    OutputAs<W> y(op, 0, x.type(), dims);
    for (int64_t r = 0; r < count; ++r) {
      const int64_t batch = batches.data<int64_t>()[r];
      op.Check(batch >= 0 && batch < x.dim(0), "roi " + std::to_string(r) + " is of image " +
                                                   std::to_string(batch) + " of " + std::to_string(x.dim(0)));
      double edge[4];
      for (int64_t i = 0; i < 4; ++i) {
        edge[i] = rois.AsDouble(r * 4 + i) * scale - offset;
        op.Check(std::isfinite(edge[i]), "roi " + std::to_string(r) + " has a coordinate that is not finite");
      }
      double roi_w = edge[2] - edge[0], roi_h = edge[3] - edge[1];
      if (!half_pixel) roi_w = std::max(roi_w, 1.0), roi_h = std::max(roi_h, 1.0);
      const double bin_h = roi_h / static_cast<double>(ph), bin_w = roi_w / static_cast<double>(pw);
      const double need_h = ratio > 0 ? static_cast<double>(ratio) : std::ceil(bin_h);
      const double need_w = ratio > 0 ? static_cast<double>(ratio) : std::ceil(bin_w);
      op.Check(need_h <= 65536 && need_w <= 65536,
               "roi " + std::to_string(r) + " needs too many samples a bin");
      const int64_t grid_h = std::max<int64_t>(0, ToInt(need_h)),
                    grid_w = std::max<int64_t>(0, ToInt(need_w));
      const double samples = static_cast<double>(std::max<int64_t>(1, grid_h * grid_w));
      const W* image = wide.data<W>() + batch * channels * height * width;
      W* to = y.data() + r * channels * ph * pw;
      op.parallel().For(ph * pw, grid_h * grid_w * channels * 8, [&](int64_t bin) {
        // The corners of one bin's samples serve every channel.
        std::vector<Corner> corners;
        for (int64_t i = 0; i < grid_h; ++i) {
          double v = edge[1] + static_cast<double>(bin / pw) * bin_h +
                     (static_cast<double>(i) + 0.5) * bin_h / static_cast<double>(grid_h);
          for (int64_t j = 0; j < grid_w; ++j) {
            double u = edge[0] + static_cast<double>(bin % pw) * bin_w +
                       (static_cast<double>(j) + 0.5) * bin_w / static_cast<double>(grid_w);
            if (v < -1 || v > static_cast<double>(height) || u < -1 || u > static_cast<double>(width) ||
                height * width == 0) {
              corners.insert(corners.end(), 4, {-1, 0});
              continue;
            }
            const double row = std::clamp(v, 0.0, static_cast<double>(height - 1)),
                         col = std::clamp(u, 0.0, static_cast<double>(width - 1));
            const int64_t h0 = static_cast<int64_t>(row), w0 = static_cast<int64_t>(col);
            const int64_t h1 = std::min(h0 + 1, height - 1), w1 = std::min(w0 + 1, width - 1);
            const double dh = row - static_cast<double>(h0), dw = col - static_cast<double>(w0);
            corners.push_back({h0 * width + w0, (1 - dh) * (1 - dw)});
            corners.push_back({h0 * width + w1, (1 - dh) * dw});
            corners.push_back({h1 * width + w0, dh * (1 - dw)});
            corners.push_back({h1 * width + w1, dh * dw});
          }
        }
        for (int64_t c = 0; c < channels; ++c) {
          const W* plane = image + c * height * width;
          double sum = 0, best = corners.empty() ? 0 : -std::numeric_limits<double>::infinity();
          for (size_t k = 0; k < corners.size(); k += 4) {
            double largest = -std::numeric_limits<double>::infinity();
            for (size_t q = k; q < k + 4; ++q) {
              const double term =
                  corners[q].at < 0 ? 0 : corners[q].weight * static_cast<double>(plane[corners[q].at]);
              sum += term;
              largest = std::max(largest, term);
            }
            best = std::max(best, largest);
          }
          to[c * ph * pw + bin] = static_cast<W>(average ? sum / samples : best);
        }
      });
    }
    y.Store();
  });
}

}  // namespace braid::reference
