// SPDX-License-Identifier: Apache-2.0
//
// What the files of this room share: ONNX's protobuf types under a short name, and the guard that turns
// exceptions of the ONNX library into statuses, so that none leaves the room.
#ifndef BRAID_CORE_ONNX_PROTO_H_
#define BRAID_CORE_ONNX_PROTO_H_

#include <exception>
#include <new>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "onnx/onnx_pb.h"

namespace braid::loader {

namespace pb = ONNX_NAMESPACE;

// Initializers and attribute tensors up to this many bytes stay in the protobuf form, where shape inference
// reads them.
inline constexpr uint64_t kSmallTensorBytes = 1024;
inline constexpr int kMaxRank = 32;  // BRAID_MAX_RANK of the plugin ABI

// Takes "/folder/file.cc:12: " out of what an assertion of the ONNX library says: it is a place on the
// machine where that was built.
inline std::string WithoutPlace(std::string line) {
  for (const std::string_view suffix : {".cc:", ".h:"}) {
    const size_t at = line.find(suffix);
    if (at == std::string::npos) continue;
    const size_t space = line.rfind(' ', at), begin = space == std::string::npos ? 0 : space + 1;
    const size_t end = line.find(": ", at + suffix.size());
    if (line[begin] == '/' && end != std::string::npos) line.erase(begin, end + 2 - begin);
  }
  return line;
}

// The lines of a text as one, separated by "; ".
inline std::string OneLine(std::string_view text) {
  std::string line;
  while (!text.empty()) {
    std::string_view part = text.substr(0, text.find('\n'));
    text.remove_prefix(part.size() == text.size() ? part.size() : part.size() + 1);
    while (!part.empty() && part.front() == ' ') part.remove_prefix(1);
    if (part.starts_with("==> ")) part.remove_prefix(4);
    if (part.empty()) continue;
    if (!line.empty()) line += "; ";
    line += part;
  }
  return WithoutPlace(std::move(line));
}

// Turns what the ONNX library throws into InvalidArgument with its text; out of memory into
// ResourceExhausted.
template <typename F>
absl::Status Guard(F&& body) {
  try {
    return body();
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError("out of memory");
  } catch (const std::exception& e) {
    return absl::InvalidArgumentError(OneLine(e.what()));
  } catch (...) {
    return absl::InternalError("unknown exception");
  }
}

// Puts `prefix` before the message and keeps the code.
inline absl::Status Annotate(const absl::Status& status, std::string_view prefix) {
  if (status.ok()) return status;
  return absl::Status(status.code(), absl::StrCat(prefix, status.message()));
}

// "ai.onnx" is another spelling of the default domain "".
inline std::string_view NormalDomain(std::string_view domain) { return domain == "ai.onnx" ? "" : domain; }

}  // namespace braid::loader

#endif  // BRAID_CORE_ONNX_PROTO_H_
