// SPDX-License-Identifier: Apache-2.0
#include "conformance/mutants/tables.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <map>
#include <mutex>
#include <set>

namespace braid::mutants {
namespace {

Tables real{};
std::atomic<braid_device*> opened{nullptr};
std::mutex mutex;

std::map<braid_exec*, std::set<uint32_t>>& OutputsOf() {
  static auto* const kOutputs = new std::map<braid_exec*, std::set<uint32_t>>();
  return *kOutputs;
}

}  // namespace

const Tables& Real() { return real; }
void SetReal(const Tables& tables) { real = tables; }
void NoteOpened(braid_device* device) { opened = device; }
void NoteCompiled(braid_exec* exec, const braid_graph* graph) {
  std::lock_guard lock(mutex);
  OutputsOf()[exec] = {graph->outputs, graph->outputs + graph->output_count};
}

char* MemoryOf(const braid_binding& b) {
  if (b.host != nullptr) return static_cast<char*>(b.host);
  void* memory = nullptr;
  if (b.buffer == nullptr || real.device.map(opened, b.buffer, b.offset, b.bytes, &memory) != BRAID_OK)
    return nullptr;
  return static_cast<char*>(memory);
}

braid_binding BindingAt(const braid_submit& submit, uint32_t i) {
  braid_binding b = BRAID_BINDING_INIT;
  std::memcpy(&b, static_cast<const char*>(submit.bindings) + uint64_t{submit.binding_stride} * i,
              std::min<size_t>(submit.binding_stride, sizeof b));
  return b;
}

bool IsOutput(braid_exec* exec, const braid_binding& binding) {
  std::lock_guard lock(mutex);
  const auto at = OutputsOf().find(exec);
  return at != OutputsOf().end() && at->second.count(binding.value) != 0;
}

}  // namespace braid::mutants
