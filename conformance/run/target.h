// SPDX-License-Identifier: Apache-2.0
//
// What a case runs on: a device of this machine, through graph.h, and nothing else beside it; or another
// runtime (peer/peer.h).
#ifndef BRAID_CONFORMANCE_RUN_TARGET_H_
#define BRAID_CONFORMANCE_RUN_TARGET_H_

#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "conformance/case/case.h"

namespace braid::conformance {

// A call that failed: GRAPH_* and the text.
class TargetError : public std::runtime_error {
 public:
  TargetError(graph_status status, const std::string& text) : std::runtime_error(text), status_(status) {}
  graph_status status() const { return status_; }

 private:
  graph_status status_;
};

// What ran the case ended over it.
class TargetCrash : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

class Target {
 public:
  virtual ~Target() = default;
  // The outputs of every run of the case, in order. Throws TargetError and TargetCrash.
  virtual std::vector<std::vector<Value>> Run(const BuiltCase& built) = 0;
  // Whether the device had a part in what Run ran; asked after it.
  virtual bool UsedDevice() const { return true; }
};

// Throws TargetError if a device was left out of the graph: whatever other devices then gave, this one has
// failed.
void CheckNoneLeftOut(graph_t* graph);

using TargetMaker = std::function<std::unique_ptr<Target>()>;

// `devices` as graph_options.devices.
std::unique_ptr<Target> DeviceTarget(const std::string& devices);

}  // namespace braid::conformance

#endif  // BRAID_CONFORMANCE_RUN_TARGET_H_
