// SPDX-License-Identifier: Apache-2.0
//
// Attention and FlexAttention; the table of the family. LinearAttention, CausalConvWithState and
// RotaryEmbedding are in sequence_mixing.cc.
#include "plugins/reference/ops/broadcast.h"
#include "plugins/reference/ops/compute.h"
#include "plugins/reference/ops/gemm.h"
#include "plugins/reference/ops/sequence_mixing.h"

namespace braid::reference {
namespace {

constexpr TypeSet kMaskTypes = kNumeric | Types(kBool);
constexpr TypeSet kNarrowFloats = Types(kFloat, kFloat16, kBFloat16);

// A (batch, heads, length, size) tensor in place; 3-D inputs are (batch, length, heads * size).
struct Heads {
  int64_t batch = 0, heads = 0, length = 0, size = 0;
  bool flat = false;
  // Element (b, h, 0, 0), and the distance of neighbours along the length.
  int64_t at(int64_t b, int64_t h) const {
    return flat ? b * length * heads * size + h * size : (b * heads + h) * length * size;
  }
  int64_t row() const { return flat ? heads * size : size; }
};

Heads ReadHeads(const OpContext& op, const Tensor& t, const char* what, const char* attribute) {
  Heads h;
  op.Check(t.rank() == 3 || t.rank() == 4,
           std::string(what) + " " + DimsText(t.dims()) + " is not of rank 3 or 4");
  h.flat = t.rank() == 3;
  h.batch = t.dim(0), h.length = t.dim(h.flat ? 1 : 2);
  if (!h.flat) {
    h.heads = t.dim(1), h.size = t.dim(3);
    op.Check(!op.HasAttr(attribute) || op.Int(attribute, 0) == h.heads,
             std::string(attribute) + " is " + std::to_string(op.Int(attribute, 0)) + ", " + what + " has " +
                 std::to_string(h.heads) + " heads");
    return h;
  }
  h.heads = op.Int(attribute, 0);
  op.Check(h.heads >= 1 && h.heads <= std::max<int64_t>(t.dim(2), 1) && t.dim(2) % h.heads == 0,
           std::string(attribute) + " " + std::to_string(h.heads) + " does not divide the last axis of " +
               what + " " + DimsText(t.dims()));
  h.size = t.dim(2) / h.heads;
  return h;
}

// Past and present keys (or values) in one (batch, heads, total, size) tensor.
template <class W>
Tensor Joined(const Tensor& now, const Heads& h, const Tensor& past, int64_t past_length) {
  const int64_t total = past_length + h.length;
  Tensor out(kTypeOf<W>, {h.batch, h.heads, total, h.size});
  for (int64_t b = 0; b < h.batch; ++b)
    for (int64_t k = 0; k < h.heads; ++k) {
      W* to = out.data<W>() + (b * h.heads + k) * total * h.size;
      if (past_length > 0)
        std::copy_n(past.data<W>() + (b * h.heads + k) * past_length * h.size, past_length * h.size, to);
      for (int64_t i = 0; i < h.length; ++i)
        std::copy_n(now.data<W>() + h.at(b, k) + i * h.row(), h.size, to + (past_length + i) * h.size);
    }
  return out;
}

// What is added to the scores of batch entry b, head h, row i: -inf for keys that it must not see.
struct Bias {
  Tensor mask;               // double or absent
  Dims strides;              // of mask over (batch, heads, rows, columns)
  int64_t mask_columns = 0;  // keys beyond are not seen
  bool causal = false;
  int64_t left = -1, right = -1;
  int64_t past = 0;       // keys before the first query
  Dims valid;             // keys that count, by batch entry; empty: all
  bool external = false;  // the offset comes from `valid`

