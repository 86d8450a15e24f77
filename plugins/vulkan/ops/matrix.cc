// SPDX-License-Identifier: Apache-2.0
//
// MatMul and Gemm, and the product under them. Its kernel reads vectors of four: operands whose rows are not
// whole vectors are first copied into padded ones, constants once when the segment is compiled.
#include "plugins/vulkan/ops/matrix.h"

#include <algorithm>

#include "plugins/vulkan/ops/families.h"

namespace braid::vulkan {
namespace {

int64_t RoundUp4(int64_t n) { return (n + 3) / 4 * 4; }

// The matrices as dense rows of `cols` (padded with zeroes to multiples of `pad_rows` and 4).
void Pack(Lowering& l, Matrix& m, bool pad_rows) {
  int64_t rows = pad_rows ? RoundUp4(m.rows) : m.rows, cols = RoundUp4(m.cols);
  if (rows == m.rows && cols == m.cols && m.row_stride == m.cols && m.col_stride == 1) return;
  int64_t count = Product(m.batch);
  Dims dims = m.batch;
  dims.insert(dims.end(), {rows, cols});
  int64_t size = m.rows * m.cols;
  if (m.input != BRAID_NONE && l.IsConstant(m.input)) {
    std::string form = "rows";
    for (int64_t v : {count, m.rows, m.cols, m.row_stride, m.col_stride, rows, cols})
      form += "/" + std::to_string(v);
    Matrix s = m;
    m.tensor = l.Prepared(
        m.tensor, form, kF32, dims, [s, count, rows, cols, size](const uint8_t* from, uint8_t* to) {
          const float* x = reinterpret_cast<const float*>(from);
          float* y = reinterpret_cast<float*>(to);
          std::fill(y, y + count * rows * cols, 0.0f);
          for (int64_t b = 0; b < count; ++b)
            for (int64_t r = 0; r < s.rows; ++r)
              for (int64_t c = 0; c < s.cols; ++c)
                y[(b * rows + r) * cols + c] = x[b * size + r * s.row_stride + c * s.col_stride];
        });
  } else {
    Tensor packed = l.Temporary(kF32, dims);
    if (rows != m.rows || cols != m.cols) l.Fill(packed, 0);
    l.CopyStrided(m.tensor, 0, {size, m.row_stride, m.col_stride}, packed, 0, {rows * cols, cols, 1},
                  {count, m.rows, m.cols});
    m.tensor = packed;
  }
  m.row_stride = cols;
  m.col_stride = 1;
  m.input = BRAID_NONE;
}

void MatMul(Lowering& l) {
  l.NeedF32(0);
  l.NeedF32(1);
  Tensor a = l.In(0), b = l.In(1);
  const Tensor& y = l.Out();
  if (a.dims.empty() || b.dims.empty()) l.RefuseShape("a scalar is no matrix");
  if (a.dims.size() == 1) a = l.View(a, {1, a.dims[0]});
  if (b.dims.size() == 1) b = l.View(b, {b.dims[0], 1});
  size_t ra = a.dims.size(), rb = b.dims.size();
  int64_t m = a.dims[ra - 2], k = a.dims[ra - 1], n = b.dims[rb - 1];
  if (b.dims[rb - 2] != k) l.RefuseShape("the inner dimensions differ");
  Matrix ma{a, 0, Dims(a.dims.begin(), a.dims.end() - 2), m, k, k, 1};
  Matrix mb{b, 1, Dims(b.dims.begin(), b.dims.end() - 2), k, n, n, 1};
  Dims batch(std::max(ra, rb) - 2, 1);
  for (size_t i = 0; i < batch.size(); ++i) {
    auto at = [&](const Dims& d) { return i + d.size() < batch.size() ? 1 : d[i + d.size() - batch.size()]; };
    batch[i] = at(ma.batch) == 1 ? at(mb.batch) : at(ma.batch);
  }
  if (Product(batch) * m * n != y.count) l.RefuseShape("the output's shape does not fit");
  MatrixProduct(l, ma, mb, y, batch, 1.0f, {});
}

void Gemm(Lowering& l) {
  l.NeedF32(0);
  l.NeedF32(1);
  const Tensor &a = l.In(0), &b = l.In(1), &y = l.Out();
  if (a.dims.size() != 2 || b.dims.size() != 2) l.RefuseShape("inputs of rank 2 only");
  bool ta = l.node().Int("transA", 0) != 0, tb = l.node().Int("transB", 0) != 0;
  float alpha = l.node().Float("alpha", 1.0f), beta = l.node().Float("beta", 1.0f);
  int64_t m = a.dims[ta ? 1 : 0], k = a.dims[ta ? 0 : 1], n = b.dims[tb ? 0 : 1];
  if (b.dims[tb ? 1 : 0] != k || y.count != m * n) l.RefuseShape("the shapes do not fit");
  Matrix ma{a, 0, {}, m, k, ta ? 1 : k, ta ? m : 1};
  Matrix mb{b, 1, {}, k, n, tb ? 1 : n, tb ? k : 1};
  Bias bias;
  Tensor c;
  if (l.HasIn(2) && beta != 0.0f) {
    l.NeedF32(2);
    c = l.In(2);
    Broadcast check = MergeBroadcast(y.dims, {&c.dims});
    (void)check;
    size_t r = c.dims.size();
    if (c.count > 0 && r >= 1 && c.dims[r - 1] > 1) bias.column_stride = 1;
    if (r == 2 && c.dims[0] > 1) bias.row_stride = static_cast<uint32_t>(c.dims[1]);
    if (beta != 1.0f) {
      struct Params {
        uint32_t n;
        float alpha;
        uint32_t dim[6], sa[6], sb[6];
      } p{static_cast<uint32_t>(c.count), 0, {static_cast<uint32_t>(c.count)}, {1}, {0}};
      Tensor scaled = l.Temporary(kF32, c.dims), factor = l.LiteralOf<float>(kF32, {beta});
      l.Each("binary_Mul_f32", {1}, {&c, &factor}, {&scaled}, p, c.count, 1);
      c = scaled;
    }
    bias.tensor = &c;
  }
  MatrixProduct(l, ma, mb, y, {}, alpha, bias);
}

const Operator kOperators[] = {{"MatMul", 13, MatMul}, {"Gemm", 13, Gemm}};

}  // namespace

void MatrixProduct(Lowering& l, Matrix a, Matrix b, const Tensor& y, const Dims& batch, float scale,
                   const Bias& bias) {
  struct Params {
    uint32_t m, n, k4, lda, ldb, batch1, a0, a1, b0, b1, y_batch, bias_row, bias_column;
    float alpha, beta, scale;
  } p{};
  if (y.count == 0) return;
  int64_t k = a.cols;
  // One B for all: the batch of A is more rows.
  int64_t count = Product(batch);
  Dims outer = batch;
  if (count > 1 && Product(b.batch) == 1 && Product(a.batch) == count && a.row_stride == k &&
      a.col_stride == 1 && bias.tensor == nullptr) {
    a.rows *= count;
    a.batch.clear();
    b.batch.clear();
    outer.clear();
    count = 1;
  }
  Pack(l, a, false);
  Pack(l, b, true);
  Broadcast m = MergeBroadcast(outer, {&a.batch, &b.batch});
  if (m.dims.size() > 2) {
    for (Matrix* side : {&a, &b}) {
      Dims full = outer;
      full.insert(full.end(), {side == &a ? a.rows : RoundUp4(b.rows), RoundUp4(side->cols)});
      Dims own = side->batch;
      own.insert(own.end(), full.end() - 2, full.end());
      side->tensor = l.Expanded(l.View(side->tensor, own), full);
      side->batch = outer;
    }
    m = MergeBroadcast(outer, {&a.batch, &b.batch});
  }
  p.m = static_cast<uint32_t>(a.rows);
  p.n = static_cast<uint32_t>(b.cols);
  p.k4 = static_cast<uint32_t>((k + 3) / 4);
  p.lda = p.k4;
  l.NeedLoops(p.k4);
  p.ldb = static_cast<uint32_t>((b.cols + 3) / 4);
  uint32_t size_a = p.m * p.lda, size_b = 4 * p.k4 * p.ldb;
  p.batch1 = 1;
  if (!m.dims.empty()) {
    size_t last = m.dims.size() - 1;
    p.batch1 = m.dims[last];
    p.a1 = m.strides[0][last] * size_a;
    p.b1 = m.strides[1][last] * size_b;
    if (last == 1) {
      p.a0 = m.strides[0][0] * size_a;
      p.b0 = m.strides[1][0] * size_b;
    }
  }
  p.y_batch = p.m * p.n;
  p.bias_row = bias.row_stride;
  p.bias_column = bias.column_stride;
  p.scale = scale;
  if (k == 0) {  // nothing to sum: only the bias is left; the operands have no element to read
    p.k4 = 0;
  }
  uint32_t tm = p.m >= 5 ? 8 : (p.m >= 2 ? 4 : 1), tn = tm == 8 && p.n >= 128 ? 2 : 1;
  std::string kernel = "gemm_" + std::to_string(tm) + "x" + std::to_string(tn);
  uint32_t columns = (p.ldb + tn - 1) / tn;
  const Tensor& none = a.tensor;
  uint32_t bias_form = bias.tensor == nullptr ? 0 : (bias.column_stride == 0 ? 2 : 1);
  l.Dispatch(kernel, {0, bias_form, p.n % 4 == 0 ? 1u : 0u},
             {&a.tensor, &b.tensor, bias.tensor != nullptr ? bias.tensor : &none}, {&y}, p,
             {(columns + 15) / 16, (p.m + tm - 1) / tm, static_cast<uint32_t>(count)},
             2.0 * static_cast<double>(y.count) * static_cast<double>(k));
}

std::span<const Operator> MatrixOperators() { return kOperators; }

}  // namespace braid::vulkan
