// SPDX-License-Identifier: Apache-2.0
//
// The rules that the checked layer looks after. docs/abi/rules.md lists them; a number is never used again.
#ifndef BRAID_CORE_PLUGINS_CHECKED_RULES_H_
#define BRAID_CORE_PLUGINS_CHECKED_RULES_H_

#include <cstdint>

namespace braid {

enum class Rule : int32_t {
  kUnknownHandle = 1,
  kUseAfterDestroy = 2,
  kWrongPlugin = 3,
  kQueueExclusive = 4,
  kObjectExclusive = 5,
  kExecBusy = 6,
  kBufferBusy = 7,
  kDeviceNotEmpty = 8,
  kPluginNotEmpty = 9,
  kFenceBusy = 10,
  kTransferRange = 11,
  kBindingRange = 12,
  kBindingAlignment = 13,
  kBindingSet = 14,
  kBindingMemory = 15,
  kBindingShape = 16,
  kWorkspace = 17,
  kCallbackTwiceAsked = 18,
  kCallbackTwiceMade = 19,
  kFenceUnfinished = 20,
  kStatus = 21,
  kOkWithoutObject = 22,
  kConstantChanged = 23,
  kInputChanged = 24,
  kOutputShape = 25,
  kVerdict = 26,
  kAlignment = 27,
  kHonesty = 28,
  kTokens = 29,
  kMapping = 30,
  kSignal = 31,
  kOutputShared = 32,
};

}  // namespace braid

#endif  // BRAID_CORE_PLUGINS_CHECKED_RULES_H_
