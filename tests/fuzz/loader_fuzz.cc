// SPDX-License-Identifier: Apache-2.0
//
// The bytes are a model. It is loaded, and where it loads and is small it runs once, on inputs of ones.
//
// Of bytes that are changed blindly few are a model still. So half of the mutations change the model instead.
#include <algorithm>
#include <iterator>
#include <limits>
#include <random>

#include "onnx/onnx_pb.h"
#include "tests/fuzz/harness.h"

namespace braid::fuzz {
namespace {

constexpr uint64_t kElements = 1 << 14;  // of one input

// False where it takes more than a fuzzer wants to give.
bool Ones(const graph_value_info& info, HostValue* out) {
  out->name = info.name;
  out->kind = info.kind;
  out->type = info.type;
  if (info.kind == GRAPH_SEQUENCE || info.kind == GRAPH_OPTIONAL) {
    // Of nothing: an item that this value's info does not describe may be of any kind.
    out->type = info.type;
    return true;
  }
  if (info.kind != GRAPH_TENSOR) return false;
  uint64_t count = 1;
  const int32_t rank = info.rank < 0 ? 1 : info.rank;
  for (int32_t i = 0; i < rank; ++i) {
    const int64_t d = info.rank < 0 || info.dims[i] < 0 ? 2 : info.dims[i];
    out->dims.push_back(d);
    if (__builtin_mul_overflow(count, static_cast<uint64_t>(d), &count)) return false;
  }
  if (count > kElements) return false;
  if (info.type == GRAPH_STRING) {
    out->bytes = Packed(std::vector<std::string>(count, "1"));
    return true;
  }
  const uint64_t bits = static_cast<uint64_t>(BitsOf(info.type));
  if (bits == 0) return false;
  out->bytes.assign((count * bits + 7) / 8, '\0');
  for (size_t i = 0; i < out->bytes.size(); i += bits < 8 ? 1 : bits / 8) out->bytes[i] = 1;
  if (info.type == GRAPH_FLOAT)
    for (size_t i = 0; i < out->bytes.size(); i += 4)
      out->bytes.replace(i, 4, std::string("\0\0\x80\x3f", 4));
  return true;
}

void RunOnce(graph_t* graph) {
  std::vector<graph_value_info> infos(graph_inputs(graph, nullptr, 0),
                                      graph_value_info GRAPH_VALUE_INFO_INIT);
  graph_inputs(graph, infos.data(), static_cast<uint32_t>(infos.size()));
  std::vector<HostValue> inputs;
  for (const graph_value_info& info : infos) {
    if (info.has_default) continue;
    HostValue value;
    if (!Ones(info, &value)) return;
    inputs.push_back(std::move(value));
  }
  Run(graph, inputs);
}

namespace pb = ONNX_NAMESPACE;

class ModelMutator {
 public:
  ModelMutator(pb::ModelProto* model, uint32_t seed) : model_(*model), random_(seed) {
    Collect(model_.mutable_graph());
    for (auto& f : *model_.mutable_functions())
      for (auto& node : *f.mutable_node()) Collect(&node);
  }

  void Mutate() {
    switch (Below(10)) {
      case 0:
        if (model_.opset_import_size() > 0)
          model_
              .mutable_opset_import(static_cast<int>(Below(static_cast<size_t>(model_.opset_import_size()))))
              ->set_version(1 + static_cast<int64_t>(Below(30)));
        break;
      case 1:
        model_.set_ir_version(1 + static_cast<int64_t>(Below(15)));
        break;
      case 2:  // other wires
        if (pb::NodeProto* node = Any(nodes_); node != nullptr && node->input_size() > 0)
          node->set_input(static_cast<int>(Below(static_cast<size_t>(node->input_size()))), Name());
        break;
      case 3:
        if (pb::NodeProto* node = Any(nodes_)) {
          if (Below(2) == 0) {
            node->add_input(Name());
          } else if (node->input_size() > 0) {
            node->mutable_input()->RemoveLast();
          }
        }
        break;
      case 4:  // another operator
        if (pb::NodeProto* node = Any(nodes_), *other = Any(nodes_); node != nullptr) {
          static constexpr const char* kOps[] = {
              "Identity", "Shape",    "Softmax", "Reshape", "Cast",  "Slice",          "Concat",
              "Gather",   "Expand",   "Squeeze", "If",      "Range", "Loop",           "Pad",
              "Constant", "Upsample", "NonZero", "Tile",    "Split", "ConstantOfShape"};
          node->set_op_type(Below(2) == 0 ? other->op_type() : kOps[Below(std::size(kOps))]);
        }
        break;
      case 5:
        Attribute();
        break;
      case 6:
        if (pb::TensorShapeProto* shape = Any(shapes_)) Shape(shape);
        break;
      case 7:
        if (pb::TensorProto* t = Any(tensors_)) Tensor(t);
        break;
      case 8:  // one node more, after or before what it needs
        if (const pb::NodeProto* node = Any(nodes_)) {
          pb::NodeProto copy = *node;
          for (auto& name : *copy.mutable_output()) name += "2";
          *model_.mutable_graph()->add_node() = copy;
        }
        break;
      default:  // another result
        if (pb::GraphProto* g = model_.mutable_graph(); g->output_size() > 0)
          g->mutable_output(static_cast<int>(Below(static_cast<size_t>(g->output_size()))))->set_name(Name());
    }
  }

