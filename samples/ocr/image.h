// SPDX-License-Identifier: Apache-2.0
//
// A picture of three 8-bit channels, and the few things that reading a page does with one.
#ifndef BRAID_SAMPLES_OCR_IMAGE_H_
#define BRAID_SAMPLES_OCR_IMAGE_H_

#include <array>
#include <cstdint>
#include <string>
#include <vector>

struct Point {
  double x = 0, y = 0;
};
using Quad = std::array<Point, 4>;  // top left, top right, bottom right, bottom left

struct Image {
  int width = 0, height = 0;
  std::vector<uint8_t> pixels;  // height x width x 3, RGB
  const uint8_t* at(int x, int y) const { return pixels.data() + (static_cast<size_t>(y) * width + x) * 3; }
  uint8_t* at(int x, int y) { return pixels.data() + (static_cast<size_t>(y) * width + x) * 3; }
};

Image ReadImage(const std::string& path);  // throws std::runtime_error
void WritePng(const std::string& path, const Image& image);

// Bilinear, pixel centres at half: out(x) = in((x + 0.5) * scale - 0.5).
Image Resized(const Image& image, int width, int height);
// What lies in a quadrilateral, straightened to width x height (bicubic).
Image Straightened(const Image& image, const Quad& quad, int width, int height);
Image RotatedLeft(const Image& image);
void DrawLine(Image& image, Point from, Point to, const std::array<uint8_t, 3>& colour);
// CHW floats, (v / 255 - 0.5) / 0.5, in the channel order BGR that the models were trained with; rows of
// `row_width` floats, the rest left as it is.
void Normalise(const Image& image, float* out, int row_width);

#endif  // BRAID_SAMPLES_OCR_IMAGE_H_
