// SPDX-License-Identifier: Apache-2.0
//
// What is legal for an operator, and what makes it interesting: its domain. An operator's domain is one
// function, which makes one case: it names each choice that it has, and gives the node's inputs and
// attributes for what was chosen.
//
//   void Softmax(Domain& d) {
//     const Dims x = d.Shape("shape", {{3, 4, 5}, {}, {1}, {2, 1025}});
//     d.AttrInt("axis", d.Pick("axis", d.Axes(x)));
//     d.In(x, Spread(8));
//   }
//
// The generator (generate.h) runs it once to learn the choices, whose first option is the plain one, and
// then again for each option and for pairs of them. So a choice is also what coverage counts, and the part of
// a case's id: an option's text holds no ',' and no '='. A domain may ask for choices that depend on others,
// and reject combinations.
//
// One domain serves every version of its operator: version() and what the schema has (has_input,
// has_attribute) tell them apart.
#ifndef BRAID_CONFORMANCE_CASE_DOMAIN_H_
#define BRAID_CONFORMANCE_CASE_DOMAIN_H_

#include <cstdint>
#include <initializer_list>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "conformance/case/value.h"

namespace braid::conformance {

struct OperatorVersion;  // schema.h

// How the elements of a tensor are drawn. Every kind serves every element type: numbers are rounded and
// brought into the type's range; unsigned types take the magnitude; booleans whether it is above the middle.
struct Values {
  enum Kind {
    kUniform,   // in [low, high)
    kSpread,    // of either sign, magnitudes from low to high evenly over the octaves
    kWhole,     // integers in [low, high]
    kDistinct,  // no two equal: a permutation of equally spaced numbers from low to high
    kGiven,     // these, again from the first where they are fewer than the elements
    kWords,     // strings of these
  };
  Kind kind = kUniform;
  double low = -1, high = 1;
  std::vector<double> given;
  std::vector<std::string> words;
};
inline Values Uniform(double low, double high) { return {Values::kUniform, low, high, {}, {}}; }
// Magnitudes of 2^-6 * most to most.
inline Values Spread(double most = 4) { return {Values::kSpread, most / 64, most, {}, {}}; }
inline Values Whole(int64_t low, int64_t high) {
  return {Values::kWhole, static_cast<double>(low), static_cast<double>(high), {}, {}};
}
inline Values Distinct(double low = -4, double high = 4) { return {Values::kDistinct, low, high, {}, {}}; }
inline Values Given(std::vector<double> given) { return {Values::kGiven, 0, 0, std::move(given), {}}; }
inline Values Words(std::vector<std::string> words = {"", "a", "b", "word", "two words",
                                                      "\xc3\xa9t\xc3\xa9"}) {
  return {Values::kWords, 0, 0, {}, std::move(words)};
}

// A graph attribute in ONNX's text form: "body (int64 i, bool c) => (c) { ... }".
struct GraphText {
  std::string text;
};
// A type attribute: a tensor of that element type, or a sequence of such.
struct TypeValue {
  int32_t element = 0;
  bool is_sequence = false;
};
// A sparse tensor of `dims`: its values, and their places, of `index_dims` as ONNX's SparseTensorProto has
// them.
struct Sparse {
  Tensor values;
  Dims index_dims;
  std::vector<int64_t> indices;
  Dims dims;
};
using AttributeValue = std::variant<int64_t, float, std::string, std::vector<int64_t>, std::vector<float>,
                                    std::vector<std::string>, Tensor, GraphText, TypeValue, Sparse>;

// Thrown by Domain::Reject: this combination of choices is no case.
struct Rejected {
  std::string reason;
};

// Choices made: name -> option's text. What is not in it takes the first option.
using Choices = std::map<std::string, std::string>;

// One case in the making.
class Domain {
 public:
  struct Choice {
    std::string name;
    std::vector<std::string> options;  // the first is the plain one
    size_t chosen = 0;
  };
  struct Input {
    std::string name;  // of the schema; "" : absent
    bool present = true;
    Value value;
    bool is_shape = false;  // made by Ints: axes, shapes, counts
  };
  // `run`: 0, or 1 for the second run of a case whose extents are symbols. Of a fuzzed case twice its number,
  // and one more for its second run.
  Domain(const OperatorVersion& op, const std::map<std::string, int32_t>& types, const Choices& choices,
         uint64_t seed, int run);

