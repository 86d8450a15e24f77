// SPDX-License-Identifier: Apache-2.0
#include "core/plugins/checked/slots.h"

#include "core/plugins/hash.h"

namespace braid::checked {

uint64_t HashBytes(const void* data, uint64_t bytes) {
  return HashOf({static_cast<const char*>(data), static_cast<size_t>(bytes)})[0];
}

braid_status Status(Layer* layer, const char* slot, braid_status status) {
  if (status < BRAID_OK || status > BRAID_IO_ERROR || status == BRAID_PENDING)
    layer->Report(Rule::kStatus,
                  absl::StrCat(slot, " answered ", StatusName(status), ", which is none of its statuses"));
  return status;
}

braid_status Refuse(const char* text) {
  ErrorSink::Set(text);
  return BRAID_INVALID_ARGUMENT;
}

std::shared_ptr<DeviceBox> DeviceOf(braid_device* d, const char* slot) {
  return Boxes::Get().Find<DeviceBox>(d, Kind::kDevice, slot);
}

}  // namespace braid::checked
