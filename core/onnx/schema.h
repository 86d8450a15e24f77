// SPDX-License-Identifier: Apache-2.0
//
// What ONNX's own schemas say of a node.
#ifndef BRAID_CORE_ONNX_SCHEMA_H_
#define BRAID_CORE_ONNX_SCHEMA_H_

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/onnx/proto.h"
#include "onnx/defs/schema.h"

namespace braid::loader {

// The newest opset of ai.onnx that the bundled library has released: what every model is upgraded to.
inline constexpr int kNewestOpset = 28;
inline constexpr int kNewestMlOpset = 5;  // likewise of ai.onnx.ml

// The newest opset of a domain whose models are upgraded; 0 for any other domain.
int NewestOpsetOf(std::string_view domain);

// The schema of an operator at a version of its domain; null if there is none.
const pb::OpSchema* FindSchema(const std::string& op, const std::string& domain, int64_t version);

// The schemas of all versions of an operator, oldest first; none if there is no such operator.
const std::vector<pb::OpSchema>& SchemasOf(const std::string& op, const std::string& domain);

// All versions of an operator, oldest first; none if there is no such operator.
const std::vector<int>& VersionsOf(const std::string& op, const std::string& domain);

// Of operators that are not ONNX's (operators.h): asks for them, and what there is of them.
void DeclareOperators();
const pb::OpSchema* FindDeclared(const std::string& op, const std::string& domain, int64_t version);
std::vector<std::string> DeclaredIn(const std::string& domain);

// "; did you mean 'Conv'?" for an operator that no version of the domain has; "" if nothing is near.
std::string NearestOperator(const std::string& op, const std::string& domain);

}  // namespace braid::loader

#endif  // BRAID_CORE_ONNX_SCHEMA_H_
