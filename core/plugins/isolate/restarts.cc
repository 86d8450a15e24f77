// SPDX-License-Identifier: Apache-2.0
#include "core/plugins/isolate/restarts.h"

#include <stdlib.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace braid::isolate {
namespace {

void Read(const char* variable, uint64_t* to) {
  const char* text = secure_getenv(variable);
  if (text != nullptr) std::from_chars(text, text + std::strlen(text), *to);
}

}  // namespace

RestartLimits RestartLimits::FromEnvironment() {
  RestartLimits limits;
  Read("BRAID_ISOLATE_QUARANTINE", &limits.deaths);
  uint64_t ms = limits.pause_ns / 1'000'000;
  Read("BRAID_ISOLATE_PAUSE_MS", &ms);
  limits.pause_ns = std::min<uint64_t>(ms, 60'000) * 1'000'000;
  return limits;
}

void Restarts::Died(uint64_t now, const std::string& why) {
  std::lock_guard<std::mutex> lock(mutex_);
  ++all_;
  why_ = why;
  while (!recent_.empty() && now - recent_.front() > limits_.window_ns) recent_.pop_front();
  recent_.push_back(now);
  if (limits_.deaths == 0 || (!trial_ && recent_.size() < limits_.deaths)) return;
  length_ = trial_ ? std::min(length_ * 2, limits_.longest_ns) : limits_.quarantine_ns;
  until_ = now + length_;
  trial_ = true;
}

std::string Restarts::Refusal(uint64_t now) const {
  std::lock_guard<std::mutex> lock(mutex_);
  if (now >= until_) return "";
  return absl::StrCat("in quarantine for ", (until_ - now) / 1'000'000'000 + 1,
                      " s more, since its process ended ", all_, all_ == 1 ? " time" : " times", "; at last ",
                      why_);
}

uint64_t Restarts::Pause(uint64_t now) const {
  std::lock_guard<std::mutex> lock(mutex_);
  const auto counts = [&](uint64_t at) { return now - at <= limits_.window_ns; };
  const auto n = static_cast<uint64_t>(std::count_if(recent_.begin(), recent_.end(), counts));
  if (n < 2) return 0;
  const uint64_t pause =
      std::min(limits_.pause_ns << std::min<uint64_t>(n - 2, 16), limits_.longest_pause_ns);
  const uint64_t since = now - recent_.back();
  return pause > since ? pause - since : 0;
}

bool Restarts::OnTrial() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return trial_;
}

void Restarts::Good() {
  std::lock_guard<std::mutex> lock(mutex_);
  trial_ = false;
  recent_.clear();
}

uint64_t Restarts::deaths() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return all_;
}

}  // namespace braid::isolate
