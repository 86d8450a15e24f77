// SPDX-License-Identifier: Apache-2.0
#include "conformance/peer/message.h"

#include <cstring>
#include <stdexcept>

namespace braid::conformance {
namespace {

template <class T>
void Put(std::string* out, T value) {
  out->append(reinterpret_cast<const char*>(&value), sizeof value);
}
void PutText(std::string* out, std::string_view text) {
  Put(out, static_cast<uint64_t>(text.size()));
  out->append(text);
}

void PutValue(std::string* out, const Value& value) {
  const bool is_tensor = value.kind == GRAPH_TENSOR;
  Put(out, value.kind);
  Put(out, is_tensor ? value.tensor.type() : value.type);
  if (!is_tensor) {
    Put(out, static_cast<uint32_t>(value.items.size()));
    for (const Value& item : value.items) PutValue(out, item);
    return;
  }
  const Tensor& t = value.tensor;
  Put(out, static_cast<uint32_t>(t.rank()));
  for (const int64_t d : t.dims()) Put(out, d);
  std::string bytes;
  if (t.type() == reference::kString) {
    for (int64_t i = 0; i < t.size(); ++i) PutText(&bytes, t.data<std::string>()[i]);
  } else {
    bytes.resize(t.WireBytes());
    t.ToWire(bytes.data());
  }
  PutText(out, bytes);
}

class Reader {
 public:
  explicit Reader(std::string_view data) : data_(data) {}
  template <class T>
  T Get() {
    T value;
    std::memcpy(&value, Take(sizeof value).data(), sizeof value);
    return value;
  }
  std::string_view GetText() { return Take(Get<uint64_t>()); }
  bool at_end() const { return data_.empty(); }

  Value GetValue(int depth = 0) {
    // Deeper than a sequence of maps in an optional is no value of ONNX.
    if (depth > 4) throw std::runtime_error("the peer's reply has a value in a value too often");
    const auto kind = Get<int32_t>(), type = Get<int32_t>();
    const auto count = Get<uint32_t>();
    if (kind == GRAPH_TENSOR) return GetTensor(type, count);
    Value value;
    value.kind = kind;
    value.type = type;
    for (uint32_t i = 0; i < count; ++i) value.items.push_back(GetValue(depth + 1));
    return value;
  }

 private:
  std::string_view Take(uint64_t n) {
    if (n > data_.size()) throw std::runtime_error("the peer's reply ends too early");
    const std::string_view taken = data_.substr(0, n);
    data_.remove_prefix(n);
    return taken;
  }

  Value GetTensor(int32_t type, uint32_t rank) {
    Dims dims;
    for (uint32_t i = 0; i < rank; ++i) dims.push_back(Get<int64_t>());
    const std::string_view bytes = GetText();
    if (type != reference::kString) return Tensor::FromWire(type, dims, bytes.data(), bytes.size(), false);
    std::vector<std::string> texts;
    for (Reader reader(bytes); !reader.at_end();) texts.emplace_back(reader.GetText());
    Tensor t(type, dims);
    if (t.size() != static_cast<int64_t>(texts.size()))
      throw std::runtime_error("the peer's reply has a tensor with too few or too many strings");
    for (size_t i = 0; i < texts.size(); ++i) t.data<std::string>()[i] = texts[i];
    return t;
  }

  std::string_view data_;
};

PeerReply StatusOf(Reader* reader) {
  PeerReply reply;
  const auto status = reader->Get<uint8_t>();
  if (status > static_cast<uint8_t>(PeerStatus::kMemory))
    throw std::runtime_error("the peer's reply has an unknown status");
  reply.status = static_cast<PeerStatus>(status);
  return reply;
}

}  // namespace

std::string RequestOf(const BuiltCase& built) {
  std::string out;
  PutText(&out, built.model);
  Put(&out, static_cast<uint32_t>(built.outputs.size()));
  for (const std::string& name : built.outputs) PutText(&out, name);
  Put(&out, static_cast<uint32_t>(built.runs.size()));
  for (const std::vector<NamedValue>& inputs : built.runs) {
    Put(&out, static_cast<uint32_t>(inputs.size()));
    for (const NamedValue& input : inputs) {
      PutText(&out, input.name);
      PutValue(&out, input.value);
    }
  }
  return out;
}

PeerReply ReplyOf(const std::string& message, const BuiltCase& built) {
  Reader reader(message);
  PeerReply reply = StatusOf(&reader);
  if (reply.status != PeerStatus::kDone) {
    reply.text = reader.GetText();
    return reply;
  }
  for (size_t run = 0; run < built.runs.size(); ++run) {
    reply.results.emplace_back();
    for (size_t i = 0; i < built.outputs.size(); ++i) reply.results.back().push_back(reader.GetValue());
  }
  return reply;
}

PeerReply HelloOf(const std::string& message) {
  Reader reader(message);
  PeerReply reply = StatusOf(&reader);
  reply.text = reader.GetText();
  return reply;
}

std::string ValueText(const Value& value) {
  std::string out;
  PutValue(&out, value);
  return out;
}

Value ValueOf(const std::string& text) { return Reader(text).GetValue(); }

}  // namespace braid::conformance
