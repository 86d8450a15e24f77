// SPDX-License-Identifier: Apache-2.0
#include "plugins/vulkan/executable.h"

#include <algorithm>
#include <cstring>

namespace braid::vulkan {

VulkanExecutable::VulkanExecutable(VulkanDevice& device, Program program)
    : device_(device), program_(std::move(program)) {
  for (const Step& step : program_.steps)
    pipelines_.push_back(
        step.kind == Step::kDispatch
            ? device_.GetPipeline(*step.shader, static_cast<uint32_t>(step.uses.size()), step.constants)
            : Pipeline{});
  size_t position = 0;
  for (const Io& io : program_.inputs) position_[io.value] = position++;
  // A value that is input and output is bound twice; its output comes second and is found by the search in
  // Submit.
  for (const Io& io : program_.outputs) position_.emplace(io.value, position++);
}

VulkanExecutable::~VulkanExecutable() {
  for (Recording& recording : recordings_) Drop(recording);
}

void VulkanExecutable::IoRequirements(uint32_t value, braid_io_requirements* out) {
  if (position_.find(value) == position_.end())
    throw kit::Error(BRAID_INVALID_ARGUMENT,
                     "value " + std::to_string(value) + " is neither input nor output of this executable");
  out->alignment = device_.alignment();
}

braid_status VulkanExecutable::OutputDims(kit::StructArray<braid_binding>, uint32_t output, int32_t* rank,
                                          int64_t* dims) {
  for (const Io& io : program_.outputs) {
    if (io.value != output) continue;
    *rank = static_cast<int32_t>(io.dims.size());
    std::copy(io.dims.begin(), io.dims.end(), dims);
    return BRAID_OK;
  }
  throw kit::Error(BRAID_INVALID_ARGUMENT,
                   "value " + std::to_string(output) + " is not an output of this executable");
}

void VulkanExecutable::Prepare(Recording& r) {
  r.commands = device_.TakeCommands();
  const Api& api = device_.api();
  uint32_t sets = 0;
  VkDescriptorPoolSize sizes[] = {{VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 0},
                                  {VK_DESCRIPTOR_TYPE_UNIFORM_TEXEL_BUFFER, 0}};
  std::vector<VkDescriptorSetLayout> layouts;
  for (size_t i = 0; i < program_.steps.size(); ++i) {
    if (program_.steps[i].kind != Step::kDispatch) continue;
    ++sets;
    for (uint32_t k = 0; k < program_.steps[i].uses.size(); ++k)
      ++sizes[DescriptorType(*program_.steps[i].shader, k) == sizes[0].type ? 0 : 1].descriptorCount;
    layouts.push_back(pipelines_[i].set_layout);
  }
  if (sets > 0) {
    VkDescriptorPoolCreateInfo pool{};
    pool.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO;
    pool.maxSets = sets;
    pool.poolSizeCount =
        sizes[1].descriptorCount > 0 ? 2 : 1;  // a kernel has a storage buffer for its output
    pool.pPoolSizes = sizes;
    Check(api.CreateDescriptorPool(device_.handle(), &pool, nullptr, &r.pool), "vkCreateDescriptorPool");
    r.sets.resize(sets);
    VkDescriptorSetAllocateInfo allocate{};
    allocate.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO;
    allocate.descriptorPool = r.pool;
    allocate.descriptorSetCount = sets;
    allocate.pSetLayouts = layouts.data();
    Check(api.AllocateDescriptorSets(device_.handle(), &allocate, r.sets.data()), "vkAllocateDescriptorSets");
  }
  if (r.timed && device_.physical().timestamp_bits > 0) {
    VkQueryPoolCreateInfo info{};
    info.sType = VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO;
    info.queryType = VK_QUERY_TYPE_TIMESTAMP;
    info.queryCount = 2;
    Check(api.CreateQueryPool(device_.handle(), &info, nullptr, &r.queries), "vkCreateQueryPool");
  }
}

void VulkanExecutable::DropViews(Recording& r) {
  for (VkBufferView view : r.views) device_.api().DestroyBufferView(device_.handle(), view, nullptr);
  r.views.clear();
}

void VulkanExecutable::AddView(Recording& r, VkFormat format, const VkDescriptorBufferInfo& range) {
  uint64_t texel = format == VK_FORMAT_R32_UINT ? 4 : 16;
  VkBufferViewCreateInfo info{};
  info.sType = VK_STRUCTURE_TYPE_BUFFER_VIEW_CREATE_INFO;
  info.buffer = range.buffer;
  info.format = format;
  info.offset = range.offset;
  info.range = range.range / texel * texel;
  VkBufferView view = VK_NULL_HANDLE;
  Check(device_.api().CreateBufferView(device_.handle(), &info, nullptr, &view), "vkCreateBufferView");
  r.views.push_back(view);
}

void VulkanExecutable::Drop(Recording& r) {
  const Api& api = device_.api();
  DropViews(r);
  if (r.pool != VK_NULL_HANDLE) api.DestroyDescriptorPool(device_.handle(), r.pool, nullptr);
  if (r.queries != VK_NULL_HANDLE) api.DestroyQueryPool(device_.handle(), r.queries, nullptr);
  if (r.commands.pool != VK_NULL_HANDLE) device_.ReturnCommands(r.commands);
}

VulkanExecutable::Recording* VulkanExecutable::Take(const std::vector<Place>& bindings, bool timed) {
  constexpr size_t kKept = 8;
  std::lock_guard lock(mutex_);
  for (auto it = recordings_.begin(); it != recordings_.end(); ++it) {
    if (it->in_flight || !it->recorded || it->timed != timed || it->bindings != bindings) continue;
    recordings_.splice(recordings_.end(), recordings_, it);  // most recently used last
    it->in_flight = true;
    return &*it;
  }
  if (recordings_.size() >= kKept) {
    for (auto it = recordings_.begin(); it != recordings_.end(); ++it) {
      if (it->in_flight || it->timed != timed) continue;
      recordings_.splice(recordings_.end(), recordings_, it);
      it->in_flight = true;
      it->recorded = false;
      it->bindings = bindings;
      return &*it;
    }
  }
  Recording& r = recordings_.emplace_back();
  r.timed = timed;
  try {
    Prepare(r);
  } catch (...) {
    Drop(r);
    recordings_.pop_back();
    throw;
  }
  r.bindings = bindings;
  r.in_flight = true;
  return &r;
}

void VulkanExecutable::Record(Recording& r) {
  const Api& api = device_.api();
  // Storages to buffers.
  std::vector<Place> places(program_.storages.size());
  for (size_t i = 0; i < places.size(); ++i) {
    const Storage& s = program_.storages[i];
    if (s.kind == Storage::kConstant && s.resident != nullptr)
      places[i] = {s.resident->piece().buffer(), s.resident->piece().offset};
    if (s.kind == Storage::kTemporary)
      places[i] = {r.bindings.back().buffer, r.bindings.back().offset + s.offset};
  }
  size_t at = 0;
  for (const Io& io : program_.inputs) places[io.storage] = r.bindings[at++];
  for (const Io& io : program_.outputs) places[io.storage] = r.bindings[at++];
  const Piece& dummy = device_.dummy();

  // One write a binding: those of a set differ in their type.
  std::vector<VkDescriptorBufferInfo> infos;
  std::vector<VkWriteDescriptorSet> writes;
  size_t set = 0, uses = 0;
  for (const Step& step : program_.steps) uses += step.uses.size();
  infos.reserve(uses);
  writes.reserve(uses);
  DropViews(r);
  r.views.reserve(uses);
  for (const Step& step : program_.steps) {
    if (step.kind != Step::kDispatch) continue;
    for (uint32_t i = 0; i < step.uses.size(); ++i) {
      const Storage& s = program_.storages[step.uses[i].storage];
      const Place& place = places[step.uses[i].storage];
      infos.push_back(s.bytes == 0 ? VkDescriptorBufferInfo{dummy.buffer(), dummy.offset, 256}
                                   : VkDescriptorBufferInfo{place.buffer, place.offset, s.bytes});
      VkWriteDescriptorSet write{};
      write.sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET;
      write.dstSet = r.sets[set];
      write.dstBinding = i;
      write.descriptorCount = 1;
      write.descriptorType = DescriptorType(*step.shader, i);
      write.pBufferInfo = &infos.back();
      if (write.descriptorType == VK_DESCRIPTOR_TYPE_UNIFORM_TEXEL_BUFFER) {
        bool words = (step.shader->word_texels >> i & 1) != 0;
        AddView(r, words ? VK_FORMAT_R32_UINT : VK_FORMAT_R32G32B32A32_SFLOAT, infos.back());
        write.pTexelBufferView = &r.views.back();
      }
      writes.push_back(write);
    }
    ++set;
  }
  if (!writes.empty())
    api.UpdateDescriptorSets(device_.handle(), static_cast<uint32_t>(writes.size()), writes.data(), 0,
                             nullptr);

  device_.Begin(r.commands, false);
  VkCommandBuffer commands = r.commands.buffer;
  if (r.queries != VK_NULL_HANDLE) {
    api.CmdResetQueryPool(commands, r.queries, 0, 2);
    api.CmdWriteTimestamp(commands, VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT, r.queries, 0);
  }
  device_.BarrierAll(commands);
  // What was touched since the last barrier: byte ranges of buffers.
  struct Access {
    VkBuffer buffer;
    uint64_t begin, end;
    bool write;
  };
  std::vector<Access> touched;
  set = 0;
  for (size_t i = 0; i < program_.steps.size(); ++i) {
    const Step& step = program_.steps[i];
    std::vector<Access> now;
    for (const Step::Use& use : step.uses) {
      const Storage& s = program_.storages[use.storage];
      if (s.bytes == 0 || (s.kind == Storage::kConstant && !use.write)) continue;
      now.push_back({places[use.storage].buffer, places[use.storage].offset,
                     places[use.storage].offset + std::max<uint64_t>((s.bytes + 3) / 4 * 4, 1), use.write});
    }
    bool hazard = false;
    for (const Access& a : now)
      for (const Access& b : touched)
        hazard =
            hazard || (a.buffer == b.buffer && (a.write || b.write) && a.begin < b.end && b.begin < a.end);
    if (hazard) {
      device_.BarrierAll(commands);
      touched.clear();
    }
    touched.insert(touched.end(), now.begin(), now.end());
    if (step.kind == Step::kCopy) {
      const Place &from = places[step.uses[0].storage], &to = places[step.uses[1].storage];
      VkBufferCopy region{from.offset, to.offset, step.bytes};
      if (!(from == to)) api.CmdCopyBuffer(commands, from.buffer, to.buffer, 1, &region);
    } else if (step.kind == Step::kFill) {
      const Place& to = places[step.uses[0].storage];
      api.CmdFillBuffer(commands, to.buffer, to.offset, step.bytes, step.word);
    } else {
      api.CmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_COMPUTE, pipelines_[i].pipeline);
      api.CmdBindDescriptorSets(commands, VK_PIPELINE_BIND_POINT_COMPUTE, pipelines_[i].layout, 0, 1,
                                &r.sets[set++], 0, nullptr);
      api.CmdPushConstants(commands, pipelines_[i].layout, VK_SHADER_STAGE_COMPUTE_BIT, 0, step.param_bytes,
                           step.params.data());
      api.CmdDispatch(commands, step.groups[0], step.groups[1], step.groups[2]);
    }
  }
  device_.BarrierAll(commands);
  if (r.queries != VK_NULL_HANDLE)
    api.CmdWriteTimestamp(commands, VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT, r.queries, 1);
  Check(api.EndCommandBuffer(commands), "vkEndCommandBuffer");
  r.recorded = true;
}

