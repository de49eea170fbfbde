// Encoding of hello and bye, in canonical msgpack. Layout: docs/wire.md "Frames and links".
// Not sent from here (link.cpp).
#include "hanse/transport/hello.hpp"

#include "hanse/transport/framing.hpp"

#include <algorithm>

namespace hanse {

bytes encode(const hello& h) {
  msgpack_writer out;
  out.array(5);
  out.unsigned_integer(hello_version);
  out.array(h.protocols.size());
  for (const auto& p : h.protocols) write(out, p);
  out.blob(h.advert);
  out.unsigned_integer(h.id_floor);
  out.unsigned_integer(h.life);
  return std::move(out).take();
}

expected<hello> decode_hello(byte_view wire) {
  msgpack_reader in{wire, hello_size_max};
  hello h;
  in.array_exactly(5);
  const auto version = in.unsigned_integer();
  if (in.good() && version != hello_version)
    return error{errc::bad_version, "hello version " + std::to_string(version)};
  const auto count = in.array(protocol_count_max);
  h.protocols.reserve(count);
  for (std::size_t i = 0; i < count && in.good(); ++i) h.protocols.push_back(read_protocol_id(in));
  h.advert = to_bytes(in.blob(advert_size_max));
  h.id_floor = in.unsigned_integer(wire_number_max);
  h.life = in.unsigned_integer();
  HANSE_CHECK(in.finish());
  return h;
}

bytes encode_bye(const error& why) {
  std::string text = why.detail.substr(0, bye_text_max);
  // Cutting may split a character, and a detail may come from anywhere: what travels is plain ASCII.
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  msgpack_writer out;
  out.array(2);
  out.unsigned_integer(static_cast<std::uint8_t>(why.code));
  out.text(text);
  return std::move(out).take();
}

expected<bye> decode_bye(byte_view wire) {
  msgpack_reader in{wire, hello_size_max};
  in.array_exactly(2);
  const auto number = in.unsigned_integer(UINT8_MAX);
  std::string text{in.text(bye_text_max)};
  HANSE_CHECK(in.finish());
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  const auto octet = static_cast<std::uint8_t>(number);
  const bool usable = octet != 0 && is_known_errc(octet);
  return bye{usable ? static_cast<errc>(octet) : errc::link_closed, std::move(text)};
}

} // namespace hanse
