// SPDX-License-Identifier: Apache-2.0
//
// Profiles: sets of operators that a device may be certified for, instead of all.
#ifndef BRAID_CONFORMANCE_RUN_PROFILE_H_
#define BRAID_CONFORMANCE_RUN_PROFILE_H_

#include <span>
#include <string_view>

namespace braid::conformance {

struct Profile {
  std::string_view name;
  std::span<const std::string_view> operators;  // of ai.onnx; empty: all of all domains
  bool Has(std::string_view domain, std::string_view op) const;
};
// "vision", "transformer", "all".
std::span<const Profile> Profiles();
const Profile* FindProfile(std::string_view name);  // null if there is none

}  // namespace braid::conformance

#endif  // BRAID_CONFORMANCE_RUN_PROFILE_H_