  template <class W>
  void Row(int64_t b, int64_t h, int64_t i, int64_t rows, int64_t columns, W* to) const {
    constexpr W kHidden = -std::numeric_limits<W>::infinity();
    const int64_t known = valid.empty() ? columns : valid[static_cast<size_t>(b)];
    const int64_t place = i + (external ? known - rows : past);
    int64_t first = left >= 0 && left < place ? place - left : 0, last = known;
    if (causal) last = std::min(last, place + 1);
    if (right >= 0) last = std::min(last, place + std::min(right, columns - place) + 1);
    if (mask.present()) last = std::min(last, mask_columns);
    last = std::clamp<int64_t>(last, 0, columns);
    first = std::clamp<int64_t>(first, 0, last);
    std::fill(to, to + first, kHidden);
    std::fill(to + last, to + columns, kHidden);
    if (!mask.present()) {
      std::fill(to + first, to + last, W{});
      return;
    }
    const double* from = mask.data<double>() + b * strides[0] + h * strides[1] + i * strides[2];
    for (int64_t j = first; j < last; ++j) to[j] = static_cast<W>(from[j * strides[3]]);
  }
};

// The mask as numbers to add, and how it stretches over (batch, heads, rows, columns).
void ReadMask(const OpContext& op, const Tensor& t, const Dims& scores, Bias& bias) {
  op.Check(t.rank() >= 1 && t.rank() <= 4, "attn_mask " + DimsText(t.dims()) + " is not of rank 1 to 4");
  Dims dims = t.dims();
  bias.mask_columns = dims.back();
  Dims target = scores;
  target[3] = dims.back();  // shorter than the keys: the rest is hidden
  bool fits = dims.back() <= scores[3];
  for (size_t i = 2; i <= dims.size(); ++i)
    fits = fits && (dims[dims.size() - i] == 1 || dims[dims.size() - i] == scores[4 - i]);
  op.Check(fits, "attn_mask " + DimsText(t.dims()) + " does not broadcast to " + DimsText(scores));
  bias.strides = BroadcastStrides(dims, target);
  bias.mask = As<double>(t);
  if (t.type() != kBool) return;
  for (int64_t i = 0; i < t.size(); ++i)
    bias.mask.data<double>()[i] = t.data<bool>()[i] ? 0 : -std::numeric_limits<double>::infinity();
}

// What a pass over all heads needs beside its tensors.
struct Scores {
  double scale = 1, softcap = 0;
  int64_t mode = -1;  // which scores go to `kept`: 0 raw, 1 capped, 2 with the bias, 3 probabilities; -1 none
  const Bias* bias = nullptr;
};

// Y = softmax(scale Q K^T ...) V. k and v are (batch, heads, total, size); query head i uses key head i /
// (query heads / key heads). Queries go in strips, so that the scores in flight stay small. A row that sees
// no key gives zeros.
template <class W>
void Attend(const OpContext& op, const Tensor& q, const Heads& qh, const Tensor& k, const Tensor& v,
            const Scores& scores, W* y, const Heads& yh, W* kept) {
  const int64_t total = k.dim(2), size = qh.size, v_size = v.dim(3), share = qh.heads / k.dim(1);
  constexpr int64_t kStrip = 64;
  const int64_t strips = (qh.length + kStrip - 1) / kStrip;
  op.parallel().For(
      qh.batch * qh.heads * strips, std::min(kStrip, qh.length) * total * (size + v_size + 16),
      [&](int64_t task) {
        const int64_t strip = task % strips, h = task / strips % qh.heads, b = task / strips / qh.heads;
        const int64_t first = strip * kStrip, rows = std::min(kStrip, qh.length - first),
                      kv = b * k.dim(1) + h / share;
        std::vector<W> s(static_cast<size_t>(rows * total), W{}), bias(static_cast<size_t>(total));
        Gemm<W>(Parallel(), rows, total, size, {q.data<W>() + qh.at(b, h) + first * qh.row(), qh.row(), 1},
                {k.data<W>() + kv * total * size, 1, size}, s.data(), total);
        for (int64_t i = 0; i < rows; ++i) {
          W* row = s.data() + i * total;
          W* keep = kept == nullptr ? nullptr : kept + ((b * qh.heads + h) * qh.length + first + i) * total;
          auto save = [&](int64_t mode) {
            if (keep != nullptr && scores.mode == mode) std::copy_n(row, total, keep);
          };
          for (int64_t j = 0; j < total; ++j) row[j] *= static_cast<W>(scores.scale);
          save(0);
          if (scores.softcap > 0)
            for (int64_t j = 0; j < total; ++j)
              row[j] = static_cast<W>(scores.softcap) * std::tanh(row[j] / static_cast<W>(scores.softcap));
          save(1);
          bool hidden = total > 0;
          if (scores.bias != nullptr) {
            scores.bias->Row(b, h, first + i, qh.length, total, bias.data());
            for (int64_t j = 0; j < total; ++j) {
              hidden = hidden && std::isinf(bias[static_cast<size_t>(j)]) && bias[static_cast<size_t>(j)] < 0;
              row[j] += bias[static_cast<size_t>(j)];
            }
          } else {
            hidden = false;
          }
          save(2);
          W largest = -std::numeric_limits<W>::infinity();
          for (int64_t j = 0; j < total; ++j) largest = row[j] > largest ? row[j] : largest;
          if (hidden || (largest == -std::numeric_limits<W>::infinity() &&
                         std::none_of(row, row + total, [](W x) { return std::isnan(x); }))) {
            std::fill_n(row, total, W{});
          } else {
            double sum = 0;
            for (int64_t j = 0; j < total; ++j)
              sum += static_cast<double>(row[j] = std::exp(row[j] - largest));
            const W inverse = static_cast<W>(1 / sum);
            for (int64_t j = 0; j < total; ++j) row[j] *= inverse;
          }
          save(3);
        }
        W* to = y + yh.at(b, h) + first * yh.row();
        for (int64_t i = 0; i < rows; ++i) std::fill_n(to + i * yh.row(), v_size, W{});
        // A probability of 0 takes nothing, whatever stands in V (padding may hold anything).
        bool finite = true;
        const W* values = v.data<W>() + kv * total * v_size;
        for (int64_t j = 0; j < total * v_size && finite; ++j) finite = std::isfinite(values[j]);
        if (finite) {
          Gemm<W>(Parallel(), rows, v_size, total, {s.data(), total, 1}, {values, v_size, 1}, to, yh.row());
        } else {
          for (int64_t i = 0; i < rows; ++i)
            for (int64_t j = 0; j < total; ++j)
              if (W p = s[static_cast<size_t>(i * total + j)]; p != 0)
                for (int64_t e = 0; e < v_size; ++e) to[i * yh.row() + e] += p * values[j * v_size + e];
        }
      });
}

// The type in which the heads are computed: that of Q, or double where the softmax shall be.
template <class F>
void ComputeAttention(const OpContext& op, int32_t type, const F& f) {
  const int64_t precision = op.Int("softmax_precision", type);
  op.Check(precision >= 0 && precision < 64 && Contains(kFloats, static_cast<int32_t>(precision)),
           "softmax_precision " + std::to_string(precision) + " is no float type");
  ComputeIn(precision == kDouble ? kDouble : type, f);
}

void CheckHeads(const OpContext& op, const Heads& q, const Heads& k, const Heads& v) {
  op.Check(q.batch == k.batch && q.batch == v.batch && k.length == v.length && k.heads == v.heads &&
               q.size == k.size && q.flat == k.flat && q.flat == v.flat,
           "Q " + DimsText(op.input(0).dims()) + ", K " + DimsText(op.input(1).dims()) + " and V " +
               DimsText(op.input(2).dims()) + " do not fit together");
  op.Check(k.heads >= 1 && q.heads % k.heads == 0, "the " + std::to_string(q.heads) +
                                                       " heads of Q are no multiple of the " +
                                                       std::to_string(k.heads) + " of K and V");
}

double ScaleOf(const OpContext& op, int64_t size) {
  return op.HasAttr("scale") ? static_cast<double>(op.Float("scale", 1))
                             : 1 / std::sqrt(static_cast<double>(std::max<int64_t>(size, 1)));
}

// Attention-25.
void Attention(OpContext& op) {
  const Heads q = ReadHeads(op, op.input(0), "Q", "q_num_heads"),
              k = ReadHeads(op, op.input(1), "K", "kv_num_heads"),
              v = ReadHeads(op, op.input(2), "V", "kv_num_heads");
  CheckHeads(op, q, k, v);
  Bias bias;
  op.Check(op.has(4) == op.has(5), "past_key and past_value must be given together");
  if (op.has(4)) {
    const Tensor &pk = op.input(4), &pv = op.input(5);
    bias.past = pk.rank() == 4 ? pk.dim(2) : -1;
    op.Check(pk.dims() == Dims{k.batch, k.heads, bias.past, k.size} &&
                 pv.dims() == Dims{k.batch, k.heads, bias.past, v.size},
             "past_key " + DimsText(pk.dims()) + " and past_value " + DimsText(pv.dims()) + " do not fit K " +
                 DimsText(op.input(1).dims()) + " and V " + DimsText(op.input(2).dims()));
  }
  const int64_t total = bias.past + k.length;
  const Dims shape = {q.batch, q.heads, q.length, total};
  if (op.wants(3)) Count(shape);
  if (op.has(3)) ReadMask(op, op.input(3), shape, bias);
  if (op.has(6)) {
    op.Check(!op.has(4), "nonpad_kv_seqlen does not go with past_key and past_value");
    bias.valid = op.input(6).AsInts();
    bias.external = true;
    op.Check(static_cast<int64_t>(bias.valid.size()) == q.batch,
             "nonpad_kv_seqlen " + DimsText(op.input(6).dims()) + " is not of shape [" +
                 std::to_string(q.batch) + "]");
    for (int64_t n : bias.valid)
      op.Check(n >= 0 && n <= total, "nonpad_kv_seqlen has " + std::to_string(n) + ", there are " +
                                         std::to_string(total) + " keys");
  }
  bias.causal = op.Int("is_causal", 0) != 0;
  bias.left = op.Int("left_window_size", -1), bias.right = op.Int("right_window_size", -1);
  op.Check(bias.left >= -1 && bias.right >= -1, "left_window_size " + std::to_string(bias.left) +
                                                    " and right_window_size " + std::to_string(bias.right) +
                                                    " must be at least -1");
  Scores scores;
  scores.scale = ScaleOf(op, q.size), scores.softcap = op.Float("softcap", 0);
  op.Check(scores.softcap >= 0, "softcap is negative");
  const int64_t mode = op.Int("qk_matmul_output_mode", 0);
  op.Check(mode >= 0 && mode <= 3, "qk_matmul_output_mode " + std::to_string(mode) + " is not within [0, 3]");
  scores.mode = op.wants(3) ? mode : -1;
  scores.bias = &bias;
  Heads y = q;
  y.size = v.size;
  const Dims dims =
      y.flat ? Dims{y.batch, y.length, y.heads * y.size} : Dims{y.batch, y.heads, y.length, y.size};
  ComputeAttention(op, op.input(0).type(), [&]<class W>() {
    Tensor keys = Joined<W>(As<W>(op.input(1)), k, op.has(4) ? As<W>(op.input(4)) : Tensor(), bias.past);
    Tensor values = Joined<W>(As<W>(op.input(2)), v, op.has(5) ? As<W>(op.input(5)) : Tensor(), bias.past);
    const int32_t type = op.input(0).type();
    OutputAs<W> out(op, 0, type, dims);
    if (op.wants(1)) {
      OutputAs<W> present(op, 1, op.input(1).type(), keys.dims());
      std::copy_n(keys.data<W>(), keys.size(), present.data());
      present.Store();
    }
    if (op.wants(2)) {
      OutputAs<W> present(op, 2, op.input(2).type(), values.dims());
      std::copy_n(values.data<W>(), values.size(), present.data());
      present.Store();
    }
    Tensor wide = As<W>(op.input(0));
    if (op.wants(3)) {
      OutputAs<W> kept(op, 3, type, shape);
      Attend<W>(op, wide, q, keys, values, scores, out.data(), y, kept.data());
      kept.Store();
    } else {
      Attend<W>(op, wide, q, keys, values, scores, out.data(), y, nullptr);
    }
    out.Store();
  });
}

// FlexAttention-1 of ai.onnx.preview, without modifiers (a node that has them is expanded by the host).
void FlexAttention(OpContext& op) {
  for (size_t i = 0; i < 3; ++i)
    op.Check(op.input(i).rank() == 4,
             "input " + std::to_string(i) + " " + DimsText(op.input(i).dims()) + " is not of rank 4");
  const Heads q = ReadHeads(op, op.input(0), "Q", "q_num_heads"),
              k = ReadHeads(op, op.input(1), "K", "kv_num_heads"),
              v = ReadHeads(op, op.input(2), "V", "kv_num_heads");
  CheckHeads(op, q, k, v);
  Scores scores;
  scores.scale = ScaleOf(op, q.size);
  Heads y = q;
  y.size = v.size;
  ComputeAttention(op, op.input(0).type(), [&]<class W>() {
    OutputAs<W> out(op, 0, op.input(0).type(), {y.batch, y.heads, y.length, y.size});
    Attend<W>(op, As<W>(op.input(0)), q, As<W>(op.input(1)), As<W>(op.input(2)), scores, out.data(), y,
              nullptr);
    out.Store();
  });
}

}  // namespace

std::span<const OpEntry> AttentionOps() {
  static const OpEntry kOps[] = {
      {"",
       "Attention",
       25,
       Attention,
       {kFloats, kFloats, kFloats, kMaskTypes, kFloats, kFloats, Types(kInt64)}},
      {"ai.onnx.preview", "FlexAttention", 1, FlexAttention, {kFloats}},
      {"", "LinearAttention", 27, LinearAttention, {kNarrowFloats}},
      {"", "CausalConvWithState", 27, CausalConvWithState, {kNarrowFloats}},
      {"",
       "RotaryEmbedding",
       23,
       RotaryEmbedding,
       {kNarrowFloats, kNarrowFloats, kNarrowFloats, Types(kInt64)}},
  };
  return kOps;
}

}  // namespace braid::reference
