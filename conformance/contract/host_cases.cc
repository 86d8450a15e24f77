// SPDX-License-Identifier: Apache-2.0
//
// What becomes of a plugin whose host fails.
#include <algorithm>

#include "conformance/contract/cases.h"

namespace braid::conformance {
namespace {

using kit::testing::Host;

// A life of the plugin with one thing that may fail: every step is OK or OUT_OF_MEMORY, and after the
// failure the next try of the same step succeeds.
class Life {
 public:
  explicit Life(Bench& b, const Workload& w) : b_(b), w_(w) {}
  ~Life() {
    if (fence_ != nullptr) p_->fence->destroy(fence_);
    if (exec_ != nullptr) p_->exec->destroy(exec_);
    for (braid_buffer* buffer : buffers_) p_->device->buffer_free(device_, buffer);
    if (device_ != nullptr) p_->device->close(device_);
    if (p_ != nullptr) p_->shutdown(p_);
  }
  Life(const Life&) = delete;
  Life& operator=(const Life&) = delete;

  void Live() {
    Step("braid_plugin_query", [&] { return b_.entry()(BRAID_ABI, b_.host.raw(), &p_); });
    uint32_t count = 0;
    Step("enumerate", [&] { return p_->enumerate(p_, 0, nullptr, sizeof(braid_device_info), &count); });
    std::vector<braid_option> options;
    for (const auto& [key, value] : b_.subject().options) options.push_back({kit::Str(key), kit::Str(value)});
    braid_open_options open = BRAID_OPEN_OPTIONS_INIT;
    open.options = options.data();
    open.option_count = static_cast<uint32_t>(options.size());
    Step("open", [&] { return p_->open(p_, b_.subject().device, &open, &device_); });
    const braid_compile_options compile = BRAID_COMPILE_OPTIONS_INIT;
    auto verdicts = NoVerdicts(w_.view->node_count);
    Step("query",
         [&] { return p_->device->query(device_, w_.view, &compile, verdicts.data(), sizeof verdicts[0]); });
    Step("compile", [&] { return p_->device->compile(device_, w_.view, &compile, &exec_); });
    std::vector<braid_binding> bindings;
    const auto bind = [&](uint32_t value, const std::vector<int64_t>& dims, uint64_t bytes) {
      braid_binding binding = BRAID_BINDING_INIT;
      binding.value = value;
      binding.rank = static_cast<int32_t>(dims.size());
      binding.dims = dims.data();
      binding.bytes = bytes;
      binding.buffer = Alloc(bytes);
      bindings.push_back(binding);
    };
    for (size_t i = 0; i < w_.inputs.size(); ++i) {
      bind(w_.view->inputs[i], w_.inputs[i].dims, w_.inputs[i].bytes.size());
      Move(BRAID_TRANSFER_WRITE, buffers_.back(), w_.inputs[i].bytes.size(),
           const_cast<uint8_t*>(w_.inputs[i].bytes.data()));
    }
    uint64_t workspace = 0;
    Step("workspace_size", [&] {
      return p_->exec->workspace_size(exec_, bindings.data(), static_cast<uint32_t>(bindings.size()),
                                      sizeof(braid_binding), &workspace);
    });
    const kit::testing::Array& want = w_.outputs[0];
    bind(w_.view->outputs[0], want.dims, want.bytes.size());
    braid_buffer* const output = buffers_.back();
    braid_submit submit = BRAID_SUBMIT_INIT;
    submit.bindings = bindings.data();
    submit.binding_count = static_cast<uint32_t>(bindings.size());
    submit.binding_stride = sizeof(braid_binding);
    if (workspace > 0) submit.workspace = Alloc(workspace);
    Step("a run", [&] { return Ended(p_->exec->submit(exec_, &submit, &fence_)); });
    std::vector<uint8_t> got(want.bytes.size());
    Move(BRAID_TRANSFER_READ, output, got.size(), got.data());
    Check(got == want.bytes, "ABI-050: the result is wrong after an allocation failed in {}", failed_);
  }

