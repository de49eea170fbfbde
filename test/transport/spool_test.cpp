// Bundles and what a node keeps of them, over a directory that is a map. Two nodes that share nothing else exchange
// signed messages; replays, forgeries, expiry, crashes and quotas.
#include "hanse/crypto/sealed_box.hpp"
#include "hanse/protocols/message_batch.hpp"
#include "hanse/transport/spool.hpp"

#include <doctest/doctest.h>

using namespace hanse;

namespace {

key_pair key_of(std::uint64_t n) {
  seeded_random random{n};
  return key_pair::generate(random);
}

constexpr time_ms day = 86'400'000, start = 1'000 * day;

bytes payload_of(const key_pair& source, const identity& destination, std::string_view text) {
  seeded_random random{4};
  envelope e;
  e.source = source.identity();
  e.destination = destination;
  e.id = start * 1'000;
  e.protocol = {"test", 1, 0};
  e.sent_ms = start;
  e.body = shared_bytes::copy_of(as_byte_view(text));
  const auto wire = encode(e);
  const byte_view one{wire};
  return seal(source, std::span{&one, 1}, random);
}

/// A host of an inbox, with files and durable records in maps.
struct host {
  explicit host(std::uint64_t n) : key(key_of(n)), inbox(key) {}

  void perform(std::vector<spool_effect> effects) {
    for (auto& effect : effects) {
      std::vector<spool_effect> more;
      if (auto* read = std::get_if<spool_read>(&effect)) {
        inbox.content(read->name, files->at(read->name), now, more);
      } else if (auto* write = std::get_if<spool_persist>(&effect)) {
        for (auto& w : write->writes) w.value ? (void)(records[w.key] = *w.value) : (void)records.erase(w.key);
        if (crash_after_commit) return;
        inbox.persisted(write->name, now, more);
      } else if (auto* deliver = std::get_if<spool_deliver>(&effect)) {
        got.push_back(deliver->content);
        inbox.handled(deliver->name, more);
      } else if (auto* remove = std::get_if<spool_remove>(&effect)) {
        files->erase(remove->name);
      } else {
        refused.push_back(std::get<spool_refused>(effect).why.code);
      }
      perform(std::move(more));
    }
  }

  void scan() {
    std::vector<std::string> names;
    for (const auto& [name, octets] : *files) names.push_back(name);
    std::vector<spool_effect> out;
    inbox.scanned(names, now, out);
    perform(std::move(out));
  }

  void restart() {
    inbox = spool_inbox{key};
    for (const auto& [k, v] : records) REQUIRE(inbox.restore(k, v));
  }

  key_pair key;
  spool_inbox inbox;
  std::map<std::string, bytes>* files = nullptr;
  std::map<bytes, bytes> records;
  std::vector<bundle> got;
  std::vector<errc> refused;
  time_ms now = start;
  bool crash_after_commit = false;
};

struct shared_directory {
  shared_directory() { b.files = &files; }

  std::string put(const key_pair& from, const identity& to, std::string_view text, time_ms life = day) {
    auto file = make_bundle(from, to, payload_of(from, to, text), start, life, random);
    REQUIRE(file);
    files[to_string(file->name)] = file->octets;
    return to_string(file->name);
  }

  seeded_random random{3};
  std::map<std::string, bytes> files;
  key_pair a = key_of(1);
  host b{2};
};

} // namespace

TEST_CASE("two nodes that share only a directory exchange signed messages, days apart") {
  shared_directory s;
  s.put(s.a, s.b.key.identity(), "hello", 20 * day);
  s.b.now = start + 19 * day;
  s.b.scan();
  REQUIRE(s.b.got.size() == 1);
  CHECK(s.b.got[0].sender == s.a.identity());
  const auto opened = open(shared_bytes{s.b.got[0].payload});
  REQUIRE(opened);
  CHECK(as_text(opened->messages[0].body.view()) == "hello");
  CHECK(opened->messages[0].source == s.a.identity());
  CHECK(s.files.empty());
}

TEST_CASE("bundles for others, and files that are none, are left alone") {
  shared_directory s;
  s.put(s.a, key_of(3).identity(), "not for b");
  s.files["notes.txt"] = bytes(10);
  s.files["hk1.bundle"] = bytes(10);
  s.b.scan();
  CHECK(s.files.size() == 3);
  CHECK(s.b.got.empty());
  CHECK(s.b.refused.empty());
}

TEST_CASE("a bundle that is carried there twice is delivered once, across restarts too") {
  shared_directory s;
  const auto name = s.put(s.a, s.b.key.identity(), "once");
  const auto copy = s.files.at(name);
  s.b.scan();
  for (int i = 0; i < 3; ++i) {
    s.files[name] = copy;
    s.b.restart();
    s.b.scan();
    CHECK(s.files.empty());
  }
  CHECK(s.b.got.size() == 1);
  CHECK(s.b.refused == std::vector<errc>(3, errc::replayed));
}

