// SPDX-License-Identifier: Apache-2.0
//
// graph_tensor to and from what a run takes.
#ifndef BRAID_CORE_API_VALUES_H_
#define BRAID_CORE_API_VALUES_H_

#include <braid/graph.h>

#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "core/run/value.h"

namespace braid {

// Borrows the tensor's memory. What can't be borrowed (strides, an address that is no multiple of the
// element) is copied into `dense`; a sequence or optional into `values`. Data may be NULL (graph_prepare),
// bytes are checked where it is not.
absl::Status ToRunInput(const graph_tensor& tensor, RunInput* input, std::vector<HostBlock>* dense,
                        std::vector<std::unique_ptr<RunValue>>* values);
// Whether a tensor in device memory may begin at its offset.
absl::Status CheckOffset(const graph_tensor& tensor);
// Fills in the result; `with_data` false: its type and extents only.
void FromRunOutput(const Type& declared, bool with_data, RunOutput* output, graph_tensor* tensor);

}  // namespace braid

#endif  // BRAID_CORE_API_VALUES_H_
