// SPDX-License-Identifier: Apache-2.0
//
// Peers: other runtimes, put through the suite's cases as if they were devices. A peer is a program that
// reads cases from its standard input and writes results to its standard output; conformance/peer has one
// for ONNX Runtime, which also tells the form of the messages.
#ifndef BRAID_CONFORMANCE_PEER_PEER_H_
#define BRAID_CONFORMANCE_PEER_PEER_H_

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "conformance/run/target.h"

namespace braid::conformance {

// "onnxruntime".
std::span<const std::string_view> Peers();

struct PeerIdentity {
  std::string name, version;  // "ONNX Runtime, CPUExecutionProvider", "1.32.0"
  int32_t kind = 1;           // as braid_device_info.kind: a CPU
};
// Starts the peer once and ends it. Throws std::runtime_error with the reason where it
// does not start: $BRAID_PEER_PYTHON (else python3) lacks a package, or is not there.
PeerIdentity ProbePeer(const std::string& peer);

// The peer's process is started by the first case, and again after a case that ended it; targets of one
// process share it.
std::unique_ptr<Target> PeerTarget(const std::string& peer);

}  // namespace braid::conformance

#endif  // BRAID_CONFORMANCE_PEER_PEER_H_
