// SPDX-License-Identifier: Apache-2.0
//
// What is kept from an earlier run, graph or executable; and results that differ from run to run.
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstring>
#include <map>
#include <mutex>
#include <string>
#include <thread>

#include "conformance/mutants/mutant.h"
#include "conformance/mutants/node_run.h"
#include "conformance/mutants/tables.h"

namespace braid::mutants {
namespace {

std::mutex mutex;

// What a cache of kernels goes by when it forgets the shapes.
std::string KeyOf(const kit::Node& node) {
  return std::string(node.op()) + ":" + std::string(node.name()) + ":" +
         std::to_string(node.output_value(0).rank());
}

// The number of elements of the first run of that key is compiled in.
void FirstSize(NodeRun& run) {
  static auto* const sizes = new std::map<std::string, int64_t>();
  run.Compute();
  std::lock_guard lock(mutex);
  const int64_t first = sizes->try_emplace(KeyOf(run.node()), run.output(0).size()).first->second;
  Zero(run.output(0), first, run.output(0).size());
}
// So is the extent of the last axis, by which rows are found.
void FirstRow(NodeRun& run) {
  static auto* const extents = new std::map<std::string, int64_t>();
  run.Compute();
  Tensor& y = run.output(0);
  if (y.rank() < 2 || y.size() == 0) return;
  std::lock_guard lock(mutex);
  const int64_t now = y.dim(y.rank() - 1);
  const int64_t first = extents->try_emplace(KeyOf(run.node()), now).first->second;
  if (first == now || first == 0) return;
  const Tensor right = Copied(y);
  for (int64_t i = 0; i < y.size(); ++i) {
    const int64_t from = i / now * first + i % now;
    if (from < y.size()) CopyElement(right, from, y, i);
  }
}

// Outputs of the last run of an executable whose inputs lay at the same addresses.
struct Last {
  std::vector<const void*> inputs;
  std::map<uint32_t, std::string> outputs;
};
braid_status StaleSubmit(braid_exec* exec, const braid_submit* submit, braid_fence** fence) {
  static auto* const last = new std::map<braid_exec*, Last>();
  const braid_status status = Real().exec.submit(exec, submit, fence);
  if (status != BRAID_OK) return status;
  std::lock_guard lock(mutex);
  Last now;
  for (uint32_t i = 0; i < submit->binding_count; ++i) {
    const braid_binding b = BindingAt(*submit, i);
    if (!IsOutput(exec, b))
      now.inputs.push_back(MemoryOf(b));
    else if (const char* memory = MemoryOf(b))
      now.outputs[b.value].assign(memory, b.bytes);
  }
  Last& before = (*last)[exec];
  if (!now.inputs.empty() && before.inputs == now.inputs) {
    for (uint32_t i = 0; i < submit->binding_count; ++i) {
      const braid_binding b = BindingAt(*submit, i);
      const auto kept = before.outputs.find(b.value);
      if (!IsOutput(exec, b) || kept == before.outputs.end() || kept->second.size() != b.bytes) continue;
      std::memcpy(MemoryOf(b), kept->second.data(), b.bytes);
    }
  } else {
    before = std::move(now);
  }
  return status;
}

// A constant's bytes by its place and size, whatever graph it is of.
braid_status StaleConstant(const braid_host* host, const braid_graph* graph, uint32_t value, braid_bytes* out,
                           void** token) {
  static auto* const kept = new std::map<std::pair<uint32_t, uint64_t>, std::string*>();
  const braid_status status = Real().host.constant(host, graph, value, out, token);
  if (status != BRAID_OK) return status;
  std::lock_guard lock(mutex);
  std::string*& bytes = (*kept)[{value, out->len}];
  if (bytes == nullptr) bytes = new std::string(static_cast<const char*>(out->ptr), out->len);
  out->ptr = bytes->data();
  return status;
}

std::atomic<uint64_t> runs{0};

// Two runs at a time use the same memory.
void SharedScratch(NodeRun& run) {
  static auto* const scratch = new std::vector<Tensor>();
  static std::mutex each;
  {
    std::lock_guard lock(each);
    *scratch = run.inputs();
  }
  std::this_thread::sleep_for(std::chrono::microseconds(200));
  {
    std::lock_guard lock(each);
    bool same = scratch->size() == run.input_count();
    for (size_t i = 0; same && i < scratch->size(); ++i)
      same = (*scratch)[i].type() == run.input(i).type() && (*scratch)[i].dims() == run.input(i).dims();
    if (same) run.inputs() = *scratch;
  }
  run.Compute();
}

// A sum whose order hangs on which thread came first: one bit of one element in some runs.
void OneBit(NodeRun& run, uint64_t every) {
  run.Compute();
  if (++runs % every != 0 || !IsFloat(run.output(0)) || run.output(0).size() == 0) return;
  const double v = FloatAt(run.output(0), 0);
  SetFloat(run.output(0), 0, static_cast<double>(std::nextafter(static_cast<float>(v), HUGE_VALF)));
}

// A changed result in place of the outputs of every nth submit.
template <int N>
braid_status NthSubmit(braid_exec* exec, const braid_submit* submit, braid_fence** fence) {
  static std::atomic<int> count{0};
  const braid_status status = Real().exec.submit(exec, submit, fence);
  if (status != BRAID_OK || ++count % N != 0) return status;
  for (uint32_t i = 0; i < submit->binding_count; ++i) {
    const braid_binding b = BindingAt(*submit, i);
    char* memory = MemoryOf(b);
    if (IsOutput(exec, b) && memory != nullptr && b.bytes > 0) std::memset(memory, 0, b.bytes);
  }
  return status;
}

}  // namespace

void AddRuns(std::vector<Mutant>* all) {
  for (const char* op : {"Add", "MatMul", "Softmax"})
    all->push_back({.name = std::string("stale_size_") + op,
                    .what = "the number of elements of the first run is kept for all shapes",
                    .family = Family::kStale,
                    .operators = op,
                    .first = "~dims=symbols",
                    .node = FirstSize});
  for (const char* op : {"Conv", "Transpose", "Concat"})
    all->push_back({.name = std::string("stale_row_") + op,
                    .what = "the length of a row of the first run is kept for all shapes",
                    .family = Family::kStale,
                    .operators = op,
                    .first = "~dims=symbols",
                    .node = FirstRow});
  all->push_back({.name = "stale_output",
                  .what = "the last results are given again where the inputs lie at the same addresses",
                  .family = Family::kStale,
                  .tables = [](Tables& t) { t.exec.submit = StaleSubmit; }});
  all->push_back({.name = "stale_constant",
                  .what = "constants of another graph are taken, found by place and size",
                  .family = Family::kStale,
                  .operators = "Add Conv",
                  .first = "~inputs=constant",
                  .tables = [](Tables& t) { t.host.constant = StaleConstant; }});
  all->push_back({.name = "shared_scratch",
                  .what = "two runs at a time use one scratch memory",
                  .family = Family::kStale,
                  .operators = "",
                  .node = SharedScratch});
  all->push_back({.name = "third_run",
                  .what = "each third run writes nothing",
                  .family = Family::kDeterminism,
                  .tables = [](Tables& t) { t.exec.submit = NthSubmit<3>; }});
  all->push_back({.name = "twentieth_run",
                  .what = "each twentieth run writes nothing",
                  .family = Family::kDeterminism,
                  .tables = [](Tables& t) { t.exec.submit = NthSubmit<20>; }});
  for (const int every : {2, 5})
    all->push_back({.name = "one_bit_" + std::to_string(every),
                    .what = "one bit differs in each run of " + std::to_string(every) +
                            ", though the device says that it is deterministic",
                    .family = Family::kDeterminism,
                    .node = [every](NodeRun& run) { OneBit(run, static_cast<uint64_t>(every)); }});
}

}  // namespace braid::mutants
