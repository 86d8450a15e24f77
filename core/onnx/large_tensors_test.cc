// SPDX-License-Identifier: Apache-2.0
#include "core/onnx/large_tensors.h"

#include "core/onnx/testing.h"

namespace braid::loader {
namespace {

struct Stripped {
  absl::Status status;
  pb::ModelProto model;
  std::vector<absl::Span<const uint8_t>> large;
};

Stripped Strip(const std::string& bytes, uint32_t nesting = 64) {
  Stripped out;
  std::string stub;
  out.status =
      StripLargeTensors(absl::MakeConstSpan(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()),
                        "key", nesting, &stub, &out.large);
  if (out.status.ok()) {
    EXPECT_TRUE(out.model.ParseFromString(stub));
  }
  return out;
}

pb::TensorProto Raw(const std::string& name, size_t bytes, char fill) {
  pb::TensorProto t;
  t.set_name(name);
  t.set_data_type(pb::TensorProto::UINT8);
  t.add_dims(static_cast<int64_t>(bytes));
  t.set_raw_data(std::string(bytes, fill));
  return t;
}

TEST(Wire, ModelWithoutLargeTensorsIsUnchanged) {
  pb::ModelProto model =
      InOpset(13, "g (float[N] x) => (float[N] y) <float[2] w = {1, 2}> { y = Add(x, w) }");
  *model.mutable_graph()->add_initializer() = Raw("edge", kSmallTensorBytes, 'e');
  const Stripped out = Strip(model.SerializeAsString());
  ASSERT_TRUE(out.status.ok()) << out.status;
  EXPECT_EQ(out.model.SerializeAsString(), model.SerializeAsString());
  EXPECT_TRUE(out.large.empty());
}

TEST(Wire, LargeDataIsPointedAtNotCopied) {
  pb::ModelProto model = InOpset(13, "g (float[N] x) => (float[N] y) { y = Relu(x) }");
  *model.mutable_graph()->add_initializer() = Raw("a", kSmallTensorBytes + 1, 'a');
  *model.mutable_graph()->add_initializer() = Raw("b", 5000, 'b');
  const std::string bytes = model.SerializeAsString();
  const Stripped out = Strip(bytes);
  ASSERT_TRUE(out.status.ok()) << out.status;
  ASSERT_EQ(out.large.size(), 2u);
  EXPECT_EQ(out.large[0].size(), kSmallTensorBytes + 1);
  EXPECT_EQ(out.large[1].size(), 5000u);
  EXPECT_EQ(out.large[1][4999], 'b');
  const auto* begin = reinterpret_cast<const uint8_t*>(bytes.data());
  EXPECT_GE(out.large[0].data(), begin);
  EXPECT_LE(out.large[1].data() + 5000, begin + bytes.size());
  const pb::TensorProto& stub = out.model.graph().initializer(1);
  EXPECT_EQ(stub.name(), "b");
  EXPECT_EQ(stub.dims(0), 5000);
  EXPECT_FALSE(stub.has_raw_data());
  EXPECT_EQ(stub.data_location(), pb::TensorProto::EXTERNAL);
  ASSERT_EQ(stub.external_data_size(), 1);
  EXPECT_EQ(stub.external_data(0).key(), "key");
  EXPECT_EQ(stub.external_data(0).value(), "1");
}

TEST(Wire, TensorsOfAttributesBodiesAndFunctionsAreFound) {
  pb::ModelProto model = InOpset(13, "g (float[N] x) => (float[N] y) { y = Relu(x) }");
  auto* a = model.mutable_graph()->mutable_node(0)->add_attribute();
  a->set_name("value");
  *a->mutable_t() = Raw("", 2000, '1');
  *a->mutable_g()->add_initializer() = Raw("inner", 3000, '2');
  *a->mutable_sparse_tensor()->mutable_values() = Raw("sparse", 4000, '3');
  auto* node = model.add_functions()->add_node();
  *node->add_attribute()->mutable_t() = Raw("", 6000, '4');
  const Stripped out = Strip(model.SerializeAsString());
  ASSERT_TRUE(out.status.ok()) << out.status;
  std::vector<size_t> sizes;
  for (const auto& span : out.large) sizes.push_back(span.size());
  EXPECT_THAT(sizes, testing::UnorderedElementsAre(2000, 3000, 4000, 6000));
}

TEST(Wire, EveryTruncationIsAnErrorOrAShorterMessage) {
  pb::ModelProto model = InOpset(13, "g (float[N] x) => (float[N] y) { y = Relu(x) }");
  *model.mutable_graph()->add_initializer() = Raw("a", 2000, 'a');
  const std::string bytes = model.SerializeAsString();
  int refused = 0;
  for (size_t n = 0; n < bytes.size(); ++n) {
    // A copy of exactly that size, so that a read beyond it is seen by a sanitizer.
    const std::unique_ptr<uint8_t[]> copy(new uint8_t[n]);
    if (n > 0) std::memcpy(copy.get(), bytes.data(), n);
    std::string stub;
    std::vector<absl::Span<const uint8_t>> large;
    if (!StripLargeTensors(absl::MakeConstSpan(copy.get(), n), "key", 64, &stub, &large).ok()) ++refused;
  }
  EXPECT_GT(refused, 2000);
}

TEST(Wire, NestingIsBounded) {
  pb::GraphProto graph;
  graph.set_name(std::string(2000, 'n'));
  for (int i = 0; i < 20; ++i) {
    pb::GraphProto outer;
    *outer.add_node()->add_attribute()->mutable_g() = graph;
    graph = outer;
  }
  pb::ModelProto model;
  *model.mutable_graph() = graph;
  EXPECT_TRUE(Strip(model.SerializeAsString(), 20).status.ok());
  EXPECT_THAT(std::string(Strip(model.SerializeAsString(), 19).status.message()),
              testing::HasSubstr("nested deeper than 19"));
}

}  // namespace
}  // namespace braid::loader
