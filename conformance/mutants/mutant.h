// SPDX-License-Identifier: Apache-2.0
//
// Mutants: the reference device with one fault each, as data. They tell how good the suite is: a mutant that
// no case finds is a broken device that the suite would certify.
//
// The environment variable BRAID_MUTANT names the fault of the plugin `mutant`, which reads it once a
// process; without it the plugin has none. `braid conformance --mutants` runs each against the cases of the
// operators that it touches (kill.h).
#ifndef BRAID_CONFORMANCE_MUTANTS_MUTANT_H_
#define BRAID_CONFORMANCE_MUTANTS_MUTANT_H_

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace braid::mutants {

class NodeRun;    // node_run.h
class GraphEdit;  // graph_edit.h
struct Tables;    // tables.h

enum class Family {
  kNumeric,      // fewer bits than the type has
  kAttribute,    // an attribute is not looked at
  kInput,        // an optional input is not looked at
  kShape,        // sizes, tails, broadcasts, ranks, axes
  kOpset,        // the semantics of another version
  kType,         // another type than the tensor's
  kSpecial,      // NaN, infinities, zeros, ties
  kFormula,      // a formula that is good for most values only
  kFusion,       // several nodes taken together wrongly
  kStale,        // something of an earlier run, graph or executable
  kMemory,       // reads or writes what it must not, leaks
  kContract,     // breaks the ABI
  kDeterminism,  // the same inputs, other bits
};
const char* Name(Family family);  // "numeric", "attribute" ...

struct Mutant {
  std::string name;  // "round_fp16_Conv"
  std::string what;  // what it stands for, in one line
  Family family = Family::kNumeric;
  // The operators that it touches, separated by spaces: only their cases run, and only their nodes go wrong.
  // Empty: not a matter of operators, so that the suite's other cases must find it.
  std::string operators;
  // Cases whose id holds one of these words come first: "group= dilations=".
  std::string first;
  bool smoke = false;  // the smoke level must find it

  // How it goes wrong; most mutants have one of these.
  std::function<void(NodeRun&)> node;     // runs a node in its operator's place
  std::function<void(GraphEdit&)> graph;  // changes the graph that is compiled
  std::function<void(Tables&)> tables;    // changes the slots that the host calls
};

const std::vector<Mutant>& AllMutants();
// Devices without a fault that other mutants build on ("asynchronous", "blobs"): they must pass everything.
const std::vector<Mutant>& Sound();
const Mutant* FindMutant(std::string_view name);  // of either; null: there is none
// Whether the mutant touches the operator; those of other domains than ai.onnx are called "domain.Operator".
bool Touches(const Mutant& mutant, std::string_view op);
std::vector<std::string> OperatorsOf(const Mutant& mutant);
// Half of the mutants may be looked at to choose cases and their data; the score counts the other half. By a
// hash of the name.
bool IsForScore(std::string_view name);

// The families: each in a file of its own.
void AddNumeric(std::vector<Mutant>* all);     // numeric.cc: numeric
void AddTypes(std::vector<Mutant>* all);       // types.cc: type
void AddAttributes(std::vector<Mutant>* all);  // attributes.cc: attribute
void AddInputs(std::vector<Mutant>* all);      // inputs.cc: input
void AddShapes(std::vector<Mutant>* all);      // shapes.cc: shape
void AddSpecials(std::vector<Mutant>* all);    // specials.cc: special
void AddFormulas(std::vector<Mutant>* all);    // formulas.cc: formula, opset
void AddFusions(std::vector<Mutant>* all);     // fusions.cc: fusion
void AddRuns(std::vector<Mutant>* all);        // runs.cc: stale, determinism
void AddMemory(std::vector<Mutant>* all);      // memory.cc: memory
void AddContract(std::vector<Mutant>* all);    // contract.cc: contract

}  // namespace braid::mutants

#endif  // BRAID_CONFORMANCE_MUTANTS_MUTANT_H_
