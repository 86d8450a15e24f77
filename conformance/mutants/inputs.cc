// SPDX-License-Identifier: Apache-2.0
//
// Optional inputs that the kernel does not look at.
#include "conformance/mutants/mutant.h"
#include "conformance/mutants/node_run.h"

namespace braid::mutants {
namespace {

struct Ignored {
  const char* op;
  size_t input;
  const char* called;  // as the schema calls it
  const char* first;   // how domains may call the choice
};
constexpr Ignored kIgnored[] = {
    {"Conv", 2, "B", "bias B="},
    {"ConvTranspose", 2, "B", "bias B="},
    {"Gemm", 2, "C", "C= c="},
    {"LayerNormalization", 2, "B", "bias B="},
    {"QuantizeLinear", 2, "y_zero_point", "zero"},
    {"DequantizeLinear", 2, "x_zero_point", "zero"},
    {"MatMulInteger", 2, "a_zero_point", "zero"},
    {"MatMulInteger", 3, "b_zero_point", "zero"},
    {"ConvInteger", 2, "x_zero_point", "zero"},
    {"QLinearConv", 8, "B", "bias B="},
    {"Clip", 1, "min", "bounds"},
    {"Clip", 2, "max", "bounds"},
    {"LSTM", 3, "B", "bias B="},
    {"LSTM", 4, "sequence_lens", "lens"},
    {"LSTM", 5, "initial_h", "initial"},
    {"LSTM", 6, "initial_c", "initial"},
    {"LSTM", 7, "P", "peep P="},
    {"GRU", 5, "initial_h", "initial"},
    {"RNN", 4, "sequence_lens", "lens"},
    {"RNN", 5, "initial_h", "initial"},
    {"GRU", 3, "B", "bias B="},
    {"ConvInteger", 3, "w_zero_point", "zero"},
    {"SoftmaxCrossEntropyLoss", 2, "weights", "weight"},
    {"ReduceMean", 1, "axes", "axes"},
    {"Attention", 3, "attn_mask", "mask"},
    {"Pad", 2, "constant_value", "value"},
    {"Pad", 3, "axes", "axes"},
    {"Slice", 3, "axes", "axes"},
    {"Slice", 4, "steps", "steps"},
    {"ReduceMax", 1, "axes", "axes"},
    {"Squeeze", 1, "axes", "axes"},
    {"Trilu", 1, "k", "k="},
    {"NonMaxSuppression", 3, "iou_threshold", "iou"},
    {"NonMaxSuppression", 4, "score_threshold", "score"},
    {"NegativeLogLikelihoodLoss", 2, "weight", "weight"},
    {"DeformConv", 4, "mask", "mask"},
    {"RotaryEmbedding", 3, "position_ids", "position"},
};

}  // namespace

void AddInputs(std::vector<Mutant>* all) {
  for (const Ignored& i : kIgnored)
    all->push_back({.name = std::string("ignores_input_") + i.op + "_" + i.called,
                    .what = std::string("input ") + i.called + " is not looked at",
                    .family = Family::kInput,
                    .operators = i.op,
                    .first = i.first,
                    .node = [input = i.input](NodeRun& run) {
                      if (run.has(input)) run.input(input) = Tensor();
                      run.Compute();
                    }});
}

}  // namespace braid::mutants
