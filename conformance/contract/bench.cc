// SPDX-License-Identifier: Apache-2.0
#include "conformance/contract/bench.h"

#include <dlfcn.h>

#include <algorithm>
#include <cstring>

#include "conformance/run/crash.h"

namespace braid::conformance {
namespace {

constexpr const char* kStatuses[] = {"OK",          "INVALID_ARGUMENT", "UNSUPPORTED", "OUT_OF_MEMORY",
                                     "DEVICE_LOST", "TIMEOUT",          "CANCELLED",   "STALE_BLOB",
                                     "INTERNAL",    "PENDING",          "IO_ERROR"};
constexpr uint64_t kTenSeconds = 10'000'000'000;

}  // namespace

const char* StatusText(braid_status status) {
  return status < 0 || static_cast<size_t>(status) >= std::size(kStatuses) ? "a status that plugin.h has not"
                                                                           : kStatuses[status];
}

std::vector<braid_verdict> NoVerdicts(uint32_t nodes) {
  braid_verdict none{};
  none.code = BRAID_NO_OP;
  none.input = none.attr = none.group = BRAID_NONE;
  return std::vector<braid_verdict>(nodes, none);
}

Buffer::~Buffer() {
  if (raw_ != nullptr && !b_->abandoned()) b_->dev().buffer_free(b_->device(), raw_);
}

Exec::~Exec() {
  if (raw_ != nullptr && !b_->abandoned()) b_->ex().destroy(raw_);
}

Fence::~Fence() {
  if (raw_ == nullptr || b_->abandoned()) return;
  if (b_->fn().wait(raw_, kTenSeconds) == BRAID_PENDING) {
    b_->Abandon();
  } else {
    b_->fn().destroy(raw_);
  }
}

braid_status Fence::Wait(uint64_t timeout_ns) {
  return raw_ == nullptr ? BRAID_OK : b_->fn().wait(raw_, timeout_ns);
}

std::string Fence::Text() {
  braid_completion completion = BRAID_COMPLETION_INIT;
  if (raw_ == nullptr || b_->fn().completion(raw_, &completion) != BRAID_OK) return "";
  return completion.text.ptr == nullptr ? "" : std::string(completion.text.ptr, completion.text.len);
}

Bench::Bench(const PluginUnderTest& subject) : subject_(subject) {
  host.GiveReleased([](void* data, uint64_t bytes) {
    RetireMemory(data, bytes, "a constant was used after its token was released");
  });
}

Bench::~Bench() {
  // Only a case that failed comes here with a device.
  if (abandoned_) return;
  if (device_ != nullptr) dev().close(device_);
  if (plugin_ == nullptr) return;
  const SlotMark mark("plugin.shutdown");
  plugin_->shutdown(plugin_);
}

decltype(&braid_plugin_query) Bench::entry() {
  if (entry_ != nullptr) return entry_;
  void* library = dlopen(subject_.library.c_str(), RTLD_NOW | RTLD_LOCAL);
  Check(library != nullptr, "the library cannot be loaded: {}", library == nullptr ? dlerror() : "");
  entry_ = reinterpret_cast<decltype(entry_)>(dlsym(library, "braid_plugin_query"));
  Check(entry_ != nullptr, "the library does not export braid_plugin_query");
  return entry_;
}

const braid_plugin* Bench::plugin() {
  if (plugin_ != nullptr) return plugin_;
  const braid_plugin* made = nullptr;
  const auto query = entry();
  Ok((SlotMark("braid_plugin_query"), query(BRAID_ABI, host.raw(), &made)), "braid_plugin_query");
  Check(made != nullptr, "ABI-022: braid_plugin_query gives OK and no plugin");
  Check(made->device != nullptr && made->exec != nullptr && made->fence != nullptr, "a table is NULL");
  slots_.emplace(*made->device, *made->exec, *made->fence);
  return plugin_ = made;
}

braid_device* Bench::OpenAnother() {
  std::vector<braid_option> options;
  for (const auto& [key, value] : subject_.options) options.push_back({kit::Str(key), kit::Str(value)});
  braid_open_options open = BRAID_OPEN_OPTIONS_INIT;
  open.options = options.data();
  open.option_count = static_cast<uint32_t>(options.size());
  braid_device* made = nullptr;
  plugin();
  const auto status = (SlotMark("plugin.open"), plugin_->open(plugin_, subject_.device, &open, &made));
  Ok(status, "open");
  Check(made != nullptr, "ABI-022: open gives OK and no device");
  return made;
}

braid_device* Bench::device() {
  if (device_ == nullptr) device_ = OpenAnother();
  return device_;
}

const braid_device_info& Bench::info() {
  if (info_) return *info_;
  uint32_t count = 0;
  Ok(plugin()->enumerate(plugin(), 0, nullptr, sizeof(braid_device_info), &count), "enumerate");
  const braid_device_info none = BRAID_DEVICE_INFO_INIT;
  std::vector<braid_device_info> infos(count, none);
  Ok(plugin()->enumerate(plugin(), count, infos.data(), sizeof none, &count), "enumerate");
  Check(subject_.device < count, "there is no device {}: the plugin lists {}", subject_.device, count);
  Check(infos[subject_.device].queues >= 1, "ABI-053: the device has no queue");
  return *(info_ = infos[subject_.device]);
}

void Bench::Finish() {
  if (abandoned_) throw Failure("work did not end within ten seconds");
  info_.reset();
  if (device_ != nullptr) dev().close(std::exchange(device_, nullptr));
  if (plugin_ != nullptr) {
    const braid_plugin* plugin = std::exchange(plugin_, nullptr);
    const SlotMark mark("plugin.shutdown");
    plugin->shutdown(plugin);
  }
  const auto breaches = host.breaches();
  Check(breaches.empty(), "ABI-034: {}", breaches.empty() ? "" : breaches[0]);
  Check(host.held() == 0, "ABI-029: {} tokens of constants or cache entries are held beyond shutdown",
        host.held());
  Check(host.blocks() == 0, "ABI-035: {} blocks of host.alloc were not freed by shutdown", host.blocks());
}

void Bench::Ok(braid_status status, const std::string& what) {
  if (status == BRAID_OK) return;
  const std::string text = host.error();
  throw Failure(
      fmt::format("{} gives {} ({}){}{}", what, StatusText(status), status, text.empty() ? "" : ": ", text));
}

void Bench::Refused(braid_status status, std::initializer_list<braid_status> allowed,
                    const std::string& what) {
  const std::string text = host.error();
  std::string names;
  for (const braid_status s : allowed) names += (names.empty() ? "" : " or ") + std::string(StatusText(s));
  Check(std::find(allowed.begin(), allowed.end(), status) != allowed.end(), "{} gives {} ({}), not {}{}{}",
        what, StatusText(status), status, names, text.empty() ? "" : ": ", text);
  if (status != BRAID_OK) Check(!text.empty(), "ABI-036: {} gives {} and no text", what, StatusText(status));
}

Buffer Bench::Alloc(uint64_t bytes, uint64_t alignment, uint32_t flags) {
  braid_buffer_desc desc = BRAID_BUFFER_DESC_INIT;
  desc.bytes = bytes;
  desc.alignment = alignment;
  desc.flags = flags;
  braid_buffer* made = nullptr;
  Ok(dev().buffer_alloc(device(), &desc, &made), fmt::format("buffer_alloc of {} bytes", bytes));
  Check(made != nullptr, "ABI-022: buffer_alloc gives OK and no buffer");
  return {*this, made, bytes};
}

Fence Bench::Transfer(const braid_transfer& transfer) {
  braid_fence* fence = nullptr;
  Ok(dev().transfer(device(), &transfer, &fence), "transfer");
  return {*this, fence};
}

void Bench::Write(const Buffer& to, uint64_t offset, const void* from, uint64_t bytes) {
  braid_transfer t = BRAID_TRANSFER_INIT;
  t.kind = BRAID_TRANSFER_WRITE;
  t.to = to.get();
  t.to_offset = offset;
  t.host = const_cast<void*>(from);
  t.bytes = bytes;
  Fence fence = Transfer(t);
  const braid_status status = fence.Wait();
  Check(status == BRAID_OK, "a transfer to the device ends with {}: {}", StatusText(status), fence.Text());
}

std::vector<uint8_t> Bench::Read(const Buffer& from, uint64_t offset, uint64_t bytes) {
  std::vector<uint8_t> out(bytes);
  braid_transfer t = BRAID_TRANSFER_INIT;
  t.kind = BRAID_TRANSFER_READ;
  t.from = from.get();
  t.from_offset = offset;
  t.host = out.data();
  t.bytes = bytes;
  Fence fence = Transfer(t);
  const braid_status status = fence.Wait();
  Check(status == BRAID_OK, "a transfer from the device ends with {}: {}", StatusText(status), fence.Text());
  return out;
}

std::vector<braid_verdict> Bench::Query(const braid_graph& graph) {
  const braid_compile_options options = BRAID_COMPILE_OPTIONS_INIT;
  std::vector<braid_verdict> verdicts = NoVerdicts(graph.node_count);
  Ok(dev().query(device(), &graph, &options, verdicts.data(), sizeof(braid_verdict)), "query");
  for (uint32_t i = 0; i < graph.node_count; ++i) {
    const braid_verdict& v = verdicts[i];
    const auto* node = BRAID_AT(braid_node, graph.nodes, graph.node_stride, i);
    Check((v.code >= BRAID_YES && v.code <= BRAID_NOT_WORTH_IT) ||
              (v.code >= BRAID_NO_OP && v.code <= BRAID_NO_RUNTIME_VALUE),
          "ABI-026: the verdict on node {} has code {}", i, v.code);
    Check(std::memchr(v.detail, 0, sizeof v.detail) != nullptr,
          "ABI-026: the text of the verdict on node {} is not terminated", i);
    Check(v.code < BRAID_NO_OP || v.detail[0] != 0,
          "ABI-058: the verdict on node {} is a no ({}) without a text", i, v.code);
    Check((v.input == BRAID_NONE || v.input < node->inputs.count) &&
              (v.attr == BRAID_NONE || v.attr < node->attrs.count),
          "ABI-026: the verdict on node {} names input {} and attribute {}; it has {} and {}", i, v.input,
          v.attr, node->inputs.count, node->attrs.count);
  }
  return verdicts;
}

bool Bench::Takes(const braid_graph& graph) {
  const auto verdicts = Query(graph);
  return std::all_of(verdicts.begin(), verdicts.end(), [](const auto& v) { return v.code < BRAID_NO_OP; });
}

Exec Bench::Compile(const braid_graph& graph) {
  const braid_compile_options options = BRAID_COMPILE_OPTIONS_INIT;
  braid_exec* made = nullptr;
  const braid_status status = dev().compile(device(), &graph, &options, &made);
  if (status == BRAID_UNSUPPORTED) Ok(status, "ABI-028: compile of a graph to whose nodes query says yes");
  Ok(status, "compile");
  Check(made != nullptr, "ABI-022: compile gives OK and no executable");
  return {*this, made};
}

const Kind& Bench::Elementwise() {
  if (elementwise_) return *elementwise_;
  for (const Kind& kind : Kinds())
    if (Takes(*conformance::Elementwise(kind, {2, 3}).view)) return *(elementwise_ = kind);
  throw NotThere("the device takes no elementwise operator");
}

std::optional<Workload> Bench::TakenCase(const OperatorVersion& op) {
  try {
    Workload w = PlainCase(op);
    if (Takes(*w.view)) return w;
  } catch (const NoCase&) {
  }
  return std::nullopt;
}

std::optional<Workload> Bench::TakenCase(const std::string& op) {
  return TakenCase(*FindOperatorVersion("", op, NewestVersion(op)));
}

Workload Bench::Plain() {
  try {
    return conformance::Elementwise(Elementwise(), {2, 3});
  } catch (const NotThere&) {
  }
  for (const OperatorVersion* op : OperatorsOf(subject_.operators))
    if (std::optional<Workload> w = TakenCase(*op)) return *std::move(w);
  throw NotThere("the device takes none of the suite's small graphs");
}

Workload Bench::WithWorkspace() {
  const auto wants = [&](const Workload& w) {
    if (!Takes(*w.view)) return false;
    const Exec exec = Compile(*w.view);
    return Run(*this, w, exec).submit.workspace != nullptr;
  };
  try {
    Workload chain = Chain(Elementwise(), {5, 7}, 4);
    if (wants(chain)) return chain;
  } catch (const NotThere&) {
  }
  for (const char* op : {"MatMul", "Conv", "Softmax", "LayerNormalization", "Gemm", "LSTM"})
    if (std::optional<Workload> w = TakenCase(op); w && wants(*w)) return *std::move(w);
  throw NotThere("no executable of the suite's graphs asks for a workspace");
}

Fence Bench::HostFence() {
  if (dev().fence_create == nullptr) throw NotThere("the device has no fence_create");
  braid_fence* made = nullptr;
  const braid_status status = dev().fence_create(device(), &made);
  if (status == BRAID_UNSUPPORTED) throw NotThere("the device has no fence_create");
  Ok(status, "fence_create");
  Check(made != nullptr, "ABI-022: fence_create gives OK and no fence");
  return {*this, made};
}

void Bench::Signal(const Fence& fence, braid_status status) { fn().signal(fence.get(), status); }

std::optional<size_t> FirstDifference(const std::vector<uint8_t>& a, const std::vector<uint8_t>& b) {
  const auto [at, other] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  if (at == a.end() && other == b.end()) return std::nullopt;
  return static_cast<size_t>(at - a.begin());
}

void CheckSame(const std::vector<kit::testing::Array>& got, const std::vector<kit::testing::Array>& want,
               const std::string& what) {
  Check(got.size() == want.size(), "{}: {} outputs, not {}", what, got.size(), want.size());
  for (size_t i = 0; i < got.size(); ++i)
    if (const auto at = FirstDifference(got[i].bytes, want[i].bytes))
      throw Failure(
          fmt::format("{}: output {} differs at byte {} of {}", what, i, *at, want[i].bytes.size()));
}

}  // namespace braid::conformance
