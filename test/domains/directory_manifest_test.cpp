// Directory manifests: they come back as they were; names that lead elsewhere are refused on both sides.
#include "hanse/domains/directory_manifest.hpp"

#include "hanse/protocols/codec.hpp"

#include <doctest/doctest.h>

using namespace hanse;

namespace {

eris_capability capability_of(std::string_view text) {
  eris_encoder encoder{eris_block_size::small, {}, [](const digest&, byte_view) { return ok(); }};
  REQUIRE(encoder.update(as_byte_view(text)));
  return *encoder.finish();
}

manifest_entry file(std::string name) {
  return {std::move(name), manifest_kind::file, 0644, 5, capability_of("hello")};
}

/// A manifest as somebody else might write it, unchecked.
bytes forge(const std::vector<manifest_entry>& entries) {
  msgpack_writer out;
  out.array(3);
  out.text("hanse-directory");
  out.unsigned_integer(1);
  out.array(entries.size());
  for (const auto& e : entries) {
    out.array(5);
    out.text(e.name);
    out.unsigned_integer(static_cast<std::uint8_t>(e.kind));
    out.unsigned_integer(e.mode);
    out.unsigned_integer(e.size);
    out.blob(encode(e.content));
  }
  return std::move(out).take();
}

} // namespace

TEST_CASE("a manifest is sorted, comes back as it was, and has one encoding") {
  directory_manifest m{
      {file("b"), file("a"), {"c d", manifest_kind::directory, 0755, 10, capability_of("x")}, file("ä…")}};
  auto wire = encode(m);
  REQUIRE(wire);
  auto again = decode_manifest(*wire);
  REQUIRE(again);
  CHECK(again->entries[0].name == "a");
  CHECK(again->entries[2] == m.entries[2]);
  CHECK(*encode(*again) == *wire);
  CHECK(decode_manifest(*encode(directory_manifest{}))->entries.empty());
  for (std::size_t cut = 0; cut < wire->size(); ++cut) CHECK_FALSE(decode_manifest(byte_view{*wire}.first(cut)));
}

TEST_CASE("names that lead out of the directory are refused, by who writes a manifest and by who reads it") {
  for (const std::string name :
       {"", ".", "..", "/", "/etc/passwd", "../x", "a/b", "a\\b", "a\nb", "a\x7f", "\xff\xfe"}) {
    CAPTURE(name);
    CHECK_FALSE(is_manifest_name(name));
    CHECK(encode({{file(name)}}).code() == errc::bad_value);
    if (is_utf8(name)) CHECK(decode_manifest(forge({file(name)})).code() == errc::bad_value);
  }
  auto latin = forge({file("ab")}); // the writer itself makes no bad UTF-8
  latin[21] = std::byte{0xff};
  REQUIRE(latin[20] == std::byte{0xa2});
  CHECK_FALSE(decode_manifest(latin));
  const std::string nul{"a\0b", 3};
  CHECK(decode_manifest(forge({file(nul)})).code() == errc::bad_value);
  CHECK_FALSE(is_manifest_name(std::string(256, 'x')));
  CHECK(is_manifest_name(std::string(255, 'x')));
  CHECK(is_manifest_name("..."));
  CHECK(is_manifest_name(".hidden"));
}

TEST_CASE("forged manifests are refused: names twice or out of order, setuid, unknown kinds, wild capabilities") {
  CHECK(decode_manifest(forge({file("b"), file("a")})).code() == errc::not_canonical);
  CHECK(decode_manifest(forge({file("a"), file("a")})).code() == errc::not_canonical);
  CHECK(encode({{file("a"), file("a")}}).code() == errc::already_exists);
  auto e = file("a");
  e.mode = 04755;
  CHECK(decode_manifest(forge({e})).code() == errc::bad_value);
  CHECK(encode({{e}}).code() == errc::bad_value);
  e = file("a");
  e.kind = static_cast<manifest_kind>(2);
  CHECK(decode_manifest(forge({e})).code() == errc::bad_value);
  e = file("a");
  e.content.level = 255;
  CHECK(decode_manifest(forge({e})).code() == errc::too_deep);
  CHECK(decode_manifest(as_byte_view("\x93\xa3"
                                     "abc\x01\x90"))
            .code() == errc::bad_type);
}