 private:
  size_t Below(size_t count) { return random_() % std::max<size_t>(count, 1); }
  template <class T>
  T* Any(const std::vector<T*>& all) {
    return all.empty() ? nullptr : all[Below(all.size())];
  }
  std::string Name() { return names_.empty() || Below(8) == 0 ? "" : names_[Below(names_.size())]; }

  int64_t Int() {
    static constexpr int64_t kEdges[] = {0,
                                         1,
                                         -1,
                                         255,
                                         65536,
                                         std::numeric_limits<int32_t>::max(),
                                         int64_t{1} << 40,
                                         int64_t{1} << 62,
                                         std::numeric_limits<int64_t>::max(),
                                         std::numeric_limits<int64_t>::min()};
    return Below(3) == 0 ? kEdges[Below(std::size(kEdges))] : static_cast<int64_t>(Below(8)) - 2;
  }

  void Shape(pb::TensorShapeProto* shape) {
    const size_t rank = static_cast<size_t>(shape->dim_size());
    switch (Below(4)) {
      case 0:
        shape->add_dim()->set_dim_value(Int());
        break;
      case 1:
        if (rank > 0) shape->mutable_dim()->RemoveLast();
        break;
      case 2:
        if (rank > 0)
          shape->mutable_dim(static_cast<int>(Below(rank)))->set_dim_param(Below(2) == 0 ? "N" : "M");
        break;
      default:
        if (rank > 0) shape->mutable_dim(static_cast<int>(Below(rank)))->set_dim_value(Int());
    }
  }

  void Tensor(pb::TensorProto* t) {
    switch (Below(5)) {
      case 0:
        t->set_data_type(static_cast<int32_t>(Below(30)));
        break;
      case 1:
        if (t->dims_size() > 0)
          t->set_dims(static_cast<int>(Below(static_cast<size_t>(t->dims_size()))), Int());
        break;
      case 2:
        if (Below(2) == 0)
          t->add_dims(1);
        else
          t->clear_dims();
        break;
      case 3:  // other numbers
        for (auto& v : *t->mutable_int64_data()) v = Int();
        for (auto& v : *t->mutable_float_data()) v = static_cast<float>(Int());
        break;
      default:
        if (std::string* raw = t->mutable_raw_data(); raw->size() >= 8) {
          const int64_t v = Int();
          const size_t at = Below(raw->size() / 8) * 8;
          raw->replace(at, 8, reinterpret_cast<const char*>(&v), 8);
        }
    }
  }

  void Attribute() {
    pb::AttributeProto* a = Any(attributes_);
    if (a == nullptr) return;
    switch (a->type()) {
      case pb::AttributeProto::INT:
        a->set_i(Int());
        break;
      case pb::AttributeProto::FLOAT:
        a->set_f(static_cast<float>(Int()) / 2);
        break;
      case pb::AttributeProto::INTS:
        if (Below(3) == 0)
          a->add_ints(Int());
        else if (a->ints_size() > 0)
          a->set_ints(static_cast<int>(Below(static_cast<size_t>(a->ints_size()))), Int());
        break;
      default: {  // the value of another, under this name
        const pb::AttributeProto other = *Any(attributes_);
        const std::string name = a->name();
        if (!other.has_g()) *a = other;
        a->set_name(name);
      }
    }
  }

  void Collect(pb::NodeProto* node) {
    nodes_.push_back(node);
    names_.insert(names_.end(), node->input().begin(), node->input().end());
    names_.insert(names_.end(), node->output().begin(), node->output().end());
    for (auto& a : *node->mutable_attribute()) {
      attributes_.push_back(&a);
      if (a.has_t()) tensors_.push_back(a.mutable_t());
      if (a.has_g()) Collect(a.mutable_g());
    }
  }

  void Collect(pb::GraphProto* graph) {
    for (auto* list : {graph->mutable_input(), graph->mutable_output(), graph->mutable_value_info()})
      for (auto& v : *list) {
        names_.push_back(v.name());
        if (v.type().tensor_type().has_shape())
          shapes_.push_back(v.mutable_type()->mutable_tensor_type()->mutable_shape());
      }
    for (auto& t : *graph->mutable_initializer()) {
      names_.push_back(t.name());
      tensors_.push_back(&t);
    }
    for (auto& node : *graph->mutable_node()) Collect(&node);
  }

  pb::ModelProto& model_;
  std::minstd_rand random_;
  std::vector<pb::NodeProto*> nodes_;
  std::vector<pb::AttributeProto*> attributes_;
  std::vector<pb::TensorProto*> tensors_;
  std::vector<pb::TensorShapeProto*> shapes_;
  std::vector<std::string> names_;
};

}  // namespace
}  // namespace braid::fuzz

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t most);

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t most, unsigned int seed) {
  ONNX_NAMESPACE::ModelProto model;
  if (seed % 2 == 0 || !model.ParseFromArray(data, static_cast<int>(size)))
    return LLVMFuzzerMutate(data, size, most);
  for (unsigned int n = 1 + seed / 2 % 3; n > 0; --n) braid::fuzz::ModelMutator(&model, seed + n).Mutate();
  const std::string out = model.SerializeAsString();
  if (out.size() > most) return LLVMFuzzerMutate(data, size, most);
  std::copy(out.begin(), out.end(), data);
  return out.size();
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  braid::fuzz::Bounds bounds("a model");
  if (const braid::fuzz::GraphPtr graph = braid::fuzz::Load(data, size)) {
    braid::fuzz::RunOnce(graph.get());
    const char* text = nullptr;
    braid::fuzz::Check(graph_explain(graph.get(), GRAPH_EXPLAIN_TEXT, &text), "graph_explain");
  }
  return 0;
}
