// SPDX-License-Identifier: Apache-2.0
#include "plugins/reference/ops/op.h"

namespace braid::reference {

const Tensor& OpContext::input(size_t i) const {
  if (!has(i)) Fail("input " + std::to_string(i) + " is missing");
  return inputs_[i];
}

Tensor& OpContext::Output(size_t i, int32_t type, Dims dims) {
  if (i >= outputs_.size())
    throw kit::Error(BRAID_INTERNAL, std::string(name()) + " writes output " + std::to_string(i) +
                                         ", the node has " + std::to_string(outputs_.size()));
  const Tensor& bound = destinations_[i];
  if (bound.present() && bound.type() == type && bound.size() >= Count(dims)) {
    outputs_[i] = Tensor::Borrow(type, std::move(dims), const_cast<void*>(bound.raw()));
  } else {
    outputs_[i] = Tensor(type, std::move(dims));
  }
  return outputs_[i];
}

std::vector<int64_t> OpContext::Ints(std::string_view attr) const {
  auto values = node_.Ints(attr);
  return {values.begin(), values.end()};
}

std::vector<float> OpContext::Floats(std::string_view attr) const {
  auto values = node_.Floats(attr);
  return {values.begin(), values.end()};
}

std::vector<std::string> OpContext::Strings(std::string_view attr) const {
  auto values = node_.Strings(attr);
  return {values.begin(), values.end()};
}

Tensor OpContext::TensorAttr(std::string_view attr) const {
  uint32_t index = node_.attribute_index(attr);
  return index < attribute_tensors_.size() ? attribute_tensors_[index] : Tensor();
}

int64_t OpContext::Axis(int64_t axis, int64_t rank) const {
  if (axis < -rank || axis >= rank)
    Fail("axis " + std::to_string(axis) + " is not within a tensor of rank " + std::to_string(rank));
  return axis < 0 ? axis + rank : axis;
}

void OpContext::Fail(const std::string& text) const {
  throw kit::Error(BRAID_INVALID_ARGUMENT, node_.Label() + ": " + text);
}

}  // namespace braid::reference
