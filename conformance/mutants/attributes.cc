// SPDX-License-Identifier: Apache-2.0
//
// Attributes that the kernel does not look at: it has the default built in.
#include "conformance/mutants/graph_edit.h"
#include "conformance/mutants/mutant.h"

namespace braid::mutants {
namespace {

struct Ignored {
  const char *op, *attribute;
};
// The newest version's names: nodes come upgraded.
constexpr Ignored kIgnored[] = {
    {"Conv", "dilations"},
    {"Conv", "pads"},
    {"Conv", "strides"},
    {"Conv", "auto_pad"},
    {"Conv", "group"},
    {"ConvTranspose", "output_padding"},
    {"ConvTranspose", "dilations"},
    {"MaxPool", "ceil_mode"},
    {"MaxPool", "dilations"},
    {"MaxPool", "pads"},
    {"MaxPool", "storage_order"},
    {"AveragePool", "count_include_pad"},
    {"AveragePool", "ceil_mode"},
    {"LpPool", "p"},
    {"Gemm", "transA"},
    {"Gemm", "transB"},
    {"Gemm", "alpha"},
    {"Gemm", "beta"},
    {"LeakyRelu", "alpha"},
    {"Elu", "alpha"},
    {"HardSigmoid", "beta"},
    {"Selu", "gamma"},
    {"Shrink", "lambd"},
    {"Gelu", "approximate"},
    {"Mod", "fmod"},
    {"LayerNormalization", "axis"},
    {"LayerNormalization", "epsilon"},
    {"BatchNormalization", "epsilon"},
    {"InstanceNormalization", "epsilon"},
    {"LRN", "bias"},
    {"LpNormalization", "p"},
    {"Softmax", "axis"},
    {"LogSoftmax", "axis"},
    {"ArgMax", "axis"},
    {"ArgMin", "select_last_index"},
    {"ReduceSum", "noop_with_empty_axes"},
    {"CumSum", "exclusive"},
    {"CumSum", "reverse"},
    {"TopK", "largest"},
    {"TopK", "axis"},
    {"Transpose", "perm"},
    {"Gather", "axis"},
    {"GatherElements", "axis"},
    {"GatherND", "batch_dims"},
    {"ScatterElements", "reduction"},
    {"ScatterND", "reduction"},
    {"Flatten", "axis"},
    {"DepthToSpace", "mode"},
    {"Pad", "mode"},
    {"Split", "axis"},
    {"OneHot", "axis"},
    {"EyeLike", "k"},
    {"Trilu", "upper"},
    {"Resize", "coordinate_transformation_mode"},
    {"Resize", "nearest_mode"},
    {"Resize", "cubic_coeff_a"},
    {"Resize", "exclude_outside"},
    {"Resize", "antialias"},
    {"GridSample", "align_corners"},
    {"GridSample", "padding_mode"},
    {"Cast", "saturate"},
    {"IsInf", "detect_negative"},
    {"QuantizeLinear", "axis"},
    {"DequantizeLinear", "axis"},
    {"DequantizeLinear", "block_size"},
    {"LSTM", "direction"},
    {"LSTM", "clip"},
    {"LSTM", "input_forget"},
    {"GRU", "linear_before_reset"},
    {"RNN", "activations"},
    {"Attention", "is_causal"},
    {"Attention", "scale"},
    {"NonMaxSuppression", "center_point_box"},
    {"ReverseSequence", "batch_axis"},
    {"DFT", "inverse"},
    {"NegativeLogLikelihoodLoss", "ignore_index"},
    {"Unique", "sorted"},
    {"Unique", "axis"},
    {"ThresholdedRelu", "alpha"},
    {"Celu", "alpha"},
    {"LRN", "alpha"},
    {"MaxPool", "auto_pad"},
    {"AveragePool", "strides"},
    {"LpPool", "strides"},
    {"ConvTranspose", "group"},
    {"GRU", "direction"},
    {"Compress", "axis"},
    {"Hardmax", "axis"},
    {"Attention", "softcap"},
    {"GroupNormalization", "epsilon"},
    {"RoiAlign", "sampling_ratio"},
    {"RoiAlign", "mode"},
    {"SoftmaxCrossEntropyLoss", "reduction"},
};

struct Fixed {
  const char *op, *attribute;
  int64_t value;
};
// Required ones, which have no default.
constexpr Fixed kFixed[] = {
    {"DepthToSpace", "blocksize", 2},
    {"SpaceToDepth", "blocksize", 2},
    {"Concat", "axis", 1},
    {"GroupNormalization", "num_groups", 1},
};

}  // namespace

void AddAttributes(std::vector<Mutant>* all) {
  for (const auto& [op, attribute] : kIgnored)
    all->push_back(
        {.name = std::string("ignores_") + op + "_" + attribute,
         .what = std::string("attribute ") + attribute + " is not looked at",
         .family = Family::kAttribute,
         .operators = op,
         .first = attribute,
         .graph = [op = std::string_view(op), name = std::string_view(attribute)](GraphEdit& edit) {
           for (uint32_t i = 0; i < edit.node_count(); ++i)
             if (edit.node(i).op() == op) edit.Drop(i, name);
         }});
  for (const auto& f : kFixed)
    all->push_back(
        {.name = std::string("fixed_") + f.op + "_" + f.attribute,
         .what = std::string("attribute ") + f.attribute + " is taken to be " + std::to_string(f.value),
         .family = Family::kAttribute,
         .operators = f.op,
         .first = f.attribute,
         .graph = [f](GraphEdit& edit) {
           for (uint32_t i = 0; i < edit.node_count(); ++i)
             if (edit.node(i).op() == f.op) edit.SetInt(i, f.attribute, f.value);
         }});
  // Negative axes taken for positive ones.
  for (const char* op : {"Softmax", "Concat", "Gather", "ArgMax", "Split", "TopK", "LayerNormalization"})
    all->push_back({.name = std::string("negative_axis_") + op,
                    .what = "a negative axis is counted from the wrong end",
                    .family = Family::kAttribute,
                    .operators = op,
                    .first = "axis=-",
                    .graph = [op = std::string_view(op)](GraphEdit& edit) {
                      for (uint32_t i = 0; i < edit.node_count(); ++i) {
                        const kit::Node node = edit.node(i);
                        const int64_t axis = node.Int("axis", 0);
                        if (node.op() == op && axis < 0) edit.SetInt(i, "axis", -axis - 1);
                      }
                    }});
}

}  // namespace braid::mutants
