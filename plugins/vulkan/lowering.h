// SPDX-License-Identifier: Apache-2.0
//
// Lowering turns nodes into the steps of a Program. One function an operator serves query, estimate and
// compile: a query lowers the node into a program that is thrown away, and what the operator refuses by
// throwing Refusal is the verdict. So what query accepts, compile accepts: it is the same code.
#ifndef BRAID_PLUGINS_VULKAN_LOWERING_H_
#define BRAID_PLUGINS_VULKAN_LOWERING_H_

#include <braid/kit/graph_view.h>

#include <cstring>
#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "plugins/vulkan/program.h"

namespace braid::vulkan {

using Dims = std::vector<int64_t>;

// Numbers of onnx.TensorProto.DataType.
enum Type : braid_type {
  kF32 = 1,
  kU8 = 2,
  kI8 = 3,
  kU16 = 4,
  kI16 = 5,
  kI32 = 6,
  kI64 = 7,
  kBool = 9,
  kF16 = 10,
  kF64 = 11,
  kU32 = 12,
  kU64 = 13,
  kBf16 = 16,
  kF8First = 17,
  kF8Last = 20
};
uint32_t BytesOf(braid_type type);    // 0: not a type of whole bytes
const char* TagOf(braid_type type);   // its name in the dialect: "f32"; "" if it has none
std::string NameOf(braid_type type);  // for people
int64_t Product(const Dims& dims, size_t first = 0, size_t last = SIZE_MAX);

struct Refusal {
  int32_t code;
  std::string text;
  uint32_t input = BRAID_NONE, attr = BRAID_NONE;
};

// A tensor of the node that is being lowered.
struct Tensor {
  uint32_t storage = BRAID_NONE;
  uint32_t value = BRAID_NONE;
  braid_type type = 0;
  Dims dims;
  int64_t count = 0;
  uint64_t bytes() const { return static_cast<uint64_t>(count) * BytesOf(type); }
};

constexpr int64_t kLoopLimit = 60000;

struct NodeCost {
  struct Step {
    double work = 0;  // operations
    uint64_t bytes = 0;
    bool transfer = false;  // a copy or fill, no kernel
  };
  std::vector<Step> steps;
  uint64_t constants = 0, temporaries = 0;
};

class Lowering {
 public:
  Lowering(VulkanDevice& device, const braid_graph* graph);
  void Judge(uint32_t node, braid_verdict* verdict);
  NodeCost Price(uint32_t node);
  // The whole graph. Throws kit::Error UNSUPPORTED with the refusal's text.
  Program Compile(uint64_t memory_limit);
  // Steps that belong to no node, without inputs and outputs. Throws as Compile does.
  Program Compose(const std::function<void(Lowering&)>& steps);

  // ---- For operators
  const kit::Node& node() const { return *node_; }
  bool HasIn(uint32_t i) const { return node_->has_input(i); }
  bool HasOut(uint32_t i) const { return node_->has_output(i); }
  const Tensor& In(uint32_t i);
  const Tensor& Out(uint32_t i = 0);
  // Refuses input i unless its type has a tag among these.
  void NeedType(uint32_t i, std::initializer_list<std::string_view> tags);
  void NeedF32(uint32_t i) { NeedType(i, {"f32"}); }
  [[noreturn]] void RefuseAttribute(std::string_view name, const std::string& text);
  [[noreturn]] void RefuseShape(const std::string& text) { throw Refusal{BRAID_NO_SHAPE, text}; }
  // The values of a constant input; refused with NO_RUNTIME_VALUE where it is not one. Integers of any width,
  // floats as f32.
  Dims Ints(uint32_t i);
  std::vector<float> Floats(uint32_t i);
  bool IsConstant(uint32_t i) const { return HasIn(i) && node_->input_value(i).is_constant(); }

