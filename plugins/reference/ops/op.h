// SPDX-License-Identifier: Apache-2.0
//
// One operator is one function: void Softmax(OpContext& op). It reads inputs and attributes from `op`, makes
// its outputs by op.Output(i, type, dims), and throws kit::Error for what the model's data does wrong. A
// family's file ends with its table:
//
//   std::span<const OpEntry> NormalizationOps() {
//     static const OpEntry kOps[] = {
//         {"", "Softmax", 13, Softmax, {kFloats}},
//     };
//     return kOps;
//   }
//
// and registry.cc names the families. Adding an operator touches its file alone.
#ifndef BRAID_PLUGINS_REFERENCE_OPS_OP_H_
#define BRAID_PLUGINS_REFERENCE_OPS_OP_H_

#include <braid/kit/graph_view.h>
#include <braid/kit/plugin.h>

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "plugins/reference/ops/tensor.h"

namespace braid::reference {

// Runs body(i) for i in [0, n), on the host's pool where there is one and the work is worth it.
class Parallel {
 public:
  explicit Parallel(const kit::Host* host = nullptr) : host_(host) {}
  // `cost`: rough number of elementary operations of one body call.
  template <class Body>
  void For(int64_t n, int64_t cost, const Body& body) const {
    constexpr int64_t kWorthwhile = 200'000;
    if (host_ == nullptr || n < 2 || n * cost < kWorthwhile) {
      for (int64_t i = 0; i < n; ++i) body(i);
    } else {
      // A few chunks a worker, so that uneven work evens out.
      int64_t chunks = std::min<int64_t>(n, int64_t{4} * host_->concurrency());
      host_->ParallelFor(static_cast<uint64_t>(chunks), [&](uint64_t c, uint32_t) {
        int64_t begin = n * static_cast<int64_t>(c) / chunks, end = n * static_cast<int64_t>(c + 1) / chunks;
        for (int64_t i = begin; i < end; ++i) body(i);
      });
    }
  }

 private:
  const kit::Host* host_;
};

class OpContext {
 public:
  // `inputs` has an entry for each input of the node; absent ones are absent tensors.
  OpContext(kit::Node node, std::vector<Tensor> inputs, std::vector<Tensor> attribute_tensors,
            Parallel parallel = Parallel())
      : node_(node),
        inputs_(std::move(inputs)),
        attribute_tensors_(std::move(attribute_tensors)),
        outputs_(node.output_count()),
        destinations_(node.output_count()),
        parallel_(parallel) {}

  const kit::Node& node() const { return node_; }
  std::string_view name() const { return node_.op(); }
  size_t input_count() const { return inputs_.size(); }
  size_t output_count() const { return outputs_.size(); }
  bool has(size_t i) const { return i < inputs_.size() && inputs_[i].present(); }
  // Throws if absent.
  const Tensor& input(size_t i) const;
  bool wants(size_t i) const { return i < outputs_.size() && node_.has_output(static_cast<uint32_t>(i)); }
  // The output to write (elements uninitialised; of a destination that the host bound, where it fits).
  Tensor& Output(size_t i, int32_t type, Dims dims);
  // An output that shares its elements with another tensor (Reshape, Identity).
  void SetOutput(size_t i, Tensor tensor) { outputs_[i] = std::move(tensor); }

  int64_t Int(std::string_view attr, int64_t otherwise) const { return node_.Int(attr, otherwise); }
  float Float(std::string_view attr, float otherwise) const { return node_.Float(attr, otherwise); }
  std::string String(std::string_view attr, std::string_view otherwise) const {
    return std::string(node_.String(attr, otherwise));
  }
  std::vector<int64_t> Ints(std::string_view attr) const;  // empty if absent
  std::vector<float> Floats(std::string_view attr) const;
  std::vector<std::string> Strings(std::string_view attr) const;
  bool HasAttr(std::string_view attr) const { return node_.has(attr); }
  // A TENSOR attribute; absent tensor if there is none.
  Tensor TensorAttr(std::string_view attr) const;

  // axis in [-rank, rank) -> [0, rank); throws an error that names the operator and the axis.
  int64_t Axis(int64_t axis, int64_t rank) const;
  // Throws kit::Error(INVALID_ARGUMENT, "Gather 'node name': text").
  [[noreturn]] void Fail(const std::string& text) const;
  void Check(bool condition, const std::string& text) const {
    if (!condition) Fail(text);
  }
  const Parallel& parallel() const { return parallel_; }

