// Joining and leaving, both machines together: keys, refusals and what they say, rates, introducers that are down.
// Not hostile bodies (join_message_test.cpp) and not the proof itself (join_proof_test.cpp).
#include "domains/join_world.hpp"

using namespace hanse;
using namespace hanse::test;

namespace {

domain_config psk_config(std::uint64_t version = 1) {
  auto c = sample_config(version);
  c.auth = auth_mechanism::psk;
  return c;
}

const pre_shared_key right_key = psk("correct-horse-battery");
const pre_shared_key wrong_key = psk("another-horse-battery");

std::size_t count_members(const join_world& w) {
  std::size_t count = 0;
  for (const auto& [id, n] : w.introducers) count += n->members.size();
  return count;
}

errc failed_with(const join_world& w) {
  const auto failed = w.all<join_failed>();
  REQUIRE(failed.size() == 1);
  return failed[0].why.code;
}

/// Sends a request by hand, as `who`, and returns the first answer of introducer 11.
join_body ask_by_hand(join_world& w, const identity& who, const join_body& body) {
  auto& n = w.node(11);
  n.out.clear();
  REQUIRE(n.machine.receive(who, w.channel(n.id), encode(body), w.now, n.out));
  for (const auto& m : n.all<peer_message>()) return decode_join_body(m.body).value();
  return leave_done{};
}

join_nonce nonce_of(int number) {
  join_nonce n{};
  n.fill(static_cast<std::byte>(number));
  return n;
}

} // namespace

TEST_CASE("without authentication whoever asks joins, and gets level, advert and members") {
  join_world w;
  w.serve(sample_config());
  REQUIRE(w.join(sample_config()));
  const auto done = w.all<join_done>();
  REQUIRE(done.size() == 1);
  CHECK(done[0].level == level_default);
  CHECK(done[0].advert.value == sample_config());
  CHECK(done[0].adverts == std::vector<bytes>{node_advert_of(11).wire});
  CHECK(w.all<join_reach>().size() == 1);
  const auto reach = w.all<join_reach>()[0];
  CHECK(decode_node_advert(reach.advert).value().value.node == reach.node);
  CHECK(reach.node == done[0].introducer);
  CHECK(count_members(w) == 1);
  CHECK_FALSE(w.requester.next_timer());
}

TEST_CASE("with the pre-shared key a node joins; with another it is told so by every introducer") {
  join_world w;
  w.serve(psk_config(), {right_key});
  REQUIRE(w.join(psk_config(), {right_key}));
  CHECK(w.all<join_done>().size() == 1);

  join_world v;
  v.serve(psk_config(), {right_key});
  REQUIRE(v.join(psk_config(), {wrong_key}));
  CHECK(failed_with(v) == errc::bad_proof);
  CHECK(v.all<join_failed>()[0].tries.size() == 3);
  CHECK(count_members(v) == 0);
  CHECK(v.join(psk_config(), {}).code() == errc::bad_proof); // not even asked
  CHECK(v.join(psk_config(), {psk("correct-horse-battery", v.now)}).code() == errc::bad_proof);
}

TEST_CASE("nobody becomes a member before its proof holds and the host says that it is one") {
  join_world w;
  w.serve(psk_config(), {right_key});
  const auto challenge = ask_by_hand(w, w.self, join_request{id(1), nonce_of(1), 1, ""});
  REQUIRE(std::holds_alternative<join_challenge>(challenge));
  CHECK(w.node(11).all<join_approve>().empty());
  join_facts f{id(1), w.self, id(11), nonce_of(1), std::get<join_challenge>(challenge).challenge, w.channel(id(11))};
  const join_answer answer{id(1), nonce_of(1), prove(right_key.key(), join_role::requester, f)};
  auto& n = w.node(11);
  n.out.clear();
  REQUIRE(n.machine.receive(w.self, w.channel(n.id), encode(answer), w.now, n.out));
  CHECK(n.all<join_approve>() == std::vector{join_approve{id(1), w.self, level_default, ""}});
  CHECK(n.all<peer_message>().empty()); // nothing is promised yet
  n.out.clear();
  REQUIRE(n.machine.receive(w.self, w.channel(n.id), encode(answer), w.now, n.out));
  CHECK(n.out.empty()); // repeated while the host works
  n.machine.approved(id(1), w.self, 12, {}, w.now, n.out);
  const auto yes = decode_join_body(n.all<peer_message>().at(0).body).value();
  CHECK(std::get<join_accept>(yes).level == 12);
  CHECK(std::get<join_accept>(yes).proof == prove(right_key.key(), join_role::introducer, f));
  n.out.clear();
  REQUIRE(n.machine.receive(w.self, w.channel(n.id), encode(answer), w.now, n.out)); // the acceptance was lost
  CHECK(n.all<join_approve>().size() == 1);
  n.machine.approved(id(1), id(77), 12, {}, w.now, n.out); // somebody who never asked
  CHECK(n.all<peer_message>().empty());
}

