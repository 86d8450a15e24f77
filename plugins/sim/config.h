// SPDX-License-Identifier: Apache-2.0
//
// What simulated devices there are: from the variable BRAID_SIM, which holds JSON, the path of a JSON file,
// or "1" (one device with defaults). Unset: none.
//
//   {"devices": [{"name": "slow chip", "lacks": ["Conv", "Softmax"], "types": ["float32", "int64"],
//                 "memory": 1073741824, "queues": 2, "submit_us": 50, "link_latency_us": 20, "link_gbps": 4,
//                 "multiply_adds_per_ns": 50, "lose_after": 0}]}
#ifndef BRAID_PLUGINS_SIM_CONFIG_H_
#define BRAID_PLUGINS_SIM_CONFIG_H_

#include <cstdint>
#include <set>
#include <string>
#include <vector>

namespace braid::sim {

struct DeviceConfig {
  std::string name = "simulated accelerator";
  std::set<std::string> lacks;          // operators that it does not know
  std::set<std::string> types;          // element types that it knows; empty: all
  uint64_t memory = uint64_t{4} << 30;  // bytes; more is OUT_OF_MEMORY
  uint32_t queues = 2;
  double submit_us = 5;                       // of each submit, as estimated
  double link_latency_us = 5, link_gbps = 8;  // to and from host memory, gigabytes a second
  double multiply_adds_per_ns = 8;
  uint64_t lose_after = 0;  // the submit of this number loses the device; 0: never
};

// Throws kit::Error(INVALID_ARGUMENT) that names what is wrong.
std::vector<DeviceConfig> ReadConfig(const char* variable);

}  // namespace braid::sim

#endif  // BRAID_PLUGINS_SIM_CONFIG_H_
