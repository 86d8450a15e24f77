// SPDX-License-Identifier: Apache-2.0
//
// Values as a run sees them in host memory, and what goes into and comes out of a run.
#ifndef BRAID_CORE_RUN_VALUE_H_
#define BRAID_CORE_RUN_VALUE_H_

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <vector>

#include "core/graph/graph.h"
#include "core/plugins/device.h"

namespace braid {

inline constexpr uint64_t kHostAlignment = 64;

// Memory for tensors: aligned to kHostAlignment, at least one byte. Null when out of memory.
uint8_t* HostAlloc(uint64_t bytes);
struct HostFree {
  void operator()(void* p) const { std::free(p); }
};
using HostBlock = std::unique_ptr<uint8_t, HostFree>;

struct HostTensor {
  ElementType type = 0;
  std::vector<int64_t> dims;
  std::shared_ptr<const uint8_t> data;  // raw layout, as graph.h's Constant
  uint64_t bytes = 0;
};

// A tensor, a sequence (items), an optional (no item: it has none), a map (two items: the keys, a tensor [n],
// and the values, a tensor [n] or a sequence of n), or a sparse tensor (the dense one's type and dims in
// `tensor`, two items: values [n], and indices [n] or [n, rank]).
struct RunValue {
  ValueKind kind = ValueKind::kTensor;
  HostTensor tensor;
  std::vector<RunValue> items;
};

// One for each input of the graph, in order. All is borrowed until the run ends.
struct RunInput {
  ElementType type = 0;  // of an input that is a tensor
  int32_t rank = 0;
  const int64_t* dims = nullptr;
  const void* data = nullptr;  // dense, aligned to the element
  uint64_t bytes = 0;
  const Buffer* buffer = nullptr;  // device memory in the place of data
  uint64_t offset = 0;
  const RunValue* value = nullptr;  // of an input that is no tensor
};

// One for each output of the graph, in order.
struct RunOutput {
  // Where the result shall go: memory of the caller's with its room in bytes, device memory, or (both null)
  // memory that the run allocates.
  bool wanted = true;
  void* data = nullptr;
  uint64_t room = 0;
  const Buffer* buffer = nullptr;
  uint64_t offset = 0;
  // The result.
  ElementType type = 0;
  int32_t rank = 0;
  int64_t dims[BRAID_MAX_RANK] = {};
  uint64_t bytes = 0;
  HostBlock allocated;
  RunValue value;  // of an output that is no tensor
};

// How others reach a run that is under way.
struct RunControl {
  std::atomic<bool> cancelled{false};
};

}  // namespace braid

#endif  // BRAID_CORE_RUN_VALUE_H_
