// SPDX-License-Identifier: Apache-2.0
#include "conformance/case/domain.h"

namespace braid::conformance {

std::span<const DomainEntry> MovementDomains() { return {}; }

}  // namespace braid::conformance
