// SPDX-License-Identifier: Apache-2.0
//
// What `braid conformance` prints.
#ifndef BRAID_TOOLS_BRAID_CONFORMANCE_SUMMARY_H_
#define BRAID_TOOLS_BRAID_CONFORMANCE_SUMMARY_H_

#include <string>

#include "conformance/report/compare.h"
#include "conformance/report/report.h"

namespace braid::cli {

std::string ResultLine(const conformance::Result& result);
// Per device the outcomes by kind and the coverage; notes; `certified`, if it is not empty; and last the line
// `N passed, N failed, N skipped`.
void PrintSummary(const conformance::Report& report, const std::string& certified);
void PrintComparison(const conformance::Comparison& comparison);

}  // namespace braid::cli

#endif  // BRAID_TOOLS_BRAID_CONFORMANCE_SUMMARY_H_
