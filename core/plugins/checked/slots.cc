// SPDX-License-Identifier: Apache-2.0
#include "core/plugins/checked/slots.h"

#include <algorithm>

#include "core/plugins/hash.h"

namespace braid::checked {

uint64_t HashBytes(const void* data, uint64_t bytes) {
  return HashOf({static_cast<const char*>(data), static_cast<size_t>(bytes)})[0];
}

namespace {

constexpr uint64_t kLongNs = 200'000'000;

bool IsCommon(braid_status status) {
  return status == BRAID_OK || status == BRAID_OUT_OF_MEMORY || status == BRAID_DEVICE_LOST ||
         status == BRAID_INTERNAL;
}

}  // namespace

braid_status Status(Layer* layer, const char* slot, braid_status status,
                    std::initializer_list<braid_status> others) {
  if (!IsCommon(status) && std::find(others.begin(), others.end(), status) == others.end())
    layer->Report(Rule::kStatus,
                  absl::StrCat(slot, " answered ", StatusName(status), ", which is none of its statuses"));
  return status;
}

void RunStatus(DeviceBox* device, const char* slot, braid_status status, bool waited) {
  if (device->info.Has(BRAID_SYNCHRONOUS) && IsRunStatus(status, waited)) return;
  Status(device->layer, slot, status, {BRAID_INVALID_ARGUMENT});
}

bool IsRunStatus(braid_status status, bool any) {
  if (any) return status >= BRAID_OK && status <= BRAID_IO_ERROR && status != BRAID_PENDING;
  return IsCommon(status) || status == BRAID_INVALID_ARGUMENT || status == BRAID_TIMEOUT ||
         status == BRAID_CANCELLED;
}

Stopwatch::Stopwatch(DeviceBox* device, const char* slot) : device_(device), slot_(slot), start_(HostNow()) {}

Stopwatch::~Stopwatch() {
  const uint64_t took = HostNow() - start_;
  if (took < kLongNs || device_->info.Has(BRAID_SYNCHRONOUS) || device_->told_slow.exchange(true)) return;
  HostLog(BRAID_LOG_WARNING, device_->layer->id(),
          absl::StrCat(slot_, " took ", took / 1'000'000,
                       " ms: a device without BRAID_SYNCHRONOUS must not wait for its work there"));
}

braid_status Refuse(const char* text) {
  ErrorSink::Set(text);
  return BRAID_INVALID_ARGUMENT;
}

Entered<DeviceBox> DeviceOf(braid_device* d, const char* slot) {
  return {Boxes::Get().Find<DeviceBox>(d, Kind::kDevice, slot), slot};
}

}  // namespace braid::checked
