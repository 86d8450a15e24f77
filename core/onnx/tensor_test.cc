// SPDX-License-Identifier: Apache-2.0
#include "core/onnx/tensor.h"

#include "core/graph/packed.h"
#include "core/onnx/testing.h"

namespace braid::loader {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

pb::TensorProto Tensor(int type, const std::vector<int64_t>& dims) {
  pb::TensorProto t;
  t.set_name("w");
  t.set_data_type(type);
  for (const int64_t d : dims) t.add_dims(d);
  return t;
}

template <typename T>
std::vector<T> Read(const pb::TensorProto& t) {
  Origin origin;
  auto constant = ReadTensor(t, origin);
  EXPECT_TRUE(constant.ok()) << constant.status();
  if (!constant.ok()) return {};
  std::vector<T> out((*constant)->bytes / sizeof(T));
  if (!out.empty()) std::memcpy(out.data(), (*constant)->data, out.size() * sizeof(T));
  return out;
}

std::string Why(const pb::TensorProto& t) {
  Origin origin;
  auto constant = ReadTensor(t, origin);
  return constant.ok() ? "" : std::string(constant.status().message());
}

TEST(Tensor, TypedFieldsAndRawDataAreTheSame) {
  pb::TensorProto t = Tensor(pb::TensorProto::INT16, {3});
  for (const int v : {1, -2, 300}) t.add_int32_data(v);
  EXPECT_THAT(Read<int16_t>(t), ElementsAre(1, -2, 300));
  pb::TensorProto raw = Tensor(pb::TensorProto::INT16, {3});
  raw.set_raw_data(std::string("\x01\0\xfe\xff\x2c\x01", 6));
  EXPECT_THAT(Read<int16_t>(raw), ElementsAre(1, -2, 300));
}

TEST(Tensor, EveryTypedField) {
  pb::TensorProto f = Tensor(pb::TensorProto::FLOAT, {2});
  f.add_float_data(1.5f);
  f.add_float_data(-2);
  EXPECT_THAT(Read<float>(f), ElementsAre(1.5f, -2.f));
  pb::TensorProto d = Tensor(pb::TensorProto::DOUBLE, {});
  d.add_double_data(0.1);
  EXPECT_THAT(Read<double>(d), ElementsAre(0.1));
  pb::TensorProto u = Tensor(pb::TensorProto::UINT32, {1});
  u.add_uint64_data(4000000000u);
  EXPECT_THAT(Read<uint32_t>(u), ElementsAre(4000000000u));
  pb::TensorProto h = Tensor(pb::TensorProto::FLOAT16, {2});
  h.add_int32_data(0x3c00);
  h.add_int32_data(0xc000);
  EXPECT_THAT(Read<uint16_t>(h), ElementsAre(0x3c00, 0xc000));
  pb::TensorProto b = Tensor(pb::TensorProto::BOOL, {2});
  b.add_int32_data(1);
  b.add_int32_data(0);
  EXPECT_THAT(Read<uint8_t>(b), ElementsAre(1, 0));
  pb::TensorProto c = Tensor(pb::TensorProto::COMPLEX64, {1});
  c.add_float_data(1);
  c.add_float_data(2);
  EXPECT_THAT(Read<float>(c), ElementsAre(1.f, 2.f));
  pb::TensorProto i4 = Tensor(pb::TensorProto::INT4, {3});  // two a byte, the first one low
  i4.add_int32_data(0x21);
  i4.add_int32_data(0x03);
  EXPECT_THAT(Read<uint8_t>(i4), ElementsAre(0x21, 0x03));
}

TEST(Tensor, Strings) {
  pb::TensorProto t = Tensor(pb::TensorProto::STRING, {2});
  t.add_string_data("ab");
  t.add_string_data("c");
  const std::vector<uint8_t> bytes = Read<uint8_t>(t);
  ASSERT_EQ(bytes.size(), 35u);
  uint64_t pairs[4];
  std::memcpy(pairs, bytes.data(), 32);
  EXPECT_THAT(pairs, ElementsAre(32, 2, 34, 1));
  EXPECT_EQ(std::string(bytes.begin() + 32, bytes.end()), "abc");
}

TEST(Tensor, NoElements) {
  EXPECT_TRUE(Read<float>(Tensor(pb::TensorProto::FLOAT, {0})).empty());
  EXPECT_TRUE(Read<float>(Tensor(pb::TensorProto::FLOAT, {int64_t{1} << 62, 8, 0})).empty());
}

TEST(Tensor, Bf16ThroughTheWholeOfInt32IsCutToItsBits) {
  pb::TensorProto t = Tensor(pb::TensorProto::BFLOAT16, {1});
  t.add_int32_data(0x3f80);
  EXPECT_THAT(Read<uint16_t>(t), ElementsAre(0x3f80));
}

TEST(BadInputs, N11DataThatDoesNotFitDims) {
  for (const size_t bytes : {12, 20, 15}) {
    pb::TensorProto t = Tensor(pb::TensorProto::FLOAT, {4});
    t.set_raw_data(std::string(bytes, '\0'));
    EXPECT_THAT(Why(t), HasSubstr("tensor 'w' (FLOAT[4]) needs 16 bytes, but has " + std::to_string(bytes)));
  }
  pb::TensorProto typed = Tensor(pb::TensorProto::FLOAT, {4});
  typed.add_float_data(1);
  EXPECT_THAT(Why(typed), HasSubstr("has 1 entries in float_data, but its dims want 4"));
  EXPECT_THAT(Why(Tensor(pb::TensorProto::FLOAT, {4})), HasSubstr("has 0 entries"));
}

TEST(BadInputs, N11DimsThatAreNone) {
  EXPECT_THAT(Why(Tensor(pb::TensorProto::FLOAT, {-4})), HasSubstr("negative dimension"));
  EXPECT_THAT(Why(Tensor(pb::TensorProto::FLOAT, {0, -1})), HasSubstr("negative dimension"));
  EXPECT_THAT(Why(Tensor(pb::TensorProto::FLOAT, {int64_t{1} << 40, int64_t{1} << 40})),
              HasSubstr("more elements"));
  EXPECT_THAT(Why(Tensor(pb::TensorProto::DOUBLE, {INT64_MAX})), HasSubstr("more elements"));
  EXPECT_THAT(Why(Tensor(pb::TensorProto::FLOAT, std::vector<int64_t>(40, 1))), HasSubstr("40 dimensions"));
}

TEST(BadInputs, N11WrongFieldOrTwo) {
  pb::TensorProto wrong = Tensor(pb::TensorProto::FLOAT, {1});
  wrong.add_int64_data(1);
  EXPECT_THAT(Why(wrong), HasSubstr("wrong field; values of this type belong in float_data"));
  pb::TensorProto two = Tensor(pb::TensorProto::FLOAT, {1});
  two.add_float_data(1);
  two.set_raw_data("1234");
  EXPECT_THAT(Why(two), HasSubstr("more than one field"));
  pb::TensorProto raw = Tensor(pb::TensorProto::STRING, {1});
  raw.set_raw_data("1234");
  EXPECT_THAT(Why(raw), HasSubstr("strings in raw_data"));
}

TEST(BadInputs, N17ElementTypesThatAreNone) {
  for (const int type : {0, 77, -1, INT32_MAX})
    EXPECT_THAT(Why(Tensor(type, {1})), HasSubstr("element type " + std::to_string(type))) << type;
}

pb::SparseTensorProto Sparse(const std::vector<int64_t>& indices, const std::vector<int64_t>& index_dims) {
  pb::SparseTensorProto s;
  s.add_dims(2);
  s.add_dims(3);
  *s.mutable_values() = Tensor(pb::TensorProto::FLOAT, {2});
  s.mutable_values()->add_float_data(5);
  s.mutable_values()->add_float_data(6);
  *s.mutable_indices() = Tensor(pb::TensorProto::INT64, index_dims);
  for (const int64_t i : indices) s.mutable_indices()->add_int64_data(i);
  return s;
}

TEST(SparseTensor, LinearAndCoordinateIndices) {
  Origin origin;
  for (const auto& sparse : {Sparse({1, 5}, {2}), Sparse({0, 1, 1, 2}, {2, 2})}) {
    pb::TensorProto dense;
    const absl::Status read = ReadSparseTensor(sparse, origin, &dense);
    ASSERT_TRUE(read.ok()) << read;
    ASSERT_EQ(dense.raw_data().size(), 24u);
    float values[6];
    std::memcpy(values, dense.raw_data().data(), 24);
    EXPECT_THAT(values, ElementsAre(0, 5, 0, 0, 0, 6));
    EXPECT_THAT(dense.dims(), ElementsAre(2, 3));
  }
}

TEST(SparseTensor, ElementsBelowAByte) {
  for (const int type : {pb::TensorProto::UINT4, pb::TensorProto::INT2, pb::TensorProto::FLOAT6E2M3}) {
    const int bits = ElementBits(type);
    pb::SparseTensorProto sparse = Sparse({1, 5}, {2});
    sparse.mutable_values()->Clear();
    sparse.mutable_values()->set_data_type(type);
    sparse.mutable_values()->add_dims(2);
    std::string raw((2 * static_cast<size_t>(bits) + 7) / 8, '\0');
    auto* bytes = reinterpret_cast<uint8_t*>(raw.data());
    PutPacked(3, 0, bits, bytes);
    PutPacked(2, 1, bits, bytes);
    sparse.mutable_values()->set_raw_data(raw);
    pb::TensorProto dense;
    Origin origin;
    const absl::Status read = ReadSparseTensor(sparse, origin, &dense);
    ASSERT_TRUE(read.ok()) << read;
    const auto* packed = reinterpret_cast<const uint8_t*>(dense.raw_data().data());
    for (uint64_t i = 0; i < 6; ++i)
      EXPECT_EQ(PackedAt(packed, i, bits), i == 1 ? 3 : i == 5 ? 2 : 0) << type << " at " << i;
  }
}

TEST(SparseTensor, Strings) {
  pb::SparseTensorProto sparse = Sparse({1, 5}, {2});
  sparse.mutable_values()->Clear();
  sparse.mutable_values()->set_data_type(pb::TensorProto::STRING);
  sparse.mutable_values()->add_dims(2);
  sparse.mutable_values()->add_string_data("one");
  sparse.mutable_values()->add_string_data("five");
  pb::TensorProto dense;
  Origin origin;
  const absl::Status read = ReadSparseTensor(sparse, origin, &dense);
  ASSERT_TRUE(read.ok()) << read;
  EXPECT_THAT(dense.string_data(), ElementsAre("", "one", "", "", "", "five"));
  // A few bytes do not become gigabytes.
  sparse.set_dims(0, 1 << 28);
  EXPECT_THAT(std::string(ReadSparseTensor(sparse, origin, &dense).message()), HasSubstr("are allowed"));
}

TEST(BadInputs, N14IndicesOfSparseTensorsOutOfRange) {
  Origin origin;
  for (const auto& sparse :
       {Sparse({1, 6}, {2}), Sparse({-1, 2}, {2}), Sparse({0, 3, 1, 2}, {2, 2}),
        Sparse({0, 1, -1, 2}, {2, 2}), Sparse({INT64_MIN, INT64_MAX}, {2}), Sparse({1}, {1}),
        Sparse({4, 4}, {2}), Sparse({4, 1}, {2}), Sparse({1, 2, 0, 1}, {2, 2})}) {
    pb::TensorProto dense;
    EXPECT_THAT(std::string(ReadSparseTensor(sparse, origin, &dense).message()), HasSubstr("ind"));
  }
}

struct External {
  Folder folder;
  Origin origin;
  pb::TensorProto tensor = Tensor(pb::TensorProto::FLOAT, {2});
  External() {
    folder.Write("w.bin", std::string("\0\0\x80\x3f\0\0\0\x40\0\0\x40\x40", 12));  // 1, 2, 3
    origin.external = ExternalFiles(folder.path());
    tensor.set_data_location(pb::TensorProto::EXTERNAL);
    Add("location", "w.bin");
  }
  void Add(const std::string& key, const std::string& value) {
    auto* entry = tensor.add_external_data();
    entry->set_key(key);
    entry->set_value(value);
  }
  std::string Why() {
    auto constant = ReadTensor(tensor, origin);
    return constant.ok() ? "" : std::string(constant.status().message());
  }
};

TEST(ExternalTensor, OffsetAndLength) {
  External e;
  e.Add("offset", "4");
  e.Add("length", "8");
  const auto constant = ReadTensor(e.tensor, e.origin);
  ASSERT_TRUE(constant.ok()) << constant.status();
  float values[2];
  std::memcpy(values, (*constant)->data, 8);
  EXPECT_THAT(values, ElementsAre(2.f, 3.f));
}

TEST(ExternalTensor, AlignedDataIsMapped) {
  External a, b;
  b.tensor.set_data_type(pb::TensorProto::UINT8);
  a.Add("offset", "0");
  const auto first = ReadTensor(a.tensor, a.origin), again = ReadTensor(a.tensor, a.origin);
  ASSERT_TRUE(first.ok() && again.ok());
  EXPECT_EQ((*first)->data, (*again)->data);  // one mapping, no copies
}

TEST(BadInputs, N09OffsetsAndLengths) {
  const std::vector<std::pair<std::string, std::string>> bad = {
      {"offset", "-4"},     {"offset", "18446744073709551612"},
      {"offset", "8"},      {"offset", "99999999999999999999999"},
      {"offset", ""},       {"offset", " 0"},
      {"length", "12"},     {"length", "-8"},
      {"length", "4"},      {"frob", "1"},
      {"location", "w.bin"}};
  for (const auto& [key, value] : bad) {
    External e;
    e.Add(key, value);
    EXPECT_THAT(e.Why(), HasSubstr("tensor 'w' (FLOAT[2])")) << key << "=" << value;
  }
  External none;
  none.tensor.clear_external_data();
  EXPECT_THAT(none.Why(), HasSubstr("without a location"));
  External both;
  both.tensor.add_float_data(1);
  EXPECT_THAT(both.Why(), HasSubstr("has data in the model too"));
}

TEST(BadInputs, N10ALocationThatIsAnAddress) {
  External e;
  e.tensor.clear_external_data();
  e.Add("location", "*/_ORT_MEM_ADDR_/*");
  e.Add("offset", "4096");
  EXPECT_THAT(e.Why(), HasSubstr("cannot be opened"));
}

}  // namespace
}  // namespace braid::loader
