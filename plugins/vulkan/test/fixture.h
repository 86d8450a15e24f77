// SPDX-License-Identifier: Apache-2.0
//
// The plugin through its C tables: a small host that counts errors, a builder of graphs, a device and runs on
// it.
#ifndef BRAID_PLUGINS_VULKAN_TEST_FIXTURE_H_
#define BRAID_PLUGINS_VULKAN_TEST_FIXTURE_H_

#include <braid/plugin.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <map>
#include <string>
#include <variant>
#include <vector>

namespace braid::vulkan {

// A host with nothing but what the plugin needs; constants are those of the one Graph that host_data points
// to.
class TestHost {
 public:
  TestHost();
  const braid_host* table() const { return &table_; }
  std::atomic<int> errors{0};
  std::string error, log;

 private:
  braid_host table_ = BRAID_HOST_INIT;
};

enum : int32_t { kFloat = 1, kU8 = 2, kI8 = 3, kI32 = 6, kI64 = 7, kBool = 9, kHalf = 10 };

// A tensor on the host.
struct Array {
  int32_t type = kFloat;
  std::vector<int64_t> dims;
  std::vector<uint8_t> bytes;
  template <class T>
  std::vector<T> as() const {
    std::vector<T> out(bytes.size() / sizeof(T));
    std::memcpy(out.data(), bytes.data(), out.size() * sizeof(T));
    return out;
  }
};
template <class T>
Array Make(int32_t type, std::vector<int64_t> dims, const std::vector<T>& values) {
  Array a{type, std::move(dims), std::vector<uint8_t>(values.size() * sizeof(T))};
  if (!values.empty()) std::memcpy(a.bytes.data(), values.data(), a.bytes.size());
  return a;
}
inline Array F(std::vector<int64_t> dims, const std::vector<float>& values) {
  return Make(kFloat, std::move(dims), values);
}
inline Array I(std::vector<int64_t> dims, const std::vector<int64_t>& values) {
  return Make(kI64, std::move(dims), values);
}
// Values between -1 and 1 that repeat for a seed.
Array Random(std::vector<int64_t> dims, uint32_t seed);

using Attribute = std::variant<int64_t, float, std::string, std::vector<int64_t>>;

class Graph {
 public:
  uint32_t Input(int32_t type, std::vector<int64_t> dims) {
    return Value(type, std::move(dims), BRAID_VALUE_INPUT);
  }
  uint32_t Constant(const Array& array);
  uint32_t Inner(int32_t type, std::vector<int64_t> dims) { return Value(type, std::move(dims), 0); }
  uint32_t Output(int32_t type, std::vector<int64_t> dims) {
    return Value(type, std::move(dims), BRAID_VALUE_OUTPUT);
  }
  void Node(const std::string& op, int32_t version, std::vector<uint32_t> inputs,
            std::vector<uint32_t> outputs, const std::map<std::string, Attribute>& attributes = {});
  const braid_graph* view();
  uint64_t BytesOf(uint32_t value) const;
  std::vector<int64_t> DimsOf(uint32_t value) const;
  int32_t TypeOf(uint32_t value) const { return values_[value].type; }
  std::map<uint32_t, Array> constants;

 private:
  uint32_t Value(int32_t type, std::vector<int64_t> dims, uint32_t flags);
  braid_span Chars(const std::string& text);
  std::vector<braid_node> nodes_;
  std::vector<braid_value> values_;
  std::vector<braid_attr> attrs_;
  std::vector<braid_dim> dims_;
  std::vector<uint32_t> refs_, inputs_, outputs_;
  std::vector<int64_t> ints_;
  std::string chars_;
  braid_graph view_ = BRAID_GRAPH_INIT;
};

class VulkanTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite();
  static void TearDownTestSuite();
  void SetUp() override;
  void TearDown() override;
  // The verdict on node 0.
  braid_verdict Judge(Graph& graph);
  // Compiles and runs; arrays of the inputs by value, in any order. Fails the test if anything does.
  std::map<uint32_t, Array> Run(Graph& graph, const std::map<uint32_t, Array>& inputs);
  // One node whose inputs are all run-time values, or constants where `constant` says.
  Array One(const std::string& op, int32_t version, const std::vector<Array>& inputs, int32_t type,
            std::vector<int64_t> dims, const std::map<std::string, Attribute>& attributes = {},
            std::vector<bool> constant = {});

  static TestHost* host_;
  static const braid_plugin* plugin_;
  static braid_device* device_;
};

// What dlsym finds in the built plugin.
braid_status (*PluginEntry())(uint32_t, const braid_host*, const braid_plugin**);
// Relative 1e-5 or absolute 1e-6, NaN equal to NaN.
void ExpectNear(const Array& got, const std::vector<float>& want, float relative = 1e-5f,
                float absolute = 1e-6f);

}  // namespace braid::vulkan

#endif  // BRAID_PLUGINS_VULKAN_TEST_FIXTURE_H_
