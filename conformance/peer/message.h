// SPDX-License-Identifier: Apache-2.0
//
// The messages between the suite and a peer; their form stands in onnxruntime_peer.py.
#ifndef BRAID_CONFORMANCE_PEER_MESSAGE_H_
#define BRAID_CONFORMANCE_PEER_MESSAGE_H_

#include <string>
#include <vector>

#include "conformance/case/case.h"

namespace braid::conformance {

enum class PeerStatus : uint8_t { kDone, kUnsupported, kFailed, kMemory };

// Without its length.
std::string RequestOf(const BuiltCase& built);

struct PeerReply {
  PeerStatus status = PeerStatus::kDone;
  std::string text;                         // where it is not kDone
  std::vector<std::vector<Value>> results;  // as Target::Run
};
// Throws std::runtime_error for what is no reply to the request of `built`.
PeerReply ReplyOf(const std::string& message, const BuiltCase& built);
// Of the message with which a peer begins.
PeerReply HelloOf(const std::string& message);

// A value alone, as it stands in requests and replies.
std::string ValueText(const Value& value);
Value ValueOf(const std::string& text);

}  // namespace braid::conformance

#endif  // BRAID_CONFORMANCE_PEER_MESSAGE_H_
