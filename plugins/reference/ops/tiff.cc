// SPDX-License-Identifier: Apache-2.0
//
// Baseline TIFF 6.0 and its common extensions: the first image of the file; strips or tiles; uncompressed,
// PackBits, LZW or Deflate, with or without horizontal differencing; bilevel, grey, palette and RGB of 1, 2,
// 4, 8 or 16 bits, interleaved or in planes; further samples (alpha) are dropped. Not: CCITT, JPEG in TIFF,
// floating point, YCbCr, CMYK.
#include <algorithm>
#include <map>

#include "plugins/reference/ops/image_formats.h"

namespace braid::reference {
namespace {

// TIFF 6.0, section 9.
std::vector<uint8_t> UnpackBits(std::span<const uint8_t> in, size_t most) {
  std::vector<uint8_t> out;
  for (size_t i = 0; i < in.size() && out.size() < most;) {
    const int n = static_cast<int8_t>(in[i++]);
    if (n >= 0) {
      const size_t count = std::min<size_t>(static_cast<size_t>(n) + 1, in.size() - i);
      out.insert(out.end(), in.begin() + static_cast<int64_t>(i),
                 in.begin() + static_cast<int64_t>(i + count));
      i += count;
    } else if (n != -128 && i < in.size()) {
      out.insert(out.end(), static_cast<size_t>(1 - n), in[i++]);
    }
  }
  return out;
}

// TIFF 6.0, section 13: codes of 9 to 12 bits from the most significant bit on, one entry early.
std::vector<uint8_t> Unlzw(std::span<const uint8_t> in, size_t most) {
  constexpr int kClear = 256, kEnd = 257, kFirst = 258, kMostCodes = 4096;
  // Entry c is the string of entry prefix[c] and last[c]; `length` of it in all.
  std::vector<uint16_t> prefix(kMostCodes), length(kMostCodes, 1);
  std::vector<uint8_t> last(kMostCodes), out;
  for (int c = 0; c < kClear; ++c) last[static_cast<size_t>(c)] = static_cast<uint8_t>(c);
  int next = kFirst, width = 9, previous = -1;
  uint32_t bits = 0;
  int available = 0;
  auto emit = [&](int code) {  // appends its string, gives the first byte
    size_t n = length[static_cast<size_t>(code)];
    out.resize(out.size() + n);
    uint8_t* to = out.data() + out.size();
    size_t c = static_cast<size_t>(code);
    for (; n > 0; --n, c = prefix[c]) *--to = last[c];
    return *to;
  };
  for (size_t i = 0; out.size() < most;) {
    while (available < width) {
      if (i == in.size()) return out;
      bits = bits << 8 | in[i++];
      available += 8;
    }
    const int code = static_cast<int>(bits >> (available - width) & ((1u << width) - 1));
    available -= width;
    if (code == kEnd) return out;
    if (code == kClear) {
      next = kFirst, width = 9, previous = -1;
      continue;
    }
    if (code > next || (code >= kFirst && previous < 0) || (code == next && previous < 0)) return {};
    if (previous < 0) {
      emit(code);
    } else {
      uint8_t first;
      if (code < next) {
        first = emit(code);
      } else {  // the string being made: the previous one and its own first byte
        first = emit(previous);
        out.push_back(first);
      }
      if (next < kMostCodes) {
        const size_t entry = static_cast<size_t>(next++);
        prefix[entry] = static_cast<uint16_t>(previous);
        last[entry] = first;
        length[entry] = static_cast<uint16_t>(length[static_cast<size_t>(previous)] + 1);
      }
      if (next + 1 >= 1 << width && width < 12) ++width;
    }
    previous = code;
  }
  return out;
}

class TiffReader {
 public:
  explicit TiffReader(std::span<const uint8_t> file) : file_(file), big_endian_(file[0] == 'M') {}

