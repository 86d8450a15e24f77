// SPDX-License-Identifier: Apache-2.0
//
// The types in which operators compute: float for float16, bfloat16 and float, double for double, uint32 or
// uint64 for integers (whose wrap-around is that of every narrower type). Inputs are converted first, results
// rounded once:
//
//   ComputeIn(x.type(), [&]<class W>() {
//     Tensor wide = As<W>(x);
//     OutputAs<W> y(op, 0, x.type(), x.dims());
//     ... y.data()[i] = f(wide.data<W>()[i]) ...
//     y.Store();
//   });
#ifndef BRAID_PLUGINS_REFERENCE_OPS_COMPUTE_H_
#define BRAID_PLUGINS_REFERENCE_OPS_COMPUTE_H_

#include "plugins/reference/ops/op.h"

namespace braid::reference {

// Calls f.template operator()<W>() with the computing type of a float type.
template <class F>
void ComputeIn(int32_t type, const F& f) {
  if (type == kDouble)
    f.template operator()<double>();
  else
    f.template operator()<float>();
}

// The tensor's elements as W (float, double, uint32_t or uint64_t), whatever its real or boolean type; shared
// where nothing is to be converted. Signed integers become unsigned modulo 2^bits.
template <class W>
Tensor As(const Tensor& t);

// Converts `count` values to the elements of `out`, from element `first` on: floats rounded to nearest even,
// integers by their low bits, floats to integers towards zero (saturated, NaN to 0).
template <class W>
void StoreAs(const W* values, int64_t count, Tensor& out, int64_t first = 0);

// Output i, written as W and converted to its type by Store().
template <class W>
class OutputAs {
 public:
  OutputAs(OpContext& op, size_t i, int32_t type, const Dims& dims) : output_(&op.Output(i, type, dims)) {
    if (!Direct()) wide_ = Tensor(kTypeOf<W>, dims);
  }
  W* data() { return Direct() ? static_cast<W*>(output_->raw()) : wide_.template data<W>(); }
  int64_t size() const { return output_->size(); }
  void Store() {
    if (!Direct()) StoreAs(wide_.template data<W>(), wide_.size(), *output_);
  }

 private:
  // Signed and unsigned integers of W's width have its very bytes.
  bool Direct() const {
    int32_t type = output_->type();
    if constexpr (std::is_same_v<W, uint32_t>) return type == kUint32 || type == kInt32;
    if constexpr (std::is_same_v<W, uint64_t>) return type == kUint64 || type == kInt64;
    return type == kTypeOf<W>;
  }
  Tensor* output_;
  Tensor wide_;
};

}  // namespace braid::reference

#endif  // BRAID_PLUGINS_REFERENCE_OPS_COMPUTE_H_
