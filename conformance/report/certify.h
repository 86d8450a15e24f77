// SPDX-License-Identifier: Apache-2.0
#ifndef BRAID_CONFORMANCE_REPORT_CERTIFY_H_
#define BRAID_CONFORMANCE_REPORT_CERTIFY_H_

#include <string>

#include "conformance/report/report.h"

namespace braid::conformance {

// Why a report certifies nothing; "" if it does. A profile of operators is certified only where the device
// takes at least one case of each of them.
std::string WhyNoCertificate(const Report& report);

// Writes the report beside the manifest, as ID.conformance.json, and what it says of the plugin into the
// manifest's "conformance"; the rest of the manifest stays as it is. The report is as ToJson's. Throws
// std::invalid_argument.
void Certify(const Report& report, const std::string& manifest);

}  // namespace braid::conformance

#endif  // BRAID_CONFORMANCE_REPORT_CERTIFY_H_
