// SPDX-License-Identifier: Apache-2.0
#ifndef BRAID_CONFORMANCE_REPORT_COMPARE_H_
#define BRAID_CONFORMANCE_REPORT_COMPARE_H_

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace braid::conformance {

// What is different between two reports.
struct Comparison {
  struct Change {
    std::string device, id, before, after;  // outcomes; "" : not in that report
    std::string text;                       // of the later one
    bool worse = false;                     // failed now, or refused where it passed
  };
  std::vector<Change> changes;
  std::vector<std::string> identity;  // "driver: 1.2 -> 1.3", what else is different
  size_t same = 0;                    // cases with the same outcome
  size_t worse() const;
};

// Of two files as ToJson writes them. Where each has one device, these are compared, whatever their names.
// Throws std::invalid_argument where one is no report; `names` are for that text.
Comparison Compare(const nlohmann::json& before, const nlohmann::json& after, const std::string names[2]);

}  // namespace braid::conformance

#endif  // BRAID_CONFORMANCE_REPORT_COMPARE_H_
