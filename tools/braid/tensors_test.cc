// SPDX-License-Identifier: Apache-2.0
#include "tools/braid/tensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "tools/braid/command.h"

namespace braid::cli {
namespace {

using ::testing::HasSubstr;

constexpr double kInf = std::numeric_limits<double>::infinity(),
                 kNan = std::numeric_limits<double>::quiet_NaN();

template <class T>
HostData Of(int32_t type, const std::vector<T>& values, std::vector<int64_t> dims = {-1}) {
  HostData data;
  data.type = type;
  data.dims = dims;
  if (dims == std::vector<int64_t>{-1}) data.dims = {static_cast<int64_t>(values.size())};
  data.bytes.resize(values.size() * sizeof(T));
  if (!values.empty()) std::memcpy(data.bytes.data(), values.data(), data.bytes.size());
  return data;
}

HostData Strings(const std::vector<std::string>& values) {
  std::vector<uint64_t> pairs;
  uint64_t end = values.size() * 16;
  std::string text;
  for (const std::string& value : values) {
    pairs.insert(pairs.end(), {end, value.size()});
    end += value.size();
    text += value;
  }
  HostData data = Of<uint64_t>(GRAPH_STRING, pairs, {static_cast<int64_t>(values.size())});
  data.bytes.insert(data.bytes.end(), text.begin(), text.end());
  return data;
}

// Of one element of each floating-point type: whether `got` passes for `want`.
void ExpectFloats(double got, double want, bool passes, double rtol = 1e-3, double atol = 1e-7) {
  const auto f = [](double v) { return std::vector<float>{static_cast<float>(v)}; };
  const auto d = [](double v) { return std::vector<double>{v}; };
  EXPECT_EQ(Compare(Of(GRAPH_FLOAT, f(got)), Of(GRAPH_FLOAT, f(want)), rtol, atol).empty(), passes)
      << got << " " << want;
  EXPECT_EQ(Compare(Of(GRAPH_DOUBLE, d(got)), Of(GRAPH_DOUBLE, d(want)), rtol, atol).empty(), passes)
      << got << " " << want;
  // Both parts of a complex number count.
  for (bool imaginary : {false, true}) {
    const auto c = [&](double v) {
      return imaginary ? std::vector<double>{1, v} : std::vector<double>{v, 1};
    };
    EXPECT_EQ(
        Compare(Of(GRAPH_COMPLEX128, c(got), {1}), Of(GRAPH_COMPLEX128, c(want), {1}), rtol, atol).empty(),
        passes);
  }
}

TEST(Compare, NanEqualsNanAndNothingElse) {
  ExpectFloats(kNan, kNan, true);
  for (double number : {0.0, 1.0, -5.5, kInf, -kInf}) {
    ExpectFloats(kNan, number, false);
    ExpectFloats(number, kNan, false);
    // However wide the tolerance.
    ExpectFloats(kNan, number, false, kInf, kInf);
    ExpectFloats(number, kNan, false, kInf, kInf);
  }
  const uint16_t half_nan = 0x7e01, half_one = 0x3c00, other_nan = 0xfe00;
  using Half = std::vector<uint16_t>;
  for (int32_t type : {GRAPH_FLOAT16, GRAPH_BFLOAT16}) {
    const uint16_t nan = type == GRAPH_FLOAT16 ? half_nan : 0x7fc1;
    const uint16_t nan2 = type == GRAPH_FLOAT16 ? other_nan : 0xffc0;
    const uint16_t one = type == GRAPH_FLOAT16 ? half_one : 0x3f80;
    EXPECT_EQ(Compare(Of(type, Half{nan}), Of(type, Half{nan2}), 0, 0), "");
    EXPECT_NE(Compare(Of(type, Half{nan}), Of(type, Half{one}), 1, 1), "");
    EXPECT_NE(Compare(Of(type, Half{one}), Of(type, Half{nan}), 1, 1), "");
  }
  using Byte = std::vector<uint8_t>;
  for (const auto& [type, nan] : {std::pair(GRAPH_FLOAT8E4M3FN, 0x7f), std::pair(GRAPH_FLOAT8E4M3FNUZ, 0x80),
                                  std::pair(GRAPH_FLOAT8E5M2, 0x7f), std::pair(GRAPH_FLOAT8E5M2FNUZ, 0x80)}) {
    const Byte is_nan{static_cast<uint8_t>(nan)}, number{0x38};
    EXPECT_EQ(Compare(Of<uint8_t>(type, is_nan), Of<uint8_t>(type, is_nan), 0, 0), "");
    EXPECT_NE(Compare(Of<uint8_t>(type, is_nan), Of<uint8_t>(type, number), 1, 1), "");
    EXPECT_NE(Compare(Of<uint8_t>(type, number), Of<uint8_t>(type, is_nan), 1, 1), "");
  }
}

TEST(Compare, InfinityEqualsItselfAlone) {
  ExpectFloats(kInf, kInf, true);
  ExpectFloats(-kInf, -kInf, true);
  ExpectFloats(kInf, -kInf, false);
  ExpectFloats(3.0e38, kInf, false);
  ExpectFloats(kInf, 3.0e38, false, 1e9, 1e9);
  ExpectFloats(-0.0, 0.0, true, 0, 0);
}

TEST(Compare, ToleranceIsOfTheWanted) {
  ExpectFloats(1.0009, 1, true);
  ExpectFloats(1.0011, 1, false);
  ExpectFloats(100, 110, true, 0.1, 0);
  ExpectFloats(110, 99, false, 0.1, 0);
  ExpectFloats(5e-8, 0, true);
  ExpectFloats(2e-7, 0, false);
}

TEST(Compare, TheFirstDifferenceIsTold) {
  const HostData want = Of<float>(GRAPH_FLOAT, {0, 1, 2, 3, 4, 5}, {2, 3});
  EXPECT_EQ(Compare(Of<float>(GRAPH_FLOAT, {0, 1, 2, 3, 9, 8}, {2, 3}), want, 1e-3, 0), "[1,1] is 9, not 4");
  EXPECT_THAT(Compare(Of<float>(GRAPH_FLOAT, {0, 1, 2, 3, 4, 5}, {3, 2}), want, 1, 1),
              HasSubstr("shape 3x2, not 2x3"));
  EXPECT_THAT(Compare(Of<float>(GRAPH_FLOAT, {0, 1, 2, 3, 4, 5}, {6}), want, 1, 1), HasSubstr("shape"));
  EXPECT_THAT(Compare(Of<int32_t>(GRAPH_INT32, {0, 1, 2, 3, 4, 5}, {2, 3}), want, 1, 1),
              HasSubstr("type int32, not float32"));
  const auto bytes = Of<uint8_t>(GRAPH_UINT8, {1, 2, 255});
  EXPECT_EQ(Compare(bytes, bytes, 0, 0), "");
  // Integers are exact.
  EXPECT_EQ(Compare(Of<uint8_t>(GRAPH_UINT8, {1, 2, 254}), bytes, 1e9, 1e9), "[2] is 254, not 255");
  EXPECT_EQ(Compare(Of<int64_t>(GRAPH_INT64, {INT64_MAX}), Of<int64_t>(GRAPH_INT64, {INT64_MAX - 1}), 1, 1),
            "[0] is 9223372036854775807, not 9223372036854775806");
  // Of three elements of 4 bits the last half byte means nothing.
  EXPECT_EQ(
      Compare(Of<uint8_t>(GRAPH_INT4, {0x21, 0xf3}, {3}), Of<uint8_t>(GRAPH_INT4, {0x21, 0x03}, {3}), 0, 0),
      "");
  EXPECT_NE(
      Compare(Of<uint8_t>(GRAPH_INT4, {0x21, 0x04}, {3}), Of<uint8_t>(GRAPH_INT4, {0x21, 0x03}, {3}), 1, 1),
      "");
  // Four elements of 6 bits lie in three bytes.
  EXPECT_EQ(Compare(Of<uint8_t>(GRAPH_FLOAT6E2M3, {0x81, 0x30, 0x10}, {4}),
                    Of<uint8_t>(GRAPH_FLOAT6E2M3, {0x81, 0x30, 0x14}, {4}), 0, 0),
            "[3] is 0x4, not 0x5");
}

TEST(Compare, StringsEmptyTensorsAndSequences) {
  EXPECT_EQ(Compare(Strings({"", "ab"}), Strings({"", "ab"}), 0, 0), "");
  EXPECT_EQ(Compare(Strings({"a", "b"}), Strings({"a", ""}), 0, 0), "[1] is \"b\", not \"\"");
  EXPECT_EQ(Compare(Of<float>(GRAPH_FLOAT, {}, {0, 3}), Of<float>(GRAPH_FLOAT, {}, {0, 3}), 0, 0), "");
  EXPECT_NE(Compare(Of<float>(GRAPH_FLOAT, {}, {0, 3}), Of<float>(GRAPH_FLOAT, {}, {3, 0}), 0, 0), "");
  EXPECT_EQ(Compare(Of<float>(GRAPH_FLOAT, {1}, {}), Of<float>(GRAPH_FLOAT, {1}, {}), 0, 0), "");
  EXPECT_NE(Compare(Of<float>(GRAPH_FLOAT, {1}, {}), Of<float>(GRAPH_FLOAT, {1}, {1}), 0, 0), "");
  HostData list, other;
  list.kind = other.kind = GRAPH_SEQUENCE;
  list.items = {Of<float>(GRAPH_FLOAT, {1}), Of<float>(GRAPH_FLOAT, {2})};
  EXPECT_THAT(Compare(other, list, 0, 0), HasSubstr("0 items, not 2"));
  other.items = {Of<float>(GRAPH_FLOAT, {1}), Of<float>(GRAPH_FLOAT, {static_cast<float>(kNan)})};
  EXPECT_EQ(Compare(list, list, 0, 0), "");
  EXPECT_THAT(Compare(other, list, 1, 1), HasSubstr("item 1 [0] is nan, not 2"));
  EXPECT_NE(Compare(list.items[0], list, 0, 0), "");
}

TEST(Compare, MapsHaveNoOrder) {
  const auto map = [](HostData keys, HostData values) {
    HostData out;
    out.kind = GRAPH_MAP;
    out.items = {std::move(keys), std::move(values)};
    return out;
  };
  const HostData a = map(Strings({"x", "y"}), Of<float>(GRAPH_FLOAT, {1, 2}, {2}));
  EXPECT_EQ(Compare(map(Strings({"y", "x"}), Of<float>(GRAPH_FLOAT, {2, 1}, {2})), a, 0, 0), "");
  EXPECT_EQ(Compare(map(Strings({"y", "x"}), Of<float>(GRAPH_FLOAT, {1, 2}, {2})), a, 0, 0),
            "key \"x\": [] is 2, not 1");
  EXPECT_EQ(Compare(map(Strings({"y", "z"}), Of<float>(GRAPH_FLOAT, {2, 1}, {2})), a, 0, 0),
            "has no key \"x\"");
  EXPECT_EQ(Compare(map(Strings({"y"}), Of<float>(GRAPH_FLOAT, {2}, {1})), a, 0, 0), "has 1 keys, not 2");
  EXPECT_THAT(Compare(map(Of<int64_t>(GRAPH_INT64, {1, 2}, {2}), a.items[1]), a, 0, 0),
              HasSubstr("keys of type int64, not string"));
  const HostData texts = map(Of<int64_t>(GRAPH_INT64, {1, 2}, {2}), Strings({"one", ""}));
  EXPECT_EQ(Compare(map(Of<int64_t>(GRAPH_INT64, {2, 1}, {2}), Strings({"", "one"})), texts, 0, 0), "");
}

TEST(Tensors, BytesAreCheckedAndFilesSayWhy) {
  EXPECT_EQ(BytesOf(GRAPH_FLOAT, {2, 3}), 24u);
  EXPECT_EQ(BytesOf(GRAPH_INT4, {3}), 2u);
  EXPECT_EQ(BytesOf(GRAPH_FLOAT, {INT64_MAX, 4}), UINT64_MAX);
  EXPECT_EQ(BytesOf(GRAPH_DOUBLE, {INT64_MAX}), UINT64_MAX);
  EXPECT_EQ(BytesOf(GRAPH_FLOAT, {INT64_MAX, 4, 0}), 0u);
  EXPECT_EQ(TypeText(GRAPH_DOUBLE), "float64");
  EXPECT_EQ(TypeText(99), "type 99");
  const std::string fifo = ::testing::TempDir() + "fifo." + std::to_string(getpid());
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  for (const auto& [path, why] :
       {std::pair("/nonexistent/x", "No such file"), std::pair("/", "directory"),
        std::pair("/dev/zero", "it is a device"), std::pair(fifo.c_str(), "it is a FIFO")}) {
    try {
      ReadFile(path);
      ADD_FAILURE() << path << " was read";
    } catch (const UsageError& e) {
      EXPECT_THAT(e.what(), HasSubstr(std::string(path) + ": can't be read: "));
      EXPECT_THAT(e.what(), HasSubstr(why));
    }
  }
}

}  // namespace
}  // namespace braid::cli
