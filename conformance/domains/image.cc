// SPDX-License-Identifier: Apache-2.0
//
// Domains of operators on images. Where an operator takes the nearest element, a coordinate near the middle
// between two would leave the choice to the last bits of a device's arithmetic: such cases are rejected, but
// where the arithmetic is exact (whole scales, powers of two) and the specification says what a tie gives.
#include <algorithm>
#include <array>
#include <cmath>

#include "conformance/case/domain.h"

namespace braid::conformance {
namespace {

// Numbers that say what to do, as Ints.
void Floats(Domain& d, const std::vector<double>& values) {
  d.In({static_cast<int64_t>(values.size())}, Given(values.empty() ? std::vector<double>{0} : values));
  d.inputs().back().is_shape = true;
}

// ---- Resize, Upsample ----

struct ResizedAxis {
  int64_t in, out;
  double scale, start = 0, end = 1;  // the part of it, for tf_crop_and_resize
};

double Original(const std::string& transform, const ResizedAxis& a, int64_t resized) {
  const double x = static_cast<double>(resized), in = static_cast<double>(a.in),
               out = static_cast<double>(a.out);
  if (transform == "asymmetric") return x / a.scale;
  if (transform == "tf_half_pixel_for_nn") return (x + 0.5) / a.scale;
  if (transform == "align_corners") return x * (in - 1) / (in * a.scale - 1);
  if (transform == "pytorch_half_pixel" && a.out <= 1) return 0;
  if (transform == "half_pixel_symmetric")
    return in / 2 * (1 - out / (in * a.scale)) + (x + 0.5) / a.scale - 0.5;
  if (transform == "tf_crop_and_resize")
    return a.out > 1 ? a.start * (in - 1) + x * (a.end - a.start) * (in - 1) / (out - 1)
                     : 0.5 * (a.start + a.end) * (in - 1);
  return (x + 0.5) / a.scale - 0.5;
}

// Whether what an output element is hangs on the last bits of its coordinate.
bool IsFragile(const std::string& transform, const std::string& nearest_mode, const ResizedAxis& a) {
  constexpr double kNear = 1e-3;
  const bool crops = transform == "tf_crop_and_resize";
  int exponent = 0;
  const bool whole = a.scale == std::floor(a.scale) || std::frexp(a.scale, &exponent) == 0.5;
  const bool fits = static_cast<double>(a.out) == static_cast<double>(a.in) * a.scale;
  const bool exact =
      whole && !crops && transform != "align_corners" && (fits || transform != "half_pixel_symmetric");
  if (exact || (a.in == a.out && a.start == 0 && a.end == 1)) return false;
  for (int64_t x = 0; x < a.out; ++x) {
    const double at = Original(transform, a, x), last = static_cast<double>(a.in - 1);
    if (at == 0 && x == 0 && !crops) continue;  // 0 whatever the scale
    if (crops && (std::fabs(at) < kNear || std::fabs(at - last) < kNear)) return true;
    if (nearest_mode.empty()) continue;
    // Between elements b and b + 1.
    const double middle = nearest_mode == "floor" ? 1 : nearest_mode == "ceil" ? 0 : 0.5;
    const double b = std::round(at - middle);
    if (b >= 0 && b < last && std::fabs(at - middle - b) < kNear) return true;
  }
  return false;
}

// The axes that are resized: all of a vector or a matrix, else all but two.
size_t FirstSpatial(const Dims& x) { return x.size() <= 2 ? 0 : 2; }

// Elements for a mode and type. Interpolated integers are multiples of 16, so that halves and quarters along
// two axes stay whole: what else becomes of a fraction is not told.
void ResizeData(Domain& d, const std::string& variable, const Dims& x, const std::string& mode,
                bool quarters) {
  const int32_t type = d.type(variable);
  if (mode == "nearest") return d.In(x, Distinct(-100, 100));
  if (type == reference::kString || type == reference::kBool) d.Reject("nothing lies between such elements");
  if (!d.is_integer(variable)) return d.In(x, Uniform(-4, 4));
  if (!quarters || mode != "linear" || x.size() == 5) d.Reject("how integers are rounded is not told");
  d.In(x, Given({0, 16, 112, -32, 48, -80, 64, 96, -16, 80, 32}));
}

// Scales of the spatial axes by one factor, or of the last by its inverse.
std::vector<ResizedAxis> Scaled(Domain& d, const Dims& x, const std::vector<double>& factors,
                                bool* quarters) {
  const double factor = d.PickFloat("factor", factors);
  const bool mixed = *std::min_element(factors.begin(), factors.end()) < 1 && d.Flag("mixed");
  *quarters = (factor == 2 || factor == 1) && !mixed;
  std::vector<ResizedAxis> axes;
  for (size_t i = 0; i < x.size(); ++i) {
    const double asked = i < FirstSpatial(x) ? 1 : mixed && i + 1 == x.size() ? 1 / factor : factor;
    const double scale = static_cast<double>(static_cast<float>(asked));
    const double out = std::floor(static_cast<double>(x[i]) * scale);
    axes.push_back({x[i], static_cast<int64_t>(out), scale});
    if (out < 1 && x[i] > 0) d.Reject("nothing is left");
  }
  return axes;
}

// Odd extents: the middle of an even one is a tie under most scales.
const std::vector<Dims> kImages = {{1, 2, 5, 7}, {5},          {3, 9},         {3, 5, 7},   {2, 1, 3, 5, 3},
                                   {1, 1, 1, 1}, {2, 3, 9, 8}, {1, 3, 33, 65}, {0, 2, 4, 4}};

// Upsample, and Resize-10: elements at x / scale; nearest takes the one before.
void OldResize(Domain& d) {
  const bool resize = d.op() == "Resize", two = d.has_attribute("height_scale");
  const std::string mode =
      two ? d.Pick("mode", {"nearest", "bilinear"}) : d.Pick("mode", {"nearest", "linear"});
  if (mode != "nearest") d.AttrText("mode", mode);
  const Dims x =
      two ? d.Shape("shape", {{1, 2, 5, 7}, {1, 1, 1, 1}, {2, 3, 9, 8}, {1, 3, 33, 65}, {0, 2, 4, 4}})
          : d.Shape("shape", kImages);
  bool quarters = false;
  const std::vector<ResizedAxis> axes =
      Scaled(d, x, resize ? std::vector<double>{2, 0.5, 1.7, 0.7, 3, 1} : std::vector<double>{2, 1.7, 3, 1},
             &quarters);
  for (const ResizedAxis& a : axes)
    if (mode == "nearest" &&
        (IsFragile("asymmetric", "floor", a) || (a.scale < 1 && IsFragile("asymmetric", "ceil", a))))
      d.Reject("the nearest element hangs on the last bits");
  ResizeData(d, "T", x, mode == "bilinear" ? "linear" : mode, quarters);
  std::vector<double> scales;
  for (const ResizedAxis& a : axes) scales.push_back(a.scale);
  if (two) {
    d.AttrFloat("height_scale", scales[2]);
    d.AttrFloat("width_scale", scales[3]);
  } else if (d.has_attribute("scales")) {
    d.AttrFloats("scales", {scales.begin(), scales.end()});
  } else {
    Floats(d, scales);
  }
}

void Resize(Domain& d) {
  if (d.version() < 11) return OldResize(d);
  // ---- How: mode and coordinates ----
  const bool antialias = d.has_attribute("antialias") && d.Flag("antialias");
  if (antialias) d.AttrInt("antialias", 1);
  const std::string mode =
      antialias ? d.Pick("mode", {"linear", "cubic"}) : d.Pick("mode", {"nearest", "linear", "cubic"});
  if (mode != "nearest") d.AttrText("mode", mode);
  std::vector<std::string> transforms = {"half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric",
                                         "tf_crop_and_resize"};
  if (d.version() == 11) transforms.push_back("tf_half_pixel_for_nn");
  if (d.version() >= 19) transforms.push_back("half_pixel_symmetric");
  const std::string transform = d.Pick("coordinate_transformation_mode", transforms);
  if (transform != "half_pixel") d.AttrText("coordinate_transformation_mode", transform);
  const bool crops = transform == "tf_crop_and_resize";
  std::string nearest_mode;
  if (mode == "nearest") {
    nearest_mode = d.Pick("nearest_mode", {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"});
    if (nearest_mode != "round_prefer_floor") d.AttrText("nearest_mode", nearest_mode);
  } else {
    d.AttrIntOr("exclude_outside", d.Flag("exclude_outside"), 0);
  }
  if (mode == "cubic")
    if (const double a = d.PickFloat("cubic_coeff_a", {-0.75, -0.5}); a != -0.75)
      d.AttrFloat("cubic_coeff_a", a);

  // ---- How much: scales or sizes ----
  const Dims x = d.Shape("shape", kImages);
  // With scales it is not clear whether the part that is cropped makes the output smaller.
  const bool by_sizes = crops || d.Pick("by", {"scales", "sizes"}) == "sizes";
  const size_t first = FirstSpatial(x);
  std::vector<ResizedAxis> axes;
  bool quarters = false;
  std::string named =
      d.has_attribute("axes") ? d.Pick("axes", {"none", "last", "negative", "reversed"}) : "none";
  std::vector<int64_t> sizes;
  if (!by_sizes) {
    // Five times 1.4 as a float is 6.9999999, of which the floor is 6.
    axes = Scaled(d, x, {2, 0.5, 1.6, 0.6, 3, 1, 1.4}, &quarters);
    quarters = quarters && (transform == "half_pixel" || transform == "asymmetric") && !antialias;
  } else {
    const std::vector<int64_t> asked =
        crops ? d.PickInts("crop_sizes", {{7, 9}, {3, 2}, {1, 1}, {6, 11}})
              : d.PickInts("sizes", {{7, 9}, {8, 12}, {3, 2}, {1, 1}, {5, 7}, {66, 130}});
    const std::string policy =
        d.has_attribute("keep_aspect_ratio_policy") && !crops
            ? d.Pick("keep_aspect_ratio_policy", {"stretch", "not_larger", "not_smaller"})
            : "stretch";
    if (policy != "stretch") {
      d.AttrText("keep_aspect_ratio_policy", policy);
      if (named == "none" && first > 0) named = "last";  // else batch and channels count too
    }
    double least = INFINITY, most = 0;
    for (size_t i = 0; i < x.size(); ++i) {
      const size_t from_end = x.size() - 1 - i;
      sizes.push_back(i < first ? x[i] : from_end < 2 ? asked[1 - from_end] : asked[0] + 1);
      const double scale = x[i] == 0 ? 1 : static_cast<double>(sizes[i]) / static_cast<double>(x[i]);
      axes.push_back({x[i], sizes[i], scale});
      if (i < first) continue;
      least = std::min(least, scale);
      most = std::max(most, scale);
    }
    for (size_t i = first; i < x.size() && policy != "stretch"; ++i) {
      axes[i].scale = policy == "not_larger" ? least : most;
      const double extent = axes[i].scale * static_cast<double>(x[i]);
      if (std::fabs(extent - std::floor(extent) - 0.5) < 1e-3) d.Reject("an extent hangs on the last bits");
      axes[i].out = static_cast<int64_t>(std::floor(extent + 0.5));
    }
  }
  if (crops) {
    const bool beyond = d.Pick("roi", {"inside", "beyond"}) == "beyond";
    for (size_t i = first; i < x.size(); ++i) {
      axes[i].start = (beyond ? -0.3 : 0.1) + (i % 2 == 0 ? 0 : 0.05);
      axes[i].end = beyond ? 1.2 : 0.8;
    }
    if (const double value = d.PickFloat("extrapolation_value", {0, 10.5}); value != 0)
      d.AttrFloat("extrapolation_value", value);
  }
  for (const ResizedAxis& a : axes) {
    if (transform == "align_corners" && static_cast<double>(a.in) * a.scale == 1 && a.in > 1)
      d.Reject("one element has no two corners");
    if (IsFragile(transform, nearest_mode, a)) d.Reject("an element hangs on the last bits");
  }

  // ---- Inputs ----
  ResizeData(d, "T1", x, mode, quarters);
  std::vector<size_t> order;
  for (size_t i = named == "none" ? 0 : first; i < x.size(); ++i) order.push_back(i);
  if (named == "reversed") std::reverse(order.begin(), order.end());
  if (named != "none") {
    std::vector<int64_t> list;
    for (const size_t i : order)
      list.push_back(static_cast<int64_t>(i) - (named == "last" ? 0 : static_cast<int64_t>(x.size())));
    d.AttrInts("axes", list);
  }
  std::vector<double> roi, scales;
  std::vector<int64_t> extents;
  for (const size_t i : order) roi.push_back(axes[i].start);
  for (const size_t i : order) roi.push_back(axes[i].end);
  for (const size_t i : order) scales.push_back(axes[i].scale);
  for (const size_t i : order)
    if (by_sizes) extents.push_back(sizes[i]);
  // Where it is not used it may be there all the same. Resize-11 has no absent inputs, but empty ones.
  const bool unused_roi = !crops && (d.type("T2") != reference::kFloat || d.Flag("unused_roi"));
  if (crops || unused_roi)
    Floats(d, roi);
  else if (d.version() < 13)
    Floats(d, {});
  else
    d.Absent();
  if (!by_sizes)
    Floats(d, scales);
  else if (d.version() < 13)
    Floats(d, {});
  else
    d.Absent();
  if (by_sizes) d.Ints(extents);
}

// ---- GridSample, AffineGrid ----

void GridSample(Domain& d) {
  const bool old = d.version() < 20;
  const int32_t type = d.type("T1");
  const bool only_nearest = type == reference::kString || type == reference::kBool;
  std::string mode = old ? d.Pick("mode", {"bilinear", "nearest", "bicubic"})
                         : d.Pick("mode", {"linear", "nearest", "cubic"});
  if (only_nearest) {
    if (mode != (old ? "bilinear" : "linear")) d.Reject("such elements have one mode");
    mode = "nearest";
  }
  const bool cubic = mode == "cubic" || mode == "bicubic";
  if (cubic && d.is_integer("T1")) d.Reject("integers cut off what is nearly whole");
  if (mode != "linear" && mode != "bilinear") d.AttrText("mode", mode);
  const std::string padding = d.Pick("padding_mode", {"zeros", "border", "reflection"});
  if (padding != "zeros") d.AttrText("padding_mode", padding);
  const bool corners = d.Flag("align_corners");
  if (corners) d.AttrInt("align_corners", 1);
  // N, C, spatial extents; then those of the output.
  const std::string shapes =
      old ? d.Pick("shape", {"plain", "one", "tail", "many", "empty"})
          : d.Pick("shape", {"plain", "one", "tail", "many", "empty", "vector", "volume"});
  Dims x = {2, 3, 5, 7}, out = {4, 6};
  if (shapes == "one") x = {1, 1, 1, 1}, out = {1, 1};
  if (shapes == "tail") x = {1, 2, 33, 9}, out = {3, 65};
  if (shapes == "many") x = {1, 65, 3, 3}, out = {33, 1};
  if (shapes == "empty") x = {1, 2, 3, 3}, out = {0, 4};
  if (shapes == "vector") x = {2, 3, 9}, out = {7};
  if (shapes == "volume") x = {1, 2, 3, 4, 5}, out = {2, 5, 3};
  for (int64_t& e : x) e = d.Extent(e);
  Dims grid = {x[0]};
  for (const int64_t e : out) grid.push_back(d.Extent(e));
  const int64_t spatial = static_cast<int64_t>(x.size()) - 2;
  grid.push_back(spatial);
  d.In(x, d.is_integer("T1") || only_nearest ? Distinct(-100, 100) : Uniform(-4, 4));
  const double reach = d.PickFloat("reach", {1.3, 0.9, 4});
  // The same in all cases, so that none is found too late to be a tie.
  std::vector<double> places;
  for (int i = 1; i <= 97; ++i) places.push_back(reach * (2 * (i * 0.618034 - std::floor(i * 0.618034)) - 1));
  const Tensor positions = d.Draw(d.type("T2"), grid, Given(places));
  for (int64_t i = 0; mode == "nearest" && i < positions.size(); ++i) {
    const double n = static_cast<double>(x[x.size() - 1 - static_cast<size_t>(i % spatial)]),
                 g = positions.AsDouble(i);
    const double at = corners ? (g + 1) / 2 * (n - 1) : ((g + 1) * n - 1) / 2;
    if (std::fabs(at - std::floor(at) - 0.5) < 1e-3) d.Reject("the nearest element hangs on the last bits");
  }
  d.In(positions);
}

void AffineGrid(Domain& d) {
  const bool corners = d.Flag("align_corners");
  if (corners) d.AttrInt("align_corners", 1);
  const Dims size = d.Shape(
      "size", {{2, 3, 4, 5}, {1, 1, 1, 1}, {2, 1, 3, 4, 5}, {1, 2, 33, 65}, {3, 1, 1, 2, 7}, {0, 1, 2, 3}});
  const int64_t r = static_cast<int64_t>(size.size()) - 2;
  for (size_t i = 2; i < size.size(); ++i)
    if (corners && size[i] == 1) d.Reject("one element has no two corners");
  d.In({size[0], r, r + 1}, Spread(2));
  d.Ints(size);
}

// ---- ImageDecoder ----

using Bytes = std::vector<uint8_t>;
struct Pixels {
  int64_t width, height;
  Bytes rgb;  // rows from the top
};

void Put(Bytes* to, uint64_t value, int bytes, bool big_endian = false) {
  for (int i = 0; i < bytes; ++i)
    to->push_back(static_cast<uint8_t>(value >> 8 * (big_endian ? bytes - 1 - i : i)));
}
void Put(Bytes* to, const std::string& text) { to->insert(to->end(), text.begin(), text.end()); }

// Portable anymaps. P1 and P4 have bits, of which 1 is black; P2 and P5 grey levels; P3 and P6 colours.
Bytes Pnm(const Pixels& image, int kind) {
  Bytes out;
  const bool text = kind <= 3, bits = kind % 3 == 1, colours = kind % 3 == 0;
  Put(&out, "P" + std::to_string(kind) + "\n# made by hand\n" + std::to_string(image.width) + " " +
                std::to_string(image.height) + (bits ? "\n" : "\n255\n"));
  for (int64_t y = 0; y < image.height; ++y) {
    uint8_t byte = 0;
    for (int64_t x = 0; x < image.width; ++x) {
      const uint8_t* pixel = image.rgb.data() + (y * image.width + x) * 3;
      for (int c = 0; c < (colours ? 3 : 1); ++c) {
        const int value = bits ? pixel[0] < 128 : pixel[c];
        if (text) {
          Put(&out, std::to_string(value) + " ");
        } else if (!bits) {
          out.push_back(static_cast<uint8_t>(value));
        } else {
          byte = static_cast<uint8_t>(byte | value << (7 - x % 8));
          if (x % 8 == 7 || x + 1 == image.width) out.push_back(byte), byte = 0;
        }
      }
    }
    if (text) Put(&out, "\n");
  }
  return out;
}

// 24 bits a pixel, blue first; rows from the bottom, of multiples of four bytes.
Bytes Bmp(const Pixels& image) {
  Bytes out;
  const int64_t row = (image.width * 3 + 3) / 4 * 4;
  Put(&out, "BM");
  for (const int64_t v :
       {54 + row * image.height, int64_t{0}, int64_t{54}, int64_t{40}, image.width, image.height})
    Put(&out, static_cast<uint64_t>(v), 4);
  Put(&out, 1, 2);
  Put(&out, 24, 2);
  for (const int64_t v :
       {int64_t{0}, row * image.height, int64_t{2835}, int64_t{2835}, int64_t{0}, int64_t{0}})
    Put(&out, static_cast<uint64_t>(v), 4);
  for (int64_t y = image.height; y-- > 0;) {
    for (int64_t x = 0; x < image.width; ++x)
      for (int c = 2; c >= 0; --c)
        out.push_back(image.rgb[static_cast<size_t>((y * image.width + x) * 3 + c)]);
    out.resize(out.size() + static_cast<size_t>(row - image.width * 3));
  }
  return out;
}

// 8 bits a channel; rows unfiltered, or each as its difference from the left pixel; one stored block.
Bytes Png(const Pixels& image, bool filtered) {
  Bytes raw;
  for (int64_t y = 0; y < image.height; ++y) {
    raw.push_back(filtered ? 1 : 0);
    const uint8_t* row = image.rgb.data() + y * image.width * 3;
    for (int64_t i = 0; i < image.width * 3; ++i)
      raw.push_back(static_cast<uint8_t>(row[i] - (filtered && i >= 3 ? row[i - 3] : 0)));
  }
  uint32_t a = 1, b = 0;  // Adler-32
  for (const uint8_t v : raw) a = (a + v) % 65521, b = (b + a) % 65521;
  Bytes header, data = {0x78, 0x01, 0x01};
  Put(&header, static_cast<uint64_t>(image.width), 4, true);
  Put(&header, static_cast<uint64_t>(image.height), 4, true);
  header.insert(header.end(), {8, 2, 0, 0, 0});
  Put(&data, raw.size(), 2);
  Put(&data, ~raw.size(), 2);
  data.insert(data.end(), raw.begin(), raw.end());
  Put(&data, b << 16 | a, 4, true);
  Bytes out = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
  const auto chunk = [&](const std::string& type, const Bytes& content) {
    Put(&out, content.size(), 4, true);
    const size_t begin = out.size();
    Put(&out, type);
    out.insert(out.end(), content.begin(), content.end());
    uint32_t crc = ~0u;
    for (size_t i = begin; i < out.size(); ++i) {
      crc ^= out[i];
      for (int k = 0; k < 8; ++k) crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0u);
    }
    Put(&out, ~crc, 4, true);
  };
  chunk("IHDR", header);
  chunk("IDAT", data);
  chunk("IEND", {});
  return out;
}

// Little-endian, one strip, no compression.
Bytes Tiff(const Pixels& image) {
  Bytes out = {'I', 'I', 42, 0, 8, 0, 0, 0};
  constexpr uint64_t kShort = 3, kLong = 4, kEntries = 9, kBits = 8 + 2 + kEntries * 12 + 4;
  const std::array<uint64_t, 4> entries[kEntries] = {{256, kLong, 1, static_cast<uint64_t>(image.width)},
                                                     {257, kLong, 1, static_cast<uint64_t>(image.height)},
                                                     {258, kShort, 3, kBits},
                                                     {259, kShort, 1, 1},
                                                     {262, kShort, 1, 2},
                                                     {273, kLong, 1, kBits + 6},
                                                     {277, kShort, 1, 3},
                                                     {278, kLong, 1, static_cast<uint64_t>(image.height)},
                                                     {279, kLong, 1, image.rgb.size()}};
  Put(&out, kEntries, 2);
  for (const auto& [tag, type, count, value] : entries) {
    Put(&out, tag, 2);
    Put(&out, type, 2);
    Put(&out, count, 4);
    Put(&out, value, 4);
  }
  Put(&out, 0, 4);
  for (int c = 0; c < 3; ++c) Put(&out, 8, 2);
  out.insert(out.end(), image.rgb.begin(), image.rgb.end());
  return out;
}

void ImageDecoder(Domain& d) {
  const std::string pixel_format = d.Pick("pixel_format", {"RGB", "BGR", "Grayscale"});
  if (pixel_format != "RGB") d.AttrText("pixel_format", pixel_format);
  const std::string format = d.Pick("format", {"png", "png_filtered", "bmp", "tiff", "p1", "p2", "p3", "p4",
                                               "p5", "p6", "unknown", "none", "cut"});
  const Dims size = d.Shape("size", {{3, 5}, {1, 1}, {2, 8}, {4, 17}, {33, 31}});
  Pixels image{size[1], size[0], Bytes(static_cast<size_t>(size[0] * size[1] * 3))};
  // What grey a colour becomes is not told: grey ones stay as they are.
  const bool grey = pixel_format == "Grayscale" ||
                    (format[0] == 'p' && format.size() == 2 && format != "p3" && format != "p6");
  const bool bits = format == "p1" || format == "p4";
  for (size_t i = 0; i < image.rgb.size(); ++i) {
    const size_t seed = grey ? i / 3 : i;
    image.rgb[i] =
        static_cast<uint8_t>(bits ? (seed * seed / 3 + seed) % 2 * 255 : seed * 37 + seed / 7 * 11);
  }
  Bytes file;
  if (format == "png" || format == "png_filtered" || format == "cut")
    file = Png(image, format == "png_filtered");
  if (format == "bmp") file = Bmp(image);
  if (format == "tiff") file = Tiff(image);
  if (format[0] == 'p' && format.size() == 2) file = Pnm(image, format[1] - '0');
  // What can't be decoded gives an empty image.
  if (format == "unknown") Put(&file, "no image at all");
  if (format == "cut") file.resize(20);
  d.In(Tensor::Of<uint8_t>({static_cast<int64_t>(file.size())}, file));
}

}  // namespace

std::span<const DomainEntry> ImageDomains() {
  static const DomainEntry kDomains[] = {
      {"", "Resize", Resize},         {"", "Upsample", OldResize},        {"", "GridSample", GridSample},
      {"", "AffineGrid", AffineGrid}, {"", "ImageDecoder", ImageDecoder},
  };
  return kDomains;
}

}  // namespace braid::conformance
