// Joins that meet trouble: introducers that are down, refusals by reason, old adverts, rotation of introducers,
// leaving, bodies that are damaged. Not keys and proofs (join_test.cpp).
#include "domains/join_world.hpp"

using namespace hanse;
using namespace hanse::test;

namespace {

errc failed_with(const join_world& w) {
  const auto failed = w.all<join_failed>();
  REQUIRE(failed.size() == 1);
  return failed[0].why.code;
}

join_nonce nonce_of(int number) {
  join_nonce n{};
  n.fill(static_cast<std::byte>(number));
  return n;
}

} // namespace

TEST_CASE("introducers that are down are passed over, in any order") {
  for (std::uint64_t up : {11, 12, 13}) {
    CAPTURE(up);
    join_world w;
    w.serve(sample_config());
    for (auto& [id, n] : w.introducers) n->down = id != test::id(up);
    REQUIRE(w.join(sample_config()));
    w.advance(20'000);
    REQUIRE(w.all<join_done>().size() == 1);
    CHECK(w.all<join_done>()[0].introducer == id(up));
    for (const auto& p : w.all<join_passed_over>()) CHECK(p.attempt.why.code == errc::timed_out);
  }
}

TEST_CASE("an introducer that cannot be dialled is passed over at once") {
  join_world w;
  w.serve(sample_config());
  for (auto& [id, n] : w.introducers) n->down = true;
  REQUIRE(w.join(sample_config()));
  for (int i = 0; i < 2; ++i) {
    requester_effects out;
    w.requester.unreachable(w.requester.reports().at(0).introducer, {errc::timed_out, "connection refused"}, w.now,
                            out);
    w.carry(std::move(out));
  }
  CHECK(w.all<join_passed_over>().size() == 2);
  CHECK(w.all<join_reach>().size() == 3);
  CHECK(w.all<join_passed_over>()[0].attempt.why.code == errc::unreachable);
  CHECK(w.requester.reports().at(0).tries.size() == 2);
}

TEST_CASE("when all are down the rounds go on with longer pauses, and end where a limit is set") {
  join_world w;
  for (auto& [id, n] : w.introducers) n->down = true;
  w.serve(sample_config());
  REQUIRE(w.join(sample_config()));
  w.advance(3'600'000);
  CHECK_FALSE(w.requester.reports().at(0).tries.empty()); // at any time: those of the last round until there is news
  CHECK(w.all<join_failed>().empty());
  CHECK(w.requester.reports().at(0).round > 5);
  CHECK(w.messages < 3'600 * 3 / 5); // it does not hammer
  for (auto& [id, n] : w.introducers) n->down = false;
  w.advance(500'000);
  CHECK(w.all<join_done>().size() == 1);

  join_requester_config two;
  two.rounds_max = 2;
  join_world v{two};
  for (auto& [id, n] : v.introducers) n->down = true;
  REQUIRE(v.join(sample_config()));
  v.advance(200'000);
  CHECK(failed_with(v) == errc::timed_out);
}

TEST_CASE("a lost message of any step is sent again, and a repeated one does no harm") {
  for (std::size_t lost = 0; lost < 2; ++lost) {
    CAPTURE(lost);
    join_world w;
    auto config = sample_config();
    config.auth = auth_mechanism::psk;
    const auto k = psk("correct-horse-battery");
    w.serve(config, {k});
    requester_effects out;
    REQUIRE(w.requester.start({sign(config, key(1)), {k}, "", false}, w.now, out));
    const auto to = std::get<peer_message>(out.back()).to;
    auto& n = *w.introducers.at(to);
    if (lost == 1) { // the request arrives, the challenge comes back, the answer does not arrive
      REQUIRE(n.machine.receive(w.self, w.channel(to), std::get<peer_message>(out.back()).body, w.now, n.out));
      requester_effects answer;
      REQUIRE(w.requester.receive(to, w.channel(to), n.all<peer_message>().at(0).body, w.now, answer));
      REQUIRE(w.requester.receive(to, w.channel(to), n.all<peer_message>().at(0).body, w.now, answer));
      CHECK(answer.size() == 1);
      n.out.clear();
    }
    w.advance(3000);
    CHECK(w.all<join_done>().size() == 1);
    CHECK(n.members.size() == 1);
  }
}

TEST_CASE("refusals say why") {
  {
    join_world w; // introducers that do not know the domain
    REQUIRE(w.join(sample_config()));
    CHECK(failed_with(w) == errc::not_found);
  }
  {
    join_world w;
    w.serve(sample_config(), {}, level_default); // that may not admit
    REQUIRE(w.join(sample_config()));
    CHECK(failed_with(w) == errc::permission_denied);
  }
  {
    join_world w;
    w.serve(sample_config());
    for (auto& [id, n] : w.introducers) n->approves = false;
    REQUIRE(w.join(sample_config()));
    for (int i = 0; i < 3; ++i) { // the host refuses: expelled before
      const auto at = w.requester.reports().at(0).introducer;
      auto& n = *w.introducers.at(at);
      n.machine.refuse(id(1), w.self, {errc::permission_denied, "expelled\non Monday"}, n.out);
      w.answer(n);
    }
    CHECK(failed_with(w) == errc::permission_denied);
    CHECK(w.all<join_failed>()[0].why.detail == "expelled?on Monday");
  }
  join_world w;
  CHECK(w.join(sample_config(), {}, "edge").code() == errc::not_found);
  auto nobody = sample_config();
  nobody.introducers.clear();
  CHECK(w.join(nobody).code() == errc::not_found);
  nobody.introducers = {make_introducer(node_advert_of(50))}; // only itself
  CHECK(w.join(nobody).code() == errc::not_found);
}

TEST_CASE("an introducer serves only what it can") {
  join_world w;
  auto config = sample_config(5);
  config.auth = auth_mechanism::psk;
  auto& m = w.node(11).machine;
  CHECK(m.serve({sign(config, key(1)), {}, level_introducer}).code() == errc::bad_config);
  REQUIRE(m.serve({sign(config, key(1)), {psk("correct-horse-battery")}, level_introducer}));
  CHECK(m.serve({sign(sample_config(4), key(1)), {}, level_introducer}).code() == errc::stale);
  join_introducer_config one;
  one.domains_max = 1;
  introducer_node n{11, one};
  REQUIRE(n.machine.serve({sign(config, key(1)), {psk("correct-horse-battery")}, level_introducer}));
  config.domain = id(2);
  CHECK(n.machine.serve({sign(config, key(2)), {psk("correct-horse-battery")}, level_introducer}).code() ==
        errc::table_full);
  n.machine.stop(id(1));
  CHECK(n.machine.serve({sign(config, key(2)), {psk("correct-horse-battery")}, level_introducer}));
}

TEST_CASE("who joins by an old advert is given the new one, and asks the introducers of today") {
  join_world w;
  auto old_config = sample_config(1);
  old_config.introducers = {introducer_of(11)}; // one that is none any more
  auto config = sample_config(2);
  config.introducers = {introducer_of(12), introducer_of(13)};
  w.serve(config);
  REQUIRE(w.join(old_config));
  REQUIRE(w.all<join_done>().size() == 1);
  CHECK(w.all<join_done>()[0].introducer != id(11));
  CHECK(w.all<join_done>()[0].advert.value.version == 2);
  REQUIRE(w.all<join_advert>().size() == 1);
  CHECK(w.all<join_advert>()[0].advert.value.version == 2);
}

TEST_CASE("an introducer that is behind lets in, and is told of; the newcomer does not go back") {
  join_world w;
  w.serve(sample_config(1));
  w.node(11).approves = w.node(12).approves = w.node(13).approves = true;
  auto& n = w.node(11);
  REQUIRE(n.machine.receive(w.self, w.channel(n.id), encode(join_request{id(1), nonce_of(1), 2, ""}), w.now, n.out));
  CHECK(n.all<join_behind>().size() == 1);
  n.out.clear();
  REQUIRE(w.join(sample_config(2)));
  REQUIRE(w.all<join_done>().size() == 1);
  CHECK(w.all<join_done>()[0].advert.value.version == 2);
}

TEST_CASE("an advert that its owner did not sign, or of another domain, is not taken from an introducer") {
  auto forged = sign(sample_config(9), key(1)).wire;
  forged.back() ^= std::byte{1};
  auto other = sample_config(9);
  other.domain = id(2);
  for (const auto& wire : {forged, sign(other, key(2)).wire, bytes{}, sign(sample_config(1), key(1)).wire}) {
    for (const bool accepts : {false, true}) {
      join_world w;
      requester_effects out;
      REQUIRE(w.requester.start({sign(sample_config(2), key(1)), {}, "", false}, w.now, out));
      const auto sent = std::get<peer_message>(out.back());
      const auto nonce = std::get<join_request>(decode_join_body(sent.body).value()).nonce;
      out.clear();
      if (accepts)
        REQUIRE(w.requester.receive(sent.to, {}, encode(join_accept{id(1), nonce, 10, {}, wire, {}}), w.now, out));
      else
        REQUIRE(w.requester.receive(sent.to, {}, encode(join_refuse{id(1), nonce, errc::stale, "old", 0, wire}), w.now,
                                    out));
      for (const auto& e : out) {
        CHECK_FALSE(std::holds_alternative<join_advert>(e));
        if (const auto* d = std::get_if<join_done>(&e)) CHECK(d->advert.value.version == 2);
      }
    }
  }
}

TEST_CASE("only the introducer that is asked answers, and only for this try") {
  join_world w;
  requester_effects out;
  REQUIRE(w.requester.start({sign(sample_config(), key(1)), {}, "", false}, w.now, out));
  const auto sent = std::get<peer_message>(out.back());
  const auto nonce = std::get<join_request>(decode_join_body(sent.body).value()).nonce;
  const auto wire = sign(sample_config(), key(1)).wire;
  out.clear();
  REQUIRE(w.requester.receive(id(99), {}, encode(join_accept{id(1), nonce, 10, {}, wire, {}}), w.now, out));
  REQUIRE(w.requester.receive(sent.to, {}, encode(join_accept{id(1), nonce_of(3), 10, {}, wire, {}}), w.now, out));
  REQUIRE(w.requester.receive(sent.to, {}, encode(join_accept{id(2), nonce, 10, {}, wire, {}}), w.now, out));
  REQUIRE(w.requester.receive(sent.to, {}, encode(leave_done{id(1), nonce}), w.now, out));
  CHECK(out.empty());
  CHECK(w.requester.receive(sent.to, {}, encode(leave_request{id(1), nonce}), w.now, out).code() == errc::bad_type);
  auto& n = w.node(11);
  CHECK(n.machine.receive(w.self, {}, encode(leave_done{id(1), nonce}), w.now, n.out).code() == errc::bad_type);
  REQUIRE(w.requester.receive(sent.to, {}, encode(join_accept{id(1), nonce, 10, {}, wire, {}}), w.now, out));
  CHECK(std::holds_alternative<join_done>(out.at(0)));
}

TEST_CASE("a member leaves, by whichever introducer is up, and a repeated request is answered again") {
  join_world w;
  w.serve(sample_config());
  REQUIRE(w.join(sample_config()));
  for (auto& [id, n] : w.introducers) {
    n->members.emplace(w.self, level_default);
    n->down = id != test::id(12);
  }
  REQUIRE(w.join(sample_config(), {}, "", true));
  w.advance(30'000);
  CHECK(w.all<join_left>().size() == 1);
  CHECK(w.node(12).members.empty());
  auto& n = w.node(12);
  for (int i = 0; i < 2; ++i) {
    n.out.clear();
    REQUIRE(n.machine.receive(id(60), {}, encode(leave_request{id(1), nonce_of(1)}), w.now, n.out));
    CHECK(n.all<join_withdraw>() == std::vector{join_withdraw{id(1), id(60)}});
    n.machine.withdrawn(id(1), id(60), n.out);
    CHECK(n.all<peer_message>().size() == 1);
  }
}

TEST_CASE("joins of one node are one for each domain, bounded, and can be given up") {
  join_requester_config two;
  two.attempts_max = 2;
  join_world w{two};
  for (auto& [id, n] : w.introducers) n->down = true;
  REQUIRE(w.join(sample_config()));
  CHECK(w.join(sample_config()).code() == errc::already_exists);
  auto other = sample_config();
  requester_effects out;
  other.domain = id(2);
  REQUIRE(w.requester.start({sign(other, key(2)), {}, "", false}, w.now, out));
  other.domain = id(3);
  CHECK(w.requester.start({sign(other, key(3)), {}, "", false}, w.now, out).code() == errc::table_full);
  CHECK(w.requester.cancel(id(1)));
  CHECK_FALSE(w.requester.cancel(id(1)));
  CHECK(w.requester.reports().size() == 1);
}

TEST_CASE("a named instance's introducers are asked first") {
  auto config = sample_config();
  config.instances = {{"edge", {}, {introducer_of(13)}}};
  for (std::uint64_t seed = 0; seed < 8; ++seed) {
    seeded_random random{seed};
    join_requester r{id(50), random};
    requester_effects out;
    REQUIRE(r.start({sign(config, key(1)), {}, "edge", false}, 0, out));
    CHECK(std::get<join_reach>(out.at(0)).node == id(13));
  }
}

TEST_CASE("join bodies read back, and every flipped bit or truncation is another body or refused") {
  const std::vector<join_body> bodies{
      join_request{id(1), nonce_of(1), 7, "edge"},
      join_challenge{id(1), nonce_of(1), nonce_of(2)},
      join_answer{id(1), nonce_of(1), nonce_of(3)},
      join_accept{id(1), nonce_of(1), 10, nonce_of(4), sign(sample_config(), key(1)).wire, {node_advert_of(11).wire}},
      join_accept{id(1), nonce_of(1), 10, {}, {}, {}},
      join_refuse{id(1), nonce_of(1), errc::rate_limited, "too many", 50'000, {}},
      leave_request{id(1), nonce_of(1)},
      leave_done{id(1), nonce_of(1)}};
  for (const auto& body : bodies) {
    CAPTURE(body.index());
    const auto wire = encode(body);
    REQUIRE(decode_join_body(wire));
    CHECK(*decode_join_body(wire) == body);
    for_each_bit_flip(wire, [&](byte_view bad) {
      if (const auto other = decode_join_body(bad)) CHECK_FALSE(*other == body);
    });
    for_each_other_length(wire, [&](byte_view bad) { CHECK_FALSE(decode_join_body(bad)); });
  }
}

TEST_CASE("join bodies keep their bounds") {
  const auto code = [](const join_body& body) { return decode_join_body(encode(body)).code(); };
  CHECK(code(join_request{id(1), {}, 1, std::string(65, 'i')}) == errc::too_long);
  CHECK(code(join_request{id(1), {}, 1, "A b"}) == errc::bad_value);
  CHECK(code(join_accept{id(1), {}, level_none, {}, {}, {}}) == errc::bad_value);
  CHECK(code(join_accept{id(1), {}, level_owner, {}, {}, {}}) == errc::bad_value);
  CHECK(code(join_accept{id(1), {}, 1, {}, {}, std::vector<bytes>(join_adverts_max + 1)}) == errc::too_long);
  CHECK(code(join_accept{id(1), {}, 1, {}, bytes(domain_advert_size_max + 1), {}}) == errc::too_long);
  CHECK(code(join_refuse{id(1), {}, errc::none, "", 0, {}}) == errc::bad_value);
  CHECK(code(join_refuse{id(1), {}, errc::stale, std::string(257, 'd'), 0, {}}) == errc::too_long);
  CHECK(code(join_refuse{id(1), {}, errc::stale, "\x1b[2J", 0, {}}) == errc::bad_value);
  CHECK(code(join_refuse{id(1), {}, errc::stale, "", join_retry_after_max_ms + 1, {}}) == errc::bad_value);
  CHECK(code(join_refuse{id(1), {}, static_cast<errc>(250), "", 0, {}}) == errc::none); // a later version's code
  msgpack_writer later;
  later.array(9);
  later.unsigned_integer(1);
  later.unsigned_integer(2);
  for (int i = 0; i < 7; ++i) later.nil();
  CHECK(decode_join_body(later.view()).code() == errc::bad_version);
}
