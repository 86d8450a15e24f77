// SPDX-License-Identifier: Apache-2.0
//
// Expected values: the specification's examples, numpy (noted), or written down by hand.
#include "plugins/reference/ops/testing.h"

namespace braid::reference {
namespace {

using I64 = int64_t;
Tensor Int64s(std::vector<I64> values) { return Tensor::Of<I64>({static_cast<I64>(values.size())}, values); }
Tensor Counting(Dims dims) {
  Tensor t(kFloat, dims);
  for (I64 i = 0; i < t.size(); ++i) t.data<float>()[i] = static_cast<float>(i);
  return t;
}
Tensor Letters(Dims dims, const std::string& text) {
  std::vector<std::string> values;
  for (char c : text) values.push_back(std::string(1, c));
  return Tensor::Of<std::string>(std::move(dims), values);
}
std::string Text(const Tensor& t) {
  std::string text;
  for (const std::string& s : t.values<std::string>()) text += s.empty() ? "." : s;
  return text;
}

TEST(TransposeOp, StringsAndPermutations) {
  EXPECT_EQ(Text(RunOp("Transpose", {Letters({2, 3}, "abcdef")})[0]), "adbecf");
  EXPECT_EQ(Text(RunOp("Transpose", {Letters({2, 1, 3}, "abcdef")}, {{"perm", Ints{2, 0, 1}}})[0]), "adbecf");
  EXPECT_EQ(RunOp("Transpose", {Tensor::Scalar<float>(3)})[0].dims(), Dims{});
  EXPECT_EQ(RunOp("Transpose", {Counting({2, 0, 3})})[0].dims(), (Dims{3, 0, 2}));
  ExpectFails("Transpose", {Counting({2, 3})}, {{"perm", Ints{0, 0}}}, "names axis 0 twice");
  ExpectFails("Transpose", {Counting({2, 3})}, {{"perm", Ints{0}}}, "does not fit an input of rank 2");
  ExpectFails("Transpose", {Counting({2, 3})}, {{"perm", Ints{0, 2}}}, "axis 2 is not within");
}

TEST(TransposeOp, EveryPermutationOfOddExtents) {
  const Dims dims = {17, 5, 33, 3};
  const Tensor x = Counting(dims);
  Ints perm = {0, 1, 2, 3};
  do {
    const Tensor y = RunOp("Transpose", {x}, {{"perm", perm}})[0];
    I64 at = 0, in[4];
    const Dims& d = y.dims();
    for (I64 a = 0; a < d[0]; ++a)
      for (I64 b = 0; b < d[1]; ++b)
        for (I64 c = 0; c < d[2]; ++c)
          for (I64 e = 0; e < d[3]; ++e, ++at) {
            const I64 out[4] = {a, b, c, e};
            for (size_t i = 0; i < 4; ++i) in[perm[i]] = out[i];
            ASSERT_EQ(y.data<float>()[at], static_cast<float>(((in[0] * 5 + in[1]) * 33 + in[2]) * 3 + in[3]))
                << DimsText(perm);
          }
  } while (std::next_permutation(perm.begin(), perm.end()));
}

TEST(ConcatOp, AxesAndErrors) {
  const Tensor a = Letters({2, 1}, "ab"), b = Letters({2, 2}, "cdef"), none = Letters({2, 0}, "");
  EXPECT_EQ(Text(RunOp("Concat", {a, none, b}, {{"axis", -1}})[0]), "acdbef");
  ExpectFails("Concat", {a, b}, {{"axis", 0}}, "they differ beside axis 0");
  ExpectFails("Concat", {a, Letters({2}, "ab")}, {{"axis", 0}},
              "input 1 has the shape [2], input 0 has [2,1]");
  ExpectFails("Concat", {Tensor::Scalar<float>(1)}, {{"axis", 0}}, "scalars");
  ExpectFails("Concat", {a}, {{"axis", INT64_MIN}}, "is not within a tensor of rank 2");
}

TEST(SplitOp, SizesAndParts) {
  const Tensor x = Counting({5});
  auto parts = RunOp("Split", {x, Int64s({2, 0, 3})}, {}, 3);
  ExpectTensor<float>(parts[0], {2}, {0, 1});
  ExpectTensor<float>(parts[1], {0}, {});
  ExpectTensor<float>(parts[2], {3}, {2, 3, 4});
  parts = RunOp("Split", {x}, {{"num_outputs", 2}}, 2);
  ExpectTensor<float>(parts[0], {3}, {0, 1, 2});
  ExpectTensor<float>(parts[1], {2}, {3, 4});
  parts = RunOp("Split", {Counting({2, 4})}, {{"axis", -1}, {"num_outputs", 2}}, 2);
  ExpectTensor<float>(parts[1], {2, 2}, {2, 3, 6, 7});
  ExpectFails("Split", {x, Int64s({4})}, {}, "does not add up to the extent 5 of axis 0");
  ExpectFails("Split", {x, Int64s({INT64_MAX})}, {}, "does not add up");
  ExpectFails("Split", {x, Int64s({-5})}, {}, "negative size");
  ExpectFails("Split", {x, Int64s({2, 3})}, {}, "names 2 parts, the node has 1 outputs");
  ExpectFails("Split", {x}, {{"num_outputs", 3}}, "num_outputs is 3");
}

TEST(SliceOp, ClampsAsNumpyDoes) {
  const Tensor x = Letters({5}, "abcde");
  auto slice = [&](I64 start, I64 end, I64 step) {
    return Text(RunOp("Slice", {x, Int64s({start}), Int64s({end}), Tensor(), Int64s({step})})[0]);
  };
  EXPECT_EQ(slice(1, 1000, 1), "bcde");
  EXPECT_EQ(slice(-3, -1, 1), "cd");
  EXPECT_EQ(slice(4, -1000, -2), "eca");
  EXPECT_EQ(slice(INT64_MAX, INT64_MIN, -1), "edcba");
  EXPECT_EQ(slice(3, 0, -1), "dcb");
  EXPECT_EQ(slice(3, 1, 1), "");
  EXPECT_EQ(slice(0, INT64_MAX, INT64_MAX), "a");
  EXPECT_EQ(slice(-1, INT64_MIN, INT64_MIN), "e");
  ExpectFails("Slice", {x, Int64s({0}), Int64s({1}), Int64s({0}), Int64s({0})}, {},
              "the step of axis 0 is 0");
  ExpectFails("Slice", {x, Int64s({0, 0}), Int64s({1, 1}), Int64s({0, -1})}, {}, "axis -1 is sliced twice");
  ExpectFails("Slice", {x, Int64s({0}), Int64s({1}), Int64s({1})}, {}, "axis 1 is not within");
  ExpectFails("Slice", {x, Int64s({0}), Int64s({})}, {}, "1, 0, 1 and 1 elements");
  EXPECT_EQ(
      RunOp("Slice", {Counting({0, 3}), Int64s({-1}), Int64s({INT64_MIN}), Int64s({0}), Int64s({-1})})[0]
          .dims(),
      (Dims{0, 3}));
}

TEST(SliceOp, SeveralAxes) {
  const Tensor x = Letters({2, 4}, "abcdefgh");  // the specification's example 1
  EXPECT_EQ(Text(RunOp("Slice", {x, Int64s({1, 0}), Int64s({2, 3}), Int64s({0, 1}), Int64s({1, 2})})[0]),
            "eg");
  EXPECT_EQ(
      Text(RunOp("Slice", {x, Int64s({-1, 3}), Int64s({-100, 0}), Int64s({0, 1}), Int64s({-1, -1})})[0]),
      "hgfdcb");
}

std::string Padded(const char* mode, const Tensor& x, std::vector<I64> pads) {
  return Text(RunOp("Pad", {x, Int64s(std::move(pads))}, {{"mode", mode}})[0]);
}

TEST(PadOp, Modes) {  // numpy.pad
  const Tensor x = Letters({3}, "abc");
  EXPECT_EQ(Padded("constant", x, {1, 2}), ".abc..");
  EXPECT_EQ(Padded("edge", x, {2, 1}), "aaabcc");
  EXPECT_EQ(Padded("reflect", x, {2, 2}), "cbabcba");
  EXPECT_EQ(Padded("reflect", x, {5, 0}), "babcbabc");
  EXPECT_EQ(Padded("wrap", x, {4, 5}), "cabcabcabcab");
  EXPECT_EQ(Padded("reflect", Letters({1}, "a"), {2, 1}), "aaaa");
  EXPECT_EQ(Padded("edge", Letters({2, 2}, "abcd"), {1, 0, 0, 1}), "abbabbcdd");
}

TEST(PadOp, NegativePadsRemoveFirst) {
  const Tensor x = Letters({4}, "abcd");
  EXPECT_EQ(Padded("constant", x, {-1, -1}), "bc");
  EXPECT_EQ(Padded("constant", x, {-2, 3}), "cd...");
  EXPECT_EQ(Padded("constant", x, {-6, 4}), "..");
  EXPECT_EQ(Padded("constant", x, {4, -6}), "..");
  EXPECT_EQ(Padded("constant", x, {2, -5}), ".");
  EXPECT_EQ(Padded("reflect", x, {-1, 2}), "bcdcb");
  EXPECT_EQ(Padded("constant", Letters({2, 2}, "abcd"), {1, -1, 0, 0}), ".bd");
}

TEST(PadOp, AxesValueAndZeroSize) {
  const Tensor x = Counting({1, 2}), nine = Tensor::Scalar<float>(9);
  ExpectTensor<float>(RunOp("Pad", {x, Int64s({1, 0}), nine, Tensor::Of<int32_t>({1}, {-1})})[0], {1, 3},
                      {9, 0, 1});
  ExpectTensor<float>(RunOp("Pad", {Counting({0, 2}), Int64s({1, 0, 0, 0}), nine})[0], {1, 2}, {9, 9});
  ExpectFails("Pad", {Counting({0}), Int64s({1, 0})}, {{"mode", "edge"}},
              "mode edge has no element to repeat");
}

TEST(PadOp, RefusesAbsurdPads) {
  const Tensor x = Counting({2, 2});
  ExpectFails("Pad", {x, Int64s({I64{1} << 40, 0, 0, 0})}, {}, "2^40");
  ExpectFails("Pad", {x, Int64s({-(I64{1} << 40), 0, 0, 0})}, {}, "leave a negative extent");
  ExpectFails("Pad", {x, Int64s({INT64_MAX, 0, INT64_MAX, 0})}, {}, "overflow");
  ExpectFails("Pad", {x, Int64s({INT64_MIN, 0, INT64_MIN, 0})}, {}, "overflow");
  ExpectFails("Pad", {x, Int64s({1, 1})}, {}, "2 pads are given for 2 axes");
  ExpectFails("Pad", {x, Int64s({1, 1, 1, 1})}, {{"mode", "mirror"}}, "mode 'mirror' is not known");
}

TEST(TileOp, RepeatsAndErrors) {
  EXPECT_EQ(Text(RunOp("Tile", {Letters({2, 2}, "abcd"), Int64s({2, 2})})[0]), "ababcdcdababcdcd");
  EXPECT_EQ(RunOp("Tile", {Counting({2, 2}), Int64s({0, 3})})[0].dims(), (Dims{0, 6}));
  ExpectFails("Tile", {Counting({2}), Int64s({I64{1} << 40})}, {}, "2^40");
  ExpectFails("Tile", {Counting({2}), Int64s({INT64_MAX})}, {}, "overflow");
  ExpectFails("Tile", {Counting({2}), Int64s({-1})}, {}, "negative repeats");
  ExpectFails("Tile", {Counting({2}), Int64s({1, 1})}, {}, "2 repeats are given for an input of rank 1");
}

TEST(DepthToSpaceOp, IsUndoneBySpaceToDepth) {
  const Tensor x = Counting({2, 8, 2, 3});
  for (const char* mode : {"DCR", "CRD"}) {
    const Tensor y = RunOp("DepthToSpace", {x}, {{"blocksize", 2}, {"mode", mode}})[0];
    EXPECT_EQ(y.dims(), (Dims{2, 2, 4, 6}));
    const Tensor back = RunOp("SpaceToDepth", {y}, {{"blocksize", 2}, {"mode", mode}})[0];
    ExpectTensor<float>(back, x.dims(), {x.values<float>().begin(), x.values<float>().end()});
  }
  // numpy, by the specification's reshape and transpose.
  ExpectTensor<float>(RunOp("DepthToSpace", {Counting({1, 4, 1, 2})}, {{"blocksize", 2}})[0], {1, 1, 2, 4},
                      {0, 2, 1, 3, 4, 6, 5, 7});
  ExpectTensor<float>(RunOp("DepthToSpace", {Counting({1, 8, 1, 1})}, {{"blocksize", 2}, {"mode", "CRD"}})[0],
                      {1, 2, 2, 2}, {0, 1, 2, 3, 4, 5, 6, 7});
  ExpectTensor<float>(RunOp("DepthToSpace", {Counting({1, 8, 1, 1})}, {{"blocksize", 2}})[0], {1, 2, 2, 2},
                      {0, 2, 4, 6, 1, 3, 5, 7});
  ExpectFails("DepthToSpace", {x}, {{"blocksize", 3}}, "no multiple of blocksize^2");
  ExpectFails("DepthToSpace", {x}, {{"blocksize", 0}}, "blocksize is 0");
  ExpectFails("SpaceToDepth", {x}, {{"blocksize", INT64_MAX}}, "blocksize is");
}

TEST(ReverseSequenceOp, SpecificationExamples) {
  const Tensor x = Letters({4, 4}, "aeimbfjncgkodhlp");
  EXPECT_EQ(
      Text(RunOp("ReverseSequence", {x, Int64s({4, 3, 2, 1})}, {{"time_axis", 0}, {"batch_axis", 1}})[0]),
      "dgjmcfinbekoahlp");
  EXPECT_EQ(Text(RunOp("ReverseSequence", {Letters({2, 3}, "abcdef"), Int64s({3, 0})},
                       {{"time_axis", 1}, {"batch_axis", 0}})[0]),
            "cbadef");
  ExpectFails("ReverseSequence", {x, Int64s({5, 1, 1, 1})}, {}, "sequence length 5 is not within [0, 4]");
  ExpectFails("ReverseSequence", {x, Int64s({1})}, {}, "1 sequence lengths are given for a batch of 4");
}

TEST(TriluOp, Diagonals) {
  const Tensor x = Letters({2, 3}, "abcdef");
  auto trilu = [&](int upper, I64 k) {
    return Text(RunOp("Trilu", {x, Tensor::Scalar<I64>(k)}, {{"upper", upper}})[0]);
  };
  EXPECT_EQ(trilu(1, 0), "abc.ef");
  EXPECT_EQ(trilu(0, 0), "a..de.");
  EXPECT_EQ(trilu(1, 1), ".bc..f");
  EXPECT_EQ(trilu(0, -1), "...d..");
  EXPECT_EQ(trilu(1, INT64_MIN), "abcdef");
  EXPECT_EQ(trilu(0, INT64_MIN), "......");
  EXPECT_EQ(trilu(1, INT64_MAX), "......");
  EXPECT_EQ(trilu(0, INT64_MAX), "abcdef");
}

}  // namespace
}  // namespace braid::reference
