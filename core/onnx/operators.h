// SPDX-License-Identifier: Apache-2.0
//
// Operators of domains that are not ONNX's: what plugins declare of them.
#ifndef BRAID_CORE_ONNX_OPERATORS_H_
#define BRAID_CORE_ONNX_OPERATORS_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "core/graph/graph.h"

namespace braid {

struct OperatorDeclaration {
  struct Formal {
    std::string name, type;  // type: "tensor(float)", or a constraint's name
    int32_t option = 0;      // 0 single, 1 optional, 2 variadic
  };
  struct Constraint {
    std::string name;
    std::vector<std::string> types;
  };
  struct Attribute {
    std::string name;
    int32_t kind = 0;  // Attribute::Kind
    bool required = false;
  };
  std::string domain, name, text;
  int32_t since_version = 1;
  std::vector<Formal> inputs, outputs;
  std::vector<Constraint> constraints;
  std::vector<Attribute> attributes;
  std::string body;  // in ONNX's text form; "" if there is none
  int32_t body_opset = 0;
  // May be null. `call` has one node; inputs whose values are known are constants. `outputs` comes with what
  // the constraints say of the types.
  std::function<absl::Status(const Graph& call, std::vector<Type>* outputs)> infer;
};

// Makes the operator known to all models that are loaded from now on. INVALID_ARGUMENT says what is wrong
// with the declaration; ALREADY_EXISTS: domain, name and version are declared already. [any thread]
absl::Status DeclareOperator(OperatorDeclaration declaration);

// Called before a model is checked that has a node of a domain which is not ONNX's, once its own functions
// are expanded, once for each such model: it declares what there is. [set once, before the first load]
void SetOperatorSource(std::function<void()> declare_all);

}  // namespace braid

#endif  // BRAID_CORE_ONNX_OPERATORS_H_
