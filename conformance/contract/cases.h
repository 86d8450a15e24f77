// SPDX-License-Identifier: Apache-2.0
//
// The table of the contract's cases, a list a subject. A case's id is KIND/GROUP-NAME.
#ifndef BRAID_CONFORMANCE_CONTRACT_CASES_H_
#define BRAID_CONFORMANCE_CONTRACT_CASES_H_

#include <vector>

#include "conformance/contract/bench.h"

namespace braid::conformance {

struct ContractCase {
  const char* id;
  const char* rules;
  const char* doc;
  void (*run)(Bench&);
};

std::vector<ContractCase> EntryCases();        // the entry, the list of devices, open and close
std::vector<ContractCase> StructCases();       // structs of other lengths
std::vector<ContractCase> QueryCases();        // query, estimate, link
std::vector<ContractCase> CompileCases();      // compile and executables
std::vector<ContractCase> FenceCases();        // fences and queues
std::vector<ContractCase> TransferCases();     // transfers
std::vector<ContractCase> BufferCases();       // buffers, mapping, import and export
std::vector<ContractCase> HostCases();         // where the host fails
std::vector<ContractCase> BlobCases();         // compiled blobs
std::vector<ContractCase> MemoryCases();       // guards around memory, and what is given back
std::vector<ContractCase> NegativeCases();     // submits that do not fit, and data out of range
std::vector<ContractCase> DeterminismCases();  // same inputs, same bits

// What query accepts of an operator's plain case, compile compiles and submit runs.
void HonestyOf(Bench& b, const OperatorVersion& op);
// The same of its case whose extents are symbols: one executable, runs with two shapes.
void DynamicHonestyOf(Bench& b, const OperatorVersion& op);
// Of executables of one graph with constants, whose memory is gone: each lives for itself, and runs of one
// that are pending together do not disturb each other.
void RunsHonestyOf(Bench& b, const OperatorVersion& op);

}  // namespace braid::conformance

#endif  // BRAID_CONFORMANCE_CONTRACT_CASES_H_
