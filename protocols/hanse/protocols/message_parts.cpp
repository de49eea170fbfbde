// The octets around a large body. See message_parts.hpp; the layout is that of message_batch.cpp and envelope.cpp.
#include "hanse/protocols/message_parts.hpp"

#include "hanse/protocols/internal/payload_head.hpp"

namespace hanse {

namespace {

/// What msgpack has before a blob of over 65,535 octets: c6 and the size, big-endian.
void append_large_blob_head(bytes& out, std::size_t size) {
  assert(size > UINT16_MAX && size <= UINT32_MAX);
  out.push_back(std::byte{0xc6});
  for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<std::byte>(size >> shift));
}

constexpr std::size_t empty_blob_size = 2; // c4, 0

} // namespace

payload_parts seal_in_parts(const key_pair& key, envelope e) {
  assert(e.body.size() >= parts_body_min);
  payload_parts parts;
  parts.body = std::exchange(e.body, {});
  auto message = encode(e); // the body is its last field
  message.resize(message.size() - empty_blob_size);
  append_large_blob_head(message, parts.body.size());
  const auto signature = encode(message_signature{sign_single(key, blake2b_256({message, parts.body.view()}))});
  msgpack_writer head;
  internal::write_payload_head(head, internal::payload_kind::alone);
  parts.head = std::move(head).take();
  append_large_blob_head(parts.head, message.size() + parts.body.size());
  append(parts.head, message);
  msgpack_writer tail;
  tail.blob(signature);
  parts.tail = std::move(tail).take();
  return parts;
}

} // namespace hanse
