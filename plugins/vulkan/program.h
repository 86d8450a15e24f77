// SPDX-License-Identifier: Apache-2.0
//
// What a segment becomes: storages (where each tensor's bytes are) and steps in order. Temporaries lie in one
// arena, the workspace of a run; their places follow from the steps during which they live.
#ifndef BRAID_PLUGINS_VULKAN_PROGRAM_H_
#define BRAID_PLUGINS_VULKAN_PROGRAM_H_

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "plugins/vulkan/device.h"

namespace braid::vulkan {

struct Storage {
  enum Kind { kInput, kOutput, kConstant, kTemporary };
  Kind kind = kTemporary;
  uint32_t value = 0;  // of the graph: inputs and outputs
  uint64_t bytes = 0;
  uint64_t offset = 0;            // of temporaries, in the workspace
  int32_t first = -1, last = -1;  // steps that use it
  // Constants: how they are made, until they are on the device.
  uint64_t key = 0;
  std::string form;
  std::function<void(uint8_t*)> fill;
  std::shared_ptr<DeviceBytes> resident;
};

struct Step {
  enum Kind { kDispatch, kCopy, kFill };
  struct Use {
    uint32_t storage;
    bool write;
  };
  Kind kind = kDispatch;
  const shaders::Shader* shader = nullptr;
  std::vector<uint32_t> constants;  // specialization
  std::vector<Use> uses;            // in binding order; a copy: from, to
  std::array<uint8_t, kPushBytes> params{};
  uint32_t param_bytes = 0;
  std::array<uint32_t, 3> groups{1, 1, 1};
  uint64_t bytes = 0;  // of a copy or fill
  uint32_t word = 0;   // of a fill
  double work = 0;     // operations, for the cost
};

// The dims and bytes of a graph input or output.
struct Io {
  uint32_t value = 0;
  std::vector<int64_t> dims;
  uint64_t bytes = 0;
  uint32_t storage = 0;
};

struct Program {
  std::vector<Storage> storages;
  std::vector<Step> steps;
  std::vector<Io> inputs, outputs;
  uint64_t workspace = 0;

  // Places the temporaries: those that live at the same time apart, large ones first, each as low as it goes.
  void PlanWorkspace();
};

}  // namespace braid::vulkan

#endif  // BRAID_PLUGINS_VULKAN_PROGRAM_H_
