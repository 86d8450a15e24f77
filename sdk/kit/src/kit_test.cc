// SPDX-License-Identifier: Apache-2.0
//
// The kit and its testing.h against each other: a plugin that adds 1, through its C tables.
#include <braid/kit/testing.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

namespace braid::kit {
namespace {

class AddOneExec : public Executable {
 public:
  explicit AddOneExec(std::vector<uint32_t> values) : values_(std::move(values)) {}
  void IoRequirements(uint32_t, braid_io_requirements* out) override { prefilled = *out; }
  braid_status OutputDims(StructArray<braid_binding>, uint32_t, int32_t*, int64_t*) override {
    return BRAID_UNSUPPORTED;
  }
  uint64_t WorkspaceSize(StructArray<braid_binding> inputs) override { return inputs.size() * 8; }
  Fence* Submit(const braid_submit& submit) override {
    if (submit.workspace == nullptr) throw Error(BRAID_INVALID_ARGUMENT, "no workspace");
    const StructArray<braid_binding> bindings(submit.bindings, submit.binding_count, submit.binding_stride);
    const auto memory = [](const braid_binding& b) {
      return reinterpret_cast<float*>(reinterpret_cast<char*>(b.buffer) + b.offset);
    };
    for (uint64_t i = 0; i < bindings[0].bytes / 4; ++i) memory(bindings[1])[i] = memory(bindings[0])[i] + 1;
    return nullptr;
  }
  static inline braid_io_requirements prefilled{};

 private:
  std::vector<uint32_t> values_;
};

class AddOneDevice : public Device {
 public:
  explicit AddOneDevice(Host host) : host_(host) {}
  void Query(const braid_graph* graph, const braid_compile_options&,
             std::vector<braid_verdict>& verdicts) override {
    const auto* node = BRAID_AT(braid_node, graph->nodes, graph->node_stride, 0);
    if (std::string(graph->chars + node->op.first, node->op.count) != "Add") return;
    const Host::Bytes one = host_.Constant(graph, graph->refs[node->inputs.first + 1]);
    if (*static_cast<const float*>(one.data()) == 1) verdicts[0].code = BRAID_YES;
  }
  std::unique_ptr<Executable> Compile(const braid_graph*, const braid_compile_options&) override {
    return std::make_unique<AddOneExec>(std::vector<uint32_t>());
  }
  braid_buffer* BufferAlloc(const braid_buffer_desc& desc) override {
    return static_cast<braid_buffer*>(std::malloc(desc.bytes));
  }
  void BufferFree(braid_buffer* buffer) override { std::free(buffer); }
  Fence* Transfer(const braid_transfer& t) override {
    char* to = t.kind == BRAID_TRANSFER_READ ? static_cast<char*>(t.host)
                                             : reinterpret_cast<char*>(t.to) + t.to_offset;
    const char* from = t.kind == BRAID_TRANSFER_WRITE ? static_cast<char*>(t.host)
                                                      : reinterpret_cast<char*>(t.from) + t.from_offset;
    std::memcpy(to, from, t.bytes);
    return nullptr;
  }

 private:
  Host host_;
};

class AddOne : public Plugin {
 public:
  using Plugin::Plugin;
  std::string_view id() const override { return "add_one"; }
  std::string_view vendor() const override { return "test"; }
  std::string_view version() const override { return "1"; }
  int32_t newest_opset() const override { return 28; }
  std::vector<braid_device_info> Enumerate() override {
    braid_device_info info = BRAID_DEVICE_INFO_INIT;
    info.queues = 1;
    return {info};
  }
  std::unique_ptr<Device> Open(uint32_t, const braid_open_options&) override {
    return std::make_unique<AddOneDevice>(host());
  }
};

std::unique_ptr<Plugin> MakeAddOne(Host host) { return std::make_unique<AddOne>(host); }

braid_status QueryAddOne(uint32_t host_abi, const braid_host* host, const braid_plugin** out) {
  return Query(BRAID_ABI, host_abi, host, out, MakeAddOne);
}

TEST(Kit, RunsASegmentThroughTheTables) {
  testing::Host host;
  {
    testing::Plugin plugin(host, QueryAddOne);
    ASSERT_EQ(plugin.Devices().size(), 1u);
    braid_device* device = plugin.Open();
    testing::Graph graph;
    const uint32_t x = graph.Input(1, {2, 2}), y = graph.Output(1, {2, 2});
    graph.Node("Add", 14, {x, graph.Constant(testing::Array::Of<float>(1, {}, {1}))}, {y});
    const auto in = testing::Array::Of<float>(1, {2, 2}, {1, 2, 3, -4});
    EXPECT_EQ(plugin.Run(device, graph, {{x, in}})[y].as<float>(), (std::vector<float>{2, 3, 4, -3}));
    EXPECT_EQ(host.held(), 0);
    EXPECT_THROW(plugin.Run(device, graph, {}), Error);
    testing::Graph other;
    other.Node("Relu", 14, {other.Input(1, {1})}, {other.Output(1, {1})});
    EXPECT_THROW(plugin.Run(device, other, {}), Error);
    plugin.Close(device);
  }
}

TEST(Kit, IoRequirementsComePrefilledAsTheHeaderSays) {
  testing::Host host;
  testing::Plugin plugin(host, QueryAddOne);
  braid_device* device = plugin.Open();
  testing::Graph graph;
  const uint32_t x = graph.Input(1, {1});
  graph.Node("Add", 14, {x, graph.Constant(testing::Array::Of<float>(1, {}, {1}))}, {graph.Output(1, {1})});
  braid_exec* exec = plugin.Compile(device, graph);
  braid_io_requirements io = BRAID_IO_REQUIREMENTS_INIT;
  EXPECT_EQ(plugin.table()->exec->io_requirements(exec, x, &io), BRAID_OK);
  EXPECT_EQ(AddOneExec::prefilled.alignment, 1u);
  EXPECT_EQ(AddOneExec::prefilled.flags, 0u);
  EXPECT_EQ(AddOneExec::prefilled.may_alias_input, BRAID_NONE);
  EXPECT_EQ(io.alignment, 1u);
  plugin.table()->exec->destroy(exec);
  plugin.Close(device);
}

// A plugin's own translation unit and the kit's library must have one header.
TEST(Kit, RefusesAHeaderOfAnotherVersion) {
  testing::Host host;
  const braid_plugin* plugin = nullptr;
  EXPECT_EQ(Query(BRAID_ABI + 1, BRAID_ABI, host.raw(), &plugin, MakeAddOne), BRAID_UNSUPPORTED);
  EXPECT_EQ(plugin, nullptr);
  EXPECT_EQ(host.error(),
            "this plugin was compiled with a braid/plugin.h of ABI 0.2 and linked with a braid kit of ABI "
            "0.1: both must be of "
            "one version of Braid");
  EXPECT_EQ(Query(BRAID_ABI, BRAID_ABI + 1, host.raw(), &plugin, MakeAddOne), BRAID_UNSUPPORTED);
  EXPECT_EQ(host.error(), "this plugin was built for ABI 0.1, the host has 0.2");
}

}  // namespace
}  // namespace braid::kit
