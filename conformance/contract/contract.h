// SPDX-License-Identifier: Apache-2.0
//
// Cases that test a plugin's side of the ABI rather than its numbers: kinds "abi", "memory", "negative" and
// "determinism". They load the plugin's library and call its tables with a host of their own, so that they
// see what Braid's core would hide. docs/reference/conformance-contract.md lists them.
#ifndef BRAID_CONFORMANCE_CONTRACT_CONTRACT_H_
#define BRAID_CONFORMANCE_CONTRACT_CONTRACT_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "conformance/run/job.h"

namespace braid::conformance {

struct PluginUnderTest {
  std::string library;                                       // the file
  uint32_t device = 0;                                       // its index in the plugin's list
  std::vector<std::pair<std::string, std::string>> options;  // to open it with
  // Operators that the device is to be tried for, as OperatorVersion::Label says them; empty: all of the
  // newest versions. One that it refuses is told as unsupported.
  std::vector<std::string> operators;
};

std::vector<Job> ContractJobs(const PluginUnderTest& subject);

struct ContractEntry {
  std::string id;     // "abi/query-empty"; ids never change their meaning
  std::string kind;   // the first part of the id
  std::string group;  // what it is about: "fence", "struct" ...
  std::string rules;  // of docs/abi/rules.md that it checks, "ABI-019, ABI-020"
  std::string doc;    // what must hold
};
// The table of the cases, in the order in which they run; those that end in /OPERATOR stand for one an
// operator.
std::vector<ContractEntry> ContractEntries();
// docs/reference/conformance-contract.md.
std::string ContractPage();

}  // namespace braid::conformance

#endif  // BRAID_CONFORMANCE_CONTRACT_CONTRACT_H_
