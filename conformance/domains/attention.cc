// SPDX-License-Identifier: Apache-2.0
//
// Domains of attention and what stands around it in language models.
#include <algorithm>
#include <cmath>
#include <limits>

#include "conformance/case/domain.h"

namespace braid::conformance {
namespace {

struct AttentionSize {
  const char* name;
  int64_t batch, heads, kv_heads, queries, keys, size, v_size;
};
const AttentionSize kAttentions[] = {
    {"self", 2, 4, 4, 5, 5, 8, 8},      {"cross", 2, 4, 4, 3, 7, 8, 8},
    {"grouped", 2, 6, 2, 5, 5, 8, 8},   {"multi_query", 2, 4, 1, 3, 5, 8, 8},
    {"decode", 2, 4, 2, 1, 9, 16, 16},  {"values", 1, 2, 2, 3, 5, 8, 5},
    {"odd", 1, 3, 3, 5, 7, 33, 31},     {"one", 1, 1, 1, 1, 1, 1, 1},
    {"tails", 1, 2, 1, 65, 63, 64, 64}, {"long", 1, 1, 1, 17, 1025, 16, 16},
    {"wide", 1, 1, 1, 3, 5, 257, 129},  {"more_queries", 1, 2, 2, 9, 4, 8, 8},
    {"none", 0, 2, 2, 3, 5, 8, 8}};

// All extents but the heads grow in a case of symbols: heads are attributes where the tensors are flat.
AttentionSize PickAttention(Domain& d) {
  std::vector<std::string> names;
  for (const AttentionSize& s : kAttentions) names.push_back(s.name);
  const std::string chosen = d.Pick("size", names);
  AttentionSize s = *std::find_if(std::begin(kAttentions), std::end(kAttentions),
                                  [&](const auto& a) { return chosen == a.name; });
  for (int64_t* e : {&s.batch, &s.queries, &s.keys, &s.size, &s.v_size}) *e = d.Extent(*e);
  return s;
}

// Softmax may be more precise than its input, not less: how much less exact that is cannot be told.
void PickSoftmaxPrecision(Domain& d) {
  const std::string precision = d.Pick("softmax_precision", {"none", "own", "float", "double"});
  const int32_t own = d.type("T1");
  if (precision == "own") d.AttrInt("softmax_precision", own);
  if (precision == "float")
    d.AttrInt("softmax_precision", own == reference::kDouble ? own : reference::kFloat);
  if (precision == "double") d.AttrInt("softmax_precision", reference::kDouble);
}

void PickScale(Domain& d) {
  const double scale = d.PickFloat("scale", {0, 0.3, 1});
  if (scale != 0) d.AttrFloat("scale", scale);
}

void Attention(Domain& d) {
  const AttentionSize s = PickAttention(d);
  const bool flat = d.Pick("layout", {"heads", "flat"}) == "flat";
  const auto shape = [&](int64_t heads, int64_t length, int64_t size) {
    return flat ? Dims{s.batch, length, heads * size} : Dims{s.batch, heads, length, size};
  };
  if (flat) {
    d.AttrInt("q_num_heads", s.heads);
    d.AttrInt("kv_num_heads", s.kv_heads);
  }
  // Keys that came before are inputs of their own, or are among the keys, which are then partly padding.
  const std::string cache = d.version() >= 24 ? d.Pick("cache", {"none", "internal", "external"})
                                              : d.Pick("cache", {"none", "internal"});
  const int64_t past = cache == "internal" ? d.Extent(d.Pick("past", {3, 1, 33})) : 0, total = past + s.keys;
  d.AttrIntOr("is_causal", d.Flag("is_causal"), 0);
  if (d.has_attribute("left_window_size")) {
    d.AttrIntOr("left_window_size", d.Pick("left_window_size", {-1, 0, 1, 3}), -1);
    d.AttrIntOr("right_window_size", d.Pick("right_window_size", {-1, 0, 1, 2}), -1);
  }
  PickScale(d);
  const double softcap = d.PickFloat("softcap", {0, 0.7, 5});
  if (softcap != 0) d.AttrFloat("softcap", softcap);
  PickSoftmaxPrecision(d);
  const bool scores = d.Pick("outputs", {"y", "y+qk"}) != "y";
  if (scores) d.AttrIntOr("qk_matmul_output_mode", d.Pick("qk_matmul_output_mode", {0, 1, 2, 3}), 0);
  if (cache == "internal" || scores) d.Outputs({true, cache == "internal", cache == "internal", scores});

  std::vector<std::string> masks = {"matrix", "absent", "full", "heads", "samples", "row", "ones"};
  if (d.version() >= 24) masks.push_back("short");
  const std::string mask = d.Pick("attn_mask", masks);
  const int32_t mask_type = d.type("U");
  // Whole numbers are added like others from 25 on, where the specification's function casts the mask. What
  // they are where keys are hidden, which needs an infinity, it does not tell.
  const bool whole = d.is_integer("U");
  if (whole &&
      (d.version() < 25 || mask == "short" || cache == "external" || d.attributes().contains("is_causal") ||
       d.attributes().contains("left_window_size") || d.attributes().contains("right_window_size")))
    d.Reject("a mask of whole numbers hides nothing");
  if (!whole && mask_type != reference::kBool && mask_type != d.type("T1"))
    d.Reject("a mask of another type");
  const int64_t columns = mask == "short" ? std::max<int64_t>(total - 2, 1) : total;

  d.In(shape(s.heads, s.queries, s.size), Spread(2));
  d.In(shape(s.kv_heads, s.keys, s.size), Spread(2));
  d.In(shape(s.kv_heads, s.keys, s.v_size), Spread(4));
  if (mask == "absent") {
    d.Absent();
  } else {
    Dims dims = {s.queries, columns};
    if (mask == "full") dims = {s.batch, s.heads, s.queries, columns};
    if (mask == "heads") dims = {s.heads, s.queries, columns};
    if (mask == "samples") dims = {s.batch, 1, 1, columns};
    if (mask == "row") dims = {columns};
    if (mask == "ones") dims = {1, 1, 1, columns};
    const bool hides = mask_type != reference::kBool && !whole && d.Flag("mask_hides");
    constexpr double kHidden = -std::numeric_limits<double>::infinity();
    d.In(dims, mask_type == reference::kBool ? Given({1, 0, 1, 1, 0, 1, 1})
               : whole                       ? Whole(0, 3)
               : hides                       ? Given({0.5, kHidden, 0, 1.5, kHidden, -1, 0})
                                             : Uniform(-2, 2));
  }
  if (cache == "internal") {
    d.In({s.batch, s.kv_heads, past, s.size}, Spread(2));
    d.In({s.batch, s.kv_heads, past, s.v_size}, Spread(4));
  } else if (cache == "external") {
    d.Absent();
    d.Absent();
    // No more than the mask has.
    const double most = static_cast<double>(columns);
    d.In({s.batch}, Given({std::max(most - 1, 1.0), most, 1}));
  }
}

// Modifiers of scores and probabilities, in the type that the softmax has.
void FlexAttention(Domain& d) {
  const AttentionSize s = PickAttention(d);
  PickScale(d);
  PickSoftmaxPrecision(d);
  const auto precision = d.attributes().find("softmax_precision");
  const int64_t type = precision != d.attributes().end()    ? std::get<int64_t>(precision->second)
                       : d.type("T1") == reference::kDouble ? int64_t{reference::kDouble}
                                                            : int64_t{reference::kFloat};
  const std::string name = type == reference::kDouble     ? "double"
                           : type == reference::kFloat16  ? "float16"
                           : type == reference::kBFloat16 ? "bfloat16"
                                                          : "float";
  const auto graph = [&](const std::string& kind, const std::string& nodes) {
    d.AttrGraph(kind, kind + " (" + name + "[b, h, q, k] x) => (" + name + "[b, h, q, k] y) {" + nodes + "}");
  };
  const std::string score = d.Pick("score_mod", {"absent", "tanh", "half", "identity"}),
                    prob = d.Pick("prob_mod", {"absent", "square", "half", "identity"});
  const std::string half = "f = Constant <value_float = 0.5> () c = CastLike (f, x) y = Mul (x, c)";
  if (score != "absent")
    graph("score_mod", score == "tanh" ? "y = Tanh (x)" : score == "half" ? half : "y = Identity (x)");
  if (prob != "absent")
    graph("prob_mod", prob == "square" ? "y = Mul (x, x)" : prob == "half" ? half : "y = Identity (x)");
  d.In({s.batch, s.heads, s.queries, s.size}, Spread(2));
  d.In({s.batch, s.kv_heads, s.keys, s.size}, Spread(2));
  d.In({s.batch, s.kv_heads, s.keys, s.v_size}, Spread(4));
}

void RotaryEmbedding(Domain& d) {
  // Batch, heads, length, size.
  const std::vector<int64_t> size = d.PickInts("size", {{2, 3, 5, 8},
                                                        {1, 1, 1, 2},
                                                        {1, 2, 33, 64},
                                                        {2, 1, 65, 6},
                                                        {1, 4, 3, 130},
                                                        {1, 1, 1025, 16},
                                                        {0, 3, 5, 8}});
  const int64_t batch = d.Extent(size[0]), heads = size[1], length = d.Extent(size[2]), whole = size[3];
  const bool flat = d.Pick("layout", {"heads", "flat"}) == "flat";
  if (flat || d.Flag("num_heads")) d.AttrInt("num_heads", heads);
  d.AttrIntOr("interleaved", d.Flag("interleaved"), 0);
  const std::string part = d.Pick("rotary_embedding_dim", {"none", "part", "two", "whole"});
  const int64_t turned = part == "part" ? whole / 4 * 2 : part == "two" ? 2 : whole;
  if (turned == 0) d.Reject("nothing turns");
  if (part != "none") d.AttrInt("rotary_embedding_dim", turned);
  const bool positions = d.Pick("position_ids", {"given", "absent"}) == "given";
  const Dims cache = positions ? Dims{50, turned / 2} : Dims{batch, length, turned / 2};
  d.In(flat ? Dims{batch, length, heads * whole} : Dims{batch, heads, length, whole}, Spread(4));
  d.In(cache, Uniform(-1, 1));
  d.In(cache, Uniform(-1, 1));
  if (positions) d.In({batch, length}, Whole(0, 49));
}

void LinearAttention(Domain& d) {
  struct Size {
    const char* name;
    int64_t batch, heads, kv_heads, steps, size, v_size;
  };
  static const Size kSizes[] = {
      {"plain", 2, 4, 4, 5, 8, 6},    {"grouped", 2, 6, 2, 5, 8, 8}, {"multi_query", 1, 4, 1, 3, 8, 8},
      {"decode", 2, 4, 2, 1, 16, 16}, {"one", 1, 1, 1, 1, 1, 1},     {"chunks", 1, 2, 1, 130, 8, 9},
      {"tails", 1, 2, 2, 65, 33, 31}, {"wide", 1, 1, 1, 3, 128, 65}, {"none", 0, 2, 2, 3, 8, 8}};
  std::vector<std::string> names;
  for (const Size& s : kSizes) names.push_back(s.name);
  const std::string chosen = d.Pick("size", names);
  Size s =
      *std::find_if(std::begin(kSizes), std::end(kSizes), [&](const Size& z) { return chosen == z.name; });
  for (int64_t* e : {&s.batch, &s.steps, &s.size, &s.v_size}) *e = d.Extent(*e);
  d.AttrInt("q_num_heads", s.heads);
  d.AttrInt("kv_num_heads", s.kv_heads);
  const std::string rule = d.Pick("update_rule", {"none", "linear", "gated", "delta", "gated_delta"});
  if (rule != "none") d.AttrText("update_rule", rule);
  d.AttrIntOr("chunk_size", d.Pick("chunk_size", {64, 1, 4, 256}), 64);
  PickScale(d);
  const bool gated = rule != "linear" && rule != "delta", delta = rule != "linear" && rule != "gated";
  // The state's type is that of the past one.
  const bool past = d.Pick("past_state", {"given", "absent"}) == "given";
  if (!past && d.type("S") != d.type("T")) d.Reject("a state of another type");
  d.Outputs({true, true});
  // Keys of about a unit's length, else the state of a delta rule grows.
  const double key = 1 / std::sqrt(static_cast<double>(s.size));
  d.In({s.batch, s.steps, s.heads * s.size}, Uniform(-1.5, 1.5));
  d.In({s.batch, s.steps, s.kv_heads * s.size}, Uniform(-key, key));
  d.In({s.batch, s.steps, s.kv_heads * s.v_size}, Spread(2));
  if (past)
    d.In({s.batch, s.kv_heads, s.size, s.v_size}, Spread(2));
  else
    d.Absent();
  if (gated) {
    const bool each = d.Pick("decay", {"head", "key"}) == "key";
    d.In({s.batch, s.steps, s.kv_heads * (each ? s.size : 1)}, Uniform(-1, -0.02));
  } else {
    d.Absent();
  }
  if (delta)
    d.In({s.batch, s.steps, d.Pick("beta", {"head", "one"}) == "one" ? 1 : s.kv_heads}, Uniform(0.05, 0.95));
}

void SwiGlu(Domain& d) {
  const Dims x = d.AnyShape();
  const double alpha = d.PickFloat("alpha", {1, 0.5, 1.702, -1});
  if (alpha != 1) d.AttrFloat("alpha", alpha);
  d.In(x, Uniform(-8, 8));
  d.In(x, Spread(4));
}

}  // namespace

std::span<const DomainEntry> AttentionDomains() {
  static const DomainEntry kDomains[] = {
      {"", "Attention", Attention},
      {"", "RotaryEmbedding", RotaryEmbedding},
      {"", "LinearAttention", LinearAttention},
      {"", "SwiGLU", SwiGlu},
      {"ai.onnx.preview", "FlexAttention", FlexAttention},
  };
  return kDomains;
}

}  // namespace braid::conformance
