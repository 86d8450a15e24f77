// SPDX-License-Identifier: Apache-2.0
//
// Where the text that a plugin gives to braid_host.set_error stays until the caller asks for it: one slot a
// thread.
#ifndef BRAID_CORE_PLUGINS_ERROR_SINK_H_
#define BRAID_CORE_PLUGINS_ERROR_SINK_H_

#include <string>
#include <string_view>

namespace braid {

class ErrorSink {
 public:
  // Forgets what an earlier call left. Costs a load where there is nothing.
  static void Clear() {
    if (present_) [[unlikely]]
      present_ = false;
  }
  static void Set(std::string_view text);
  // The text of the calling thread, which is then gone; "" if none was set.
  static std::string Take();

 private:
  static constinit thread_local bool present_;
};

}  // namespace braid

#endif  // BRAID_CORE_PLUGINS_ERROR_SINK_H_
