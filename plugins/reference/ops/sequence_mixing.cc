// SPDX-License-Identifier: Apache-2.0
#include "plugins/reference/ops/sequence_mixing.h"

#include "plugins/reference/ops/compute.h"

namespace braid::reference {

// LinearAttention-27: a state of (d_k x d_v) a head, decayed, corrected and written at each step, read by the
// query heads that share it.
void LinearAttention(OpContext& op) {
  const std::string rule = op.String("update_rule", "gated_delta");
  op.Check(rule == "linear" || rule == "gated" || rule == "delta" || rule == "gated_delta",
           "update_rule '" + rule + "' is none of linear, gated, delta, gated_delta");
  const bool gated = rule == "gated" || rule == "gated_delta",
             delta = rule == "delta" || rule == "gated_delta";
  const Tensor &query = op.input(0), &key = op.input(1), &value = op.input(2);
  for (size_t i = 0; i < 3; ++i)
    op.Check(op.input(i).rank() == 3,
             "input " + std::to_string(i) + " " + DimsText(op.input(i).dims()) + " is not of rank 3");
  const int64_t q_heads = op.Int("q_num_heads", 0), heads = op.Int("kv_num_heads", 0);
  op.Check(
      q_heads <= std::max<int64_t>(query.dim(2), 1),
      "q_num_heads " + std::to_string(q_heads) + " exceeds the last axis of query " + DimsText(query.dims()));
  op.Check(q_heads >= 1 && heads >= 1 && q_heads % heads == 0,
           "q_num_heads " + std::to_string(q_heads) + " is no positive multiple of kv_num_heads " +
               std::to_string(heads));
  const int64_t batch = query.dim(0), steps = query.dim(1), dk = query.dim(2) / q_heads,
                dv = value.dim(2) / heads, share = q_heads / heads;
  op.Check(query.dim(2) == q_heads * dk && value.dim(2) == heads * dv &&
               key.dims() == Dims{batch, steps, heads * dk} && value.dim(0) == batch && value.dim(1) == steps,
           "query " + DimsText(query.dims()) + ", key " + DimsText(key.dims()) + " and value " +
               DimsText(value.dims()) + " do not fit together");
  op.Check(op.has(4) == gated, "update_rule " + rule + (gated ? " needs" : " takes no") + " decay");
  op.Check(op.has(5) == delta, "update_rule " + rule + (delta ? " needs" : " takes no") + " beta");
  int64_t decay_width = 0, beta_width = 0;
  if (gated) {
    const Tensor& t = op.input(4);
    decay_width = t.rank() == 3 ? t.dim(2) : -1;
    op.Check(t.rank() == 3 && t.dim(0) == batch && t.dim(1) == steps &&
                 (decay_width == heads || decay_width == heads * dk),
             "decay " + DimsText(t.dims()) + " has neither a value a head nor one a key element");
  }
  if (delta) {
    const Tensor& t = op.input(5);
    beta_width = t.rank() == 3 ? t.dim(2) : -1;
    op.Check(
        t.rank() == 3 && t.dim(0) == batch && t.dim(1) == steps && (beta_width == heads || beta_width == 1),
        "beta " + DimsText(t.dims()) + " has neither one value nor one a head");
  }
  const Dims state_dims = {batch, heads, dk, dv};
  if (op.has(3))
    op.Check(op.input(3).dims() == state_dims,
             "past_state is " + DimsText(op.input(3).dims()) + ", not " + DimsText(state_dims));
  const double given = op.Float("scale", 0),
               scale = given != 0 ? given : 1 / std::sqrt(static_cast<double>(std::max<int64_t>(dk, 1)));
  Tensor q = As<double>(query), k = As<double>(key), v = As<double>(value), decay, beta;
  if (gated) decay = As<double>(op.input(4));
  if (delta) beta = As<double>(op.input(5));
  Count(state_dims);
  Tensor past = op.has(3) ? As<double>(op.input(3)) : Tensor();
  OutputAs<double> y(op, 0, query.type(), {batch, steps, q_heads * dv});
  OutputAs<double> present(op, 1, op.has(3) ? op.input(3).type() : query.type(), state_dims);
  op.parallel().For(batch * heads, steps * dk * dv * (4 + share), [&](int64_t task) {
    const int64_t b = task / heads, h = task % heads;
    double* s = present.data() + task * dk * dv;
    if (past.present())
      std::copy_n(past.data<double>() + task * dk * dv, dk * dv, s);
    else
      std::fill_n(s, dk * dv, 0.0);
    std::vector<double> written(static_cast<size_t>(dv));
    for (int64_t t = 0; t < steps; ++t) {
      const int64_t at = b * steps + t;
      const double *kt = k.data<double>() + (at * heads + h) * dk,
                   *vt = v.data<double>() + (at * heads + h) * dv;
      if (gated)
        for (int64_t i = 0; i < dk; ++i) {
          const double factor =
              std::exp(decay.data<double>()[at * decay_width + (decay_width == heads ? h : h * dk + i)]);
          for (int64_t j = 0; j < dv; ++j) s[i * dv + j] *= factor;
        }
      std::copy_n(vt, dv, written.data());
      if (delta) {
        for (int64_t i = 0; i < dk; ++i)
          for (int64_t j = 0; j < dv; ++j) written[static_cast<size_t>(j)] -= s[i * dv + j] * kt[i];
        const double rate = beta.data<double>()[at * beta_width + (beta_width == 1 ? 0 : h)];
        for (double& w : written) w *= rate;
      }
      for (int64_t i = 0; i < dk; ++i)
        for (int64_t j = 0; j < dv; ++j) s[i * dv + j] += kt[i] * written[static_cast<size_t>(j)];
      for (int64_t g = h * share; g < (h + 1) * share; ++g) {
        const double* qt = q.data<double>() + (at * q_heads + g) * dk;
        double* to = y.data() + (at * q_heads + g) * dv;
        std::fill_n(to, dv, 0.0);
        for (int64_t i = 0; i < dk; ++i)
          for (int64_t j = 0; j < dv; ++j) to[j] += scale * qt[i] * s[i * dv + j];
      }
    }
  });
  y.Store();
  present.Store();
}

// CausalConvWithState-27: each channel by its own kernel over the past k - 1 positions and the present one.
void CausalConvWithState(OpContext& op) {
  const Tensor &x = op.input(0), &w = op.input(1);
  const std::string activation = op.String("activation", "none");
  op.Check(activation == "none" || activation == "silu" || activation == "swish",
           "activation '" + activation + "' is none of none, silu, swish");
  op.Check(x.rank() == 3, "the input " + DimsText(x.dims()) + " is not of rank 3");
  const int64_t batch = x.dim(0), channels = x.dim(1), length = x.dim(2), k = w.rank() == 3 ? w.dim(2) : 0;
  op.Check(
      w.dims() == Dims{channels, 1, k} && k >= 1,
      "the weights " + DimsText(w.dims()) + " are not of shape (" + std::to_string(channels) + ", 1, k)");
  if (op.has(2))
    op.Check(op.input(2).dims() == Dims{channels}, "the bias " + DimsText(op.input(2).dims()) +
                                                       " is not of shape [" + std::to_string(channels) + "]");
  const Dims state = {batch, channels, k - 1};
  if (op.has(3))
    op.Check(op.input(3).dims() == state,
             "past_state is " + DimsText(op.input(3).dims()) + ", not " + DimsText(state));
  Tensor wide = As<float>(x), weights = As<float>(w), bias = op.has(2) ? As<float>(op.input(2)) : Tensor(),
         past = op.has(3) ? As<float>(op.input(3)) : Tensor();
  OutputAs<float> y(op, 0, x.type(), x.dims());
  std::vector<float> kept(static_cast<size_t>(Count(state)));
  op.parallel().For(batch * channels, length * k, [&](int64_t i) {
    const int64_t c = i % channels;
    std::vector<float> line(static_cast<size_t>(k - 1 + length), 0.0f);
    if (past.present()) std::copy_n(past.data<float>() + i * (k - 1), k - 1, line.data());
    std::copy_n(wide.data<float>() + i * length, length, line.data() + k - 1);
    float* to = y.data() + i * length;
    std::fill_n(to, length, bias.present() ? bias.data<float>()[c] : 0.0f);
    for (int64_t e = 0; e < k; ++e) {
      const float factor = weights.data<float>()[c * k + e];
      for (int64_t t = 0; t < length; ++t) to[t] += factor * line[static_cast<size_t>(t + e)];
    }
    if (activation != "none")
      for (int64_t t = 0; t < length; ++t) to[t] /= 1 + std::exp(-to[t]);
    std::copy_n(line.data() + length, k - 1, kept.data() + i * (k - 1));
  });
  y.Store();
  if (op.wants(1)) {
    OutputAs<float> present(op, 1, x.type(), state);
    std::copy(kept.begin(), kept.end(), present.data());
    present.Store();
  }
}

// RotaryEmbedding-23: pairs of elements of each head - its two halves, or neighbours with `interleaved` -
// turned by the angle of the token's position; elements beyond rotary_embedding_dim stay.
void RotaryEmbedding(OpContext& op) {
  const Tensor &x = op.input(0), &cos = op.input(1), &sin = op.input(2);
  op.Check(x.rank() == 3 || x.rank() == 4, "the input " + DimsText(x.dims()) + " is not of rank 3 or 4");
  const bool flat = x.rank() == 3, interleaved = op.Int("interleaved", 0) != 0;
  const int64_t batch = x.dim(0), length = x.dim(flat ? 1 : 2),
                heads = flat ? op.Int("num_heads", 0) : x.dim(1);
  op.Check(heads >= (flat ? 1 : 0) && (!flat || x.dim(2) % heads == 0),
           "num_heads " + std::to_string(heads) + " does not divide the last axis of " + DimsText(x.dims()));
  op.Check(!flat || heads <= std::max<int64_t>(x.dim(2), 1),
           "num_heads " + std::to_string(heads) + " exceeds the last axis of " + DimsText(x.dims()));
  const int64_t size = flat ? x.dim(2) / heads : x.dim(3);
  const int64_t attribute = op.Int("rotary_embedding_dim", 0), turned = attribute == 0 ? size : attribute,
                half = turned / 2;
  op.Check(turned >= 0 && turned <= size && turned % 2 == 0,
           "the " + std::to_string(turned) + " elements to rotate are not an even part of a head's " +
               std::to_string(size));
  const bool by_position = op.has(3);
  Dims cache = by_position ? Dims{cos.rank() == 2 ? cos.dim(0) : 0, half} : Dims{batch, length, half};
  // ONNX 1.18 gave the caches of a partial rotation the columns of a whole one, and did not read the last.
  if (cos.rank() == static_cast<int64_t>(cache.size()) && cos.dim(cos.rank() - 1) == size / 2)
    cache.back() = size / 2;
  op.Check(cos.dims() == cache && sin.dims() == cache,
           "cos_cache " + DimsText(cos.dims()) + " and sin_cache " + DimsText(sin.dims()) +
               " are not of shape " +
               (by_position ? "(positions, " + std::to_string(half) + ")" : DimsText(cache)));
  if (by_position)
    op.Check(
        op.input(3).dims() == Dims{batch, length},
        "position_ids " + DimsText(op.input(3).dims()) + " is not of shape " + DimsText(Dims{batch, length}));
  Tensor wide = As<float>(x), c = As<float>(cos), s = As<float>(sin);
  OutputAs<float> y(op, 0, x.type(), x.dims());
  for (int64_t b = 0; b < batch; ++b)
    for (int64_t t = 0; t < length; ++t) {
      int64_t row = b * length + t;
      if (by_position) {
        row = op.input(3).data<int64_t>()[row];
        if (row < 0 || row >= cache[0])
          op.Fail("position " + std::to_string(row) + " is not within the caches' " +
                  std::to_string(cache[0]));
      }
      for (int64_t h = 0; h < heads; ++h) {
        const int64_t at =
            flat ? ((b * length + t) * heads + h) * size : ((b * heads + h) * length + t) * size;
        const float *from = wide.data<float>() + at, *cs = c.data<float>() + row * cache.back(),
                    *sn = s.data<float>() + row * cache.back();
        float* to = y.data() + at;
        for (int64_t i = 0; i < half; ++i) {
          const int64_t one = interleaved ? 2 * i : i, two = interleaved ? 2 * i + 1 : half + i;
          const float u = from[one], v = from[two];
          to[one] = cs[i] * u - sn[i] * v;
          to[two] = sn[i] * u + cs[i] * v;
        }
        std::copy(from + turned, from + size, to + turned);
      }
    }
  y.Store();
}

}  // namespace braid::reference
