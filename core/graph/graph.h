// SPDX-License-Identifier: Apache-2.0
//
// The graph in memory: values, nodes, types, symbolic shapes. Knows no protobuf and no device.
//
// A Graph is self-contained. The body of a control-flow node (If, Loop, Scan, SequenceMap) is a Graph of its
// own whose inputs are its formal inputs followed by the values that it captures; Body::captures names, for
// each of the latter, the value of the enclosing graph. Every model is in the newest opset by the time that
// it is a Graph.
#ifndef BRAID_CORE_GRAPH_GRAPH_H_
#define BRAID_CORE_GRAPH_GRAPH_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/types/span.h"

namespace braid {

using ValueId = uint32_t;
using NodeId = uint32_t;
inline constexpr uint32_t kNone = 0xffffffffu;  // an absent optional input or output; "no node"

// Element types have the numbers of onnx.TensorProto.DataType; a value may have one that is not listed here.
using ElementType = int32_t;
struct Element {
  enum Number : ElementType {
    kUndefined = 0,
    kFloat = 1,
    kUint8 = 2,
    kInt8 = 3,
    kUint16 = 4,
    kInt16 = 5,
    kInt32 = 6,
    kInt64 = 7,
    kString = 8,
    kBool = 9,
    kFloat16 = 10,
    kDouble = 11,
    kUint32 = 12,
    kUint64 = 13,
    kComplex64 = 14,
    kComplex128 = 15,
    kBfloat16 = 16,
    kFloat8E4M3FN = 17,
    kFloat8E4M3FNUZ = 18,
    kFloat8E5M2 = 19,
    kFloat8E5M2FNUZ = 20,
    kUint4 = 21,
    kInt4 = 22,
    kFloat4E2M1 = 23,
    kFloat8E8M0 = 24,
    kUint2 = 25,
    kInt2 = 26,
    kFloat6E2M3 = 27,
    kFloat6E3M2 = 28,
  };
};

// A known extent (value >= 0), or value -1 and a symbol (index into Graph::symbols) that equal dimensions
// share, or value -1 and symbol -1 where nothing is known.
struct Dim {
  int64_t value = -1;
  int32_t symbol = -1;
  bool operator==(const Dim&) const = default;
};

enum class ValueKind : uint8_t { kTensor = 0, kSequence = 1, kOptional = 2, kMap = 3, kSparseTensor = 4 };

struct Type {
  ValueKind kind = ValueKind::kTensor;
  ElementType element = 0;     // of the tensor; of a map: its key type; 0 if unknown
  bool has_shape = false;      // false: rank unknown
  std::vector<Dim> dims;       // of a tensor
  std::shared_ptr<Type> item;  // of a sequence, optional or map
  bool is_tensor() const { return kind == ValueKind::kTensor; }
  bool is_static() const;  // a tensor with every extent known
};

// The bytes of an initializer, in ONNX's raw little-endian layout (types below a byte packed; strings as in
// plugin.h: pairs of uint64 (offset, length), then the characters). Shared by every graph that uses it; a
// large one is mapped.
struct Constant {
  uint64_t id = 0;  // unique in the process; the same for the same bytes in every specialisation of a model
  const uint8_t* data = nullptr;
  uint64_t bytes = 0;
  std::shared_ptr<const void> owner;  // keeps data alive
};

struct Value {
  std::string name;
  Type type;
  std::shared_ptr<const Constant> constant;  // null: computed, or given by the caller
};

struct Graph;

struct Body {
  std::shared_ptr<Graph> graph;
  std::vector<ValueId> captures;  // in the enclosing graph, one for each of the body's last inputs
};

struct Attribute {
  enum Kind : int32_t {
    kFloat = 1,
    kInt = 2,
    kString = 3,
    kTensor = 4,
    kGraph = 5,
    kFloats = 6,
    kInts = 7,
    kStrings = 8,
    kOther = 0
  };
  std::string name;
  int32_t kind = kOther;  // numbers of onnx.AttributeProto.AttributeType
  float f = 0;
  int64_t i = 0;
  std::string s;
  std::vector<float> floats;
  std::vector<int64_t> ints;
  std::vector<std::string> strings;
  ValueId tensor = kNone;  // a constant value of the graph (in values, used by no input)
  Body body;               // kGraph
};

struct Node {
  std::string op, domain, name;          // domain "" is ai.onnx
  int32_t version = 0;                   // since_version of the operator in the newest opset
  int32_t min_version = 0;               // oldest since_version under which this node means the same
  std::vector<ValueId> inputs, outputs;  // kNone: absent
  std::vector<Attribute> attributes;
  // The node as older versions of its operator say it, where that differs; newest first. The inputs are the
  // node's first ones.
  struct Form {
    int32_t version = 0, min_version = 0;
    std::vector<ValueId> inputs;
    std::vector<Attribute> attributes;
  };
  std::vector<Form> older;
  // Whether core runs it itself: control flow, and operators on values that are no tensors.
  bool is_host = false;
  // The operator's specification gives it a function body: it can be expanded where no device takes it.
  bool is_function = false;
  const Attribute* attribute(std::string_view name) const;
};

struct Graph {
  std::string name;
  std::vector<Value> values;
  std::vector<Node> nodes;  // topologically ordered
  std::vector<ValueId> inputs, outputs;
  std::vector<std::string> symbols;
  // Of inputs: those that an initializer of the same name gives a default for (IR < 4, or by choice); null
  // where none.
  std::vector<std::shared_ptr<const Constant>> input_defaults;

  ValueId AddValue(std::string value_name, Type type);
  int32_t AddSymbol(std::string_view symbol);  // index of the existing one of that name
};

// Bits of one element of a type (4 for INT4; 128 for a string's pair); 0 for an unknown type.
int ElementBits(ElementType type);
// Whether a map's keys can be of this type: integers of 8 to 64 bits, and strings.
bool IsMapKey(ElementType type);
// Bytes of a dense tensor of `elements` elements; saturates at UINT64_MAX.
uint64_t TensorBytes(ElementType type, uint64_t elements);
// Product of the extents; -1 if one is unknown, INT64_MAX if it overflows.
int64_t ElementCount(absl::Span<const Dim> dims);
// "FLOAT", "INT64" ...; "type 77" for an unknown one.
std::string ElementTypeName(ElementType type);
// "float32[1,3,H,W]", "sequence(int64[?])".
std::string TypeString(const Type& type, absl::Span<const std::string> symbols);

}  // namespace braid

#endif  // BRAID_CORE_GRAPH_GRAPH_H_