  Tensor Temporary(braid_type type, Dims dims);
  // The same bytes as other dims.
  Tensor View(const Tensor& tensor, Dims dims) const;
  // A constant in another form: make(source bytes, result). `form` names the form among those of this
  // constant.
  Tensor Prepared(const Tensor& source, const std::string& form, braid_type type, Dims dims,
                  std::function<void(const uint8_t*, uint8_t*)> make);
  Tensor Literal(braid_type type, Dims dims, std::vector<uint8_t> bytes);
  template <class T>
  Tensor LiteralOf(braid_type type, const std::vector<T>& values) {
    std::vector<uint8_t> bytes(values.size() * sizeof(T));
    if (!bytes.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
    return Literal(type, {static_cast<int64_t>(values.size())}, std::move(bytes));
  }

  // A dispatch. Reads come before writes in the kernels' bindings. Of a kernel that comes in two forms
  // (shaders/CMakeLists.txt) it takes the one that reads as this device prefers.
  template <class Params>
  void Dispatch(const std::string& shader, std::vector<uint32_t> constants, std::vector<const Tensor*> reads,
                std::vector<const Tensor*> writes, const Params& params, std::array<uint32_t, 3> groups,
                double work) {
    static_assert(sizeof(Params) <= kPushBytes);
    Add(shader, std::move(constants), reads, writes, &params, sizeof params, groups, work);
  }
  // For kernels that loop with FOR_EACH over `items`, in work groups of 64. `loops`: iterations of the
  // kernel's own loops for one item.
  template <class Params>
  void Each(const std::string& shader, std::vector<uint32_t> constants, std::vector<const Tensor*> reads,
            std::vector<const Tensor*> writes, const Params& params, int64_t items, double work_each,
            int64_t loops = 0) {
    if (items == 0) return;
    NeedLoops(loops + 1);
    uint64_t groups = (static_cast<uint64_t>(items) + 63) / 64;
    if (device_.physical().cpu()) {
      // A work group costs lavapipe about a microsecond to start: few, but within its limit of iterations.
      uint64_t each = static_cast<uint64_t>(kLoopLimit / (loops + 1));
      groups = std::min(groups,
                        std::max<uint64_t>(64, (static_cast<uint64_t>(items) + each * 64 - 1) / (each * 64)));
    }
    groups = std::min<uint64_t>(groups, 65535);
    Dispatch(shader, std::move(constants), std::move(reads), std::move(writes), params,
             {static_cast<uint32_t>(groups), 1, 1}, work_each * static_cast<double>(items));
  }
  // lavapipe ends loops silently after 65535 iterations of a work item: what needs more is refused there.
  void NeedLoops(int64_t iterations) const {
    if (device_.physical().cpu() && iterations > kLoopLimit)
      throw Refusal{BRAID_NO_SHAPE,
                    std::to_string(iterations) + " iterations in one work item; this driver stops at 65535"};
  }
  void CopyBytes(const Tensor& from, const Tensor& to);
  void Fill(const Tensor& to, uint32_t word);
  // Output i of the node has the bytes of `tensor`: shared, or copied if the output leaves the segment.
  void Alias(uint32_t output, const Tensor& tensor);
  // Strided copy: element c of `dims` from from + sum c*from_strides to to + sum c*to_strides.
  void CopyStrided(const Tensor& from, int64_t from_offset, const Dims& from_strides, const Tensor& to,
                   int64_t to_offset, const Dims& to_strides, const Dims& dims);
  // `tensor` broadcast to dims, as a tensor of its own.
  Tensor Expanded(const Tensor& tensor, const Dims& dims);
  VulkanDevice& device() const { return device_; }

 private:
  void Add(const std::string& shader, std::vector<uint32_t> constants,
           const std::vector<const Tensor*>& reads, const std::vector<const Tensor*>& writes,
           const void* params, uint32_t param_bytes, std::array<uint32_t, 3> groups, double work);
  void Start(uint32_t node);
  void LowerNode(uint32_t node);
  Tensor Describe(uint32_t value, bool input, uint32_t position);
  uint32_t StorageOf(uint32_t value);
  uint32_t NewStorage(Storage storage);
  kit::Host::Bytes BytesOfConstant(uint32_t i);

  VulkanDevice& device_;
  kit::Graph graph_;
  std::optional<kit::Node> node_;
  Program* program_ = nullptr;
  bool compiling_ = false;
  std::vector<uint32_t> storage_of_;  // by value
  std::vector<std::optional<Tensor>> ins_, outs_;
};

// ---- The operators: a table a family, in ops/.
struct Operator {
  std::string_view name;
  int32_t version;  // the since_version that lower implements
  void (*lower)(Lowering&);
};
const Operator* FindOperator(std::string_view name);

// Broadcasting of up to three tensors to one result, with dimensions that go together merged.
struct Broadcast {
  std::vector<uint32_t> dims;
  std::vector<std::vector<uint32_t>> strides;  // by tensor
};
Broadcast MergeBroadcast(const Dims& result, const std::vector<const Dims*>& tensors);
Dims DenseStrides(const Dims& dims);
// An axis within [-rank, rank) as [0, rank).
int64_t Axis(int64_t axis, size_t rank);

}  // namespace braid::vulkan

#endif  // BRAID_PLUGINS_VULKAN_LOWERING_H_