  // For the runner: memory that the host bound for output i (held layout), and the results.
  void SetDestination(size_t i, Tensor destination) { destinations_[i] = std::move(destination); }
  std::vector<Tensor>& outputs() { return outputs_; }

 private:
  kit::Node node_;
  std::vector<Tensor> inputs_, attribute_tensors_;  // the latter by attribute index within the node
  std::vector<Tensor> outputs_, destinations_;
  Parallel parallel_;
};

// Why a node is not taken, for the verdict; code BRAID_YES if it is.
struct Judgement {
  int32_t code = BRAID_YES;
  uint32_t input = BRAID_NONE, attr = BRAID_NONE;
  std::string text;
};

struct OpEntry {
  std::string_view domain, op;
  int32_t since;  // the version of the operator that the function implements: the newest
  void (*run)(OpContext&);
  // Types allowed for each input; the last holds for all that follow. Absent inputs are not judged.
  std::vector<TypeSet> inputs;
  // What else must hold (attribute values and the like); may be null.
  Judgement (*judge)(const kit::Node&) = nullptr;
};

// The operator of that name, or null.
const OpEntry* FindOp(std::string_view domain, std::string_view op);
std::span<const OpEntry* const> AllOps();
// Whether `node` can be run: operator known, version, types, `judge`.
Judgement Judge(const kit::Node& node);

// The families; each is the end of its own file.
std::span<const OpEntry> MathOps();        // math.cc: unary and binary arithmetic, comparison, logic, bitwise
std::span<const OpEntry> ActivationOps();  // activation.cc: Relu, Gelu, Elu, PRelu, Clip, Swish ...
std::span<const OpEntry> CastOps();        // cast.cc: Cast, CastLike, BitCast
std::span<const OpEntry> QuantizeOps();    // quantize.cc: QuantizeLinear, DequantizeLinear,
                                           // DynamicQuantizeLinear, QLinear..., ...Integer
std::span<const OpEntry> RandomOps();      // random.cc: Random*, Bernoulli, Multinomial, Dropout
std::span<const OpEntry> MatMulOps();      // matmul.cc: MatMul, Gemm, Einsum, Det
std::span<const OpEntry>
ConvOps();  // conv.cc: Conv, ConvTranspose, DeformConv, Col2Im, ConvInteger, QLinearConv
std::span<const OpEntry> PoolOps();           // pool.cc: *Pool, Global*, MaxUnpool, MaxRoiPool, RoiAlign
std::span<const OpEntry> NormalizationOps();  // normalization.cc: Softmax family, *Normalization, LRN
std::span<const OpEntry> RecurrentOps();      // recurrent.cc: RNN, GRU, LSTM
std::span<const OpEntry> AttentionOps();      // attention.cc: Attention, RotaryEmbedding ...
std::span<const OpEntry> ReductionOps();      // reduction.cc: Reduce*, ArgMax, ArgMin, CumSum ...
std::span<const OpEntry> ShapeOps();  // shape.cc: Shape, Size, Reshape, Squeeze, Expand, Constant*, Range ...
std::span<const OpEntry>
MovementOps();  // movement.cc: Transpose, Concat, Split, Slice, Pad, Tile, DepthToSpace, Trilu ...
std::span<const OpEntry>
IndexingOps();  // indexing.cc: Gather*, Scatter*, OneHot, NonZero, Compress, Where, TensorScatter
std::span<const OpEntry> SortingOps();  // sorting.cc: TopK, Unique, NonMaxSuppression, ...
std::span<const OpEntry> ImageOps();  // image.cc: Resize, GridSample, AffineGrid, CenterCropPad, ImageDecoder
std::span<const OpEntry> SignalOps();  // signal.cc: DFT, STFT, windows, MelWeightMatrix
std::span<const OpEntry> TextOps();    // text.cc: String*, RegexFullMatch, TfIdfVectorizer, StringNormalizer
std::span<const OpEntry> LossOps();  // loss.cc: NegativeLogLikelihoodLoss, SoftmaxCrossEntropyLoss, training
std::span<const OpEntry> MlOps();    // ml.cc: ai.onnx.ml

}  // namespace braid::reference

#endif  // BRAID_PLUGINS_REFERENCE_OPS_OP_H_
