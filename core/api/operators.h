// SPDX-License-Identifier: Apache-2.0
//
// The operators that plugins bring (braid/ext/operators.h), for the loader.
#ifndef BRAID_CORE_API_OPERATORS_H_
#define BRAID_CORE_API_OPERATORS_H_

namespace braid {

// From now on, a model that has a node of a domain which is not ONNX's, once its own functions are expanded,
// has the plugins of Registry::Default() asked. [any thread]
void AskPluginsForOperators();

}  // namespace braid

#endif  // BRAID_CORE_API_OPERATORS_H_