TEST_CASE("a proof made for another link, node, introducer or try is refused") {
  const auto answered = [](auto change) {
    join_world w;
    w.serve(psk_config(), {right_key});
    const auto c = ask_by_hand(w, w.self, join_request{id(1), nonce_of(1), 1, ""});
    join_facts f{id(1), w.self, id(11), nonce_of(1), std::get<join_challenge>(c).challenge, w.channel(id(11))};
    auto role = join_role::requester;
    change(f, role);
    const auto said = ask_by_hand(w, w.self, join_answer{id(1), nonce_of(1), prove(right_key.key(), role, f)});
    const auto* no = std::get_if<join_refuse>(&said);
    return no ? no->code : w.node(11).all<join_approve>().size() == 1 ? errc::none : errc::internal;
  };
  CHECK(answered([](auto&, auto&) {}) == errc::none);
  CHECK(answered([](auto& f, auto&) { f.channel[0] ^= std::byte{1}; }) == errc::bad_proof);
  CHECK(answered([](auto& f, auto&) { f.introducer = id(12); }) == errc::bad_proof);
  CHECK(answered([](auto& f, auto&) { f.requester = id(51); }) == errc::bad_proof);
  CHECK(answered([](auto& f, auto&) { f.domain = id(2); }) == errc::bad_proof);
  CHECK(answered([](auto& f, auto&) { f.nonce = nonce_of(2); }) == errc::bad_proof);
  CHECK(answered([](auto& f, auto&) { f.challenge = nonce_of(2); }) == errc::bad_proof);
  CHECK(answered([](auto&, auto& role) { role = join_role::introducer; }) == errc::bad_proof);
}

TEST_CASE("a challenge is answered once: the second guess needs another try") {
  join_world w;
  w.serve(psk_config(), {right_key});
  const auto c = ask_by_hand(w, w.self, join_request{id(1), nonce_of(1), 1, ""});
  join_facts f{id(1), w.self, id(11), nonce_of(1), std::get<join_challenge>(c).challenge, w.channel(id(11))};
  CHECK(std::holds_alternative<join_refuse>(
      ask_by_hand(w, w.self, join_answer{id(1), nonce_of(1), prove(wrong_key.key(), join_role::requester, f)})));
  ask_by_hand(w, w.self, join_answer{id(1), nonce_of(1), prove(right_key.key(), join_role::requester, f)});
  CHECK(w.node(11).out.empty());
  const auto again = ask_by_hand(w, w.self, join_request{id(1), nonce_of(1), 1, ""});
  CHECK(std::get<join_challenge>(again).challenge != std::get<join_challenge>(c).challenge);
}