  // ---- What operator this is ----
  const std::string& op() const;
  int version() const;                          // since_version
  bool has_input(std::string_view name) const;  // whether the schema of this version has it
  bool has_attribute(std::string_view name) const;
  size_t max_inputs() const;
  // Element type that a type variable ("T", "T1") stands for here; of the name of a formal input whose type
  // is fixed, that one.
  int32_t type(const std::string& variable) const;
  bool is_float(const std::string& variable) const;  // float16, bfloat16, float or double
  bool is_integer(const std::string& variable) const;

  // ---- Choices ----
  int64_t Pick(const std::string& name, const std::vector<int64_t>& options);
  int64_t Pick(const std::string& name, std::initializer_list<int> options) {
    return Pick(name, std::vector<int64_t>(options.begin(), options.end()));
  }
  double PickFloat(const std::string& name, const std::vector<double>& options);
  std::string Pick(const std::string& name, const std::vector<std::string>& options);
  std::string Pick(const std::string& name, std::initializer_list<const char*> options);
  std::vector<int64_t> PickInts(const std::string& name, const std::vector<std::vector<int64_t>>& options);
  bool Flag(const std::string& name) { return Pick(name, std::vector<int64_t>{0, 1}) != 0; }
  // As PickInts, of shapes: in the second run of a case with symbols every extent above 1 grows, each
  // distinct one by its own amount, so that equal extents stay equal.
  Dims Shape(const std::string& name, const std::vector<Dims>& options);
  // A single extent, which grows likewise.
  int64_t Extent(int64_t extent) const;
  // The shapes that find faults of devices' tails and strides: small ones of every rank, one and no elements,
  // and extents around powers of two. `rank` at least.
  Dims AnyShape(const std::string& name = "shape", int64_t least_rank = 0);
  // Circumstances that a domain heeds where it can. ~size=large: kLarge elements in one axis, or products of
  // matrices beyond 256; AnyShape and Broadcast heed it, and ~size=huge, more than 65,536 times 256.
  // ~size=many: many axes, or many inputs or outputs.
  static constexpr int64_t kLarge = (1 << 20) + 7, kHuge = (1 << 24) + 7;
  bool IsLarge() const { return Is("~size", "large"); }
  // The one axis of a case of ~size=large or huge; 0: it is neither.
  int64_t LongAxis() const { return IsLarge() ? kLarge : Is("~size", "huge") ? kHuge : 0; }
  bool IsMany() const { return Is("~size", "many"); }
  // In a case of ~magnitude=large, what In draws evenly from here on is so much larger: by default beyond all
  // that a float16 holds, in the middle of the computation too.
  void Scales(double by = 131072) {
    if (Is("~magnitude", "large")) scale_ = by;
  }
  // Whether it was asked for: "~size=large".
  bool heeds(const std::string& circumstance) const { return heeded_.contains(circumstance); }
  // 0, ..., r-1, -1, ..., -r with the first as given (an axis of that rank, may be negative).
  static std::vector<int64_t> Axes(int64_t rank, int64_t first = -1);
  [[noreturn]] void Reject(const std::string& reason) const { throw Rejected{reason}; }

  // ---- Inputs, in the order of the schema ----
  // The next input, of the type that the schema gives it here.
  void In(const Dims& dims, const Values& values);
  void In(Tensor tensor);
  void In(Value value);  // sequences, optionals, maps
  // An integer input that says what to do (axes, shape, pads): constants are legal everywhere.
  void Ints(const std::vector<int64_t>& values);
  void IntScalar(int64_t value);
  void Absent();
  // Input `name` where this version has it as an input, attribute `name` where it has that; neither: Reject
  // unless `values` is empty.
  void AttrOrInput(const std::string& name, const std::vector<int64_t>& values);

  // ---- Attributes ----
  void AttrInt(const std::string& name, int64_t value) { attributes_[name] = value; }
  void AttrFloat(const std::string& name, double value) { attributes_[name] = static_cast<float>(value); }
  void AttrText(const std::string& name, const std::string& value) { attributes_[name] = value; }
  void AttrInts(const std::string& name, std::vector<int64_t> value) { attributes_[name] = std::move(value); }
  void AttrFloats(const std::string& name, std::vector<float> value) { attributes_[name] = std::move(value); }
  void AttrTexts(const std::string& name, std::vector<std::string> value) {
    attributes_[name] = std::move(value);
  }
  void AttrTensor(const std::string& name, Tensor value) { attributes_[name] = std::move(value); }
  void AttrGraph(const std::string& name, std::string text) {
    attributes_[name] = GraphText{std::move(text)};
  }
  void AttrType(const std::string& name, TypeValue value) { attributes_[name] = value; }
  void AttrSparse(const std::string& name, Sparse value) { attributes_[name] = std::move(value); }
  // Leaves the attribute out where `value` is `absent`: so that the default is tried too.
  void AttrIntOr(const std::string& name, int64_t value, int64_t absent) {
    if (value != absent) AttrInt(name, value);
  }