  std::optional<RgbImage> Read() {
    if (!ReadDirectory(Value(4, 4))) return std::nullopt;
    width_ = Tag(256, 0), height_ = Tag(257, 0);
    bits_ = Tag(258, 1), samples_ = Tag(277, 1);
    photometric_ = Tag(262, -1), compression_ = Tag(259, 1), predictor_ = Tag(317, 1);
    planar_ = Tag(284, 1) == 2;
    if (!PlausibleSize(width_, height_, file_.size()) || samples_ < 1 || samples_ > 16) return std::nullopt;
    if (bits_ != 1 && bits_ != 2 && bits_ != 4 && bits_ != 8 && bits_ != 16) return std::nullopt;
    for (int64_t b : tags_[258])
      if (b != bits_) return std::nullopt;
    if (Tag(339, 1) != 1 || Tag(266, 1) != 1)
      return std::nullopt;  // unsigned integers, most significant bit first
    if (predictor_ != 1 && (predictor_ != 2 || bits_ < 8)) return std::nullopt;
    channels_ = photometric_ == 2 ? 3 : 1;
    if (photometric_ < 0 || photometric_ > 3 || samples_ < channels_) return std::nullopt;
    if (photometric_ == 3 && (bits_ > 8 || static_cast<int64_t>(tags_[320].size()) < 3 << bits_))
      return std::nullopt;
    levels_.resize(static_cast<size_t>(width_ * height_ * channels_));
    if (!ReadBlocks()) return std::nullopt;
    return ToRgb();
  }

 private:
  // `bytes` of the file as a number, -1 beyond its end.
  int64_t Value(int64_t at, int bytes) const {
    if (at < 0 || at + bytes > static_cast<int64_t>(file_.size())) return -1;
    int64_t value = 0;
    for (int i = 0; i < bytes; ++i)
      value = value << 8 | file_[static_cast<size_t>(at + (big_endian_ ? i : bytes - 1 - i))];
    return value;
  }

  bool ReadDirectory(int64_t at) {
    const int64_t entries = Value(at, 2);
    int64_t total = 0;
    for (int64_t i = 0; i < entries; ++i) {
      const int64_t entry = at + 2 + 12 * i, tag = Value(entry, 2), type = Value(entry + 2, 2),
                    count = Value(entry + 4, 4);
      if (count < 0) return false;
      const int size = type == 1   ? 1
                       : type == 3 ? 2
                       : type == 4 ? 4
                                   : 0;  // BYTE, SHORT, LONG; others are not needed
      if (size == 0) continue;
      // No value lies within another, so there are no more of them than bytes.
      if ((total += count) > static_cast<int64_t>(file_.size())) return false;
      const int64_t values = count * size <= 4 ? entry + 8 : Value(entry + 8, 4);
      for (int64_t k = 0; k < count; ++k) {
        const int64_t value = Value(values + k * size, size);
        if (value < 0) return false;
        tags_[tag].push_back(value);
      }
    }
    return entries > 0;
  }

  int64_t Tag(int64_t tag, int64_t otherwise) const {
    auto found = tags_.find(tag);
    return found != tags_.end() && !found->second.empty() ? found->second[0] : otherwise;
  }

  std::vector<uint8_t> Decompress(std::span<const uint8_t> in, size_t most) const {
    switch (compression_) {
      case 1:
        return {in.begin(), in.begin() + static_cast<int64_t>(std::min(most, in.size()))};
      case 5:
        return Unlzw(in, most);
      case 8:
      case 32946:
        return Inflate(in, most);
      case 32773:
        return UnpackBits(in, most);
      default:
        return {};
    }
  }

