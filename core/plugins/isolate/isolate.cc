// SPDX-License-Identifier: Apache-2.0
#include "core/plugins/isolate/isolate.h"

#include "absl/strings/str_cat.h"

namespace braid {

absl::StatusOr<std::shared_ptr<PluginLayer>> LoadIsolated(const std::string& library, const std::string&) {
  return absl::UnimplementedError(
      absl::StrCat(library, ": this build cannot load a plugin in a child process"));
}

}  // namespace braid
