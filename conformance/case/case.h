// SPDX-License-Identifier: Apache-2.0
//
// A case: a model with inputs, made anew from its id on any machine.
//
// Ids of generated cases read
//
//   ai.onnx/Conv-22/T=float16,group=2,~inputs=constant
//
// the operator, its version, and what is not as in its plain case: types of type variables, choices of its
// domain (domain.h), and circumstances, which every operator has:
//
//   ~inputs=plain      what says what to do (axes, shapes) is constant, data is given at run time
//   ~inputs=runtime    all is given at run time
//   ~inputs=constant   all but the first input is constant
//   ~size=large        more than a million elements, or matrices beyond 256
//   ~size=huge         more than 16 million elements
//   ~size=many         eight axes, or 33 inputs or outputs
//   ~magnitude=large   numbers that no float16 holds
//   ~dims=symbols      extents are symbols, and the graph runs with two sets of shapes
//   ~fuzz=N            extents and data are drawn from N (run/fuzz.h)
#ifndef BRAID_CONFORMANCE_CASE_CASE_H_
#define BRAID_CONFORMANCE_CASE_CASE_H_

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "conformance/case/domain.h"
#include "conformance/case/schema.h"
#include "conformance/case/value.h"

namespace braid::conformance {

enum class Level { kSmoke, kDefault, kFull };

// What the node of a case has, in the schema's names: what coverage counts.
struct Parts {
  std::vector<std::string> attributes, inputs, outputs;
  std::map<std::string, std::string> types;  // of type variables: "tensor(float)", "seq(tensor(int64))"
};

struct Case {
  std::string id;
  const OperatorVersion* op = nullptr;
  std::map<std::string, int32_t> types;  // of every type variable
  Choices choices;                       // circumstances too
  Level level = Level::kDefault;         // the lowest that has it
  Parts parts;                           // filled by the generator
};

struct NamedValue {
  std::string name;
  Value value;
};

// What runs.
struct BuiltCase {
  std::string model;                          // a serialized ModelProto
  std::vector<std::vector<NamedValue>> runs;  // inputs of each run
  std::vector<std::string> outputs;           // their names
  std::string placement;  // as graph_options.placement, with the reference device beside; "": alone
};

// Numbers of ~fuzz: few enough to be read, enough that hardly two runs have the same.
inline constexpr int64_t kMostFuzz = 100'000'000;

// Throws Rejected where the choices do not go together.
BuiltCase Build(const Case& c);

// The types of the plain case: float where it is allowed.
std::map<std::string, int32_t> PlainTypes(const OperatorVersion& op);
std::string IdOf(const OperatorVersion& op, const std::map<std::string, int32_t>& types,
                 const Choices& choices);

}  // namespace braid::conformance

#endif  // BRAID_CONFORMANCE_CASE_CASE_H_
