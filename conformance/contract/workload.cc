// SPDX-License-Identifier: Apache-2.0
#include "conformance/contract/workload.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <stdexcept>
#include <utility>

#include "conformance/case/case.h"
#include "core/onnx/model.h"
#include "core/plugins/view.h"

namespace braid::conformance {
namespace {

using kit::testing::Array;
using Dims = std::vector<int64_t>;

enum : braid_type {
  kFloat = 1,
  kUint8 = 2,
  kInt8 = 3,
  kInt32 = 6,
  kInt64 = 7,
  kFloat16 = 10,
  kDouble = 11,
  kBfloat16 = 16
};

template <class T>
void Put(uint8_t* to, T value) {
  std::memcpy(to, &value, sizeof value);
}

// Integers of up to eight bits, which every type of Kinds holds exactly.
void Encode(braid_type type, int value, uint8_t* to) {
  const float f = static_cast<float>(value);
  switch (type) {
    case kFloat:
      return Put(to, f);
    case kDouble:
      return Put(to, static_cast<double>(value));
    case kInt32:
      return Put(to, static_cast<int32_t>(value));
    case kInt64:
      return Put(to, static_cast<int64_t>(value));
    case kBfloat16:
      return Put(to, static_cast<uint16_t>(std::bit_cast<uint32_t>(f) >> 16));
    case kFloat16: {
      uint16_t bits = std::signbit(f) ? 0x8000 : 0;
      if (const auto magnitude = static_cast<unsigned>(std::abs(value)); magnitude != 0) {
        const auto exponent = static_cast<unsigned>(std::bit_width(magnitude) - 1);
        bits = static_cast<uint16_t>(bits | (exponent + 15) << 10 | ((magnitude << 10 >> exponent) & 0x3ff));
      }
      return Put(to, bits);
    }
    default:
      return Put(to, static_cast<int8_t>(value));  // of either sign: the same bits
  }
}

Array Encoded(braid_type type, const Dims& dims, const std::vector<int>& values) {
  Array a{type, dims, std::vector<uint8_t>(kit::testing::BytesOf(type, dims))};
  const size_t element = kit::testing::BitsOf(type) / 8;
  for (size_t i = 0; i < values.size(); ++i) Encode(type, values[i], a.bytes.data() + i * element);
  return a;
}

size_t Count(const Dims& dims) {
  size_t n = 1;
  for (const int64_t d : dims) n *= static_cast<size_t>(d);
  return n;
}

// Values differ from their neighbours and from those a row away. None is 0, which Neg makes -0.
std::vector<int> First(const Dims& dims, int seed) {
  std::vector<int> values(Count(dims));
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = 1 + static_cast<int>((i * 3 + i / 5 + static_cast<size_t>(seed)) % 8);
  return values;
}
std::vector<int> Second(const Kind& kind, const Dims& dims) {
  // Products stay small in chains.
  const size_t most = std::string_view(kind.op) == "Mul" ? 1 : 3;
  std::vector<int> values(Count(dims));
  for (size_t i = 0; i < values.size(); ++i) values[i] = 1 + static_cast<int>(i % most);
  return values;
}
std::vector<int> Applied(const Kind& kind, std::vector<int> x, const std::vector<int>& y) {
  for (size_t i = 0; i < x.size(); ++i) x[i] = kind.apply(x[i], y.empty() ? 0 : y[i % y.size()]);
  return x;
}

uint64_t Hash(uint64_t hash, const std::string& text) {
  for (const char c : text) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3;
  return hash;
}

struct Hand {
  kit::testing::Graph graph;
  braid_graph view = BRAID_GRAPH_INIT;
};

Workload Finished(std::shared_ptr<Hand> hand, std::string name, std::vector<Array> inputs,
                  std::vector<Array> outputs) {
  hand->view = *hand->graph.view();
  hand->view.fingerprint[0] = Hash(0xcbf29ce484222325, name);
  hand->view.fingerprint[1] = Hash(0x84222325cbf29ce4, name);
  const braid_graph* view = &hand->view;
  return {std::move(name), std::move(hand), view, std::move(inputs), std::move(outputs)};
}

std::string NameOf(const Kind& kind, const Dims& dims, const std::string& what) {
  std::string text = what + " " + kind.op + " of " + ElementTypeText(kind.type) + "[";
  for (size_t i = 0; i < dims.size(); ++i) text += (i > 0 ? "," : "") + std::to_string(dims[i]);
  return text + "]";
}

void AddNode(Hand& hand, const Kind& kind, const std::vector<uint32_t>& inputs, uint32_t output) {
  const int32_t version = NewestVersion(kind.op);
  // The small types came later than the others.
  const bool old = kind.type == kFloat || kind.type == kFloat16 || kind.type == kDouble;
  hand.graph.Node(kind.op, version, inputs, {output}, {}, "", "", old ? kind.min_version : version);
}

int Sum(int x, int y) { return x + y; }
int Product(int x, int y) { return x * y; }
int Difference(int x, int y) { return x - y; }
int Negated(int x, int) { return -x; }
int Positive(int x, int) { return std::max(x, 0); }
int Magnitude(int x, int) { return std::abs(x); }
int Same(int x, int) { return x; }

struct FromCore {
  std::unique_ptr<GraphView> view;
  std::shared_ptr<const Graph> graph;
  struct Provider : kit::testing::Constants {
    const GraphView* view = nullptr;
    bool Find(uint32_t value, braid_bytes* out) const override {
      const auto constant = view->constant(value);
      if (constant == nullptr) return false;
      *out = {constant->data, constant->bytes};
      return true;
    }
  } provider;
  braid_graph raw = BRAID_GRAPH_INIT;
};

template <class T>
T Take(absl::StatusOr<T> result) {
  if (!result.ok()) throw std::runtime_error(std::string(result.status().message()));
  return *std::move(result);
}

std::shared_ptr<const Graph> Doubled(const Graph& from) {
  auto graph = std::make_shared<Graph>(from);
  std::vector<ValueId> copies(graph->values.size());
  for (ValueId v = 0; v < copies.size(); ++v) copies[v] = v;
  for (const braid::Node& node : from.nodes) {
    braid::Node copy = node;
    if (!copy.name.empty()) copy.name += "_again";
    for (ValueId& v : copy.inputs)
      if (v != kNone) v = copies[v];
    for (ValueId& v : copy.outputs) {
      if (v == kNone) continue;
      const std::string name = from.values[v].name + "_again";
      const ValueId fresh = graph->AddValue(name, from.values[v].type);
      copies[v] = fresh;
      v = fresh;
    }
    graph->nodes.push_back(std::move(copy));
  }
  for (const ValueId v : from.outputs) graph->outputs.push_back(copies[v]);
  return graph;
}

// `apart` draws other data of the same shapes.
std::shared_ptr<BuiltCase> BuiltOf(const OperatorVersion& op, const Choices& choices,
                                   const std::string& apart = "") {
  try {
    Case c;
    c.op = &op;
    c.types = PlainTypes(op);
    c.choices = choices;
    c.id = IdOf(op, c.types, choices) + apart;
    return std::make_shared<BuiltCase>(Build(c));
  } catch (const Rejected& e) {
    throw NoCase(e.reason);
  }
}

std::shared_ptr<const Model> ModelOf(const BuiltCase& built) {
  return Take(LoadModelMemory(
      absl::MakeConstSpan(reinterpret_cast<const uint8_t*>(built.model.data()), built.model.size())));
}

const Tensor& InputOf(const std::vector<NamedValue>& run, const std::string& name) {
  for (const NamedValue& v : run)
    if (v.name == name && v.value.kind == GRAPH_TENSOR) return v.value.tensor;
  throw NoCase("its input '" + name + "' is no tensor");
}

std::shared_ptr<const Graph> Specialised(const Model& model, const BuiltCase& built) {
  std::vector<InputShape> shapes;
  for (const ValueId v : model.graph().inputs)
    shapes.push_back({true, InputOf(built.runs[0], model.graph().values[v].name).dims()});
  return Take(model.Specialise(shapes));
}

// One for each of the case's runs.
std::vector<Workload> WorkloadsOf(const OperatorVersion& op, std::shared_ptr<const Graph> graph,
                                  const std::shared_ptr<const BuiltCase>& built) {
  if (graph->nodes.empty()) throw NoCase("nothing of it is left for a device");
  for (const braid::Node& node : graph->nodes)
    if (node.is_host) throw NoCase("core runs it itself");
  auto own = std::make_shared<FromCore>();
  own->graph = std::move(graph);
  std::vector<NodeId> nodes(own->graph->nodes.size());
  for (NodeId n = 0; n < nodes.size(); ++n) nodes[n] = n;
  own->view = GraphView::Segment(*own->graph, nodes, own->graph->outputs, {.fingerprint = true});
  own->provider.view = own->view.get();
  own->raw = *own->view->raw();
  own->raw.host_data = static_cast<kit::testing::Constants*>(&own->provider);
  std::vector<Workload> all;
  for (size_t run = 0; run < built->runs.size(); ++run) {
    Workload w;
    w.name = op.Label();
    w.view = &own->raw;
    for (const uint32_t v : own->view->inputs()) {
      const Tensor& tensor = InputOf(built->runs[run], own->graph->values[own->view->value_of(v)].name);
      Array a{tensor.type(), tensor.dims(), std::vector<uint8_t>(tensor.WireBytes())};
      tensor.ToWire(a.bytes.data());
      w.inputs.push_back(std::move(a));
    }
    w.owner = own;
    w.built = built;
    w.run = run;
    all.push_back(std::move(w));
  }
  return all;
}

Workload FromCase(const OperatorVersion& op, bool twice) {
  const auto built = BuiltOf(op, {});
  std::shared_ptr<const Graph> graph = Specialised(*ModelOf(*built), *built);
  return WorkloadsOf(op, twice ? Doubled(*graph) : graph, built)[0];
}

bool SameForm(const std::vector<NamedValue>& a, const std::vector<NamedValue>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const NamedValue& x, const NamedValue& y) {
    return x.name == y.name && x.value.kind == GRAPH_TENSOR && y.value.kind == GRAPH_TENSOR &&
           x.value.tensor.type() == y.value.tensor.type() && x.value.tensor.dims() == y.value.tensor.dims();
  });
}

}  // namespace