kit::Fence* VulkanExecutable::Submit(const braid_submit& submit) {
  kit::StructArray<braid_binding> given(submit.bindings, submit.binding_count, submit.binding_stride);
  size_t inputs = program_.inputs.size(), count = inputs + program_.outputs.size();
  const Piece& dummy = device_.dummy();
  std::vector<Place> places(count + 1, Place{dummy.buffer(), dummy.offset});
  std::vector<bool> bound(count, false);
  for (uint32_t i = 0; i < given.size(); ++i) {
    braid_binding b = given[i];
    auto it = position_.find(b.value);
    if (it == position_.end())
      throw kit::Error(BRAID_INVALID_ARGUMENT,
                       "submit: value " + std::to_string(b.value) + " is neither input nor output");
    size_t at = it->second;
    if (bound[at]) {  // a value that is both: the second binding is the output's
      size_t k = inputs;
      while (k < count && (bound[k] || program_.outputs[k - inputs].value != b.value)) ++k;
      if (k == count)
        throw kit::Error(BRAID_INVALID_ARGUMENT,
                         "submit: value " + std::to_string(b.value) + " is bound twice");
      at = k;
    }
    const Io& io = at < inputs ? program_.inputs[at] : program_.outputs[at - inputs];
    if (b.rank != static_cast<int32_t>(io.dims.size()) || (b.rank > 0 && b.dims == nullptr) ||
        !std::equal(io.dims.begin(), io.dims.end(), b.dims))
      throw kit::Error(BRAID_INVALID_ARGUMENT, "submit: value " + std::to_string(b.value) +
                                                   " has other dims than it was compiled for");
    bound[at] = true;
    if (io.bytes == 0) continue;
    if (b.strides != nullptr)
      throw kit::Error(BRAID_INVALID_ARGUMENT, "submit: this device takes dense tensors only");
    if (b.buffer == nullptr)
      throw kit::Error(BRAID_INVALID_ARGUMENT, "submit: value " + std::to_string(b.value) + " has no buffer");
    if (b.bytes < io.bytes)
      throw kit::Error(BRAID_INVALID_ARGUMENT, "submit: value " + std::to_string(b.value) + " needs " +
                                                   std::to_string(io.bytes) + " bytes, its binding has " +
                                                   std::to_string(b.bytes));
    if (b.offset % device_.alignment() != 0)
      throw kit::Error(BRAID_INVALID_ARGUMENT, "submit: offset " + std::to_string(b.offset) +
                                                   " is not a multiple of " +
                                                   std::to_string(device_.alignment()));
    const Buffer& buffer = *BufferOf(b.buffer);
    device_.CheckRange(buffer, b.offset, io.bytes, "submit");
    places[at] = {buffer.piece.buffer(), buffer.piece.offset + b.offset};
  }
  for (size_t k = 0; k < count; ++k) {
    const Io& io = k < inputs ? program_.inputs[k] : program_.outputs[k - inputs];
    if (!bound[k] && io.bytes > 0)
      throw kit::Error(BRAID_INVALID_ARGUMENT, "submit: value " + std::to_string(io.value) + " is not bound");
  }
  if (program_.workspace > 0) {
    if (submit.workspace == nullptr) throw kit::Error(BRAID_INVALID_ARGUMENT, "submit: no workspace");
    const Buffer& buffer = *BufferOf(submit.workspace);
    device_.CheckRange(buffer, submit.workspace_offset, program_.workspace, "submit: workspace");
    if (submit.workspace_offset % device_.alignment() != 0)
      throw kit::Error(BRAID_INVALID_ARGUMENT, "submit: the workspace's offset is not aligned to " +
                                                   std::to_string(device_.alignment()));
    places[count] = {buffer.piece.buffer(), buffer.piece.offset + submit.workspace_offset};
  }
  bool timed = (submit.flags & BRAID_SUBMIT_TIMED) != 0;
  auto record = [this, places = std::move(places), timed]() -> HardwareQueue::Job {
    Recording* r = Take(places, timed);
    auto release = [this, r] {
      std::lock_guard lock(mutex_);
      r->in_flight = false;
    };
    try {
      if (!r->recorded) Record(*r);
    } catch (...) {
      release();
      throw;
    }
    uint64_t submitted = device_.host().Now();
    auto done = [this, r, release, timed, submitted](uint64_t* start, uint64_t* end) {
      *start = *end = 0;
      if (timed) {
        uint64_t now = device_.host().Now(), ticks[2] = {};
        *start = submitted;
        *end = now;
        if (r->queries != VK_NULL_HANDLE &&
            device_.api().GetQueryPoolResults(device_.handle(), r->queries, 0, 2, sizeof ticks, ticks, 8,
                                              VK_QUERY_RESULT_64_BIT) == VK_SUCCESS) {
          *start = std::clamp(device_.HostTime(ticks[0]), submitted, now);
          *end = std::clamp(device_.HostTime(ticks[1]), *start, now);
        }
      }
      release();
    };
    return {r->commands.buffer, nullptr, std::move(done), 0};
  };
  EventPtr event = device_.queue(submit.queue)
                       .PushCommands(kit::EventsOf(submit.waits, submit.wait_count), submit.deadline_ns,
                                     std::move(record));
  return new kit::EventFence(std::move(event));
}

}  // namespace braid::vulkan