TEST_CASE("a bundle that is sealed anew is still the same bundle") {
  shared_directory s;
  const auto to = s.b.key.identity();
  const auto name = s.put(s.a, to, "once");
  // The recipient's own key opens it; whoever gets at the plaintext can wrap it again, with another hash.
  const auto& file = s.files.at(name);
  bytes aad = to_bytes(byte_view{file}.first(5));
  append(aad, to.wire());
  const auto plain = open(s.b.key, as_byte_view("hanse-bundle-v1"), aad, byte_view{file}.subspan(5));
  REQUIRE(plain);
  bytes again = to_bytes(byte_view{file}.first(5));
  append(again, *seal(to, as_byte_view("hanse-bundle-v1"), aad, *plain, s.random));
  s.files[to_string(bundle_name{to, start + day, blake2b_256(again)})] = again;
  s.b.scan();
  CHECK(s.b.got.size() == 1);
  CHECK(s.b.refused == std::vector{errc::replayed});
}

TEST_CASE("a crash between the commit and the delivery loses the bundle rather than delivering it twice") {
  shared_directory s;
  s.put(s.a, s.b.key.identity(), "gone");
  s.b.crash_after_commit = true;
  s.b.scan();
  CHECK(s.b.got.empty());
  CHECK(s.files.size() == 1);
  s.b.crash_after_commit = false;
  s.b.restart();
  s.b.scan();
  CHECK(s.b.got.empty());
  CHECK(s.files.empty());
}

TEST_CASE("the expiry is the signed one, and digests are kept until then") {
  shared_directory s;
  const auto name = s.put(s.a, s.b.key.identity(), "late");
  const auto octets = s.files.at(name);
  SUBCASE("an expired bundle is removed unread") {
    s.b.now = start + day + clock_skew_max_ms + 1;
    s.b.scan();
    CHECK(s.b.refused == std::vector{errc::expired});
    CHECK(s.files.empty());
  }
  SUBCASE("another name does not make it live longer") {
    s.files.clear();
    s.files[to_string(bundle_name{s.b.key.identity(), start + 9 * day, blake2b_256(octets)})] = octets;
    s.b.now = start + day + clock_skew_max_ms + 1;
    s.b.scan();
    CHECK(s.b.refused == std::vector{errc::expired});
  }
  SUBCASE("while it could be taken, its digest is known") {
    s.b.scan();
    s.b.now = start + day + clock_skew_max_ms;
    std::vector<spool_effect> out;
    s.b.inbox.tick(s.b.now, out);
    s.b.perform(std::move(out));
    s.files[name] = octets;
    s.b.scan();
    CHECK(s.b.got.size() == 1);
    CHECK(s.b.refused == std::vector{errc::replayed});
    REQUIRE(s.b.inbox.next_timer());
    s.b.now = *s.b.inbox.next_timer();
    std::vector<spool_effect> later;
    s.b.inbox.tick(s.b.now, later);
    s.b.perform(std::move(later));
    CHECK(s.b.inbox.seen() == 0);
    CHECK(s.b.records.empty());
  }
}

TEST_CASE("a file that is altered, or half copied, is not taken; a whole one later is") {
  shared_directory s;
  const auto name = s.put(s.a, s.b.key.identity(), "whole");
  const auto good = s.files.at(name);
  s.files[name].resize(good.size() / 2);
  s.b.scan();
  CHECK(s.b.refused == std::vector{errc::bad_checksum});
  CHECK(s.files.size() == 1);
  s.files[name] = good;
  s.b.scan();
  CHECK(s.b.got.size() == 1);
  for (std::size_t i = 0; i < good.size(); ++i) {
    bytes bad = good;
    bad[i] ^= std::byte{1};
    CHECK_FALSE(open_bundle(s.b.key, bad));
  }
  for (std::size_t n = 0; n < good.size(); ++n) CHECK_FALSE(open_bundle(s.b.key, byte_view{good}.first(n)));
}