 private:
  // The status of submitted work.
  braid_status Ended(braid_status status) {
    if (status != BRAID_OK || fence_ == nullptr) return status;
    status = p_->fence->wait(fence_, 10'000'000'000);
    if (status != BRAID_OK) {
      braid_completion c = BRAID_COMPLETION_INIT;
      p_->fence->completion(fence_, &c);
      if (c.text.len > 0) b_.host.raw()->set_error(b_.host.raw(), c.text);
    }
    p_->fence->destroy(std::exchange(fence_, nullptr));
    return status;
  }
  braid_buffer* Alloc(uint64_t bytes) {
    braid_buffer_desc desc = BRAID_BUFFER_DESC_INIT;
    desc.bytes = bytes;
    braid_buffer* buffer = nullptr;
    Step("buffer_alloc", [&] { return p_->device->buffer_alloc(device_, &desc, &buffer); });
    buffers_.push_back(buffer);
    return buffer;
  }
  void Move(int32_t kind, braid_buffer* buffer, uint64_t bytes, void* host) {
    braid_transfer t = BRAID_TRANSFER_INIT;
    t.kind = kind;
    (kind == BRAID_TRANSFER_WRITE ? t.to : t.from) = buffer;
    t.host = host;
    t.bytes = bytes;
    Step("a transfer", [&] { return Ended(p_->device->transfer(device_, &t, &fence_)); });
  }
  template <class Call>
  void Step(const char* what, const Call& call) {
    const bool before = b_.host.allocation_failed();
    const braid_status status = call();
    const std::string text = b_.host.error();
    const bool now = !before && b_.host.allocation_failed();
    if (now) failed_ = what;
    if (status == BRAID_OK) return;
    Check(now, "ABI-050: {} gives {} after an allocation had failed in {}: {}", what, StatusText(status),
          failed_, text);
    Check(status == BRAID_OUT_OF_MEMORY, "ABI-050: an allocation fails in {}, which gives {}: {}", what,
          StatusText(status), text);
    Check(!text.empty(), "ABI-036: {} gives OUT_OF_MEMORY and no text", what);
    const braid_status again = call();
    Check(again == BRAID_OK, "ABI-050: {} gives {} after an allocation had failed in it once: {}", what,
          StatusText(again), b_.host.error());
  }

  Bench& b_;
  const Workload& w_;
  std::string failed_ = "nothing";
  const braid_plugin* p_ = nullptr;
  braid_device* device_ = nullptr;
  braid_exec* exec_ = nullptr;
  braid_fence* fence_ = nullptr;
  std::vector<braid_buffer*> buffers_;
};

void Allocations(Bench& b) {
  const Kind kind = b.Elementwise();
  const Workload constant = kind.operands > 1 ? WithConstant(kind, {17, 3}) : Elementwise(kind, {17, 3});
  const Workload w = b.Takes(*constant.view) ? constant : Elementwise(kind, {17, 3});
  b.Finish();
  uint64_t failures = 0;
  for (;; ++failures) {
    b.host.FailAllocation(failures);
    Life(b, w).Live();
    const bool failed = b.host.allocation_failed();
    b.host.FailAllocation(Host::kNone);
    b.Finish();  // nothing of the host's is left
    if (!failed) break;
    Check(failures < 10'000, "a run makes more than 10,000 allocations");
  }
  if (failures == 0) throw NotThere("the plugin does not use host.alloc");
}

Workload Constant(Bench& b) {
  const Kind& kind = b.Elementwise();
  if (kind.operands < 2) throw NotThere("the device takes no binary operator");
  Workload w = WithConstant(kind, {5, 3});
  if (!b.Takes(*w.view)) throw NotThere("the device does not take a constant operand");
  return w;
}

void ConstantFails(Bench& b) {
  const Workload w = Constant(b);
  const braid_compile_options options = BRAID_COMPILE_OPTIONS_INIT;
  const auto query = [&] {
    auto verdicts = NoVerdicts(w.view->node_count);
    return b.dev().query(b.device(), w.view, &options, verdicts.data(), sizeof verdicts[0]);
  };
  for (const braid_status failure : {BRAID_IO_ERROR, BRAID_OUT_OF_MEMORY}) {
    b.host.FailConstants(failure);
    uint64_t calls = b.host.constant_calls();
    braid_status status = query();
    const bool asked = b.host.constant_calls() > calls;
    b.Refused(status, {BRAID_OK, failure}, "ABI-050: query while constants cannot be read");
    Check(asked || status == BRAID_OK, "ABI-050: query fails without having asked for a constant");
    calls = b.host.constant_calls();
    braid_exec* raw = nullptr;
    status = b.dev().compile(b.device(), w.view, &options, &raw);
    const bool used = b.host.constant_calls() > calls;
    if (used) b.Refused(status, {failure}, "ABI-050: compile while constants cannot be read");
    if (!used) b.Ok(status, "compile");
    if (raw != nullptr) b.ex().destroy(raw);
    b.host.FailConstants(BRAID_OK);
    b.Ok(query(), "query after a constant could not be read");
    const Exec exec = b.Compile(*w.view);
    Run run(b, w, exec);
    run.Go();
    run.ExpectRight();
  }
}

void ConstantUnchanged(Bench& b) {
  const Workload w = Constant(b);
  const auto* constants = static_cast<const kit::testing::Constants*>(w.view->host_data);
  std::vector<uint8_t> before;
  uint32_t value = 0;
  braid_bytes bytes{};
  while (!constants->Find(value, &bytes)) ++value;
  const auto* data = static_cast<const uint8_t*>(bytes.ptr);
  before.assign(data, data + bytes.len);
  const auto same = [&](const char* what) {
    Check(std::equal(before.begin(), before.end(), data) && b.host.constants_intact(),
          "ABI-023: {} changes a constant", what);
  };
  b.Query(*w.view);
  same("query");
  const Exec exec = b.Compile(*w.view);
  same("compile");
  Run run(b, w, exec);
  for (int i = 0; i < 3; ++i) {
    run.Go();
    run.ExpectRight();
  }
  same("a run");
}

void ConstantTokens(Bench& b) {
  const Workload w = Constant(b);
  for (int i = 0; i < 50; ++i) b.Compile(*w.view);
  const int held = b.host.held();
  for (int i = 0; i < 50; ++i) b.Compile(*w.view);
  Check(b.host.held() <= held, "ABI-029: 50 executables that are gone hold {} tokens more",
        b.host.held() - held);
}

void Cache(Bench& b) {
  const struct {
    braid_status get, put;
    const char* what;
  } kCaches[] = {{BRAID_OK, BRAID_OK, "works"},
                 {BRAID_OK, BRAID_OK, "has entries"},
                 {BRAID_IO_ERROR, BRAID_OK, "cannot be read"},
                 {BRAID_OK, BRAID_OUT_OF_MEMORY, "is full"},
                 {BRAID_INTERNAL, BRAID_INTERNAL, "is broken"},
                 {BRAID_UNSUPPORTED, BRAID_UNSUPPORTED, "is not there"}};
  std::vector<kit::testing::Array> first;
  for (const auto& cache : kCaches) {
    b.host.SetCache(cache.get, cache.put);
    try {
      const Workload w = b.Plain();
      const Exec exec = b.Compile(*w.view);
      Run run(b, w, exec);
      run.Go();
      run.ExpectRight();
      if (first.empty()) first = run.outputs();
      CheckSame(run.outputs(), first, "ABI-050: with another cache");
      // Speed may be measured, and kept.
      const braid_compile_options options = BRAID_COMPILE_OPTIONS_INIT;
      const uint32_t node = 0, end = 1;
      braid_cost cost = BRAID_COST_INIT;
      if (b.dev().estimate != nullptr)
        b.Refused(b.dev().estimate(b.device(), w.view, &options, &node, &end, 1, &cost, sizeof cost),
                  {BRAID_OK, BRAID_UNSUPPORTED}, "ABI-050: estimate");
    } catch (const Failure& e) {
      throw Failure(fmt::format("ABI-050: where the cache {}: {}", cache.what, e.what()));
    }
    b.Finish();
  }
  if (b.host.cache_calls() == 0) throw NotThere("the plugin does not use the cache");
}

void Texts(Bench& b) {
  // Calls that fail in each of the ways that need no device of a kind.
  const braid_open_options open = BRAID_OPEN_OPTIONS_INIT;
  braid_device* device = nullptr;
  for (int i = 0; i < 3; ++i)
    b.Refused(b.plugin()->open(b.plugin(), UINT32_MAX, &open, &device), {BRAID_INVALID_ARGUMENT}, "open");
  kit::testing::Graph graph;
  graph.Node("NoSuchOperator", 1, {graph.Input(1, {2})}, {graph.Output(1, {2})});
  const braid_compile_options options = BRAID_COMPILE_OPTIONS_INIT;
  braid_exec* exec = nullptr;
  const braid_status status = b.dev().compile(b.device(), graph.view(), &options, &exec);
  Check(status != BRAID_OK, "compile of an operator that nobody knows gives OK");
  const std::string text = b.host.error();
  Check(!text.empty(), "ABI-036: compile gives {} and no text", StatusText(status));
  for (const auto& [level, line] : b.host.logs())
    Check(!line.empty() && line.find('\n') == std::string::npos,
          "ABI-034: a log of level {} is no line: '{}'", level, line);
}

}  // namespace

std::vector<ContractCase> HostCases() {
  return {
      {"abi/host-alloc-fails", "ABI-050, ABI-036, ABI-035",
       "host.alloc fails at each allocation of a life in turn: OUT_OF_MEMORY once, and the next try works",
       Allocations},
      {"abi/host-constant-fails", "ABI-050, ABI-036",
       "a constant cannot be read: that status, and works once it can", ConstantFails},
      {"abi/host-constant-unchanged", "ABI-023", "constants have their bytes after query, compile and runs",
       ConstantUnchanged},
      {"abi/host-constant-tokens", "ABI-029", "executables that are gone hold no constants", ConstantTokens},
      {"abi/host-cache", "ABI-050, ABI-029",
       "a cache that works, is full, broken or not there changes no result", Cache},
      {"abi/host-texts", "ABI-034, ABI-036", "failures tell a text; a log is one line; neither is NULL",
       Texts},
  };
}

}  // namespace braid::conformance
