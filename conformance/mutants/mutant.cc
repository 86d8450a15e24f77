// SPDX-License-Identifier: Apache-2.0
#include "conformance/mutants/mutant.h"

#include <cstdint>
#include <sstream>

#include "conformance/mutants/node_run.h"
#include "conformance/mutants/tables.h"

namespace braid::mutants {

const char* Name(Family family) {
  static constexpr const char* kNames[] = {"numeric", "attribute", "input",      "shape",  "opset",
                                           "type",    "special",   "formula",    "fusion", "stale",
                                           "memory",  "contract",  "determinism"};
  return kNames[static_cast<size_t>(family)];
}

const std::vector<Mutant>& AllMutants() {
  static const auto* const kAll = [] {
    auto* all = new std::vector<Mutant>();
    for (const auto add : {AddNumeric, AddTypes, AddAttributes, AddInputs, AddShapes, AddSpecials,
                           AddFormulas, AddFusions, AddRuns, AddMemory, AddContract})
      add(all);
    return all;
  }();
  return *kAll;
}

const std::vector<Mutant>& Sound() {
  static const auto* const kSound = new std::vector<Mutant>{
      {.name = "asynchronous",
       .what = "a thread does the runs",
       .family = Family::kContract,
       .tables = [](Tables& t) { t.asynchronous = true; }},
      {.name = "blobs",
       .what = "executables can be saved",
       .family = Family::kContract,
       .tables = [](Tables& t) { t.has_blobs = true; }},
      {.name = "nodes",
       .what = "nodes run by the mutants' own means",
       .family = Family::kNumeric,
       .node = [](NodeRun& run) { run.Compute(); }},
  };
  return *kSound;
}

const Mutant* FindMutant(std::string_view name) {
  for (const auto* list : {&AllMutants(), &Sound()})
    for (const Mutant& m : *list)
      if (m.name == name) return &m;
  return nullptr;
}

std::vector<std::string> OperatorsOf(const Mutant& mutant) {
  std::istringstream words(mutant.operators);
  std::vector<std::string> out;
  for (std::string word; words >> word;) out.push_back(word);
  return out;
}

bool Touches(const Mutant& mutant, std::string_view op) {
  for (const std::string& word : OperatorsOf(mutant))
    if (word == op) return true;
  return false;
}

bool IsForScore(std::string_view name) {
  uint64_t hash = 0xcbf29ce484222325u;  // FNV-1a: the same on every machine
  for (const char c : name) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3u;
  return (hash >> 32 & 1) != 0;
}

}  // namespace braid::mutants