int32_t NewestVersion(const std::string& op) {
  for (const OperatorVersion& v : AllOperatorVersions())
    if (v.newest && v.domain.empty() && v.name == op) return v.since;
  throw std::runtime_error("there is no operator " + op);
}

std::vector<Kind> Kinds() {
  const std::vector<Kind> plain = {
      {"Add", 7, 2, Sum},       {"Mul", 7, 2, Product},   {"Sub", 7, 2, Difference}, {"Neg", 6, 1, Negated},
      {"Relu", 6, 1, Positive}, {"Abs", 6, 1, Magnitude}, {"Identity", 1, 1, Same}};
  std::vector<Kind> kinds;
  for (const braid_type type : {kFloat, kFloat16, kInt32, kInt8, kUint8, kInt64, kBfloat16, kDouble})
    for (Kind kind : plain) {
      if (type == kUint8 && (kind.apply == Difference || kind.apply == Negated || kind.apply == Positive))
        continue;
      kind.type = type;
      kinds.push_back(kind);
    }
  return kinds;
}

namespace {

Workload OneNode(const Kind& kind, const Dims& dims, int seed, bool of_the_future, const Dims& second_dims) {
  auto hand = std::make_shared<Hand>();
  std::vector<uint32_t> operands;
  std::vector<Array> inputs;
  const std::vector<int> x = First(dims, seed),
                         y = kind.operands > 1 ? Second(kind, second_dims) : std::vector<int>();
  for (int i = 0; i < kind.operands; ++i) {
    const Dims& own = i == 0 ? dims : second_dims;
    operands.push_back(hand->graph.Input(kind.type, own));
    inputs.push_back(Encoded(kind.type, own, i == 0 ? x : y));
  }
  const uint32_t output = hand->graph.Output(kind.type, dims);
  if (of_the_future) {
    hand->graph.Node(kind.op, 1000, operands, {output}, {{"of_the_future", int64_t{1}}});
    hand->graph.Older(NewestVersion(kind.op), operands);
  } else {
    AddNode(*hand, kind, operands, output);
  }
  return Finished(std::move(hand), NameOf(kind, dims, of_the_future ? "an older form of" : "one"),
                  std::move(inputs), {Encoded(kind.type, dims, Applied(kind, x, y))});
}

}  // namespace