  // ---- Outputs ----
  // Which of the schema's outputs the node has; without a call, all that are not optional and the first
  // optional ones... none. For variadic outputs `count` of them.
  void Outputs(std::vector<bool> wanted) { outputs_ = std::move(wanted); }
  void OutputCount(size_t count) { outputs_ = std::vector<bool>(count, true); }

  // A tensor of `type` (a variable or the number of an element type), drawn as In would.
  Tensor Draw(int32_t type, const Dims& dims, const Values& values);

  // ---- For the generator ----
  // Whoever wants to know of choices, attributes and types alone: what is drawn is zero from here on.
  void LeaveOutData() { without_data_ = true; }
  const std::vector<Choice>& choices() const { return choices_; }
  std::vector<Input>& inputs() { return inputs_; }
  const std::map<std::string, AttributeValue>& attributes() const { return attributes_; }
  const std::optional<std::vector<bool>>& outputs() const { return outputs_; }
  const OperatorVersion& operator_version() const { return op_; }
  bool grown() const { return grown_; }  // whether the second run's extents differ

 private:
  size_t Choose(const std::string& name, std::vector<std::string> options);
  bool Is(const std::string& circumstance, const std::string& option) const;
  int32_t NextType(std::string* name);

  const OperatorVersion& op_;
  std::map<std::string, int32_t> types_;
  const Choices& chosen_;
  uint64_t seed_, drawn_ = 0;
  int run_;
  mutable bool grown_ = false;
  mutable std::set<std::string> heeded_;
  double scale_ = 1;
  bool without_data_ = false;
  std::vector<Choice> choices_;
  std::vector<Input> inputs_;
  std::map<std::string, AttributeValue> attributes_;
  std::optional<std::vector<bool>> outputs_;
};

struct DomainEntry {
  std::string_view domain, op;
  void (*make)(Domain&);
};
// The operator's domain; null if there is none.
const DomainEntry* FindDomain(std::string_view domain, std::string_view op);

// The families: each stands at the end of its own file in conformance/domains, and registry.cc names them.
std::span<const DomainEntry> PointwiseDomains();      // pointwise.cc: arithmetic, functions, activations
std::span<const DomainEntry> LogicDomains();          // logic.cc: comparison, bits, Where, Cast
std::span<const DomainEntry> ReductionDomains();      // reduction.cc: Reduce*, ArgMax, CumSum, TopK ...
std::span<const DomainEntry> MovementDomains();       // movement.cc: Transpose, Concat, Slice, Pad ...
std::span<const DomainEntry> IndexingDomains();       // indexing.cc: Gather*, Scatter*, OneHot, NonZero ...
std::span<const DomainEntry> ShapeDomains();          // shape.cc: Reshape, Expand, Constant*, Range ...
std::span<const DomainEntry> ProductDomains();        // product.cc: MatMul, Gemm, Einsum, Det ...
std::span<const DomainEntry> ConvolutionDomains();    // convolution.cc: Conv*, pools, Col2Im ...
std::span<const DomainEntry> NormalizationDomains();  // normalization.cc: Softmax family, *Normalization
std::span<const DomainEntry> RecurrentDomains();      // recurrent.cc: RNN, GRU, LSTM
std::span<const DomainEntry> AttentionDomains();      // attention.cc: Attention, RotaryEmbedding ...
std::span<const DomainEntry> QuantizeDomains();       // quantize.cc
std::span<const DomainEntry> ImageDomains();          // image.cc: Resize, GridSample ...
std::span<const DomainEntry> SignalDomains();         // signal.cc: DFT, STFT, windows ...
std::span<const DomainEntry> TextDomains();           // text.cc: strings
std::span<const DomainEntry> LossDomains();           // loss.cc: losses, training
std::span<const DomainEntry> MlDomains();             // ml.cc: ai.onnx.ml
std::span<const DomainEntry> ControlDomains();        // control.cc: If, Loop, Scan, sequences, optionals
std::span<const DomainEntry> RandomDomains();         // random.cc

}  // namespace braid::conformance

#endif  // BRAID_CONFORMANCE_CASE_DOMAIN_H_