TEST_CASE("a forged sender, and a bundle signed for somebody else, are refused") {
  seeded_random random{8};
  const auto a = key_of(1), b = key_of(2), c = key_of(3), mallory = key_of(4);
  const auto reseal = [&](const key_pair& from, const identity& to, const bytes& file, auto change) {
    bytes aad = to_bytes(byte_view{file}.first(5));
    append(aad, from.identity().wire());
    auto plain = *open(from, as_byte_view("hanse-bundle-v1"), aad, byte_view{file}.subspan(5));
    change(plain);
    bytes to_aad = to_bytes(byte_view{file}.first(5));
    append(to_aad, to.wire());
    bytes out = to_bytes(byte_view{file}.first(5));
    append(out, *seal(to, as_byte_view("hanse-bundle-v1"), to_aad, plain, random));
    return out;
  };
  const auto for_c = make_bundle(a, c.identity(), as_byte_view("payload"), start, day, random)->octets;
  CHECK(open_bundle(b, for_c).code() == errc::decryption_failed);
  CHECK(open_bundle(b, reseal(c, b.identity(), for_c, [](bytes&) {})).code() == errc::wrong_recipient);
  const auto for_b = make_bundle(mallory, b.identity(), as_byte_view("payload"), start, day, random)->octets;
  const auto claims_a = reseal(b, b.identity(), for_b, [&](bytes& plain) {
    const auto at =
        std::search(plain.begin(), plain.end(), mallory.identity().wire().begin(), mallory.identity().wire().end());
    REQUIRE(at != plain.end());
    std::copy(a.identity().wire().begin(), a.identity().wire().end(), at);
  });
  CHECK(open_bundle(b, claims_a).code() == errc::bad_signature);
}

TEST_CASE("bounds of a bundle, and names") {
  seeded_random random{8};
  const auto a = key_of(1);
  const auto to = key_of(2).identity();
  CHECK(make_bundle(a, to, {}, start, day, random).code() == errc::bad_value);
  CHECK(make_bundle(a, to, as_byte_view("x"), start, 0, random).code() == errc::bad_value);
  CHECK(make_bundle(a, to, as_byte_view("x"), start, bundle_life_max_ms + 1, random).code() == errc::bad_value);
  CHECK(make_bundle(a, to, bytes(bundle_payload_max + 1), start, day, random).code() == errc::too_long);
  const auto largest = make_bundle(a, to, bytes(bundle_payload_max), start, day, random);
  REQUIRE(largest);
  CHECK(largest->octets.size() <= bundle_size_max);
  CHECK(open_bundle(key_of(2), largest->octets));
  CHECK(open_bundle(key_of(2), bytes(bundle_size_max + 1)).code() == errc::too_long);
  const std::vector<bytes> two{bytes(100, std::byte{1}), bytes(200, std::byte{2})};
  const auto with_adverts = make_bundle(a, to, as_byte_view("x"), start, day, random, two);
  REQUIRE(with_adverts);
  CHECK(open_bundle(key_of(2), with_adverts->octets)->adverts == two);
  const std::vector<bytes> many(bundle_adverts_max + 1, bytes(1)), large(5, bytes(bundle_adverts_octets_max / 4));
  CHECK(make_bundle(a, to, as_byte_view("x"), start, day, random, many).code() == errc::too_long);
  CHECK(make_bundle(a, to, as_byte_view("x"), start, day, random, large).code() == errc::too_long);
  const auto text = to_string(largest->name);
  CHECK(*parse_bundle_name(text) == largest->name);
  for (std::size_t n = 0; n < text.size(); ++n) CHECK_FALSE(parse_bundle_name(text.substr(0, n)));
  CHECK_FALSE(parse_bundle_name("../" + text));
}

TEST_CASE("taken at once are a bounded number; the outbox keeps to its quotas and clears away what has expired") {
  shared_directory s;
  std::vector<std::string> names;
  for (int i = 0; i < 100; ++i) names.push_back(s.put(s.a, s.b.key.identity(), std::to_string(i)));
  std::vector<spool_effect> out;
  s.b.inbox.scanned(names, start, out);
  CHECK(out.size() == bundles_open_max);

  spool_outbox box{{.files_max = 3, .octets_max = 1'000, .files_per_recipient_max = 2}};
  const auto b = key_of(2).identity(), c = key_of(3).identity();
  const bundle_name first{b, start + day, blake2b_256(as_byte_view("1"))};
  const bundle_name second{b, start + 2 * day, blake2b_256(as_byte_view("2"))};
  CHECK(box.admits(b, 1'001).code() == errc::queue_full);
  REQUIRE(box.admits(b, 400));
  box.wrote(first, 400);
  box.wrote(first, 400);
  box.wrote(second, 400);
  CHECK(box.octets() == 800);
  CHECK(box.admits(b, 1).code() == errc::queue_full);
  CHECK(box.admits(c, 201).code() == errc::queue_full);
  REQUIRE(box.admits(c, 200));
  box.wrote({c, start + day, blake2b_256(as_byte_view("3"))}, 100);
  CHECK(box.admits(key_of(4).identity(), 1).code() == errc::queue_full);
  // c's was carried away, the first has expired, somebody else's is not ours to remove.
  const auto expired =
      box.scanned({to_string(first), to_string(second), names[0]}, start + day + clock_skew_max_ms + 1);
  CHECK(expired == std::vector{to_string(first)});
  CHECK(box.files() == 1);
  CHECK(box.octets() == 400);
}
