// SPDX-License-Identifier: Apache-2.0
//
// The bytes choose one of ONNX's operators in one of its versions, element types that its schema allows,
// shapes of rank 0 to 4 with extents of 0 to 5, attributes, sensible ones and others, and data. The model of
// this one node runs twice: with each input as the bytes say, a constant or an input of the graph, and with
// all of them as inputs. Both results are the same bits.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <map>
#include <random>
#include <set>

#include "onnx/common/constants.h"
#include "onnx/defs/schema.h"
#include "onnx/onnx_pb.h"
#include "onnx/shape_inference/implementation.h"
#include "tests/fuzz/harness.h"

namespace braid::fuzz {
namespace {

namespace pb = ONNX_NAMESPACE;
using pb::OpSchema;

struct Operator {
  OpSchema schema;
  int last = 0;  // the newest version of its domain in which it is this one
};

// In an order that does not depend on hashes.
const std::vector<Operator>& Operators() {
  static const std::vector<Operator> all = [] {
    std::vector<Operator> out;
    for (const OpSchema& schema : pb::OpSchemaRegistry::get_all_schemas_with_history())
      out.push_back({schema, 0});
    const auto key = [](const Operator& o) {
      return std::tuple(o.schema.domain(), o.schema.Name(), o.schema.SinceVersion());
    };
    std::sort(out.begin(), out.end(), [&](const Operator& a, const Operator& b) { return key(a) < key(b); });
    const auto& ranges = pb::OpSchemaRegistry::DomainToVersionRange::Instance().Map();
    for (size_t i = 0; i < out.size(); ++i) {
      const OpSchema& s = out[i].schema;
      const bool next = i + 1 < out.size() && out[i + 1].schema.domain() == s.domain() &&
                        out[i + 1].schema.Name() == s.Name();
      out[i].last = next ? out[i + 1].schema.SinceVersion() - 1 : ranges.at(s.domain()).second;
    }
    return out;
  }();
  return all;
}

constexpr int64_t kIntEdges[] = {0,
                                 1,
                                 -1,
                                 2,
                                 127,
                                 -128,
                                 1000,
                                 65536,
                                 1 << 20,
                                 std::numeric_limits<int32_t>::max(),
                                 std::numeric_limits<int32_t>::min(),
                                 int64_t{1} << 32,
                                 int64_t{1} << 62,
                                 std::numeric_limits<int64_t>::max(),
                                 std::numeric_limits<int64_t>::min()};
constexpr double kFloatEdges[] = {0,     -0.0, 1,     -1,  0.5,      1e30,      -1e30,
                                  1e-30, 1e38, -1e38, NAN, INFINITY, -INFINITY, 2147483648.0};

// What the specification says that strings can be, and what looks like it.
constexpr const char* kWords[] = {"",
                                  "NOTSET",
                                  "SAME_UPPER",
                                  "SAME_LOWER",
                                  "VALID",
                                  "constant",
                                  "edge",
                                  "reflect",
                                  "wrap",
                                  "linear",
                                  "nearest",
                                  "cubic",
                                  "bilinear",
                                  "bicubic",
                                  "zeros",
                                  "border",
                                  "reflection",
                                  "half_pixel",
                                  "asymmetric",
                                  "align_corners",
                                  "pytorch_half_pixel",
                                  "tf_crop_and_resize",
                                  "tf_half_pixel_for_nn",
                                  "half_pixel_symmetric",
                                  "stretch",
                                  "not_larger",
                                  "not_smaller",
                                  "round_prefer_floor",
                                  "round_prefer_ceil",
                                  "floor",
                                  "ceil",
                                  "sum",
                                  "mean",
                                  "none",
                                  "add",
                                  "mul",
                                  "max",
                                  "min",
                                  "avg",
                                  "forward",
                                  "reverse",
                                  "bidirectional",
                                  "Sigmoid",
                                  "Tanh",
                                  "Relu",
                                  "HardSigmoid",
                                  "LeakyRelu",
                                  "Affine",
                                  "tanh",
                                  "DCR",
                                  "CRD",
                                  "LEFT",
                                  "RIGHT",
                                  "output_half_pixel",
                                  "TF",
                                  "IDF",
                                  "TFIDF",
                                  "ij,jk->ik",
                                  "...ij->...ji",
                                  "ii->i",
                                  "i,i",
                                  "bij,bjk->bik",
                                  "RGB",
                                  "BGR",
                                  "Grayscale",
                                  "LOWER",
                                  "UPPER",
                                  "NONE",
                                  "SOFTMAX",
                                  "LOGISTIC",
                                  "SOFTMAX_ZERO",
                                  "PROBIT",
                                  "MAX",
                                  "L1",
                                  "L2",
                                  "BRANCH_LEQ",
                                  "BRANCH_LT",
                                  "BRANCH_GTE",
                                  "BRANCH_GT",
                                  "BRANCH_EQ",
                                  "BRANCH_NEQ",
                                  "LEAF",
                                  "SUM",
                                  "AVERAGE",
                                  "MIN",
                                  "RBF",
                                  "POLY",
                                  "LINEAR",
                                  "SIGMOID",
                                  "TO_FLOAT",
                                  "TO_STRING",
                                  "TO_INT64",
                                  "DENSE",
                                  "SPARSE",
                                  "a",
                                  "b",
                                  "1",
                                  "-2.5e3",
                                  "nan",
                                  "[a-z]+",
                                  "(a|b)*",
                                  "en_US",
                                  "\xc3\xa9",
                                  "\xff"};

class Builder {
 public:
  Builder(const uint8_t* data, size_t size) : reader_(data, size) {}

