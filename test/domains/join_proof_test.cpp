// Pre-shared keys and the proofs of knowing one: every fact is bound, the files are strict, rotation overlaps.
// Not the exchange (join_test.cpp).
#include "domains/samples.hpp"

#include "hanse/domains/join_proof.hpp"

#include <functional>

#include <sys/stat.h>
#include <unistd.h>

using namespace hanse;
using namespace hanse::test;

namespace {

pre_shared_key psk(std::string_view text, std::optional<time_ms> until = {}) {
  return {to_secret(text), until};
}

const auto good = psk("correct-horse-battery");

join_facts facts() {
  join_facts f{id(1), id(2), id(3), {}, {}, {}};
  f.nonce.fill(std::byte{4});
  f.challenge.fill(std::byte{5});
  f.channel.fill(std::byte{6});
  return f;
}

bool holds(const join_facts& f, join_role role = join_role::requester) {
  const auto proof = prove(good.key(), join_role::requester, facts());
  return find_proven({good}, 0, role, f, proof) != nullptr;
}

errc parsed(std::string_view text) {
  return parse_psk_text(as_byte_view(text)).code();
}

} // namespace

TEST_CASE("a proof holds for its own facts and no others") {
  CHECK(holds(facts()));
  CHECK_FALSE(holds(facts(), join_role::introducer));
  const std::vector<std::function<void(join_facts&)>> changes{
      [](auto& f) { f.domain = id(9); },
      [](auto& f) { f.requester = id(9); },
      [](auto& f) { f.introducer = id(9); },
      [](auto& f) { std::swap(f.requester, f.introducer); },
      [](auto& f) { std::swap(f.domain, f.requester); },
      [](auto& f) { f.nonce[31] ^= std::byte{1}; },
      [](auto& f) { f.challenge[0] ^= std::byte{128}; },
      [](auto& f) { std::swap(f.nonce, f.challenge); },
      [](auto& f) { f.channel[31] ^= std::byte{1}; },
      [](auto& f) { std::swap(f.channel, f.challenge); },
  };
  for (std::size_t i = 0; i < changes.size(); ++i) {
    CAPTURE(i);
    auto f = facts();
    changes[i](f);
    CHECK_FALSE(holds(f));
  }
}

TEST_CASE("a proof by another key, or with any bit flipped, does not hold") {
  const auto proof = prove(good.key(), join_role::requester, facts());
  CHECK(find_proven({psk("another-horse-battery")}, 0, join_role::requester, facts(), proof) == nullptr);
  CHECK(find_proven({}, 0, join_role::requester, facts(), proof) == nullptr);
  for_each_bit_flip(proof, [](byte_view bad) {
    mac_octets m;
    std::ranges::copy(bad, m.begin());
    CHECK(find_proven({good}, 0, join_role::requester, facts(), m) == nullptr);
  });
}

TEST_CASE("while keys are rotated both hold, and the old one until its time") {
  const auto old_key = psk("the-key-of-yesterday");
  const auto keys = rotate({old_key}, good, 1000, 5000).value();
  const auto holds_at = [&](const pre_shared_key& k, time_ms now) {
    return find_proven(keys, now, join_role::requester, facts(), prove(k.key(), join_role::requester, facts()));
  };
  CHECK(holds_at(good, 1000) == &keys[0]);
  CHECK(holds_at(old_key, 4999) == &keys[1]);
  CHECK(holds_at(old_key, 5000) == nullptr);
  CHECK(holds_at(good, 1'000'000) == &keys[0]);
}

TEST_CASE("a rotation never lengthens the life of a key, drops the dead, and keeps few") {
  const auto keys = rotate({psk("aaaaaaaaaaaaaaaa", 2000), psk("bbbbbbbbbbbbbbbb", 900)}, good, 1000, 5000).value();
  REQUIRE(keys.size() == 2);
  CHECK(keys[1].valid_until == time_ms{2000});
  psk_list many;
  for (char c = 'a'; c < 'a' + static_cast<char>(psk_count_max); ++c) many.push_back(psk(std::string(16, c)));
  CHECK(rotate(many, good, 0, 10).code() == errc::table_full);
}

TEST_CASE("the text of a key file reads back") {
  const psk_list keys{good, psk("the-key-of-yesterday", 5000)};
  const auto text = to_psk_text(keys);
  const auto back = parse_psk_text(text).value();
  REQUIRE(back.size() == 2);
  CHECK(equal(back[0].text, good.text));
  CHECK_FALSE(back[0].valid_until);
  CHECK(back[1].valid_until == time_ms{5000});
  const auto by_hand =
      parse_psk_text(as_byte_view("# mine\n\n  correct-horse-battery  \r\n# x\nabc#defghijklmnopq until 7"));
  REQUIRE(by_hand);
  CHECK(equal((*by_hand)[0].text, good.text));
  CHECK(as_text((*by_hand)[1].text) == "abc#defghijklmnopq");
}

TEST_CASE("a key file that is not right is refused, by line, without repeating the key") {
  CHECK(parsed("") == errc::bad_value);
  CHECK(parsed("# only a comment\n") == errc::bad_value);
  CHECK(parsed("fifteen-letters") == errc::bad_value);
  CHECK(parsed("sixteen-letters!") == errc::none);
  CHECK(parsed(std::string(psk_length_max, 'k')) == errc::none);
  CHECK(parsed(std::string(psk_length_max + 1, 'k')) == errc::bad_value);
  CHECK(parsed("correct-horse-bättery") == errc::bad_value);
  for (std::string_view rest :
       {" until", " until x", " until 1 2", " till 1", " until -1", " until 99999999999999999999"})
    CHECK(parsed("correct-horse-battery" + std::string{rest}) == errc::bad_value);
  CHECK(parsed("correct-horse-battery\ncorrect-horse-battery until 5\n") == errc::bad_value);
  CHECK(parsed(std::string(psk_file_size_max + 1, '#')) == errc::too_long);
  std::string many;
  for (char c = 'a'; c <= 'a' + static_cast<char>(psk_count_max); ++c) many += std::string(16, c) + "\n";
  CHECK(parsed(many) == errc::bad_value);
  const auto why = parse_psk_text(as_byte_view("# a\nsecret")).error().detail;
  CHECK(why.find("line 2") != std::string::npos);
  CHECK(why.find("secret") == std::string::npos);
}

TEST_CASE("a made key is long, random and read back; a file that others can read is refused") {
  seeded_random random{1};
  const auto a = make_psk(random);
  const auto b = make_psk(random);
  CHECK(a.text.size() == 64);
  CHECK_FALSE(equal(a.text, b.text));
  CHECK(equal(parse_psk_text(to_psk_text({a, b})).value()[1].text, b.text));

  auto name = (std::filesystem::temp_directory_path() / "hanse-psk-XXXXXX").string();
  const int fd = ::mkstemp(name.data());
  REQUIRE(fd >= 0);
  const auto text = to_psk_text({a});
  REQUIRE(::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
  ::close(fd);
  CHECK(equal(load_psk_file(name).value()[0].text, a.text));
  REQUIRE(::chmod(name.c_str(), 0640) == 0);
  CHECK(load_psk_file(name).code() == errc::bad_permissions);
  std::filesystem::remove(name);
}
