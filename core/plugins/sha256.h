// SPDX-License-Identifier: Apache-2.0
//
// SHA-256 (FIPS 180-4), for what a file says of another file. hash.h is for keys, and faster.
#ifndef BRAID_CORE_PLUGINS_SHA256_H_
#define BRAID_CORE_PLUGINS_SHA256_H_

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace braid {

// 64 hexadecimal digits.
std::string Sha256(std::string_view data);
// Of a regular file's bytes. The error names the file.
absl::StatusOr<std::string> Sha256OfFile(const std::string& path);

}  // namespace braid

#endif  // BRAID_CORE_PLUGINS_SHA256_H_
