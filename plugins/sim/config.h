// SPDX-License-Identifier: Apache-2.0
//
// What simulated devices there are: from the variable BRAID_SIM, which holds JSON, the path of a JSON file,
// or "1" (one device with defaults). Unset: none.
//
//   {"devices": [{"name": "slow chip", "kind": "npu", "lacks": ["Conv", "Softmax"], "not_worth_it": ["Relu"],
//                 "types": ["float32", "int64"], "memory": 1073741824, "queues": 2, "submit_us": 50,
//                 "link_latency_us": 20, "link_gbps": 4, "multiply_adds_per_ns": 50, "wall_clock": false,
//                 "lose_after": 0, "node_us": 0.3, "fail": {"compile": "OUT_OF_MEMORY"}, "max_buffer": 65536,
//                 "io_alignment": 256, "versions": {"Add": 14, "ai.onnx.ml:Scaler": 1},
//                 "faults": {"Relu": "segv"}}]}
//
// The option "config" of open, JSON of one device, replaces what the device has.
#ifndef BRAID_PLUGINS_SIM_CONFIG_H_
#define BRAID_PLUGINS_SIM_CONFIG_H_

#include <braid/plugin.h>

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace braid::sim {

struct DeviceConfig {
  std::string name = "simulated accelerator";
  int32_t kind = BRAID_DEVICE_NPU;
  std::set<std::string> lacks;  // operators that it does not know
  // The one version of each operator that it knows, as a plugin of an older opset does; empty: the newest of
  // all. The operator's domain stands before it, but for ai.onnx.
  std::map<std::string, int32_t> versions;
  std::set<std::string> not_worth_it;   // operators that it says NOT_WORTH_IT to
  std::set<std::string> types;          // element types that it knows; empty: all
  uint64_t memory = uint64_t{4} << 30;  // bytes; more is OUT_OF_MEMORY
  uint32_t queues = 2;
  double node_us = 0.3;                       // of each node, as estimated
  double submit_us = 5;                       // of each submit, as estimated
  double link_latency_us = 5, link_gbps = 8;  // to and from host memory, gigabytes a second
  double multiply_adds_per_ns = 8;
  // Whether work takes as long as it is estimated to (the queue's thread sleeps the rest of it), rather than
  // as long as the reference operators need.
  bool wall_clock = false;
  uint64_t io_alignment = 256;  // of offsets of inputs and outputs
  uint64_t max_buffer = 0;      // 0: as large as its memory
  // Calls that always fail, with which status: "query", "compile", "alloc", "submit" (its fence), "transfer"
  // (likewise).
  std::map<std::string, braid_status> fail;
  // What the process does when a segment with that operator runs: "segv" (a segmentation fault), "hang" (for
  // ever), "memory" (takes more and more), "fork" (leaves a process behind).
  std::map<std::string, std::string> faults;
  uint64_t lose_after = 0;  // the submit of this number loses the device; 0: never
};

// Throws kit::Error(INVALID_ARGUMENT) that names what is wrong.
std::vector<DeviceConfig> ReadConfig(const char* variable);
// Of one device, from JSON.
DeviceConfig ReadDeviceConfig(std::string_view json);

}  // namespace braid::sim

#endif  // BRAID_PLUGINS_SIM_CONFIG_H_