  // False where the schema needs what is not made here.
  bool Build();

  bool IsRandom() const { return operator_->schema.Name().find("Random") != std::string::npos || random_; }
  bool HasBody() const {
    return std::any_of(node_.attribute().begin(), node_.attribute().end(),
                       [](const auto& a) { return a.has_g(); });
  }
  // Inputs whose bit is set in `constants` are constants where they can be.
  std::string Model(uint64_t constants, std::vector<HostValue>* inputs) const;
  uint64_t constants() const { return constants_; }
  const OpSchema& schema() const { return operator_->schema; }

 private:
  int64_t Int();
  int64_t SmallInt() { return static_cast<int64_t>(reader_.Below(8)) - 2; }
  float Float();
  std::string Word();
  std::vector<int64_t> Shape();
  std::string Elements(int32_t type, uint64_t count);
  HostValue Tensor(int32_t type);
  HostValue Made(const pb::TypeProto& type);
  pb::TypeProto TypeOf(const HostValue& value, const pb::TypeProto& formal);
  const pb::TypeProto& Chosen(const OpSchema::FormalParameter& formal);
  bool Attribute(const OpSchema::Attribute& declared);
  pb::GraphProto Body();
  void SetOutputs(pb::ModelProto* model) const;

  Reader reader_;
  const Operator* operator_ = nullptr;
  pb::NodeProto node_;
  std::map<std::string, pb::DataType> types_;  // of each type variable
  std::vector<HostValue> values_;
  std::vector<pb::TypeProto> value_types_;
  uint64_t constants_ = 0;
  int opset_ = 0;
  bool random_ = false;
};

int64_t Builder::Int() {
  switch (reader_.Below(8)) {
    case 5:
      return reader_.Below(32);
    case 6:
      return kIntEdges[reader_.Below(std::size(kIntEdges))];
    case 7:
      return static_cast<int16_t>(reader_.Short());
    default:
      return SmallInt();
  }
}

float Builder::Float() {
  switch (reader_.Below(4)) {
    case 0:
      return static_cast<float>(kFloatEdges[reader_.Below(std::size(kFloatEdges))]);
    case 1:
      return static_cast<float>(static_cast<int16_t>(reader_.Short())) / 256;
    default:
      return static_cast<float>(SmallInt()) / 2;
  }
}

std::string Builder::Word() {
  const uint32_t i = reader_.Below(std::size(kWords) + 8);
  return i < std::size(kWords) ? kWords[i] : reader_.Text(12);
}

// Often one that has to do with the first input's.
std::vector<int64_t> Builder::Shape() {
  const HostValue* first = values_.empty() || values_[0].kind != GRAPH_TENSOR ? nullptr : &values_[0];
  const uint8_t how = reader_.Byte();
  if (first != nullptr) {
    std::vector<int64_t> dims = first->dims;
    switch (how % 8) {
      case 0:
        return dims;
      case 1:  // broadcasts
        if (!dims.empty()) dims[reader_.Below(static_cast<uint32_t>(dims.size()))] = 1;
        return dims;
      case 2:  // one number for each of its dimensions, or twice that
        return {static_cast<int64_t>(dims.size()) * (how & 8 ? 2 : 1)};
      case 3:
        return how & 8 ? std::vector<int64_t>{} : std::vector<int64_t>{1};
      case 4:  // multiplies
        if (dims.size() >= 2) std::swap(dims[dims.size() - 1], dims[dims.size() - 2]);
        return dims;
      case 5:  // one number for each channel
        return {dims.size() > 1 ? dims[1] : 1};
      case 6:  // weights of some features and a small kernel
        for (size_t i = 0; i < dims.size(); ++i)
          if (i != 1) dims[i] = 1 + reader_.Below(4);
        return dims;
      default:
        break;
    }
  }
  std::vector<int64_t> dims(how / 8 % 5);
  for (int64_t& d : dims) {
    const uint32_t b = reader_.Below(16);
    d = b < 6 ? b : 1 + b % 4;
  }
  return dims;
}

template <class T>
void Append(std::string* out, T value) {
  out->append(reinterpret_cast<const char*>(&value), sizeof value);
}

template <class T>
void AppendInt(std::string* out, double value) {
  const double low = static_cast<double>(std::numeric_limits<T>::min());
  const double high = static_cast<double>(std::numeric_limits<T>::max());
  Append(out, std::isnan(value) ? T{0}
              : value >= high   ? std::numeric_limits<T>::max()
              : value <= low    ? std::numeric_limits<T>::min()
                                : static_cast<T>(value));
}

// Without rounding; what is too small is 0.
uint16_t Half(double value) {
  const float f = static_cast<float>(value);
  uint32_t bits;
  std::memcpy(&bits, &f, 4);
  const uint32_t sign = bits >> 16 & 0x8000, mantissa = bits >> 13 & 0x3ff;
  const int exponent = static_cast<int>(bits >> 23 & 0xff) - 112;
  if (std::isnan(f)) return 0x7e00;
  if (exponent >= 31) return static_cast<uint16_t>(sign | 0x7c00);
  if (exponent <= 0) return static_cast<uint16_t>(sign);
  return static_cast<uint16_t>(sign | static_cast<uint32_t>(exponent) << 10 | mantissa);
}

std::string Builder::Elements(int32_t type, uint64_t count) {
  const uint8_t how = reader_.Byte();
  std::minstd_rand random(1u + reader_.Byte());
  if (type == GRAPH_STRING) {
    std::vector<std::string> strings;
    for (uint64_t i = 0; i < count; ++i) {
      const size_t word = how < 128 ? random() % std::size(kWords) : std::size(kWords);
      strings.push_back(word < std::size(kWords) ? kWords[word] : reader_.Text(8));
    }
    return Packed(strings);
  }
  const uint64_t bytes = (count * static_cast<uint64_t>(BitsOf(type)) + 7) / 8;
  std::string out;
  // Types that have no numbers here are made of bytes.
  const bool plain = BitsOf(type) >= 16 || type == GRAPH_INT8 || type == GRAPH_UINT8 || type == GRAPH_BOOL;
  if (!plain || how % 8 >= 6) {
    for (uint64_t i = 0; i < bytes; ++i)
      out += static_cast<char>(how % 8 == 7 ? reader_.Byte() : random() >> 8);
    return out;
  }
  const double fixed = static_cast<double>(static_cast<int>(random() % 8) - 2);
  for (uint64_t i = 0; i < count; ++i) {
    double v = fixed;
    switch (how % 8) {
      case 0:
      case 1:
        v = static_cast<double>(random() % 10) - 3;
        break;
      case 2:
        v = static_cast<double>(random() % 4096) / 512 - 4;
        break;
      case 3:
        v = type == GRAPH_INT64 || type == GRAPH_INT32
                ? static_cast<double>(kIntEdges[random() % std::size(kIntEdges)])
                : kFloatEdges[random() % std::size(kFloatEdges)];
        break;
      case 4:
        v = static_cast<double>(i);
        break;
      default:
        break;
    }
    switch (type) {
      case GRAPH_COMPLEX64:
        Append(&out, static_cast<float>(v));
        [[fallthrough]];
      case GRAPH_FLOAT:
        Append(&out, static_cast<float>(v));
        break;
      case GRAPH_COMPLEX128:
        Append(&out, v);
        [[fallthrough]];
      case GRAPH_DOUBLE:
        Append(&out, v);
        break;
      case GRAPH_FLOAT16:
        Append(&out, Half(v));
        break;
      case GRAPH_BFLOAT16: {
        const auto f = static_cast<float>(v);
        uint32_t bits;
        std::memcpy(&bits, &f, 4);
        Append(&out, static_cast<uint16_t>(bits >> 16));
        break;
      }
      case GRAPH_INT64:
        AppendInt<int64_t>(&out, v);
        break;
      case GRAPH_UINT64:
        AppendInt<uint64_t>(&out, v);
        break;
      case GRAPH_INT32:
        AppendInt<int32_t>(&out, v);
        break;
      case GRAPH_UINT32:
        AppendInt<uint32_t>(&out, v);
        break;
      case GRAPH_INT16:
        AppendInt<int16_t>(&out, v);
        break;
      case GRAPH_UINT16:
        AppendInt<uint16_t>(&out, v);
        break;
      case GRAPH_INT8:
        AppendInt<int8_t>(&out, v);
        break;
      case GRAPH_UINT8:
        AppendInt<uint8_t>(&out, v);
        break;
      default:
        out += v > 0 ? '\1' : '\0';
    }
  }
  return out;
}

HostValue Builder::Tensor(int32_t type) {
  HostValue out;
  out.type = type;
  out.dims = Shape();
  uint64_t count = 1;
  for (const int64_t d : out.dims) count *= static_cast<uint64_t>(d);
  out.bytes = Elements(type, count);
  return out;
}

HostValue Builder::Made(const pb::TypeProto& type) {
  HostValue out;
  switch (type.value_case()) {
    case pb::TypeProto::kSequenceType:
      out.kind = GRAPH_SEQUENCE;
      for (uint32_t n = reader_.Below(4); n > 0; --n)
        out.items.push_back(Made(type.sequence_type().elem_type()));
      break;
    case pb::TypeProto::kOptionalType:
      out.kind = GRAPH_OPTIONAL;
      if (reader_.Below(3) != 0) out.items.push_back(Made(type.optional_type().elem_type()));
      break;
    case pb::TypeProto::kMapType: {
      out.kind = GRAPH_MAP;
      const int64_t count = reader_.Below(5);
      const int32_t key = type.map_type().key_type();
      HostValue keys{GRAPH_TENSOR, key, {count}, "", {}, ""}, values;
      std::vector<std::string> names;
      for (int64_t i = 0; i < count; ++i) {
        names.push_back(kWords[static_cast<size_t>(i) + 20]);
        const uint64_t number = static_cast<uint64_t>(i);
        keys.bytes.append(reinterpret_cast<const char*>(&number), static_cast<size_t>(BitsOf(key)) / 8);
      }
      if (key == GRAPH_STRING) keys.bytes = Packed(names);
      values.type = type.map_type().value_type().tensor_type().elem_type();
      values.dims = {count};
      values.bytes = Elements(values.type, static_cast<uint64_t>(count));
      out.items = {keys, values};
      break;
    }
    default:
      return Tensor(type.tensor_type().elem_type());
  }
  // Of an empty one too, the type is that of its items.
  const pb::TypeProto* inner = &type;
  while (inner->value_case() == pb::TypeProto::kSequenceType ||
         inner->value_case() == pb::TypeProto::kOptionalType)
    inner = inner->value_case() == pb::TypeProto::kSequenceType ? &inner->sequence_type().elem_type()
                                                                : &inner->optional_type().elem_type();
  if (inner->value_case() == pb::TypeProto::kTensorType) out.type = inner->tensor_type().elem_type();
  return out;
}

// As the graph declares it: with the extents, with names or nothing in their place, or without a rank.
pb::TypeProto Builder::TypeOf(const HostValue& value, const pb::TypeProto& formal) {
  pb::TypeProto type = formal;
  if (value.kind != GRAPH_TENSOR) return type;
  const uint32_t how = reader_.Below(8);
  if (how == 7) return type;
  pb::TensorShapeProto* shape = type.mutable_tensor_type()->mutable_shape();
  for (size_t i = 0; i < value.dims.size(); ++i) {
    auto* dim = shape->add_dim();
    if (how < 4) dim->set_dim_value(value.dims[i]);
    if (how == 5) dim->set_dim_param("n" + std::to_string(value.dims[i]));
  }
  return type;
}

const pb::TypeProto& Builder::Chosen(const OpSchema::FormalParameter& formal) {
  const std::set<std::string> sorted = [&] {
    std::set<std::string> names;
    for (const pb::DataType t : formal.GetTypes()) names.insert(*t);
    return names;
  }();
  auto [it, is_new] = types_.emplace(formal.GetTypeStr(), nullptr);
  if (is_new || (!formal.GetIsHomogeneous() && reader_.Below(4) == 0)) {
    // float32 takes the most ways through the code.
    const uint32_t i = reader_.Below(static_cast<uint32_t>(sorted.size()) * 2);
    std::string name = i < sorted.size() ? *std::next(sorted.begin(), i) : "tensor(float)";
    if (sorted.count(name) == 0) name = *sorted.begin();
    it->second = pb::Utils::DataTypeUtils::ToType(name);
  }
  return pb::Utils::DataTypeUtils::ToTypeProto(it->second);
}

// Passes on what it is given, or what is around it.
pb::GraphProto Builder::Body() {
  pb::GraphProto body;
  body.set_name("body");
  const std::string& op = operator_->schema.Name();
  const int given = node_.input_size();
  int inputs = op == "If" ? 0 : given;
  if (reader_.Below(8) == 7) inputs = static_cast<int>(reader_.Below(6));
  for (int i = 0; i < inputs; ++i) {
    auto* input = body.add_input();
    input->set_name("in" + std::to_string(i));
    pb::TypeProto* type = input->mutable_type();
    if (op == "Loop" && i < 2) {
      type->mutable_tensor_type()->set_elem_type(i == 0 ? GRAPH_INT64 : GRAPH_BOOL);
      type->mutable_tensor_type()->mutable_shape();
    } else if (static_cast<size_t>(i) < value_types_.size()) {
      *type = value_types_[static_cast<size_t>(i)];
      if (type->has_sequence_type()) *type = pb::TypeProto(type->sequence_type().elem_type());
      if (type->has_tensor_type()) type->mutable_tensor_type()->clear_shape();
    } else {
      type->mutable_tensor_type()->set_elem_type(GRAPH_FLOAT);
    }
  }
  static constexpr const char* kOps[] = {"Identity", "Identity", "Identity", "Identity", "Not",
                                         "Neg",      "Shape",    "Abs",      "NonZero",  "SequenceConstruct"};
  const uint32_t outputs =
      static_cast<uint32_t>(op == "Loop" ? std::max(inputs - 1, 1) : 0) + reader_.Below(4);
  for (uint32_t k = 0; k < outputs; ++k) {
    auto* node = body.add_node();
    const uint32_t from = reader_.Below(static_cast<uint32_t>(inputs + given) + 1);
    node->set_op_type(kOps[reader_.Below(std::size(kOps))]);
    std::string source = from < static_cast<uint32_t>(inputs) ? "in" + std::to_string(from)
                         : given > 0                          ? node_.input(static_cast<int>(from) % given)
                                                              : "none";
    if (op == "Loop" && k < static_cast<uint32_t>(inputs) - 1 && reader_.Below(8) < 6) {
      source = "in" + std::to_string(k + 1);  // cond and what is carried, in their places
      node->set_op_type("Identity");
    }
    node->add_input(source);
    node->add_output("out" + std::to_string(k));
    body.add_output()->set_name("out" + std::to_string(k));
  }
  return body;
}

bool Builder::Attribute(const OpSchema::Attribute& declared) {
  const uint8_t how = reader_.Byte();
  if (!declared.required && how % 4 == 0) return true;
  if (declared.required && how == 255) return true;  // that is refused
  pb::AttributeProto& a = *node_.add_attribute();
  a.set_name(declared.name);
  a.set_type(declared.type);
  const uint32_t count = how / 4 % 8 < 6 ? how / 4 % 8 : 2;
  const bool same = how >= 128;  // one number many times
  switch (declared.type) {
    case pb::AttributeProto::INT:
      a.set_i(Int());
      break;
    case pb::AttributeProto::FLOAT:
      a.set_f(Float());
      break;
    case pb::AttributeProto::STRING:
      a.set_s(how % 4 == 1 && declared.default_value.has_s() ? declared.default_value.s() : Word());
      break;
    case pb::AttributeProto::INTS: {
      // Mostly as many as the first input has spatial axes, or axes, and mostly small positive ones.
      const size_t rank = values_.empty() ? 0 : values_[0].dims.size(), spatial = rank > 2 ? rank - 2 : rank;
      const size_t fits = declared.name == "pads" ? 2 * spatial : declared.name == "perm" ? rank : spatial;
      const size_t many = how / 4 % 8 < 6 ? fits : count + reader_.Below(4);
      for (size_t i = 0; i < many; ++i) {
        if (declared.name == "perm" && how / 32 % 2 == 0)
          a.add_ints(static_cast<int64_t>(many - 1 - i));
        else
          a.add_ints(same && i > 0       ? a.ints(0)
                     : how / 32 % 4 != 0 ? reader_.Below(4) + (how / 64 % 2)
                                         : Int());
      }
      break;
    }
    case pb::AttributeProto::FLOATS:
      for (uint32_t i = 0; i < count; ++i) a.add_floats(same && i > 0 ? a.floats(0) : Float());
      break;
    case pb::AttributeProto::STRINGS:
      for (uint32_t i = 0; i < count; ++i) a.add_strings(same && i > 0 ? a.strings(0) : Word());
      break;
    case pb::AttributeProto::TENSOR:
    case pb::AttributeProto::SPARSE_TENSOR: {
      const HostValue value = Tensor(static_cast<int32_t>(1 + reader_.Below(28)));
      pb::TensorProto* t = declared.type == pb::AttributeProto::TENSOR
                               ? a.mutable_t()
                               : a.mutable_sparse_tensor()->mutable_values();
      t->set_data_type(value.type);
      for (const int64_t d : value.dims) t->add_dims(d);
      if (value.type == GRAPH_STRING) {
        for (int64_t n = 0, most = static_cast<int64_t>(value.bytes.size() / 16); n < most && n < 16; ++n)
          t->add_string_data(kWords[n]);
      } else {
        t->set_raw_data(value.bytes);
      }
      if (declared.type == pb::AttributeProto::TENSOR) break;
      pb::SparseTensorProto* sparse = a.mutable_sparse_tensor();
      t->set_name("values");
      for (uint32_t i = 0; i < 1 + count % 3; ++i) sparse->add_dims(1 + reader_.Below(6));
      pb::TensorProto* indices = sparse->mutable_indices();
      indices->set_data_type(GRAPH_INT64);
      indices->add_dims(value.dims.empty() ? 1 : value.dims[0]);
      if (same) indices->add_dims(sparse->dims_size());
      int64_t numbers = 1;
      for (const int64_t d : indices->dims()) numbers *= d;
      for (int64_t i = 0; i < numbers; ++i) indices->add_int64_data(i + SmallInt());
      break;
    }
    case pb::AttributeProto::GRAPH:
      *a.mutable_g() = Body();
      break;
    case pb::AttributeProto::TYPE_PROTO:
      a.mutable_tp()->mutable_tensor_type()->set_elem_type(static_cast<int32_t>(reader_.Below(30)));
      if (same) {
        const pb::TypeProto item = a.tp();
        *a.mutable_tp()->mutable_sequence_type()->mutable_elem_type() = item;
      }
      break;
    default:
      return false;
  }
  return true;
}

bool Builder::Build() {
  const auto& all = Operators();
  operator_ = &all[reader_.Short() % all.size()];
  const OpSchema& schema = operator_->schema;
  const uint8_t flags = reader_.Byte();
  opset_ = flags & 1 ? schema.SinceVersion() : operator_->last;
  node_.set_op_type(schema.Name());
  node_.set_domain(schema.domain());
  if (flags & 2) node_.set_name("n");

  for (const auto& formal : schema.inputs()) {
    if (formal.GetTypes().empty()) return false;
    uint32_t count = 1;
    if (formal.GetOption() == OpSchema::Variadic) count = reader_.Below(5);
    if (formal.GetOption() == OpSchema::Optional && reader_.Below(3) == 0) {
      node_.add_input("");
      values_.emplace_back();
      value_types_.emplace_back();
      continue;
    }
    for (; count > 0; --count) {
      const pb::TypeProto type = Chosen(formal);
      if (type.has_sparse_tensor_type()) return false;
      HostValue value = Made(type);
      value.name = "x" + std::to_string(values_.size());
      node_.add_input(value.name);
      value_types_.push_back(TypeOf(value, type));
      values_.push_back(std::move(value));
    }
  }
  while (node_.input_size() > 0 && node_.input(node_.input_size() - 1).empty()) {
    node_.mutable_input()->RemoveLast();
    values_.pop_back();
    value_types_.pop_back();
  }
  for (const auto& [name, declared] : schema.attributes())
    if (!Attribute(declared)) return false;
  uint32_t outputs = 0;
  for (const auto& formal : schema.outputs()) {
    if (formal.GetOption() == OpSchema::Variadic)
      outputs += static_cast<uint32_t>(std::max(formal.GetMinArity(), 1)) + reader_.Below(3);
    else if (formal.GetOption() == OpSchema::Single || reader_.Below(2) == 0)
      ++outputs;
    else if (reader_.Below(4) == 0)
      break;
    else
      ++outputs;
  }
  for (uint32_t i = 0; i < outputs; ++i) node_.add_output("y" + std::to_string(i));
  constants_ = reader_.Short();
  for (const char* name : {"Bernoulli", "Dropout", "Multinomial"}) random_ |= schema.Name() == name;
  return true;
}

std::string Builder::Model(uint64_t constants, std::vector<HostValue>* inputs) const {
  pb::ModelProto model;
  model.set_ir_version(pb::IR_VERSION);
  const auto& ranges = pb::OpSchemaRegistry::DomainToVersionRange::Instance().Map();
  const std::string& domain = operator_->schema.domain();
  auto* import = model.add_opset_import();
  import->set_domain(domain);
  import->set_version(opset_);
  if (!domain.empty()) {
    import = model.add_opset_import();
    import->set_domain("");
    import->set_version(ranges.at("").second);
  }
  pb::GraphProto& g = *model.mutable_graph();
  g.set_name("g");
  *g.add_node() = node_;
  for (size_t i = 0; i < values_.size(); ++i) {
    const HostValue& value = values_[i];
    if (value.name.empty()) continue;
    if ((constants >> i & 1) != 0 && value.kind == GRAPH_TENSOR && value.type != GRAPH_STRING) {
      pb::TensorProto* t = g.add_initializer();
      t->set_name(value.name);
      t->set_data_type(value.type);
      for (const int64_t d : value.dims) t->add_dims(d);
      t->set_raw_data(value.bytes);
      continue;
    }
    auto* input = g.add_input();
    input->set_name(value.name);
    *input->mutable_type() = value_types_[i];
    inputs->push_back(value);
  }
  SetOutputs(&model);
  return model.SerializeAsString();
}

// Of the types that ONNX infers; where that fails, of those that the schema's variables stand for.
void Builder::SetOutputs(pb::ModelProto* model) const {
  // Without shapes and constants: only the types are wanted, and what else is wrong is Braid's to find.
  pb::ModelProto inferred = *model;
  pb::GraphProto& g = *inferred.mutable_graph();
  for (auto& input : *g.mutable_input())
    if (input.type().has_tensor_type()) input.mutable_type()->mutable_tensor_type()->clear_shape();
  for (const auto& t : g.initializer()) {
    auto* input = g.add_input();
    input->set_name(t.name());
    input->mutable_type()->mutable_tensor_type()->set_elem_type(t.data_type());
  }
  g.clear_initializer();
  try {
    pb::shape_inference::InferShapes(inferred);
  } catch (const std::exception&) {
    inferred.Clear();
  }
  const auto& formals = operator_->schema.outputs();
  for (int i = 0; i < node_.output_size(); ++i) {
    auto* output = model->mutable_graph()->add_output();
    output->set_name(node_.output(i));
    for (const auto& info : inferred.graph().value_info())
      if (info.name() == node_.output(i)) *output->mutable_type() = info.type();
    if (output->has_type() || formals.empty()) continue;
    const auto& formal = formals[std::min(static_cast<size_t>(i), formals.size() - 1)];
    const auto chosen = types_.find(formal.GetTypeStr());
    if (chosen != types_.end())
      *output->mutable_type() = pb::Utils::DataTypeUtils::ToTypeProto(chosen->second);
    else
      output->mutable_type()->mutable_tensor_type()->set_elem_type(GRAPH_FLOAT);
  }
}

Result LoadAndRun(const std::string& name, const std::string& model, const std::vector<HostValue>& inputs) {
  Bounds bounds(name.c_str());
  const GraphPtr graph = Load(model.data(), model.size());
  if (graph == nullptr) return {GRAPH_INVALID_ARGUMENT, graph_last_error(), {}};
  Result result = Run(graph.get(), inputs);
  // What the operator computes and what was inferred of it are two readings of the specification.
  if (result.error.find("where its graph says") != std::string::npos) Finding(result.error);
  return result;
}

}  // namespace
}  // namespace braid::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace braid::fuzz;
  Builder builder(data, size);
  if (!builder.Build()) return -1;
  const std::string name = builder.schema().Name() + "-" + std::to_string(builder.schema().SinceVersion());
  std::vector<HostValue> some, all;
  const std::string one = builder.Model(builder.constants(), &some), two = builder.Model(0, &all);
  // BRAID_FUZZ_MODEL=FILE writes the model, to look at.
  if (const char* path = std::getenv("BRAID_FUZZ_MODEL"))
    if (FILE* f = std::fopen(path, "wb")) {
      std::fwrite(one.data(), 1, one.size(), f);
      std::fclose(f);
    }
  const Result first = LoadAndRun(name, one, some), second = LoadAndRun(name, two, all);
  if (std::getenv("BRAID_FUZZ_MODEL") != nullptr)
    std::fprintf(stderr, "%s: %s %s; %s %s\n", name.c_str(), graph_status_name(first.status),
                 first.error.c_str(), graph_status_name(second.status), second.error.c_str());
  // What a loop collects in no turn has the extents that the body declares, as far as it does.
  const auto equal = [&](const HostValue& x, const HostValue& y) {
    return x == y || (builder.HasBody() && x.bytes.empty() && y.bytes.empty() && x.kind == y.kind);
  };
  if (first.status == GRAPH_OK && second.status == GRAPH_OK && !builder.IsRandom() &&
      !std::equal(first.outputs.begin(), first.outputs.end(), second.outputs.begin(), second.outputs.end(),
                  equal))
    Finding(name + " gives other numbers where its inputs are constants");
  return 0;
}