  // Strips are tiles of the image's width.
  bool ReadBlocks() {
    const bool tiled = tags_.count(322) != 0;
    const int64_t block_width = tiled ? Tag(322, 0) : width_;
    const int64_t block_height = tiled ? Tag(323, 0) : std::min(Tag(278, height_), height_);
    if (block_width <= 0 || block_height <= 0 || block_width > width_ + 65536 ||
        block_height > height_ + 65536)
      return false;
    const std::vector<int64_t>&offsets = tags_[tiled ? 324 : 273], &sizes = tags_[tiled ? 325 : 279];
    const int64_t across = (width_ + block_width - 1) / block_width,
                  down = (height_ + block_height - 1) / block_height;
    const int64_t planes = planar_ ? samples_ : 1, in_pixel = planar_ ? 1 : samples_;
    if (static_cast<int64_t>(offsets.size()) < across * down * planes) return false;
    const int64_t row_bytes = (block_width * in_pixel * bits_ + 7) / 8;
    if (row_bytes * block_height > static_cast<int64_t>(file_.size()) * 2048 + 65536) return false;
    for (int64_t k = 0; k < across * down * planes; ++k) {
      const int64_t plane = k / (across * down), x0 = k % across * block_width,
                    y0 = k / across % down * block_height;
      if (plane >= channels_) break;
      const int64_t rows = tiled ? block_height : std::min(block_height, height_ - y0);
      const int64_t begin = offsets[static_cast<size_t>(k)], end = static_cast<int64_t>(file_.size());
      if (begin < 0 || begin >= end) return false;
      const int64_t size = static_cast<size_t>(k) < sizes.size()
                               ? std::min(sizes[static_cast<size_t>(k)], end - begin)
                               : end - begin;
      std::vector<uint8_t> data =
          Decompress(file_.subspan(static_cast<size_t>(begin), static_cast<size_t>(size)),
                     static_cast<size_t>(row_bytes * rows));
      if (static_cast<int64_t>(data.size()) < row_bytes * rows) return false;
      for (int64_t y = 0; y < rows && y0 + y < height_; ++y) {
        uint8_t* row = data.data() + y * row_bytes;
        if (predictor_ == 2) Integrate(row, block_width, in_pixel);
        for (int64_t x = 0; x < block_width && x0 + x < width_; ++x) {
          uint8_t* to = levels_.data() + ((y0 + y) * width_ + x0 + x) * channels_;
          if (planar_) {
            to[plane] = Sample(row, x);
          } else {
            for (int64_t c = 0; c < channels_; ++c) to[c] = Sample(row, x * samples_ + c);
          }
        }
      }
    }
    return true;
  }

  // Horizontal differencing undone, modulo the sample's size.
  void Integrate(uint8_t* row, int64_t width, int64_t in_pixel) const {
    if (bits_ == 8) {
      for (int64_t i = in_pixel; i < width * in_pixel; ++i)
        row[i] = static_cast<uint8_t>(row[i] + row[i - in_pixel]);
      return;
    }
    const int high = big_endian_ ? 0 : 1, low = 1 - high;
    for (int64_t i = in_pixel; i < width * in_pixel; ++i) {
      uint8_t *to = row + 2 * i, *from = to - 2 * in_pixel;
      const unsigned sum = (to[high] << 8 | to[low]) + (from[high] << 8 | from[low]);
      to[high] = static_cast<uint8_t>(sum >> 8);
      to[low] = static_cast<uint8_t>(sum);
    }
  }

  // Sample `i` of a row: its value, or of 16 bits the upper half.
  uint8_t Sample(const uint8_t* row, int64_t i) const {
    if (bits_ == 8) return row[i];
    if (bits_ == 16) return row[2 * i + (big_endian_ ? 0 : 1)];
    const int64_t bit = i * bits_;
    return static_cast<uint8_t>(row[bit / 8] >> (8 - bits_ - bit % 8) & ((1 << bits_) - 1));
  }

  RgbImage ToRgb() {
    RgbImage image{height_, width_, std::vector<uint8_t>(static_cast<size_t>(width_ * height_ * 3))};
    const int64_t most = bits_ >= 8 ? 255 : (1 << bits_) - 1;
    const std::vector<int64_t>& palette = tags_[320];  // all reds, all greens, all blues, of 16 bits
    for (int64_t i = 0; i < width_ * height_; ++i) {
      uint8_t* to = image.pixels.data() + i * 3;
      for (int64_t c = 0; c < 3; ++c) {
        const int64_t level = levels_[static_cast<size_t>(i * channels_ + (channels_ == 3 ? c : 0))];
        if (photometric_ == 3) {
          to[c] = static_cast<uint8_t>(palette[static_cast<size_t>((c << bits_) + level)] >> 8);
        } else {
          const int64_t scaled = level * 255 / most;
          to[c] = static_cast<uint8_t>(photometric_ == 0 ? 255 - scaled : scaled);
        }
      }
    }
    return image;
  }

  std::span<const uint8_t> file_;
  bool big_endian_, planar_ = false;
  std::map<int64_t, std::vector<int64_t>> tags_;
  int64_t width_ = 0, height_ = 0, bits_ = 0, samples_ = 0, channels_ = 0;
  int64_t photometric_ = 0, compression_ = 0, predictor_ = 0;
  std::vector<uint8_t> levels_;  // channels_ a pixel
};

}  // namespace

std::optional<RgbImage> DecodeTiff(std::span<const uint8_t> file) {
  if (file.size() < 8) return std::nullopt;
  return TiffReader(file).Read();
}

}  // namespace braid::reference
