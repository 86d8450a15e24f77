// SPDX-License-Identifier: Apache-2.0
//
// JPEG. stb_image parses the file and decodes the coefficients; what decides the pixels' exact values is
// here, because ImageDecoder prescribes it: the inverse transform, the upsampling of chroma and the
// conversion of colours give what libjpeg-turbo gives by default.
#include <algorithm>
#include <memory>

#include "plugins/reference/ops/image_formats.h"

#define STBI_ONLY_JPEG
#define STBI_NO_SIMD
#include "plugins/reference/ops/stb_image.inc"

namespace braid::reference {
namespace {

uint8_t Clamp(int64_t value) { return static_cast<uint8_t>(std::clamp<int64_t>(value, 0, 255)); }

// Fixed point with 13 fractional bits.
constexpr int kFraction = 13;
constexpr int64_t Fixed(double x) { return static_cast<int64_t>(x * (1 << kFraction) + 0.5); }

// One 8-point inverse DCT by the factorisation of Loeffler, Ligtenberg and Moschytz (ICASSP 1989) with 12
// multiplications; the results are rounded by `shift` bits.
void InverseDct8(const int64_t x[8], int64_t y[8], int shift) {
  const int64_t pair = (x[2] + x[6]) * Fixed(0.541196100);
  const int64_t even2 = pair - x[6] * Fixed(1.847759065), even3 = pair + x[2] * Fixed(0.765366865);
  const int64_t even0 = (x[0] + x[4]) * (1 << kFraction), even1 = (x[0] - x[4]) * (1 << kFraction);
  const int64_t even[4] = {even0 + even3, even1 + even2, even1 - even2, even0 - even3};

  const int64_t all = (x[7] + x[3] + x[5] + x[1]) * Fixed(1.175875602);
  const int64_t a = -(x[7] + x[1]) * Fixed(0.899976223), b = -(x[5] + x[3]) * Fixed(2.562915447);
  const int64_t c = all - (x[7] + x[3]) * Fixed(1.961570560), d = all - (x[5] + x[1]) * Fixed(0.390180644);
  const int64_t odd[4] = {x[1] * Fixed(1.501321110) + a + d, x[3] * Fixed(3.072711026) + b + c,
                          x[5] * Fixed(2.053119869) + b + d, x[7] * Fixed(0.298631336) + a + c};
  const int64_t half = int64_t{1} << (shift - 1);
  for (int i = 0; i < 4; ++i) {
    y[i] = (even[i] + odd[i] + half) >> shift;
    y[7 - i] = (even[i] - odd[i] + half) >> shift;
  }
}

// Columns first, with two more bits kept between the passes.
void InverseDct(stbi_uc* out, int out_stride, short coefficients[64]) {
  constexpr int kBetween = 2;
  int64_t rows[8][8];
  for (int column = 0; column < 8; ++column) {
    int64_t x[8], y[8];
    for (int i = 0; i < 8; ++i) x[i] = coefficients[8 * i + column];
    InverseDct8(x, y, kFraction - kBetween);
    for (int i = 0; i < 8; ++i) rows[i][column] = y[i];
  }
  for (int row = 0; row < 8; ++row) {
    int64_t y[8];
    InverseDct8(rows[row], y, kFraction + kBetween + 3);
    for (int i = 0; i < 8; ++i) out[row * out_stride + i] = Clamp(y[i] + 128);
  }
}

// A component's samples, before and after upsampling.
struct Plane {
  const uint8_t* data;
  int64_t stride, width, height;
  const uint8_t* row(int64_t y) const { return data + std::clamp<int64_t>(y, 0, height - 1) * stride; }
};

// `sums`: n values that weigh `1 << bits` samples together. Each gives two pixels, 3/4 of it and 1/4 of its
// neighbour on that side; halves are rounded up and down in turns.
void DoubleRow(const int* sums, int64_t n, int bits, uint8_t* out) {
  const int shift = bits + 2, even = bits == 0 ? 1 : 8, odd = bits == 0 ? 2 : 7;
  for (int64_t j = 0; j < n; ++j) {
    const int left = sums[std::max<int64_t>(j - 1, 0)], right = sums[std::min(j + 1, n - 1)];
    out[2 * j] = static_cast<uint8_t>((3 * sums[j] + left + even) >> shift);
    out[2 * j + 1] = static_cast<uint8_t>((3 * sums[j] + right + odd) >> shift);
  }
}

// The plane at the image's size, `across` and `down` times larger.
std::vector<uint8_t> Upsample(const Plane& plane, int across, int down, int64_t width, int64_t height) {
  std::vector<uint8_t> out(static_cast<size_t>(width * height));
  const bool smooth_across = across == 2 && down <= 2 && plane.width > 2,
             smooth_down = down == 2 && (across == 1 || smooth_across);
  std::vector<int> sums(static_cast<size_t>(plane.width));
  std::vector<uint8_t> doubled(static_cast<size_t>(plane.width) * 2);
  for (int64_t y = 0; y < height; ++y) {
    uint8_t* to = out.data() + y * width;
    const uint8_t* near = plane.row(y / down);
    const uint8_t* far = plane.row(y % 2 == 0 ? y / 2 - 1 : y / 2 + 1);
    if (smooth_across) {
      for (int64_t j = 0; j < plane.width; ++j)
        sums[static_cast<size_t>(j)] = smooth_down ? 3 * near[j] + far[j] : near[j];
      DoubleRow(sums.data(), plane.width, smooth_down ? 2 : 0, doubled.data());
      std::copy_n(doubled.data(), width, to);
    } else if (smooth_down) {
      for (int64_t x = 0; x < width; ++x)
        to[x] = static_cast<uint8_t>((3 * near[x] + far[x] + 1 + y % 2) >> 2);
    } else {
      for (int64_t x = 0; x < width; ++x) to[x] = near[std::min(x / across, plane.width - 1)];
    }
  }
  return out;
}

// JFIF's YCbCr, in fixed point with 16 fractional bits.
void YccToRgb(int y, int cb, int cr, uint8_t* rgb) {
  auto fixed = [](double x) { return static_cast<int>(x * 65536 + 0.5); };
  cb -= 128;
  cr -= 128;
  rgb[0] = Clamp(y + ((fixed(1.40200) * cr + 32768) >> 16));
  rgb[1] = Clamp(y + ((-fixed(0.34414) * cb - fixed(0.71414) * cr + 32768) >> 16));
  rgb[2] = Clamp(y + ((fixed(1.77200) * cb + 32768) >> 16));
}

RgbImage ToRgb(const stbi__jpeg& jpeg) {
  const int64_t width = jpeg.s->img_x, height = jpeg.s->img_y;
  const int components = jpeg.s->img_n;
  std::vector<uint8_t> planes[4];
  for (int k = 0; k < components; ++k) {
    const auto& c = jpeg.img_comp[k];
    planes[k] = Upsample({c.data, c.w2, c.x, c.y}, jpeg.img_h_max / c.h, jpeg.img_v_max / c.v, width, height);
  }
  const bool is_rgb = components == 3 && (jpeg.rgb == 3 || (jpeg.app14_color_transform == 0 && !jpeg.jfif));
  const bool is_cmyk = components == 4 && jpeg.app14_color_transform == 0;
  RgbImage image{height, width, std::vector<uint8_t>(static_cast<size_t>(width * height * 3))};
  for (size_t i = 0; i < static_cast<size_t>(width * height); ++i) {
    uint8_t* rgb = image.pixels.data() + 3 * i;
    if (components < 3) {
      std::fill_n(rgb, 3, planes[0][i]);
      continue;
    }
    if (is_rgb || is_cmyk) {
      for (int c = 0; c < 3; ++c) rgb[c] = planes[c][i];
    } else {
      YccToRgb(planes[0][i], planes[1][i], planes[2][i], rgb);
    }
    if (components == 4) {  // CMYK as Adobe writes it, inverted; YCCK is that of the complement
      for (int c = 0; c < 3; ++c) {
        const int ink = is_cmyk ? rgb[c] : 255 - rgb[c];
        rgb[c] = static_cast<uint8_t>((ink * planes[3][i] + 127) / 255);
      }
    }
  }
  return image;
}

}  // namespace

std::optional<RgbImage> DecodeJpeg(std::span<const uint8_t> file) {
  if (file.size() > INT32_MAX) return std::nullopt;
  const int bytes = static_cast<int>(file.size());
  int width = 0, height = 0, channels = 0;
  if (stbi_info_from_memory(file.data(), bytes, &width, &height, &channels) == 0) return std::nullopt;
  if (!PlausibleSize(width, height, file.size())) return std::nullopt;
  stbi__context context;
  stbi__start_mem(&context, file.data(), bytes);
  // All zero: a file that uses a table which it does not define decodes to nonsense, not to other memory.
  auto jpeg = std::make_unique<stbi__jpeg>();
  jpeg->s = &context;
  stbi__setup_jpeg(jpeg.get());
  jpeg->idct_block_kernel = InverseDct;
  context.img_n = 0;
  std::optional<RgbImage> image;
  // The header is read again: its size must be that which was judged.
  if (stbi__decode_jpeg_image(jpeg.get()) != 0 && static_cast<int>(context.img_x) == width &&
      static_cast<int>(context.img_y) == height && context.img_n > 0)
    image = ToRgb(*jpeg);
  stbi__cleanup_jpeg(jpeg.get());
  return image;
}

}  // namespace braid::reference
