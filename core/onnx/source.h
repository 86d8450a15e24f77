// SPDX-License-Identifier: Apache-2.0
//
// Where a model's bytes come from: the model itself, mapped or copied, and the files of external data beneath
// its folder.
#ifndef BRAID_CORE_ONNX_SOURCE_H_
#define BRAID_CORE_ONNX_SOURCE_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace braid::loader {

// A read-only mapping, or a copy.
struct Bytes {
  absl::Span<const uint8_t> span;
  std::shared_ptr<const void> owner;
};

// Maps a regular file. Errors: NotFound, a directory or special file, an empty file.
absl::StatusOr<Bytes> MapFile(const std::string& path);

// The external data files of one model, each mapped once. Only regular files beneath `folder` are opened,
// step by step without following a symbolic link anywhere below it, and none that has a second name (hard
// link): either could bring in a file that the model's author was not given.
class ExternalFiles {
 public:
  // An empty folder refuses everything.
  explicit ExternalFiles(std::string folder) : folder_(std::move(folder)) {}

  // The bytes [offset, offset + length) of a file. `location` is a relative path with '/' between its parts.
  absl::StatusOr<Bytes> Read(const std::string& location, uint64_t offset, uint64_t length);

 private:
  absl::StatusOr<Bytes> Open(const std::string& location) const;

  std::string folder_;
  std::map<std::string, Bytes> files_;
};

}  // namespace braid::loader

#endif  // BRAID_CORE_ONNX_SOURCE_H_
