// SPDX-License-Identifier: Apache-2.0
//
// The operators of ONNX in all their versions, as the bundled library's schemas have them, without protobuf.
#ifndef BRAID_CONFORMANCE_CASE_SCHEMA_H_
#define BRAID_CONFORMANCE_CASE_SCHEMA_H_

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace braid::conformance {

struct Formal {
  enum Option { kSingle, kOptional, kVariadic };
  std::string name;
  std::string type;                // a type variable ("T"), or a fixed type ("tensor(int64)")
  std::vector<std::string> types;  // that it may have: "tensor(float)", "seq(tensor(int64))" ... sorted
  Option option = kSingle;
  int least = 0;            // of a variadic one
  bool homogeneous = true;  // all of a variadic one's have the same type
};

struct FormalAttribute {
  std::string name;
  int kind = 0;  // numbers of onnx.AttributeProto.AttributeType
  bool required = false;
};

struct OperatorVersion {
  std::string domain, name;  // domain "" is ai.onnx
  int since = 0;             // the version
  int last = 0;              // the newest opset in which it is this one
  bool deprecated = false, newest = false, experimental = false;
  bool is_function = false;
  std::vector<Formal> inputs, outputs;
  std::vector<FormalAttribute> attributes;
  // Type variable -> the types that it allows, "tensor(float)" ...
  std::map<std::string, std::vector<std::string>> variables;

  std::string Label() const;  // "Conv-22", "ai.onnx.ml.Scaler-1"
  const FormalAttribute* attribute(std::string_view name) const;
  int input(std::string_view name) const;  // position, or -1
};

// All versions of all operators, by domain, name and version.
const std::vector<OperatorVersion>& AllOperatorVersions();
const OperatorVersion* FindOperatorVersion(std::string_view domain, std::string_view name, int since);

// "tensor(float)" -> 1; 0 for what is no tensor.
int32_t ElementTypeOf(std::string_view type);
// 1 -> "float", as ONNX's type strings have it.
std::string ElementTypeText(int32_t type);

}  // namespace braid::conformance

#endif  // BRAID_CONFORMANCE_CASE_SCHEMA_H_