Workload Elementwise(const Kind& kind, const Dims& dims, int seed) {
  return OneNode(kind, dims, seed, false, dims);
}

Workload OlderElementwise(const Kind& kind, const Dims& dims) { return OneNode(kind, dims, 0, true, dims); }

Workload ElementwiseWithOne(const Kind& kind, const Dims& dims) {
  return OneNode(kind, dims, 0, false, Dims(dims.size(), 1));
}

Workload UnknownElementwise(const Kind& kind, int32_t rank) {
  auto hand = std::make_shared<Hand>();
  const Dims dims(static_cast<size_t>(std::max(rank, 0)), -1);
  const auto value = [&](uint32_t flags) { return hand->graph.Value("", kind.type, dims, flags, rank >= 0); };
  std::vector<uint32_t> operands;
  for (int i = 0; i < kind.operands; ++i) operands.push_back(value(BRAID_VALUE_INPUT));
  AddNode(*hand, kind, operands, value(BRAID_VALUE_OUTPUT));
  return Finished(std::move(hand),
                  std::string(kind.op) + " of " + ElementTypeText(kind.type) + "s of unknown " +
                      (rank < 0 ? "rank" : "extents"),
                  {}, {});
}

Workload WithGraphOf(const Workload& graph, Workload data) {
  data.owner = graph.owner;
  data.view = graph.view;
  return data;
}

