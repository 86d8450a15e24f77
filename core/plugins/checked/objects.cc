// SPDX-License-Identifier: Apache-2.0
#include "core/plugins/checked/objects.h"

#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/plugins/checked/checked.h"
#include "core/plugins/host.h"

namespace braid {
namespace checked {
namespace {

constexpr size_t kQuarantine = 4096;  // dead boxes that are still told apart from unknown handles

std::atomic<int> aborts{-1};  // -1: as BRAID_CHECK says

bool Aborts() {
  const int set = aborts.load();
  if (set >= 0) return set != 0;
  const char* text = secure_getenv("BRAID_CHECK");
  return text != nullptr && std::string_view(text) == "abort";
}

}  // namespace

const char* NameOf(Kind kind) {
  switch (kind) {
    case Kind::kDevice:
      return "device";
    case Kind::kBuffer:
      return "buffer";
    case Kind::kExec:
      return "executable";
    case Kind::kFence:
      return "fence";
  }
  return "object";
}

void Layer::Report(Rule rule, const std::string& text) {
  violations_.fetch_add(1);
  const std::string line = absl::StrFormat("ABI-%03d: %s", static_cast<int>(rule), text);
  HostLog(BRAID_LOG_ERROR, id_, line);
  if (!Aborts()) return;
  std::fprintf(stderr, "braid: %s: %s\n", id_.c_str(), line.c_str());
  std::abort();
}

Boxes& Boxes::Get() {
  static Boxes* boxes = new Boxes;
  return *boxes;
}

void Boxes::Insert(const void* handle, std::shared_ptr<Box> box) {
  std::lock_guard<std::mutex> lock(mutex_);
  boxes_[handle] = std::move(box);
}

std::shared_ptr<Box> Boxes::Look(const void* handle, Kind kind, const char* slot, Layer* asking) {
  std::shared_ptr<Box> box;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    const auto found = boxes_.find(handle);
    if (found != boxes_.end()) box = found->second;
  }
  Layer* blamed = asking != nullptr ? asking : box != nullptr ? box->layer : nullptr;
  if (box == nullptr || box->kind != kind) {
    const std::string text =
        absl::StrCat(slot, ": ", absl::Hex(reinterpret_cast<uintptr_t>(handle)), " is no ", NameOf(kind),
                     box == nullptr ? "" : absl::StrCat(", but a ", NameOf(box->kind)));
    if (blamed != nullptr) {
      blamed->Report(Rule::kUnknownHandle, text);
    } else {
      HostLog(BRAID_LOG_ERROR, "", absl::StrCat("ABI-001: ", text));
      if (Aborts()) std::abort();
    }
    return nullptr;
  }
  if (box->dead.load()) {
    blamed->Report(Rule::kUseAfterDestroy,
                   absl::StrCat(slot, ": the ", NameOf(kind), " was destroyed before"));
    return nullptr;
  }
  if (asking != nullptr && box->layer != asking) {
    asking->Report(Rule::kWrongPlugin,
                   absl::StrCat(slot, ": the ", NameOf(kind), " belongs to another plugin"));
    return nullptr;
  }
  return box;
}

bool Boxes::Kill(const std::shared_ptr<Box>& box, const char* slot) {
  if (box->dead.exchange(true)) {
    box->layer->Report(Rule::kUseAfterDestroy,
                       absl::StrCat(slot, ": the ", NameOf(box->kind), " was destroyed before"));
    return false;
  }
  std::lock_guard<std::mutex> lock(mutex_);
  dead_.push_back(box.get());
  if (dead_.size() > kQuarantine) {
    boxes_.erase(dead_.front());
    dead_.pop_front();
  }
  return true;
}

std::vector<std::shared_ptr<FenceBox>> Boxes::FencesOf(const DeviceBox* device) {
  std::lock_guard<std::mutex> lock(mutex_);
  std::vector<std::shared_ptr<FenceBox>> out;
  for (const auto& [handle, box] : boxes_) {
    if (box->kind != Kind::kFence || box->dead.load()) continue;
    auto fence = std::static_pointer_cast<FenceBox>(box);
    if (fence->device.get() == device) out.push_back(std::move(fence));
  }
  return out;
}

}  // namespace checked

void SetCheckedAborts(bool value) { checked::aborts.store(value ? 1 : 0); }

}  // namespace braid
