// SPDX-License-Identifier: Apache-2.0
#include "plugins/vulkan/test/fixture.h"

#include <dlfcn.h>

#include <chrono>
#include <cmath>
#include <cstdlib>
#include <mutex>

namespace braid::vulkan {
namespace {

TestHost* Of(const braid_host* host) { return static_cast<TestHost*>(host->data); }
std::mutex log_mutex;

}  // namespace

TestHost::TestHost() {
  table_.abi = BRAID_ABI;
  table_.data = this;
  table_.log = [](const braid_host* host, int32_t level, braid_str text) {
    std::lock_guard lock(log_mutex);
    if (level == BRAID_LOG_ERROR) ++Of(host)->errors;
    Of(host)->log += std::string(text.ptr, text.len) + "\n";
    if (level == BRAID_LOG_ERROR) std::fprintf(stderr, "%.*s\n", static_cast<int>(text.len), text.ptr);
  };
  table_.set_error = [](const braid_host* host, braid_str text) {
    Of(host)->error.assign(text.ptr, text.len);
  };
  table_.now = [](const braid_host*) -> uint64_t {
    return static_cast<uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
  };
  table_.concurrency = [](const braid_host*) -> uint32_t { return 1; };
  table_.constant = [](const braid_host*, const braid_graph* view, uint32_t value, braid_bytes* out,
                       void** token) -> braid_status {
    const auto& constants = static_cast<Graph*>(view->host_data)->constants;
    auto it = constants.find(value);
    if (it == constants.end()) return BRAID_INVALID_ARGUMENT;
    *out = {it->second.bytes.data(), it->second.bytes.size()};
    if (token != nullptr) *token = nullptr;
    return BRAID_OK;
  };
  table_.constant_release = [](const braid_host*, void*) {};
  table_.get_extension = [](const braid_host*, const char*) -> const void* { return nullptr; };
}

Array Random(std::vector<int64_t> dims, uint32_t seed) {
  int64_t n = 1;
  for (int64_t d : dims) n *= d;
  std::vector<float> values(static_cast<size_t>(n));
  for (float& v : values) {
    seed = seed * 1664525u + 1013904223u;
    v = static_cast<float>(static_cast<int32_t>(seed)) * 4.6566129e-10f;
  }
  return F(std::move(dims), values);
}

braid_span Graph::Chars(const std::string& text) {
  braid_span span{static_cast<uint32_t>(chars_.size()), static_cast<uint32_t>(text.size())};
  chars_ += text;
  return span;
}

uint32_t Graph::Value(int32_t type, std::vector<int64_t> dims, uint32_t flags) {
  braid_value value{};
  uint32_t index = static_cast<uint32_t>(values_.size());
  value.name = Chars("v" + std::to_string(index));
  value.type = type;
  value.rank = static_cast<int32_t>(dims.size());
  value.dims = static_cast<uint32_t>(dims_.size());
  value.flags = flags;
  for (int64_t d : dims) dims_.push_back({d, d, d, d, BRAID_NONE, 0});
  values_.push_back(value);
  if (flags == BRAID_VALUE_INPUT) inputs_.push_back(index);
  if (flags == BRAID_VALUE_OUTPUT) outputs_.push_back(index);
  return index;
}

uint32_t Graph::Constant(const Array& array) {
  static uint64_t next = 1;
  uint32_t index = Value(array.type, array.dims, BRAID_VALUE_CONSTANT);
  values_[index].constant = next++;
  values_[index].bytes = array.bytes.size();
  constants[index] = array;
  return index;
}

void Graph::Node(const std::string& op, int32_t version, std::vector<uint32_t> inputs,
                 std::vector<uint32_t> outputs, const std::map<std::string, Attribute>& attributes) {
  braid_node node{};
  node.op = Chars(op);
  node.version = node.min_version = version;
  node.inputs = {static_cast<uint32_t>(refs_.size()), static_cast<uint32_t>(inputs.size())};
  refs_.insert(refs_.end(), inputs.begin(), inputs.end());
  node.outputs = {static_cast<uint32_t>(refs_.size()), static_cast<uint32_t>(outputs.size())};
  refs_.insert(refs_.end(), outputs.begin(), outputs.end());
  node.attrs = {static_cast<uint32_t>(attrs_.size()), static_cast<uint32_t>(attributes.size())};
  node.group = BRAID_NONE;
  for (const auto& [name, value] : attributes) {
    braid_attr attr{};
    attr.name = Chars(name);
    if (auto* i = std::get_if<int64_t>(&value)) {
      attr.kind = BRAID_ATTR_INT;
      attr.i = *i;
    } else if (auto* f = std::get_if<float>(&value)) {
      attr.kind = BRAID_ATTR_FLOAT;
      attr.f = *f;
    } else if (auto* s = std::get_if<std::string>(&value)) {
      attr.kind = BRAID_ATTR_STRING;
      attr.list = Chars(*s);
    } else {
      const auto& list = std::get<std::vector<int64_t>>(value);
      attr.kind = BRAID_ATTR_INTS;
      attr.list = {static_cast<uint32_t>(ints_.size()), static_cast<uint32_t>(list.size())};
      ints_.insert(ints_.end(), list.begin(), list.end());
    }
    attrs_.push_back(attr);
  }
  nodes_.push_back(node);
}

const braid_graph* Graph::view() {
  view_.node_count = static_cast<uint32_t>(nodes_.size());
  view_.node_stride = sizeof(braid_node);
  view_.value_count = static_cast<uint32_t>(values_.size());
  view_.value_stride = sizeof(braid_value);
  view_.attr_count = static_cast<uint32_t>(attrs_.size());
  view_.attr_stride = sizeof(braid_attr);
  view_.dim_count = static_cast<uint32_t>(dims_.size());
  view_.dim_stride = sizeof(braid_dim);
  view_.ref_count = static_cast<uint32_t>(refs_.size());
  view_.nodes = nodes_.data();
  view_.values = values_.data();
  view_.attrs = attrs_.data();
  view_.dims = dims_.data();
  view_.refs = refs_.data();
  view_.ints = ints_.data();
  view_.chars = chars_.data();
  view_.inputs = inputs_.data();
  view_.outputs = outputs_.data();
  view_.input_count = static_cast<uint32_t>(inputs_.size());
  view_.output_count = static_cast<uint32_t>(outputs_.size());
  view_.host_data = this;
  return &view_;
}

std::vector<int64_t> Graph::DimsOf(uint32_t value) const {
  std::vector<int64_t> dims;
  for (int32_t i = 0; i < values_[value].rank; ++i)
    dims.push_back(dims_[values_[value].dims + static_cast<uint32_t>(i)].value);
  return dims;
}

uint64_t Graph::BytesOf(uint32_t value) const {
  uint64_t n = 1;
  for (int64_t d : DimsOf(value)) n *= static_cast<uint64_t>(d);
  switch (values_[value].type) {
    case kU8:
    case kI8:
    case kBool:
      return n;
    case kHalf:
      return 2 * n;
    case kI64:
      return 8 * n;
    default:
      return 4 * n;
  }
}

TestHost* VulkanTest::host_ = nullptr;
const braid_plugin* VulkanTest::plugin_ = nullptr;
braid_device* VulkanTest::device_ = nullptr;

braid_status (*PluginEntry())(uint32_t, const braid_host*, const braid_plugin**) {
  void* library =
      dlopen(BRAID_TEST_BINARY_DIR "/lib/braid/plugins/libbraid_vulkan.so", RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    std::fprintf(stderr, "%s\n", dlerror());
    return nullptr;
  }
  return reinterpret_cast<decltype(PluginEntry())>(dlsym(library, "braid_plugin_query"));
}

void VulkanTest::SetUpTestSuite() {
  setenv("BRAID_VULKAN_VALIDATE", "1", 0);
  host_ = new TestHost();
  auto entry = PluginEntry();
  ASSERT_NE(entry, nullptr);
  ASSERT_EQ(entry(BRAID_ABI, host_->table(), &plugin_), BRAID_OK) << host_->error;
  uint32_t count = 0;
  ASSERT_EQ(plugin_->enumerate(plugin_, 0, nullptr, sizeof(braid_device_info), &count), BRAID_OK);
  if (count == 0) return;
  ASSERT_EQ(plugin_->open(plugin_, 0, nullptr, &device_), BRAID_OK) << host_->error;
}

void VulkanTest::TearDownTestSuite() {
  if (device_ != nullptr) plugin_->device->close(device_);
  device_ = nullptr;
  if (plugin_ != nullptr) plugin_->shutdown(plugin_);
  plugin_ = nullptr;
  EXPECT_EQ(host_->errors, 0) << "validation errors";
  delete host_;
}

void VulkanTest::SetUp() {
  if (device_ == nullptr) GTEST_SKIP() << "no Vulkan device on this machine: " << host_->log;
}
void VulkanTest::TearDown() { EXPECT_EQ(host_->errors, 0) << "validation errors"; }

braid_verdict VulkanTest::Judge(Graph& graph) {
  const braid_graph* view = graph.view();
  std::vector<braid_verdict> verdicts(view->node_count);
  braid_compile_options options = BRAID_COMPILE_OPTIONS_INIT;
  EXPECT_EQ(plugin_->device->query(device_, view, &options, verdicts.data(), sizeof(braid_verdict)), BRAID_OK)
      << host_->error;
  return verdicts[0];
}

std::map<uint32_t, Array> VulkanTest::Run(Graph& graph, const std::map<uint32_t, Array>& inputs) {
  const braid_device_fns& fns = *plugin_->device;
  const braid_graph* view = graph.view();
  std::vector<braid_verdict> verdicts(view->node_count);
  braid_compile_options options = BRAID_COMPILE_OPTIONS_INIT;
  EXPECT_EQ(fns.query(device_, view, &options, verdicts.data(), sizeof(braid_verdict)), BRAID_OK)
      << host_->error;
  std::map<uint32_t, Array> outputs;
  for (const auto& verdict : verdicts) {
    EXPECT_EQ(verdict.code, BRAID_YES) << verdict.detail;
    if (verdict.code != BRAID_YES) return outputs;
  }
  braid_exec* exec = nullptr;
  EXPECT_EQ(fns.compile(device_, view, &options, &exec), BRAID_OK) << host_->error;
  if (exec == nullptr) return outputs;
  std::vector<braid_binding> bindings;
  std::vector<std::vector<int64_t>> dims;
  std::vector<braid_buffer*> buffers;
  std::vector<braid_fence*> fences;
  auto bind = [&](uint32_t value) {
    braid_buffer_desc desc = BRAID_BUFFER_DESC_INIT;
    desc.bytes = graph.BytesOf(value) + 256;
    desc.flags = BRAID_BUFFER_MAPPABLE;
    braid_buffer* buffer = nullptr;
    EXPECT_EQ(fns.buffer_alloc(device_, &desc, &buffer), BRAID_OK) << host_->error;
    buffers.push_back(buffer);
    braid_binding binding = BRAID_BINDING_INIT;
    binding.value = value;
    binding.buffer = buffer;
    binding.offset = 256;  // so that offsets count
    binding.bytes = graph.BytesOf(value);
    dims.push_back(graph.DimsOf(value));
    binding.rank = static_cast<int32_t>(dims.back().size());
    binding.dims = dims.back().data();
    bindings.push_back(binding);
    return buffer;
  };
  auto transfer = [&](int32_t kind, braid_buffer* buffer, void* data, uint64_t bytes) {
    braid_transfer t = BRAID_TRANSFER_INIT;
    t.kind = kind;
    (kind == BRAID_TRANSFER_WRITE ? t.to : t.from) = buffer;
    t.to_offset = kind == BRAID_TRANSFER_WRITE ? 256 : 0;
    t.from_offset = kind == BRAID_TRANSFER_WRITE ? 0 : 256;
    t.host = data;
    t.bytes = bytes;
    braid_fence* fence = nullptr;
    EXPECT_EQ(fns.transfer(device_, &t, &fence), BRAID_OK) << host_->error;
    fences.push_back(fence);
  };
  for (const auto& [value, array] : inputs) {
    EXPECT_EQ(array.bytes.size(), graph.BytesOf(value));
    transfer(BRAID_TRANSFER_WRITE, bind(value), const_cast<uint8_t*>(array.bytes.data()), array.bytes.size());
  }
  for (uint32_t i = 0; i < view->output_count; ++i) bind(view->outputs[i]);
  braid_submit submit = BRAID_SUBMIT_INIT;
  submit.bindings = bindings.data();
  submit.binding_count = static_cast<uint32_t>(bindings.size());
  submit.binding_stride = sizeof(braid_binding);
  uint64_t workspace = 0;
  EXPECT_EQ(plugin_->exec->workspace_size(exec, bindings.data(), submit.binding_count, sizeof(braid_binding),
                                          &workspace),
            BRAID_OK);
  if (workspace > 0) {
    braid_buffer_desc desc = BRAID_BUFFER_DESC_INIT;
    desc.bytes = workspace;
    EXPECT_EQ(fns.buffer_alloc(device_, &desc, &submit.workspace), BRAID_OK) << host_->error;
    buffers.push_back(submit.workspace);
  }
  braid_fence* fence = nullptr;
  EXPECT_EQ(plugin_->exec->submit(exec, &submit, &fence), BRAID_OK) << host_->error;
  fences.push_back(fence);
  size_t at = inputs.size();
  for (uint32_t i = 0; i < view->output_count; ++i) {
    uint32_t value = view->outputs[i];
    Array& out = outputs[value];
    out.type = graph.TypeOf(value);
    out.dims = graph.DimsOf(value);
    out.bytes.resize(graph.BytesOf(value));
    transfer(BRAID_TRANSFER_READ, bindings[at++].buffer, out.bytes.data(), out.bytes.size());
  }
  for (braid_fence* f : fences) {
    if (f == nullptr) continue;
    EXPECT_EQ(plugin_->fence->wait(f, UINT64_MAX), BRAID_OK);
    plugin_->fence->destroy(f);
  }
  plugin_->exec->destroy(exec);
  for (braid_buffer* buffer : buffers) fns.buffer_free(device_, buffer);
  return outputs;
}

Array VulkanTest::One(const std::string& op, int32_t version, const std::vector<Array>& inputs, int32_t type,
                      std::vector<int64_t> dims, const std::map<std::string, Attribute>& attributes,
                      std::vector<bool> constant) {
  Graph graph;
  std::vector<uint32_t> values;
  std::map<uint32_t, Array> given;
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (i < constant.size() && constant[i]) {
      values.push_back(graph.Constant(inputs[i]));
    } else {
      values.push_back(graph.Input(inputs[i].type, inputs[i].dims));
      given[values.back()] = inputs[i];
    }
  }
  uint32_t out = graph.Output(type, std::move(dims));
  graph.Node(op, version, values, {out}, attributes);
  return Run(graph, given)[out];
}

void ExpectNear(const Array& got, const std::vector<float>& want, float relative, float absolute) {
  std::vector<float> values = got.as<float>();
  ASSERT_EQ(values.size(), want.size());
  for (size_t i = 0; i < want.size(); ++i) {
    if (std::isnan(want[i]) || std::isinf(want[i])) {
      EXPECT_TRUE(std::isnan(want[i]) ? std::isnan(values[i]) : values[i] == want[i])
          << i << ": " << values[i];
    } else {
      EXPECT_NEAR(values[i], want[i], absolute + relative * std::fabs(want[i])) << "element " << i;
    }
  }
}

}  // namespace braid::vulkan
