// SPDX-License-Identifier: Apache-2.0
//
// What the tests of this room share: a temporary folder, plugins in it, small graphs.
#ifndef BRAID_CORE_PLUGINS_TESTING_H_
#define BRAID_CORE_PLUGINS_TESTING_H_

#include <gtest/gtest.h>
#include <stdlib.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/graph/graph.h"
#include "core/plugins/registry.h"

namespace braid::testing {

// A folder that goes with the object.
class TempDir {
 public:
  TempDir() {
    std::string pattern = (std::filesystem::temp_directory_path() / "braid_test_XXXXXX").string();
    path_ = std::filesystem::canonical(mkdtemp(pattern.data())).string();
  }
  ~TempDir() { std::filesystem::remove_all(path_); }
  const std::string& path() const { return path_; }
  std::string Write(const std::string& name, const std::string& text) const {
    const std::filesystem::path file = std::filesystem::path(path_) / name;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary) << text;
    return file.string();
  }

 private:
  std::string path_;
};

inline std::string FixtureLibrary(const std::string& fixture) {
  return std::string(BRAID_TEST_BINARY_DIR) + "/tests/fixtures/fixture_" + fixture + ".so";
}

inline std::string ManifestText(const std::string& id, const std::string& library) {
  return R"({"id": ")" + id + R"(", "library": ")" + library +
         R"(", "abi": "0.1", "vendor": "fixture vendor", "version": "1.2.3", "devices": ["cpu"]})";
}

// Copies a fixture and writes its manifest NAME.braid.json.
inline void Install(const std::string& folder, const std::string& fixture, const std::string& id,
                    std::string name = "") {
  if (name.empty()) name = fixture;
  std::filesystem::create_directories(folder);
  std::filesystem::copy_file(FixtureLibrary(fixture), folder + "/lib" + name + ".so");
  std::ofstream(folder + "/" + name + ".braid.json") << ManifestText(id, "lib" + name + ".so");
}

inline RegistryOptions In(std::initializer_list<std::string> folders) {
  RegistryOptions options;
  for (const std::string& folder : folders) options.directories.push_back({folder, "test", false, ""});
  return options;
}

// The fixture's device, opened with a fault (see fixtures/plugin.c).
inline std::shared_ptr<Device> FixtureDevice(const std::string& fault = "", bool check = false,
                                             const std::string& fixture = "good") {
  Plugin::LoadOptions options;
  options.check = check;
  auto plugin = Plugin::Load(FixtureLibrary(fixture), options);
  EXPECT_TRUE(plugin.ok()) << plugin.status();
  if (!plugin.ok()) return nullptr;
  auto device = (*plugin)->MakeDevice(0, fault.empty() ? Options() : Options{{"fault", fault}});
  EXPECT_TRUE(device.ok()) << device.status();
  return device.ok() ? *device : nullptr;
}

inline std::shared_ptr<const Constant> Floats(uint64_t id, const std::vector<float>& values) {
  auto bytes = std::make_shared<std::vector<float>>(values);
  auto constant = std::make_shared<Constant>();
  constant->id = id;
  constant->data = reinterpret_cast<const uint8_t*>(bytes->data());
  constant->bytes = bytes->size() * sizeof(float);
  constant->owner = bytes;
  return constant;
}

inline Type FloatType(std::vector<Dim> dims) {
  Type type;
  type.element = 1;
  type.has_shape = true;
  type.dims = std::move(dims);
  return type;
}

inline Node MakeNode(std::string op, std::vector<ValueId> inputs, std::vector<ValueId> outputs) {
  Node node;
  node.op = std::move(op);
  node.name = node.op + std::to_string(outputs[0]);
  node.version = 14;
  node.min_version = 7;
  node.inputs = std::move(inputs);
  node.outputs = std::move(outputs);
  return node;
}

// x[N,2] -> Neg -> y -> Add(constant c[2]) -> z -> Relu -> r; outputs: y, r.
inline Graph ChainGraph() {
  Graph graph;
  const int32_t n = graph.AddSymbol("N");
  const Type type = FloatType({{-1, n}, {2, -1}});
  const ValueId x = graph.AddValue("x", type), y = graph.AddValue("y", type),
                c = graph.AddValue("c", FloatType({{2, -1}})), z = graph.AddValue("z", type),
                r = graph.AddValue("r", type);
  graph.values[c].constant = Floats(1001, {10, 20});
  graph.nodes = {MakeNode("Neg", {x}, {y}), MakeNode("Add", {y, c}, {z}), MakeNode("Relu", {z}, {r})};
  graph.inputs = {x};
  graph.outputs = {y, r};
  return graph;
}

}  // namespace braid::testing

#endif  // BRAID_CORE_PLUGINS_TESTING_H_