TEST_CASE("five tries a minute a node, repeated requests not counted, and a limit for all together") {
  join_world w;
  w.serve(psk_config(), {right_key});
  for (int i = 1; i <= 5; ++i)
    for (int repeated = 0; repeated < 3; ++repeated)
      CHECK(std::holds_alternative<join_challenge>(ask_by_hand(w, id(60), join_request{id(1), nonce_of(i), 1, ""})));
  w.now += 10'000;
  auto said = ask_by_hand(w, id(60), join_request{id(1), nonce_of(6), 1, ""});
  REQUIRE(std::holds_alternative<join_refuse>(said));
  CHECK(std::get<join_refuse>(said).code == errc::rate_limited);
  CHECK(std::get<join_refuse>(said).retry_after_ms == 50'000);
  CHECK(std::get<join_refuse>(ask_by_hand(w, id(60), leave_request{id(1), nonce_of(7)})).code == errc::rate_limited);
  CHECK(std::get<join_refuse>(ask_by_hand(w, id(60), join_request{id(2), nonce_of(8), 1, ""})).code ==
        errc::rate_limited); // domains that are not here count, too
  CHECK(std::holds_alternative<join_challenge>(ask_by_hand(w, id(61), join_request{id(1), nonce_of(1), 1, ""})));
  w.now += 50'000;
  CHECK(std::holds_alternative<join_challenge>(ask_by_hand(w, id(60), join_request{id(1), nonce_of(6), 1, ""})));

  join_introducer_config few;
  few.tries.together = 3;
  w.introducers[id(11)] = std::make_unique<introducer_node>(11, few);
  w.serve(psk_config(), {right_key});
  for (std::uint64_t n = 70; n < 73; ++n)
    CHECK(std::holds_alternative<join_challenge>(ask_by_hand(w, id(n), join_request{id(1), nonce_of(1), 1, ""})));
  CHECK(std::holds_alternative<join_refuse>(ask_by_hand(w, id(73), join_request{id(1), nonce_of(1), 1, ""})));
}

TEST_CASE("sessions are bounded and forgotten") {
  join_introducer_config few;
  few.sessions_max = 2;
  join_world w;
  w.introducers[id(11)] = std::make_unique<introducer_node>(11, few);
  w.serve(psk_config(), {right_key});
  for (std::uint64_t n = 70; n < 72; ++n) ask_by_hand(w, id(n), join_request{id(1), nonce_of(1), 1, ""});
  CHECK(std::get<join_refuse>(ask_by_hand(w, id(72), join_request{id(1), nonce_of(1), 1, ""})).code ==
        errc::table_full);
  CHECK(w.node(11).machine.next_timer() == w.now + few.session_ms);
  w.node(11).machine.tick(w.now + few.session_ms, w.node(11).out);
  CHECK(w.node(11).machine.sessions() == 0);
  CHECK_FALSE(w.node(11).machine.next_timer());
}

TEST_CASE("while keys are rotated nodes with the old and with the new one join, afterwards only those with the new") {
  const auto old_key = psk("the-key-of-yesterday");
  join_world w;
  w.serve(psk_config(), rotate({old_key}, right_key, w.now, w.now + 60'000).value());
  REQUIRE(w.join(psk_config(), {old_key}));
  REQUIRE(w.join(psk_config(), {right_key}));
  CHECK(w.all<join_done>().size() == 2);
  w.advance(60'000);
  REQUIRE(w.join(psk_config(), {old_key}));
  CHECK(failed_with(w) == errc::bad_proof);
}

TEST_CASE("a node that has the new key and the old one joins where only the old one is known") {
  const auto old_key = psk("the-key-of-yesterday");
  join_world w;
  w.serve(psk_config(), {old_key});
  REQUIRE(w.join(psk_config(), {right_key, psk("the-dead-key-of-before", w.now), old_key}));
  CHECK(w.all<join_done>().size() == 1);
  CHECK(w.all<join_passed_over>().empty());
}

TEST_CASE("a link that changes under a proof costs a try and not the join") {
  join_world w;
  w.serve(psk_config(), {right_key});
  auto& n = w.node(11);
  for (std::uint64_t other : {12, 13}) w.introducers.erase(id(other));
  auto config = psk_config();
  config.introducers.resize(1);
  REQUIRE(n.machine.serve({sign(config, key(1)), {right_key}, level_introducer}));
  requester_effects out;
  REQUIRE(w.requester.start({sign(config, key(1)), {right_key}, "", false}, w.now, out));
  const auto request = std::get<peer_message>(out.back());
  REQUIRE(n.machine.receive(w.self, w.channel(n.id), request.body, w.now, n.out));
  out.clear();
  REQUIRE(w.requester.receive(n.id, w.channel(n.id), n.all<peer_message>().at(0).body, w.now, out));
  n.out.clear();
  w.link = 2; // the answer goes over another link
  w.carry(std::move(out));
  CHECK(w.all<join_done>().size() == 1);
}

TEST_CASE("an introducer that accepts without knowing the key, or without asking for it, is not believed") {
  for (const bool challenges : {false, true}) {
    CAPTURE(challenges);
    join_world w;
    w.serve(psk_config(), {right_key});
    requester_effects out;
    REQUIRE(w.requester.start({sign(psk_config(), key(1)), {right_key}, "", false}, w.now, out));
    const auto sent = std::get<peer_message>(out.back());
    const auto nonce = std::get<join_request>(decode_join_body(sent.body).value()).nonce;
    join_accept yes{id(1), nonce, 10, {}, sign(psk_config(), key(1)).wire, {}};
    if (challenges) {
      REQUIRE(w.requester.receive(sent.to, w.channel(sent.to), encode(join_challenge{id(1), nonce, nonce_of(9)}), w.now,
                                  out));
      const join_facts f{id(1), w.self, sent.to, nonce, nonce_of(9), w.channel(sent.to)};
      yes.proof = prove(wrong_key.key(), join_role::introducer, f);
      const auto answer = decode_join_body(std::get<peer_message>(out.back()).body).value();
      const auto reflected = std::get<join_answer>(answer).proof;
      out.clear();
      REQUIRE(w.requester.receive(sent.to, w.channel(sent.to), encode(yes), w.now, out));
      CHECK(std::get<join_passed_over>(out.at(0)).attempt.why.code == errc::bad_proof);
      CHECK(reflected != prove(right_key.key(), join_role::introducer, f)); // its own proof sent back is none
    } else {
      out.clear();
      REQUIRE(w.requester.receive(sent.to, w.channel(sent.to), encode(yes), w.now, out));
      CHECK(std::get<join_passed_over>(out.at(0)).attempt.why.code == errc::bad_proof);
    }
    for (const auto& e : out) CHECK_FALSE(std::holds_alternative<join_done>(e));
  }
}
