// SPDX-License-Identifier: Apache-2.0
#include "core/plugins/error_sink.h"

#include <utility>

namespace braid {
namespace {

constexpr size_t kLimit = 64 * 1024;  // a plugin that hands over more has lost its way

std::string& Slot() {
  static thread_local std::string text;
  return text;
}

}  // namespace

constinit thread_local bool ErrorSink::present_ = false;

void ErrorSink::Set(std::string_view text) {
  if (text.data() == nullptr) text = {};
  Slot().assign(text.substr(0, kLimit));
  present_ = true;
}

std::string ErrorSink::Take() {
  if (!present_) return {};
  present_ = false;
  return std::exchange(Slot(), std::string());
}

}  // namespace braid
