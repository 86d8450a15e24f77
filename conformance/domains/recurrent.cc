// SPDX-License-Identifier: Apache-2.0
//
// Domains of RNN, GRU and LSTM.
#include <algorithm>
#include <cmath>

#include "conformance/case/domain.h"

namespace braid::conformance {
namespace {

struct Function {
  const char* name;
  bool bounded;
  int parameters;  // alpha, alpha and beta
  double alpha, beta;
};
const Function kFunctions[] = {{"LeakyRelu", false, 1, 0.2, 0},   {"Tanh", true, 0, 0, 0},
                               {"Sigmoid", true, 0, 0, 0},        {"Relu", false, 0, 0, 0},
                               {"Affine", false, 2, 0.9, 0.1},    {"ThresholdedRelu", false, 1, 0.3, 0},
                               {"ScaledTanh", true, 2, 1.2, 0.8}, {"HardSigmoid", true, 2, 0.3, 0.4},
                               {"Elu", false, 1, 0.7, 0},         {"Softsign", true, 0, 0, 0},
                               {"Softplus", false, 0, 0, 0}};

// Activations f, g and h of each direction. Those of a second one differ in their parameters.
void PickActivations(Domain& d, const std::vector<const char*>& defaults, int64_t directions, int64_t steps) {
  std::vector<std::string> options = {"default"};
  for (const Function& f : kFunctions) options.push_back(f.name);
  std::vector<const Function*> chosen;
  int parameters = 0;
  bool given = false;
  for (size_t i = 0; i < defaults.size(); ++i) {
    std::string name = d.Pick(std::string(1, static_cast<char>('f' + i)), options);
    if (name == "default")
      name = defaults[i];
    else
      given = true;
    chosen.push_back(std::find_if(std::begin(kFunctions), std::end(kFunctions),
                                  [&](const Function& f) { return name == f.name; }));
    // A gate of more than 1 lets the state grow.
    if (defaults.size() > 1 && i == 0 && steps > 5 && !chosen.back()->bounded)
      d.Reject("numbers beyond all types");
    parameters = std::max(parameters, chosen.back()->parameters);
  }
  if (!given) return;
  const bool set = parameters > 0 && d.Pick("activation_alpha", {"given", "absent"}) == "given";
  std::vector<std::string> names;
  std::vector<float> alpha, beta;
  for (int64_t direction = 0; direction < directions; ++direction)
    for (const Function* f : chosen) {
      const std::string name = f->name;
      names.push_back(name);
      // These have no operator of which their defaults could be.
      if (!set && (name == "Affine" || name == "ScaledTanh")) d.Reject("no defaults");
      if (f->parameters >= 1)
        alpha.push_back(static_cast<float>(f->alpha + 0.05 * static_cast<double>(direction)));
      if (f->parameters >= 2) beta.push_back(static_cast<float>(f->beta));
    }
  d.AttrTexts("activations", names);
  if (set && !alpha.empty()) d.AttrFloats("activation_alpha", alpha);
  if (set && !beta.empty()) d.AttrFloats("activation_beta", beta);
}

// Steps, batch and inputs grow in a case of symbols, the weights' rows stay.
void Recurrent(Domain& d, int64_t gates, const std::vector<const char*>& defaults) {
  const std::vector<int64_t> size = d.PickInts("size", {{5, 3, 4, 6},
                                                        {1, 1, 1, 1},
                                                        {1, 2, 33, 17},
                                                        {3, 2, 5, 65},
                                                        {33, 2, 3, 4},
                                                        {2, 3, 257, 8},
                                                        {2, 1, 9, 128},
                                                        {4, 17, 3, 5}});
  const int64_t steps = d.Extent(size[0]), batch = d.Extent(size[1]), input = d.Extent(size[2]),
                hidden = size[3];
  const std::string direction = d.Pick("direction", {"default", "forward", "reverse", "bidirectional"});
  const int64_t directions = direction == "bidirectional" ? 2 : 1;
  if (direction != "default")
    d.AttrText("direction", direction);
  else if (d.op() == "GRU" && d.version() == 1)
    d.AttrText("direction", "forward");  // its default is misspelt
  if (d.Pick("hidden_size", {"given", "absent"}) == "given") d.AttrInt("hidden_size", hidden);
  const bool by_batch = d.has_attribute("layout") && d.Flag("layout");
  if (by_batch) d.AttrInt("layout", 1);
  PickActivations(d, defaults, directions, size[0]);
  const double clip = d.PickFloat("clip", {0, 0.3, 2});
  if (clip > 0) d.AttrFloat("clip", clip);
  for (const char* flag : {"linear_before_reset", "input_forget"})
    if (d.has_attribute(flag) && d.Flag(flag)) d.AttrInt(flag, 1);

  const bool lstm = d.op() == "LSTM";
  std::vector<std::string> outputs = {"all", "Y", "Y_h"};
  if (lstm) outputs.insert(outputs.end(), {"Y_c", "Y+Y_c"});
  const std::string wanted = d.Pick("outputs", outputs);
  if (wanted == "Y" && d.op() == "GRU" && d.version() == 1) d.Reject("Y_h is no option");
  if (wanted == "all") d.Outputs(std::vector<bool>(lstm ? 3 : 2, true));
  if (wanted == "Y") d.Outputs({true});
  if (wanted == "Y_h") d.Outputs({false, true});
  if (wanted == "Y_c") d.Outputs({false, false, true});
  if (wanted == "Y+Y_c") d.Outputs({true, false, true});
  if (d.has_attribute("output_sequence") && wanted != "Y_h" && wanted != "Y_c")
    d.AttrInt("output_sequence", 1);

  const auto optional = [&](const char* name, const Dims& dims, const Values& values) {
    if (d.Pick(name, {"absent", "given"}) == "given")
      d.In(dims, values);
    else
      d.Absent();
  };
  // Sums of about 1, where activations are steep.
  const double most = 1.7 / std::sqrt(static_cast<double>(std::max(input, hidden)));
  const Dims state = by_batch ? Dims{batch, directions, hidden} : Dims{directions, batch, hidden};
  d.In(by_batch ? Dims{batch, steps, input} : Dims{steps, batch, input}, Uniform(-1.5, 1.5));
  d.In({directions, gates * hidden, input}, Uniform(-most, most));
  d.In({directions, gates * hidden, hidden}, Uniform(-most, most));
  optional("B", {directions, 2 * gates * hidden}, Uniform(-0.5, 0.5));
  const double last = static_cast<double>(steps);
  optional("sequence_lens", {batch}, Given({std::max(last - 2, 1.0), last, 1, std::max(last - 1, 1.0)}));
  optional("initial_h", state, Uniform(-1, 1));
  if (!lstm) return;
  optional("initial_c", state, Uniform(-1, 1));
  optional("P", {directions, 3 * hidden}, Uniform(-1, 1));
}

void Rnn(Domain& d) { Recurrent(d, 1, {"Tanh"}); }
void Gru(Domain& d) { Recurrent(d, 3, {"Sigmoid", "Tanh"}); }
void Lstm(Domain& d) { Recurrent(d, 4, {"Sigmoid", "Tanh", "Tanh"}); }

}  // namespace

std::span<const DomainEntry> RecurrentDomains() {
  static const DomainEntry kDomains[] = {{"", "RNN", Rnn}, {"", "GRU", Gru}, {"", "LSTM", Lstm}};
  return kDomains;
}

}  // namespace braid::conformance
