// SPDX-License-Identifier: Apache-2.0
//
// A plugin in a child process: the same tables, served over a socket.
#ifndef BRAID_CORE_PLUGINS_ISOLATE_ISOLATE_H_
#define BRAID_CORE_PLUGINS_ISOLATE_ISOLATE_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "core/plugins/device.h"

namespace braid {

// What isolation has cost this process so far.
struct IsolationTraffic {
  uint64_t copied;    // bytes of tensors, each time they were copied because of it
  uint64_t messages;  // that the host sent
};
IsolationTraffic CountIsolation();

// Starts the child (libexec/braid-plugin-host) and lets it load the library.
absl::StatusOr<std::shared_ptr<PluginLayer>> LoadIsolated(const std::string& library,
                                                          const std::string& cache_dir);

}  // namespace braid

#endif  // BRAID_CORE_PLUGINS_ISOLATE_ISOLATE_H_
