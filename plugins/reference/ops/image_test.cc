// SPDX-License-Identifier: Apache-2.0
//
// Expected values: ONNX Runtime 1.32 on the same inputs (Resize, GridSample), the specification's formulas by
// hand, and files written here byte by byte (ImageDecoder).
#include <cmath>
#include <numeric>

#include "plugins/reference/ops/testing.h"

namespace braid::reference {
namespace {

using I64 = int64_t;
Tensor Int64s(std::vector<I64> values) { return Tensor::Of<I64>({static_cast<I64>(values.size())}, values); }
Tensor Floats32(std::vector<float> values) {
  return Tensor::Of<float>({static_cast<I64>(values.size())}, values);
}
Tensor Image4x4() {
  std::vector<float> values(16);
  std::iota(values.begin(), values.end(), 1.0f);
  return Tensor::Of<float>({1, 1, 4, 4}, values);
}

TEST(ResizeOp, NearestByEveryRule) {
  const Tensor x = Floats32({0, 1, 2, 3, 4});
  struct Case {
    const char *nearest, *transform;
    std::vector<float> up, down;  // to 8 and to 3 elements
  };
  const Case cases[] = {
      {"round_prefer_floor", "half_pixel", {0, 0, 1, 2, 2, 3, 4, 4}, {0, 2, 4}},
      {"round_prefer_floor", "asymmetric", {0, 1, 1, 2, 2, 3, 4, 4}, {0, 2, 3}},
      {"round_prefer_floor", "align_corners", {0, 1, 1, 2, 2, 3, 3, 4}, {0, 2, 4}},
      {"round_prefer_ceil", "asymmetric", {0, 1, 1, 2, 3, 3, 4, 4}, {0, 2, 3}},
      {"round_prefer_ceil", "pytorch_half_pixel", {0, 0, 1, 2, 2, 3, 4, 4}, {0, 2, 4}},
      {"floor", "half_pixel", {0, 0, 1, 1, 2, 2, 3, 4}, {0, 2, 3}},
      {"floor", "asymmetric", {0, 0, 1, 1, 2, 3, 3, 4}, {0, 1, 3}},
      {"ceil", "half_pixel", {0, 1, 2, 2, 3, 3, 4, 4}, {1, 2, 4}},
      {"ceil", "align_corners", {0, 1, 2, 2, 3, 3, 4, 4}, {0, 2, 4}},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(std::string(c.nearest) + " " + c.transform);
    const std::vector<Attr> attrs = {{"nearest_mode", c.nearest},
                                     {"coordinate_transformation_mode", c.transform}};
    ExpectTensor<float>(RunOp("Resize", {x, Tensor(), Tensor(), Int64s({8})}, attrs)[0], {8}, c.up);
    ExpectTensor<float>(RunOp("Resize", {x, Tensor(), Tensor(), Int64s({3})}, attrs)[0], {3}, c.down);
  }
}

TEST(ResizeOp, NearestMovesAnyType) {
  ExpectTensor<std::string>(
      RunOp("Resize", {Tensor::Of<std::string>({1, 2}, {"a", "b"}), Tensor(), Floats32({2, 1})})[0], {2, 2},
      {"a", "b", "a", "b"});
  ExpectTensor<I64>(RunOp("Resize", {Int64s({INT64_MAX, 1}), Tensor(), Floats32({2})})[0], {4},
                    {INT64_MAX, INT64_MAX, 1, 1});
  EXPECT_EQ(
      JudgeOp("Resize", {Tensor::Of<std::string>({1}, {"a"}), Tensor(), Floats32({2})}, {{"mode", "linear"}}),
      BRAID_NO_TYPE);
}

TEST(ResizeOp, LinearAndCubic) {
  const Tensor x = Image4x4(), none;
  ExpectTensor<float>(RunOp("Resize", {x, none, none, Int64s({1, 1, 3, 5})}, {{"mode", "cubic"}})[0],
                      {1, 1, 3, 5},
                      {1.44388f, 2.11538f, 3.00463f, 3.89388f, 4.56538f, 6.93925f, 7.61075f, 8.5f, 9.38925f,
                       10.06075f, 12.43462f, 13.10612f, 13.99537f, 14.88462f, 15.55612f},
                      1e-5);
  ExpectTensor<float>(
      RunOp("Resize", {x, none, none, Int64s({2, 6})}, {{"mode", "linear"}, {"axes", Ints{2, -1}}})[0],
      {1, 1, 2, 6}, {3, 3.5f, 4.16667f, 4.83333f, 5.5f, 6, 11, 11.5f, 12.16667f, 12.83333f, 13.5f, 14}, 1e-5);
  ExpectTensor<float>(
      RunOp("Resize", {x, none, none, Int64s({1, 1, 2, 3})}, {{"mode", "linear"}, {"antialias", 1}})[0],
      {1, 1, 2, 3}, {3.77273f, 5, 6.22727f, 10.77273f, 12, 13.22727f}, 1e-5);
  ExpectTensor<float>(
      RunOp("Resize", {x, none, Floats32({1, 1, 0.8f, 1.5f})},
            {{"mode", "cubic"}, {"exclude_outside", 1}})[0],
      {1, 1, 3, 6},
      {1.25036f, 1.72314f, 2.56467f, 3.13875f, 3.98028f, 4.45306f, 6.51584f, 6.98862f, 7.83015f, 8.40422f,
       9.24576f, 9.71854f, 11.8375f, 12.31031f, 13.15181f, 13.72588f, 14.56742f, 15.0402f},
      1e-5);
  ExpectTensor<float>(
      RunOp("Resize", {x, Floats32({0, 0, 0.25f, -0.5f, 1, 1, 1, 0.75f}), none, Int64s({1, 1, 3, 3})},
            {{"mode", "linear"},
             {"coordinate_transformation_mode", "tf_crop_and_resize"},
             {"extrapolation_value", 9.0}})[0],
      {1, 1, 3, 3}, {9, 4.375f, 6.25f, 9, 8.875f, 10.75f, 9, 13.375f, 15.25f}, 1e-5);
}

// Of opset 11 alone; tf2onnx writes it in later ones. The numbers are ONNX Runtime's.
TEST(ResizeOp, TfHalfPixelForNearest) {
  auto resized = [](int64_t size, const char* nearest) {
    return RunOp("Resize", {Floats32({0, 1, 2, 3, 4}), Tensor(), Tensor(), Int64s({size})},
                 {{"coordinate_transformation_mode", "tf_half_pixel_for_nn"}, {"nearest_mode", nearest}})[0];
  };
  ExpectTensor<float>(resized(7, "floor"), {7}, {0, 1, 1, 2, 3, 3, 4});
  ExpectTensor<float>(resized(2, "round_prefer_floor"), {2}, {1, 4});
  ExpectTensor<float>(resized(7, "ceil"), {7}, {1, 2, 2, 3, 4, 4, 4});
  ExpectTensor<float>(resized(5, "floor"), {5}, {0, 1, 2, 3, 4});
}

TEST(ResizeOp, IntegersAreRoundedAndSaturated) {
  // Half way between 0 and 255: 63.75 and 191.25; a cubic overshoots both ends.
  ExpectTensor<uint8_t>(
      RunOp("Resize", {Tensor::Of<uint8_t>({2}, {0, 255}), Tensor(), Floats32({2})}, {{"mode", "linear"}})[0],
      {4}, {0, 64, 191, 255});
  ExpectTensor<uint8_t>(RunOp("Resize", {Tensor::Of<uint8_t>({4}, {0, 0, 255, 255}), Tensor(), Floats32({2})},
                              {{"mode", "cubic"}})[0],
                        {8}, {0, 0, 0, 58, 197, 255, 255, 255});
  ExpectTensor<Complex64>(
      RunOp("Resize", {Tensor::Of<Complex64>({2}, {{0, 4}, {4, 0}}), Tensor(), Floats32({2})},
            {{"mode", "linear"}})[0],
      {4}, {{0, 4}, {1, 3}, {3, 1}, {4, 0}});
}

TEST(ResizeOp, Policies) {
  const Tensor x = Tensor::Of<float>({2, 4}, std::vector<float>(8, 1));
  auto dims = [&](const char* policy) {
    return RunOp("Resize", {x, Tensor(), Tensor(), Int64s({7, 8})}, {{"keep_aspect_ratio_policy", policy}})[0]
        .dims();
  };
  EXPECT_EQ(dims("stretch"), (Dims{7, 8}));
  EXPECT_EQ(dims("not_larger"), (Dims{4, 8}));
  EXPECT_EQ(dims("not_smaller"), (Dims{7, 14}));
  EXPECT_EQ(RunOp("Resize", {x, Tensor(), Floats32({0.1f, 1})})[0].dims(), (Dims{0, 4}));
  // 0.7 as a float is a little less than 0.7: of 10 it leaves 6, as shape inference has it.
  EXPECT_EQ(RunOp("Resize", {Floats32(std::vector<float>(10, 1)), Tensor(), Floats32({0.7f})})[0].dims(),
            (Dims{6}));
}

TEST(ResizeOp, RefusesAbsurdScales) {
  const Tensor x = Floats32({1, 2}), none;
  for (float bad : {0.0f, -1.0f, NAN, INFINITY})
    ExpectFails("Resize", {x, none, Floats32({bad})}, {}, "the scale of axis 0 is");
  ExpectFails("Resize", {x, none, Floats32({1e30f})}, {}, "larger than 2^40");
  ExpectFails("Resize", {x, none, none, Int64s({INT64_MAX})}, {}, "the size of axis 0");
  ExpectFails("Resize", {x, none, none, Int64s({-1})}, {}, "the size of axis 0 is -1");
  ExpectFails("Resize", {x}, {}, "neither scales nor sizes");
  ExpectFails("Resize", {x, none, Floats32({1}), Int64s({1})}, {}, "both scales and sizes");
  ExpectFails("Resize", {x, none, Floats32({1, 1})}, {}, "2 scales are given for 1 axes");
  ExpectFails("Resize", {Tensor(kFloat, {0}), none, none, Int64s({2})}, {}, "has no element to resize");
  ExpectFails("Resize", {x, none, Floats32({2})}, {{"mode", "best"}}, "mode 'best' is not known");
  const Tensor cut =
      RunOp("Resize", {x, Floats32({NAN, 1}), none, Int64s({2})},
            {{"coordinate_transformation_mode", "tf_crop_and_resize"}, {"extrapolation_value", 7.0}})[0];
  ExpectTensor<float>(cut, {2}, {7, 7});
}

TEST(GridSampleOp, EveryMode) {
  const Tensor grid = Tensor::Of<float>(
      {1, 2, 3, 2}, {-1.2f, -1, 0.1f, 0.3f, 0.9f, -0.55f, -0.2f, 1.4f, 0.5f, 0.5f, 2.5f, -3});
  struct Case {
    const char *mode, *padding;
    int align;
    std::vector<float> want;
  };
  const Case cases[] = {
      {"nearest", "zeros", 0, {0, 11, 4, 0, 11, 0}},
      {"nearest", "border", 1, {1, 11, 8, 14, 11, 4}},
      {"nearest", "reflection", 0, {1, 11, 4, 14, 11, 14}},
      {"nearest", "reflection", 1, {1, 11, 8, 10, 11, 14}},
      {"linear", "zeros", 0, {0.05f, 11.1f, 3.92f, 0, 13.5f, 0}},
      {"linear", "zeros", 1, {0.7f, 10.45f, 6.55f, 5.68f, 12.25f, 0}},
      {"linear", "border", 0, {1, 11.1f, 5.6f, 14.1f, 13.5f, 4}},
      {"linear", "reflection", 0, {1, 11.1f, 5.6f, 12.9f, 13.5f, 13.5f}},
      {"linear", "reflection", 1, {1.3f, 10.45f, 6.55f, 11.8f, 12.25f, 13.75f}},
      {"cubic", "zeros", 0, {0.00687f, 11.32794f, 4.22897f, -1.55849f, 16.91894f, 0}},
      {"cubic", "zeros", 1, {0.61075f, 10.33038f, 6.95914f, 5.81623f, 13.68752f, 0}},
      {"cubic", "border", 0, {0.61825f, 11.229f, 5.37425f, 14.13601f, 13.96875f, 4}},
      {"cubic", "border", 1, {0.88975f, 10.33038f, 6.2192f, 14.53601f, 12.66016f, 4}},
      {"cubic", "reflection", 0, {0.1825f, 11.229f, 5.4215f, 13.209f, 13.96875f, 14.15625f}},
      {"cubic", "reflection", 1, {1.1215f, 10.33038f, 6.0866f, 12.52001f, 12.83594f, 13.63281f}},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(std::string(c.mode) + " " + c.padding + " " + std::to_string(c.align));
    ExpectTensor<float>(RunOp("GridSample", {Image4x4(), grid},
                              {{"mode", c.mode}, {"padding_mode", c.padding}, {"align_corners", c.align}})[0],
                        {1, 1, 2, 3}, c.want, 1e-5);
  }
  std::vector<float> cube(8);
  std::iota(cube.begin(), cube.end(), 0.0f);
  ExpectTensor<float>(RunOp("GridSample", {Tensor::Of<float>({1, 1, 2, 2, 2}, cube),
                                           Tensor::Of<float>({1, 1, 1, 1, 3}, {0.2f, -0.4f, 0.6f})})[0],
                      {1, 1, 1, 1, 1}, {4.41f}, 1e-5);
}

TEST(GridSampleOp, HostileGrids) {
  const Tensor grid = Tensor::Of<float>({1, 1, 4, 2}, {NAN, 0, INFINITY, -INFINITY, 1e30f, -1e30f, 3e9f, 0});
  for (const char* mode : {"nearest", "linear", "cubic"})
    for (const char* padding : {"zeros", "border", "reflection"}) {
      const Tensor y =
          RunOp("GridSample", {Image4x4(), grid}, {{"mode", mode}, {"padding_mode", padding}})[0];
      for (float v : y.values<float>()) EXPECT_TRUE(std::isfinite(v)) << mode << padding;
    }
  // Linear sums of integers are cut off towards zero: 0.25 * 1 + 0.75 * 2 = 1.75.
  ExpectTensor<int32_t>(
      RunOp("GridSample", {Tensor::Of<int32_t>({1, 1, 2}, {1, 2}), Tensor::Of<float>({1, 1, 1}, {0.25f})})[0],
      {1, 1, 1}, {1});
  ExpectFails("GridSample", {Image4x4(), Tensor(kFloat, {1, 2, 2, 3})}, {}, "the grid must have the shape");
  ExpectFails("GridSample", {Tensor(kFloat, {1, 1, 0, 2}), Tensor(kFloat, {1, 1, 1, 2})}, {},
              "no element to sample");
}

TEST(AffineGridOp, IdentityIsTheCentres) {
  const Tensor theta = Tensor::Of<float>({1, 2, 3}, {1, 0, 0, 0, 1, 0});
  ExpectTensor<float>(RunOp("AffineGrid", {theta, Int64s({1, 1, 2, 2})})[0], {1, 2, 2, 2},
                      {-0.5f, -0.5f, 0.5f, -0.5f, -0.5f, 0.5f, 0.5f, 0.5f});
  ExpectTensor<float>(RunOp("AffineGrid", {theta, Int64s({1, 1, 1, 3})}, {{"align_corners", 1}})[0],
                      {1, 1, 3, 2}, {-1, 0, 0, 0, 1, 0});
  ExpectFails("AffineGrid", {theta, Int64s({2, 1, 2, 2})}, {}, "[2,2,3] is needed");
  ExpectFails("AffineGrid", {theta, Int64s({1, 1, 2})}, {}, "size must be");
  ExpectFails("AffineGrid", {theta, Int64s({1, 1, I64{1} << 30, I64{1} << 30})}, {}, "2^40");
}

TEST(CenterCropPadOp, OddElementsGoToTheEnd) {
  const Tensor x = Floats32({1, 2, 3, 4});
  ExpectTensor<float>(RunOp("CenterCropPad", {x, Int64s({1})})[0], {1}, {2});
  ExpectTensor<float>(RunOp("CenterCropPad", {x, Int64s({7})})[0], {7}, {0, 1, 2, 3, 4, 0, 0});
  ExpectTensor<std::string>(
      RunOp("CenterCropPad", {Tensor::Of<std::string>({1, 3}, {"a", "b", "c"}), Int64s({1, 3})},
            {{"axes", Ints{-1, 0}}})[0],
      {3, 1}, {"", "b", ""});
  ExpectFails("CenterCropPad", {x, Int64s({-1})}, {}, "negative extent");
  ExpectFails("CenterCropPad", {x, Int64s({I64{1} << 41})}, {}, "2^40");
}

Tensor Bytes(std::string_view text) {
  return Tensor::Of<uint8_t>({static_cast<I64>(text.size())}, std::vector<uint8_t>(text.begin(), text.end()));
}
using std::string_view_literals::operator""sv;

// Two pixels, red and (10, 20, 30), as a TIFF of one strip.
std::string Tiff(int compression, std::string_view data, int predictor = 1) {
  auto word = [](int v) { return std::string{static_cast<char>(v & 255), static_cast<char>(v >> 8)}; };
  auto entry = [&](int tag, int value) {
    return word(tag) + word(3) + word(1) + word(0) + word(value) + word(0);
  };
  std::string file = "II*" + std::string("\0\x08\0\0\0"sv) + word(10);
  const int at = 8 + 2 + 12 * 10 + 4;
  file += entry(256, 2) + entry(257, 1) + entry(258, 8) + entry(259, compression) + entry(262, 2) +
          entry(273, at) + entry(277, 3) + entry(278, 1) + entry(279, static_cast<int>(data.size())) +
          entry(317, predictor);
  return file + std::string(4, '\0') + std::string(data);
}

TEST(ImageDecoderOp, FilesWrittenByHand) {
  const std::vector<uint8_t> want = {255, 0, 0, 10, 20, 30};
  ExpectTensor<uint8_t>(RunOp("ImageDecoder", {Bytes("P6 # comment\n2 1\n255\n\xff\0\0\x0a\x14\x1e"sv)})[0],
                        {1, 2, 3}, want);
  ExpectTensor<uint8_t>(RunOp("ImageDecoder", {Bytes("P3 2 1 255 255 0 0 10 20 30")})[0], {1, 2, 3}, want);
  ExpectTensor<uint8_t>(RunOp("ImageDecoder", {Bytes("P4 3 1\n\xa0"sv)}, {{"pixel_format", "Grayscale"}})[0],
                        {1, 3, 1}, {0, 255, 0});
  ExpectTensor<uint8_t>(
      RunOp("ImageDecoder", {Bytes("P5 1 1 65535\n\x80\0"sv)}, {{"pixel_format", "BGR"}})[0], {1, 1, 3},
      {128, 128, 128});
  ExpectTensor<uint8_t>(RunOp("ImageDecoder", {Bytes(Tiff(1, "\xff\0\0\x0a\x14\x1e"sv))})[0], {1, 2, 3},
                        want);
  ExpectTensor<uint8_t>(RunOp("ImageDecoder", {Bytes(Tiff(32773, "\0\xff\xff\0\x02\x0a\x14\x1e"sv))})[0],
                        {1, 2, 3}, want);
  // Differences modulo 256: 10 - 255 = 11.
  ExpectTensor<uint8_t>(RunOp("ImageDecoder", {Bytes(Tiff(1, "\xff\0\0\x0b\x14\x1e"sv, 2))})[0], {1, 2, 3},
                        want);
  // 9-bit codes: clear 256, 255, 0, 0, 10, 20, 30, end 257.
  ExpectTensor<uint8_t>(RunOp("ImageDecoder", {Bytes(Tiff(5, "\x80\x3f\xc0\0\0\x50\x50\x3d\x01"sv))})[0],
                        {1, 2, 3}, want);
  // Red as luma: 0.299 * 255 = 76.
  ExpectTensor<uint8_t>(
      RunOp("ImageDecoder", {Bytes("P6 1 1 255\n\xff\0\0"sv)}, {{"pixel_format", "Grayscale"}})[0], {1, 1, 1},
      {76});
}

TEST(ImageDecoderOp, DamagedFilesAreEmpty) {
  const std::string files[] = {"",
                               "P6",
                               "P6 2 1\n255\nab",
                               "P6 99999999 99999999 255\n",
                               "nonsense",
                               "BM",
                               std::string("\xff\xd8\xff\xe0garbage"),
                               std::string("\x89PNG\r\n\x1a\n\0\0", 10),
                               Tiff(1, "ab"),
                               Tiff(5, "\xff\xff\xff"),
                               Tiff(8, "abc"),
                               Tiff(99, "abcdef")};
  for (const std::string& file : files)
    EXPECT_EQ(RunOp("ImageDecoder", {Bytes(file)})[0].dims(), (Dims{0, 0, 3})) << file;
  // Cut off or damaged anywhere: an image or nothing, never a crash.
  const std::string whole = Tiff(5, "\x80\x3f\xc0\0\0\x50\x50\x3d\x01"sv);
  for (size_t i = 0; i < whole.size(); ++i) {
    RunOp("ImageDecoder", {Bytes(whole.substr(0, i))});
    for (int bit = 0; bit < 8; ++bit) {
      std::string damaged = whole;
      damaged[i] = static_cast<char>(damaged[i] ^ (1 << bit));
      RunOp("ImageDecoder", {Bytes(damaged)});
    }
  }
  EXPECT_EQ(RunOp("ImageDecoder", {Bytes("RIFF\x20\0\0\0WEBPVP8 "sv)})[0].dims()[0], 0);
  ExpectFails("ImageDecoder", {Bytes("P6")}, {{"pixel_format", "HSV"}}, "pixel_format 'HSV' is not known");
}

// Written by Pillow 12, lossless: 2 rows of 3 pixels.
constexpr std::string_view kWebp(
    "\x52\x49\x46\x46\x42\x00\x00\x00\x57\x45\x42\x50\x56\x50\x38\x4c\x36\x00\x00\x00\x2f\x02\x40\x00"
    "\x00\x2f\x40\x90\x6d\xb3\x41\xdc\xeb\xfe\x32\xd3\x20\x93\xb6\xc9\x5f\xff\x76\x66\x6d\x64\xd2\x36"
    "\xad\x87\xfd\xf3\xaf\xb2\xf3\x1f\x68\xe4\x91\xac\xfb\x06\x04\x02\x94\xb1\xe2\x81\x6d\x22\xfa\x1f"
    "\xe3\x05",
    74);
constexpr std::string_view kJpeg2000(
    "\xff\x4f\xff\x51\x00\x2f\x00\x00\x00\x00\x00\x03\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00\x00"
    "\x00\x00\x00\x03\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00\x00\x00\x03\x07\x01\x01\x07\x01\x01"
    "\x07\x01\x01\xff\x52\x00\x0c\x00\x00\x00\x01\x00\x01\x04\x04\x00\x01\xff\x5c\x00\x07\x40\x40\x48"
    "\x48\x50\xff\x64\x00\x25\x00\x01\x43\x72\x65\x61\x74\x65\x64\x20\x62\x79\x20\x4f\x70\x65\x6e\x4a"
    "\x50\x45\x47\x20\x76\x65\x72\x73\x69\x6f\x6e\x20\x32\x2e\x35\x2e\x34\xff\x90\x00\x0a\x00\x00\x00"
    "\x00\x00\x4f\x00\x01\xff\x93\xc1\xf2\x02\x08\xc3\xc7\xd4\x06\x09\x87\x3f\xdf\x80\x18\x05\x92\x05"
    "\xc1\xf3\x82\xbf\x30\x38\xfc\x00\x80\x09\xbf\x0a\x7d\x1e\x01\xf3\xc7\xda\x05\x1f\x68\x1c\xfc\xc0"
    "\x80\x01\x5f\x09\x86\xe7\x07\x13\xc7\xda\x05\x0f\xa8\x0e\x0f\xa8\x08\x08\x2f\x03\x1f\x7f\x04\x73"
    "\xff\xd9",
    194);
constexpr std::string_view kGreyJp2(
    "\x00\x00\x00\x0c\x6a\x50\x20\x20\x0d\x0a\x87\x0a\x00\x00\x00\x14\x66\x74\x79\x70\x6a\x70\x32\x20"
    "\x00\x00\x00\x00\x6a\x70\x32\x20\x00\x00\x00\x2d\x6a\x70\x32\x68\x00\x00\x00\x16\x69\x68\x64\x72"
    "\x00\x00\x00\x02\x00\x00\x00\x03\x00\x01\x07\x07\x00\x00\x00\x00\x00\x0f\x63\x6f\x6c\x72\x01\x00"
    "\x00\x00\x00\x00\x11\x00\x00\x00\x98\x6a\x70\x32\x63\xff\x4f\xff\x51\x00\x29\x00\x00\x00\x00\x00"
    "\x03\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x02\x00\x00\x00"
    "\x00\x00\x00\x00\x00\x00\x01\x07\x01\x01\xff\x52\x00\x0c\x00\x00\x00\x01\x00\x01\x04\x04\x00\x01"
    "\xff\x5c\x00\x07\x40\x40\x48\x48\x50\xff\x64\x00\x25\x00\x01\x43\x72\x65\x61\x74\x65\x64\x20\x62"
    "\x79\x20\x4f\x70\x65\x6e\x4a\x50\x45\x47\x20\x76\x65\x72\x73\x69\x6f\x6e\x20\x32\x2e\x35\x2e\x34"
    "\xff\x90\x00\x0a\x00\x00\x00\x00\x00\x23\x00\x01\xff\x93\xc1\xf2\x02\x08\xc3\xc1\xf3\x82\xbf\x30"
    "\x38\xfc\x00\x80\x09\xbf\x0a\x7d\x1e\x01\xf3\xff\xd9",
    229);

TEST(ImageDecoderOp, WebpAndJpeg2000) {
  const std::vector<uint8_t> rgb = {255, 0, 0, 0, 255, 0, 0, 0, 255, 10, 20, 30, 200, 100, 50, 255, 255, 255};
  for (const std::string_view file : {kWebp, kJpeg2000})
    ExpectTensor<uint8_t>(RunOp("ImageDecoder", {Bytes(file)})[0], {2, 3, 3}, rgb);
  ExpectTensor<uint8_t>(RunOp("ImageDecoder", {Bytes(kGreyJp2)}, {{"pixel_format", "Grayscale"}})[0],
                        {2, 3, 1}, {255, 0, 0, 10, 200, 255});
  // Damaged ones give no picture, or another one; nothing worse.
  for (const std::string_view whole : {kWebp, kJpeg2000, kGreyJp2}) {
    for (size_t i = 0; i < whole.size(); ++i) {
      RunOp("ImageDecoder", {Bytes(whole.substr(0, i))});
      for (int bit = 0; bit < 8; ++bit) {
        std::string damaged(whole);
        damaged[i] = static_cast<char>(damaged[i] ^ (1 << bit));
        RunOp("ImageDecoder", {Bytes(damaged)});
      }
    }
  }
}

}  // namespace
}  // namespace braid::reference
