// SPDX-License-Identifier: Apache-2.0
#include "image.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_WRITE_IMPLEMENTATION
#include <stb/stb_image.h>
#include <stb/stb_image_write.h>

Image ReadImage(const std::string& path) {
  Image image;
  int channels = 0;
  uint8_t* data = stbi_load(path.c_str(), &image.width, &image.height, &channels, 3);
  if (data == nullptr) throw std::runtime_error(path + ": " + stbi_failure_reason());
  image.pixels.assign(data, data + static_cast<size_t>(image.width) * image.height * 3);
  stbi_image_free(data);
  return image;
}

void WritePng(const std::string& path, const Image& image) {
  if (stbi_write_png(path.c_str(), image.width, image.height, 3, image.pixels.data(), image.width * 3) == 0)
    throw std::runtime_error(path + ": can't be written");
}

Image Resized(const Image& image, int width, int height) {
  Image out{width, height, std::vector<uint8_t>(static_cast<size_t>(width) * height * 3)};
  const double sx = static_cast<double>(image.width) / width, sy = static_cast<double>(image.height) / height;
  for (int y = 0; y < height; ++y) {
    const double fy = std::clamp((y + 0.5) * sy - 0.5, 0.0, image.height - 1.0);
    const int y0 = static_cast<int>(fy), y1 = std::min(y0 + 1, image.height - 1);
    for (int x = 0; x < width; ++x) {
      const double fx = std::clamp((x + 0.5) * sx - 0.5, 0.0, image.width - 1.0);
      const int x0 = static_cast<int>(fx), x1 = std::min(x0 + 1, image.width - 1);
      const double wx = fx - x0, wy = fy - y0;
      for (int c = 0; c < 3; ++c) {
        const double top = image.at(x0, y0)[c] * (1 - wx) + image.at(x1, y0)[c] * wx;
        const double bottom = image.at(x0, y1)[c] * (1 - wx) + image.at(x1, y1)[c] * wx;
        out.at(x, y)[c] = static_cast<uint8_t>(std::lround(top * (1 - wy) + bottom * wy));
      }
    }
  }
  return out;
}

namespace {

// The projective map that takes (0,0), (w,0), (w,h), (0,h) to the corners of `quad`: 8 numbers, the ninth
// is 1.
std::array<double, 8> Projection(const Quad& quad, double w, double h) {
  const Point from[4] = {{0, 0}, {w, 0}, {w, h}, {0, h}};
  double a[8][9] = {};
  for (int i = 0; i < 4; ++i) {
    const double x = from[i].x, y = from[i].y, u = quad[static_cast<size_t>(i)].x,
                 v = quad[static_cast<size_t>(i)].y;
    const double rows[2][9] = {{x, y, 1, 0, 0, 0, -u * x, -u * y, u}, {0, 0, 0, x, y, 1, -v * x, -v * y, v}};
    std::copy(rows[0], rows[0] + 9, a[2 * i]);
    std::copy(rows[1], rows[1] + 9, a[2 * i + 1]);
  }
  for (int i = 0; i < 8; ++i) {
    int pivot = i;
    for (int r = i + 1; r < 8; ++r)
      if (std::abs(a[r][i]) > std::abs(a[pivot][i])) pivot = r;
    std::swap(a[i], a[pivot]);
    for (int r = 0; r < 8; ++r) {
      if (r == i || a[i][i] == 0) continue;
      const double f = a[r][i] / a[i][i];
      for (int c = i; c < 9; ++c) a[r][c] -= f * a[i][c];
    }
  }
  std::array<double, 8> out{};
  for (size_t i = 0; i < 8; ++i) out[i] = a[i][i] == 0 ? 0 : a[i][8] / a[i][i];
  return out;
}

// Cubic convolution (Keys), a = -0.75.
double Cubic(double t) {
  constexpr double a = -0.75;
  t = std::abs(t);
  if (t <= 1) return ((a + 2) * t - (a + 3)) * t * t + 1;
  return t < 2 ? a * (((t - 5) * t + 8) * t - 4) : 0;
}

}  // namespace

Image Straightened(const Image& image, const Quad& quad, int width, int height) {
  Image out{width, height, std::vector<uint8_t>(static_cast<size_t>(width) * height * 3)};
  const auto m = Projection(quad, width, height);
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x) {
      const double w = m[6] * x + m[7] * y + 1;
      const double u = (m[0] * x + m[1] * y + m[2]) / w, v = (m[3] * x + m[4] * y + m[5]) / w;
      const int u0 = static_cast<int>(std::floor(u)), v0 = static_cast<int>(std::floor(v));
      double sum[3] = {};
      for (int j = -1; j <= 2; ++j)
        for (int i = -1; i <= 2; ++i) {
          const double weight = Cubic(u - (u0 + i)) * Cubic(v - (v0 + j));
          const uint8_t* p =
              image.at(std::clamp(u0 + i, 0, image.width - 1), std::clamp(v0 + j, 0, image.height - 1));
          for (int c = 0; c < 3; ++c) sum[c] += weight * p[c];
        }
      for (int c = 0; c < 3; ++c)
        out.at(x, y)[c] = static_cast<uint8_t>(std::clamp(std::lround(sum[c]), 0l, 255l));
    }
  return out;
}

Image RotatedLeft(const Image& image) {
  Image out{image.height, image.width, std::vector<uint8_t>(image.pixels.size())};
  for (int y = 0; y < image.height; ++y)
    for (int x = 0; x < image.width; ++x) std::copy_n(image.at(x, y), 3, out.at(y, image.width - 1 - x));
  return out;
}

void DrawLine(Image& image, Point from, Point to, const std::array<uint8_t, 3>& colour) {
  const int steps =
      static_cast<int>(std::ceil(std::max(std::abs(to.x - from.x), std::abs(to.y - from.y)))) + 1;
  for (int i = 0; i <= steps; ++i) {
    const int x = static_cast<int>(std::lround(from.x + (to.x - from.x) * i / steps));
    const int y = static_cast<int>(std::lround(from.y + (to.y - from.y) * i / steps));
    if (x >= 0 && y >= 0 && x < image.width && y < image.height)
      std::copy_n(colour.data(), 3, image.at(x, y));
  }
}

void Normalise(const Image& image, float* out, int row_width) {
  const size_t plane = static_cast<size_t>(row_width) * image.height;
  for (int c = 0; c < 3; ++c)
    for (int y = 0; y < image.height; ++y)
      for (int x = 0; x < image.width; ++x)
        out[c * plane + static_cast<size_t>(y) * row_width + x] =
            (static_cast<float>(image.at(x, y)[2 - c]) / 255 - 0.5f) / 0.5f;
}