Workload Chain(const Kind& kind, const Dims& dims, uint32_t nodes) {
  auto hand = std::make_shared<Hand>();
  std::vector<int> x = First(dims, 0);
  const std::vector<int> y = kind.operands > 1 ? Second(kind, dims) : std::vector<int>();
  std::vector<Array> inputs = {Encoded(kind.type, dims, x)};
  std::vector<uint32_t> operands = {hand->graph.Input(kind.type, dims)};
  if (kind.operands > 1) {
    operands.push_back(hand->graph.Input(kind.type, dims));
    inputs.push_back(Encoded(kind.type, dims, y));
  }
  for (uint32_t i = 0; i < nodes; ++i) {
    const uint32_t out =
        i + 1 < nodes ? hand->graph.Inner(kind.type, dims) : hand->graph.Output(kind.type, dims);
    AddNode(*hand, kind, operands, out);
    operands[0] = out;
    if (nodes <= kExactChain) x = Applied(kind, std::move(x), y);
  }
  std::vector<Array> outputs;
  if (nodes <= kExactChain) outputs.push_back(Encoded(kind.type, dims, x));
  return Finished(std::move(hand), NameOf(kind, dims, std::to_string(nodes)), std::move(inputs),
                  std::move(outputs));
}

Workload WithConstant(const Kind& kind, const Dims& dims) {
  auto hand = std::make_shared<Hand>();
  const std::vector<int> x = First(dims, 0), y = Second(kind, dims);
  const uint32_t input = hand->graph.Input(kind.type, dims);
  const uint32_t constant = hand->graph.Constant(Encoded(kind.type, dims, y));
  AddNode(*hand, kind, {input, constant}, hand->graph.Output(kind.type, dims));
  return Finished(std::move(hand), NameOf(kind, dims, "constant"), {Encoded(kind.type, dims, x)},
                  {Encoded(kind.type, dims, Applied(kind, x, y))});
}

Workload Twins(const Kind& kind, const Dims& dims) {
  auto hand = std::make_shared<Hand>();
  const std::vector<int> x = First(dims, 0), y = kind.operands > 1 ? Second(kind, dims) : std::vector<int>();
  std::vector<uint32_t> operands;
  std::vector<Array> inputs;
  for (int i = 0; i < kind.operands; ++i) {
    operands.push_back(hand->graph.Input(kind.type, dims));
    inputs.push_back(Encoded(kind.type, dims, i == 0 ? x : y));
  }
  for (int i = 0; i < 2; ++i) AddNode(*hand, kind, operands, hand->graph.Output(kind.type, dims));
  const Array want = Encoded(kind.type, dims, Applied(kind, x, y));
  return Finished(std::move(hand), NameOf(kind, dims, "twins"), std::move(inputs), {want, want});
}

Workload PlainCase(const OperatorVersion& op) { return FromCase(op, false); }
Workload PlainCaseTwice(const OperatorVersion& op) { return FromCase(op, true); }

std::vector<Workload> SymbolicCase(const OperatorVersion& op) {
  const auto built = BuiltOf(op, {{"~dims", "symbols"}});
  const auto model = ModelOf(*built);
  return WorkloadsOf(op, {model, &model->graph()}, built);
}

std::vector<Workload> CaseOfSets(const OperatorVersion& op, bool constants, int sets) {
  const Choices choices = constants ? Choices{{"~inputs", "constant"}} : Choices{};
  const auto built = BuiltOf(op, choices);
  for (int i = 1; i < sets; ++i) {
    // Where a domain makes other shapes of other data, the same again.
    const auto other = BuiltOf(op, choices, "#" + std::to_string(i));
    built->runs.push_back(SameForm(other->runs[0], built->runs[0]) ? other->runs[0] : built->runs[0]);
  }
  return WorkloadsOf(op, Specialised(*ModelOf(*built), *built), built);
}

std::vector<const OperatorVersion*> OperatorsOf(const std::vector<std::string>& labels) {
  std::vector<const OperatorVersion*> ops;
  for (const OperatorVersion& op : AllOperatorVersions())
    if (labels.empty() ? op.newest && !op.deprecated && !op.experimental
                       : std::find(labels.begin(), labels.end(), op.Label()) != labels.end())
      ops.push_back(&op);
  return ops;
}

}  // namespace braid::conformance
