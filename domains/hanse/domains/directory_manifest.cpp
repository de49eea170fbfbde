// Directory manifests as canonical msgpack. See the header.
#include "hanse/domains/directory_manifest.hpp"

#include "hanse/protocols/codec.hpp"

#include <algorithm>

namespace hanse {

namespace {

constexpr std::string_view manifest_magic = "hanse-directory";
constexpr std::uint64_t manifest_version = 1;
constexpr std::uint16_t mode_max = 0777;

} // namespace

bool is_manifest_name(std::string_view name) noexcept {
  if (name.empty() || name.size() > manifest_name_size_max || name == "." || name == "..") return false;
  const auto forbidden = [](char c) {
    const auto u = static_cast<unsigned char>(c);
    return u < 0x20 || u == 0x7f || c == '/' || c == '\\';
  };
  return is_utf8(name) && std::ranges::none_of(name, forbidden);
}

expected<bytes> encode(directory_manifest m) {
  if (m.entries.size() > manifest_entries_max) return error{errc::too_long, "entries of a directory"};
  std::ranges::sort(m.entries, {}, &manifest_entry::name);
  msgpack_writer out;
  out.array(3);
  out.text(manifest_magic);
  out.unsigned_integer(manifest_version);
  out.array(m.entries.size());
  const std::string* last = nullptr;
  for (const auto& e : m.entries) {
    if (!is_manifest_name(e.name)) return error{errc::bad_value, "name"};
    if (e.mode > mode_max) return error{errc::bad_value, "mode"};
    if (last && *last == e.name) return error{errc::already_exists, e.name};
    last = &e.name;
    out.array(5);
    out.text(e.name);
    out.unsigned_integer(static_cast<std::uint8_t>(e.kind));
    out.unsigned_integer(e.mode);
    out.unsigned_integer(e.size);
    out.blob(encode(e.content));
  }
  if (out.size() > manifest_size_max) return error{errc::too_long, "manifest of a directory"};
  return std::move(out).take();
}

expected<directory_manifest> decode_manifest(byte_view wire) {
  msgpack_reader in{wire, manifest_size_max};
  directory_manifest m;
  const auto fields = in.array(codec_tokens_max);
  if (in.text(manifest_magic.size()) != manifest_magic) in.fail(error{errc::bad_type, "not a directory"});
  if (in.unsigned_integer() != manifest_version) in.fail(errc::bad_version);
  if (fields != 3) in.fail(errc::bad_value);
  for (auto left = in.array(manifest_entries_max); left > 0 && in.good(); --left) {
    in.array_exactly(5);
    manifest_entry e;
    e.name = in.text(manifest_name_size_max);
    if (in.good() && !is_manifest_name(e.name)) in.fail(error{errc::bad_value, "name"});
    e.kind = static_cast<manifest_kind>(in.unsigned_integer(static_cast<std::uint8_t>(manifest_kind::directory)));
    e.mode = static_cast<std::uint16_t>(in.unsigned_integer(mode_max));
    e.size = in.unsigned_integer(wire_number_max);
    const auto capability = in.blob_exactly(eris_capability_size);
    if (!in.good()) break;
    auto content = decode_eris_capability(capability);
    if (!content) return content.error();
    e.content = *content;
    if (!m.entries.empty() && m.entries.back().name >= e.name) in.fail(errc::not_canonical);
    m.entries.push_back(std::move(e));
  }
  HANSE_CHECK(in.finish());
  return m;
}

} // namespace hanse
