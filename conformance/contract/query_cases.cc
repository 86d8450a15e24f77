// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstring>

#include "conformance/contract/cases.h"
#include "conformance/contract/threads.h"

namespace braid::conformance {
namespace {

using kit::testing::Graph;

// Whatever a verdict is, one must be there: of prefilled memory that no device would leave.
std::vector<braid_verdict> Filled(Bench& b, const braid_graph& graph) {
  const braid_compile_options options = BRAID_COMPILE_OPTIONS_INIT;
  std::vector<braid_verdict> verdicts(graph.node_count + 1);
  for (auto& v : verdicts) {
    std::memset(&v, 0, sizeof v);
    v.code = BRAID_NO_OP;
    v.input = v.attr = v.group = BRAID_NONE;
  }
  std::memset(&verdicts.back(), 0xa5, sizeof(braid_verdict));
  b.Ok(b.dev().query(b.device(), &graph, &options, verdicts.data(), sizeof(braid_verdict)), "query");
  const auto* behind = reinterpret_cast<const uint8_t*>(&verdicts.back());
  Check(std::all_of(behind, behind + sizeof(braid_verdict), [](uint8_t byte) { return byte == 0xa5; }),
        "ABI-037: query writes a verdict behind the last node's");
  verdicts.pop_back();
  return verdicts;
}

void AllRefused(Bench& b, Graph& graph, const char* what) {
  b.Query(*graph.view());
  const auto verdicts = Filled(b, *graph.view());
  for (size_t i = 0; i < verdicts.size(); ++i) {
    Check(verdicts[i].code >= BRAID_NO_OP, "ABI-040: query takes {}", what);
    Check(std::memchr(verdicts[i].detail, 0, sizeof verdicts[i].detail) != nullptr,
          "ABI-026: the text of a verdict is not terminated");
  }
}

void Empty(Bench& b) {
  Graph graph;
  const braid_compile_options options = BRAID_COMPILE_OPTIONS_INIT;
  b.Ok(b.dev().query(b.device(), graph.view(), &options, nullptr, sizeof(braid_verdict)),
       "query of an empty graph");
  Graph values;
  values.Input(1, {2, 3});
  b.Ok(b.dev().query(b.device(), values.view(), &options, nullptr, sizeof(braid_verdict)),
       "query of a graph of an input and no node");
}

void UnknownOperator(Bench& b) {
  Graph graph;
  const uint32_t x = graph.Input(1, {2}), y = graph.Inner(1, {2}), z = graph.Output(1, {2});
  graph.Node("NoSuchOperator", 1, {x}, {y});
  graph.Node(std::string(5000, 'x'), 1, {y}, {z});
  AllRefused(b, graph, "an operator that nobody knows");
}

void UnknownDomain(Bench& b) {
  const Kind& kind = b.Elementwise();
  Graph graph;
  std::vector<uint32_t> operands(static_cast<size_t>(kind.operands), graph.Input(kind.type, {2}));
  graph.Node(kind.op, NewestVersion(kind.op), operands, {graph.Output(kind.type, {2})}, {}, "com.nobody");
  AllRefused(b, graph, "a known operator's name in a domain that nobody knows");
}

void UnknownType(Bench& b) {
  const Kind& kind = b.Elementwise();
  // 0 is no tensor; the others are beyond all that there are.
  for (const braid_type type : {77, 0x7fffffff, -3}) {
    Graph graph;
    std::vector<uint32_t> operands(static_cast<size_t>(kind.operands), graph.Input(type, {2}));
    graph.Node(kind.op, NewestVersion(kind.op), operands, {graph.Output(type, {2})});
    AllRefused(b, graph, "an element type that does not exist");
  }
  Graph none;
  std::vector<uint32_t> operands(static_cast<size_t>(kind.operands),
                                 none.Value("", 0, {}, BRAID_VALUE_INPUT, false));
  none.Node(kind.op, NewestVersion(kind.op), operands, {none.Value("", 0, {}, BRAID_VALUE_OUTPUT, false)});
  Filled(b, *none.view());  // the host's: any verdict will do
}

void UnknownVersion(Bench& b) {
  const Kind& kind = b.Elementwise();
  Graph graph;
  std::vector<uint32_t> operands(static_cast<size_t>(kind.operands), graph.Input(kind.type, {2}));
  // From a future in which the operator means something else.
  graph.Node(kind.op, 1000, operands, {graph.Output(kind.type, {2})}, {}, "", "", 999);
  AllRefused(b, graph, "an operator in a version from the future");
  Graph both;
  std::vector<uint32_t> same(static_cast<size_t>(kind.operands), both.Input(kind.type, {2, 3}));
  both.Node(kind.op, 1000, same, {both.Output(kind.type, {2, 3})}, {}, "", "", kind.min_version);
  const bool old = kind.type == 1 || kind.type == 10 || kind.type == 11;
  Check(!old || b.Takes(*both.view()),
        "ABI-039: query refuses a node of a newer version that means the same as one that it takes");
}

void OlderForm(Bench& b) {
  const Workload w = OlderElementwise(b.Elementwise(), {2, 3});
  if (!b.Takes(*w.view)) throw NotThere("the device does not read older forms");
  const Exec exec = b.Compile(*w.view);
  Run run(b, w, exec);
  run.Go();
  run.ExpectRight();
}

void Shapes(Bench& b) {
  const Kind& kind = b.Elementwise();
  const auto query = [&](const std::vector<int64_t>& dims, bool rank_known) {
    Graph graph;
    std::vector<uint32_t> operands(static_cast<size_t>(kind.operands),
                                   graph.Value("", kind.type, dims, BRAID_VALUE_INPUT, rank_known));
    graph.Node(kind.op, NewestVersion(kind.op), operands,
               {graph.Value("", kind.type, dims, BRAID_VALUE_OUTPUT, rank_known)});
    b.Query(*graph.view());
    Filled(b, *graph.view());
  };
  query({}, true);
  query({}, false);
  query({-1, -1}, true);
  query({0, 3}, true);
  query(std::vector<int64_t>(BRAID_MAX_RANK, 1), true);
  query({INT64_MAX}, true);
  query({1 << 30, 1 << 30, 1 << 30}, true);
}

void ManyNodes(Bench& b) {
  const Kind& kind = b.Elementwise();
  const Workload w = Chain(kind, {2, 3}, 10'000);
  const auto verdicts = b.Query(*w.view);
  for (size_t i = 0; i < verdicts.size(); ++i)
    Check(verdicts[i].code < BRAID_NO_OP,
          "ABI-039: query refuses node {} of 10,000 nodes each of which it takes", i);
}

void Again(Bench& b) {
  const Workload w = b.Plain();
  const auto first = b.Query(*w.view);
  OnThreads(4, [&](int) {
    for (int i = 0; i < 50; ++i) {
      const auto again = b.Query(*w.view);
      for (size_t n = 0; n < first.size(); ++n)
        Check(again[n].code == first[n].code, "ABI-039: the verdict on node {} changes from {} to {}", n,
              first[n].code, again[n].code);
    }
  });
}

// The costs of these sets, {} where the device cannot tell.
std::vector<braid_cost> Costs(Bench& b, const braid_graph& graph, const std::vector<uint32_t>& nodes,
                              const std::vector<uint32_t>& ends) {
  if (b.dev().estimate == nullptr) throw NotThere("the device has no estimate");
  const braid_compile_options options = BRAID_COMPILE_OPTIONS_INIT;
  const braid_cost none = BRAID_COST_INIT;
  std::vector<braid_cost> costs(ends.size(), none);
  const braid_status status = b.dev().estimate(b.device(), &graph, &options, nodes.data(), ends.data(),
                                               static_cast<uint32_t>(ends.size()), costs.data(), sizeof none);
  if (status == BRAID_UNSUPPORTED) throw NotThere("the device cannot tell costs");
  b.Ok(status, "estimate");
  constexpr uint64_t kYear = uint64_t{31'536'000} * 1'000'000'000;
  for (size_t i = 0; i < costs.size(); ++i) {
    const braid_cost& c = costs[i];
    Check(c.confidence >= BRAID_GUESSED && c.confidence <= BRAID_MEASURED, "ABI-048: confidence {}",
          c.confidence);
    Check(c.time_ns > 0 && c.time_ns < kYear, "ABI-048: set {} of work takes {} ns", i, c.time_ns);
    Check(c.bytes_moved < uint64_t{1} << 60 && c.workspace < uint64_t{1} << 60 &&
              c.resident < uint64_t{1} << 60,
          "ABI-048: set {} moves {} bytes, has a workspace of {} and {} resident", i, c.bytes_moved,
          c.workspace, c.resident);
  }
  return costs;
}

void Estimate(Bench& b) {
  const Kind& kind = b.Elementwise();
  const Workload small = Chain(kind, {4, 4}, 6), large = Chain(kind, {1024, 1024}, 6);
  const std::vector<uint32_t> all = {0, 1, 2, 3, 4, 5}, end = {6};
  const uint64_t less = Costs(b, *small.view, all, end)[0].time_ns,
                 more = Costs(b, *large.view, all, end)[0].time_ns;
  Check(more >= less, "ABI-048: six nodes on 16 elements take {} ns, on a million {} ns", less, more);
}

void EstimateSets(Bench& b) {
  const Workload w = Chain(b.Elementwise(), {64, 64}, 6);
  // Overlapping, the same twice, one in another, in any order of sets.
  const auto costs = Costs(b, *w.view, {0, 1, 2, 1, 2, 3, 0, 0, 1, 2, 3, 4, 5, 0, 1, 2}, {3, 6, 7, 13, 16});
  Check(costs[0].time_ns == costs[4].time_ns || costs[0].confidence == BRAID_MEASURED,
        "ABI-048: the same set takes {} ns and, asked again in one call, {} ns", costs[0].time_ns,
        costs[4].time_ns);
  Check(costs[3].time_ns >= costs[2].time_ns, "ABI-048: six nodes take {} ns, one of them {} ns",
        costs[3].time_ns, costs[2].time_ns);
  Costs(b, *w.view, {}, {});
}

void Link(Bench& b) {
  if (b.dev().link == nullptr) throw NotThere("the device has no link");
  braid_device_info stranger = BRAID_DEVICE_INFO_INIT;
  stranger.kind = BRAID_DEVICE_OTHER;
  stranger.name = kit::Str("a device that nobody knows");
  stranger.queues = 1;
  bool told = false;
  for (const braid_device_info* peer : {&b.info(), const_cast<const braid_device_info*>(&stranger)}) {
    braid_link link = BRAID_LINK_INIT;
    const braid_status status = b.dev().link(b.device(), peer, &link);
    if (status == BRAID_UNSUPPORTED) continue;
    b.Ok(status, "link");
    told = true;
    Check(link.kind >= BRAID_LINK_NATIVE && link.kind <= BRAID_LINK_HOST, "ABI-048: a link is of kind {}",
          link.kind);
    Check(link.latency_ns < 1'000'000'000, "ABI-048: a link takes {} ns", link.latency_ns);
    Check(peer != &stranger || (link.kind != BRAID_LINK_NATIVE && link.kind != BRAID_LINK_IMPORT),
          "ABI-048: the link to a device that exports nothing is of kind {}", link.kind);
  }
  if (!told) throw NotThere("the device knows no links");
}

}  // namespace

std::vector<ContractCase> QueryCases() {
  return {
      {"abi/query-empty", "ABI-039", "a graph without nodes is judged, and nothing written", Empty},
      {"abi/query-unknown-operator", "ABI-026, ABI-039, ABI-040, ABI-058", "unknown operators get a no",
       UnknownOperator},
      {"abi/query-unknown-domain", "ABI-026, ABI-039, ABI-040", "operators of an unknown domain get a no",
       UnknownDomain},
      {"abi/query-unknown-type", "ABI-026, ABI-039, ABI-040", "unknown element types get a no", UnknownType},
      {"abi/query-unknown-version", "ABI-026, ABI-039, ABI-040",
       "a version from the future gets a no, unless min_version says that it means the same", UnknownVersion},
      {"abi/query-older-form", "ABI-040", "a node that is taken for its older form runs as that says",
       OlderForm},
      {"abi/query-shapes", "ABI-026, ABI-039",
       "rank 0, unknown, the greatest; extents 0, unknown, beyond memory", Shapes},
      {"abi/query-many-nodes", "ABI-026, ABI-039", "of 10,000 equal nodes each gets the same verdict",
       ManyNodes},
      {"abi/query-again", "ABI-039", "the verdicts are the same again and from several threads at once",
       Again},
      {"abi/estimate-sane", "ABI-048", "costs are finite, not zero, and not less for more work", Estimate},
      {"abi/estimate-sets", "ABI-048", "overlapping sets, the same set twice, and no set", EstimateSets},
      {"abi/link-sane", "ABI-048", "links to itself and to a stranger", Link},
  };
}

}  // namespace braid::conformance
