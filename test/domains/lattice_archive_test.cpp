// Archives: what a checkpoint covers, as content that newcomers take instead of blocks one by one. Two machines, whose
// messages and contents the test carries.
#include "domains/lattice_kit.hpp"

#include "hanse/domains/membership_protocol.hpp"

using namespace hanse;
using namespace hanse::test;

namespace {

lattice_config small_archives() {
  lattice_config c;
  c.sync.archive_blocks = 20;
  c.archive_step_octets = 2000;
  return c;
}

bytes capability_of(byte_view octets) {
  eris_capability c;
  c.root.reference = blake2b_256(octets);
  return encode(c);
}

message_signature by_owner(const checkpoint_request& r) {
  return {sign_single(key(1'000'000), checkpoint_statement(domain_id(), r))};
}

/// Nodes 1 (of the domain) and 3 (which lacks everything), and the domain's blocks.
struct world {
  hand_node old{1, small_archives()};
  hand_node fresh{3, small_archives()};
  std::map<bytes, bytes> contents;
  bool answers = true; ///< to archive_wanted
  std::size_t wanted = 0;
  time_ms now = 100;

  /// `keys` registers, written `puts` times in all.
  explicit world(int puts = 60, int keys = 60) {
    REQUIRE(old.write(configure_op(fake_advert(1, {id(1)}), 1)));
    REQUIRE(old.add(id(3), 10));
    for (int i = 0; i < puts; ++i) REQUIRE(old.put("k" + std::to_string(i % keys), std::to_string(i)));
    fresh.lattice.add_contact(old.id());
    fresh.lattice.take_archives(true);
  }

  expected<block_id> checkpoint() {
    auto p = old.lattice.propose_checkpoint();
    p.request.archive = capability_of(p.archive);
    contents[p.request.archive] = p.archive;
    auto written = old.lattice.write_checkpoint(p.request, by_owner(p.request), 1, old.out);
    old.settle();
    old.seen.clear(); // what was sent so far is lost
    return written;
  }

  void carry(hand_node& from, hand_node& to) {
    from.settle();
    for (auto& e : std::exchange(from.seen, {})) {
      if (const auto* m = std::get_if<peer_message>(&e); m && m->to == to.id()) {
        CHECK(to.lattice.receive(from.id(), m->body, now, to.out));
        to.settle();
      } else if (const auto* a = std::get_if<archive_wanted>(&e)) {
        ++wanted;
        const auto found = contents.find(encode(a->content));
        std::optional<shared_bytes> octets;
        if (found != contents.end()) octets = shared_bytes::copy_of(found->second);
        if (answers) from.lattice.archive_came(octets, now, from.out);
      }
    }
  }

  /// Half a second at a time.
  void run(time_ms ms) {
    for (const auto end = now + ms; now < end; now += 500) {
      for (auto* n : {&old, &fresh}) n->lattice.tick(now, n->out);
      for (int i = 0; i < 8; ++i) carry(old, fresh), carry(fresh, old);
    }
  }

  bool agree() { return old.lattice.root() == fresh.lattice.root(); }
  checkpoint_status at_fresh() const { return fresh.lattice.checkpoints(); }
};

std::size_t bare_in(byte_view archive) {
  std::size_t count = 0;
  msgpack_reader in{archive};
  CHECK(in.text(16) == "hanse-archive-v1");
  while (in.good() && in.peek())
    if (const auto b = decode_block(shared_bytes::copy_of(in.blob(block_size_max)))) count += b->bare;
  return count;
}

bytes offer_of(const map_op& op) {
  msgpack_writer out;
  out.array(3);
  out.unsigned_integer(8);
  out.unsigned_integer(1);
  out.blob(encode(op));
  return std::move(out).take();
}

map_op checkpoint_op(const bytes& archive, std::uint64_t signer = 1'000'000) {
  checkpoint_request r{1, blake2b_256({}), 0, archive};
  map_op op;
  op.kind = map_op_kind::checkpoint;
  op.version = r.version;
  op.state = r.state;
  op.archive = archive;
  op.signature = encode(message_signature{sign_single(key(signer), checkpoint_statement(domain_id(), r))});
  return op;
}

} // namespace

TEST_CASE("archive: a newcomer takes what a checkpoint covers from it, and the rest from a member") {
  world w{60, 3};
  REQUIRE(w.checkpoint());
  CHECK(w.old.lattice.checkpoints().dropped == 57); // all but the three last values
  CHECK(bare_in(w.contents.begin()->second) == 57);
  CHECK(w.old.lattice.checkpoints().covered == 62);
  for (int i = 0; i < 5; ++i) REQUIRE(w.old.put("later", std::to_string(i)));
  const auto sent = w.old.lattice.sync_stats().blocks_sent;
  w.run(20'000);
  CHECK(w.agree());
  CHECK(w.fresh.lattice.map().state_hash() == w.old.lattice.map().state_hash());
  CHECK(w.at_fresh().archives_taken == 1);
  CHECK(w.at_fresh().archives_failed == 0);
  CHECK(w.at_fresh().dropped == 57);
  CHECK(w.at_fresh().version == 1);
  CHECK(w.old.lattice.checkpoints().archives_named >= 1);
  CHECK(w.old.lattice.sync_stats().blocks_sent - sent <= 12); // the checkpoint and what came after, perhaps twice
  REQUIRE(w.fresh.put("mine", "1"));
  w.run(20'000);
  CHECK(w.agree());
}

TEST_CASE("archive: the next one holds headers where payloads were dropped, and a third node takes it") {
  world w{60, 3};
  REQUIRE(w.checkpoint());
  for (int i = 0; i < 9; ++i) REQUIRE(w.old.put("k0", std::to_string(i)));
  REQUIRE(w.checkpoint());
  CHECK(w.old.lattice.checkpoints().version == 2);
  CHECK(w.old.lattice.checkpoints().dropped == 66);
  w.run(20'000);
  CHECK(w.agree());
  CHECK(w.at_fresh().archives_taken == 1);
}

TEST_CASE("archive: a member that sees the checkpoint drops the same payloads; without an archive nobody does") {
  for (const bool archived : {true, false}) {
    world w{60, 3};
    w.fresh.lattice.take_archives(false);
    w.run(20'000);
    REQUIRE(w.agree());
    if (archived) {
      REQUIRE(w.checkpoint());
    } else {
      const auto r = w.old.lattice.request_checkpoint();
      REQUIRE(w.old.lattice.write_checkpoint(r, by_owner(r), 1, w.old.out));
    }
    w.run(20'000);
    REQUIRE(w.agree());
    CHECK(w.at_fresh().version == 1);
    CHECK(w.at_fresh().archived == archived);
    CHECK(w.at_fresh().dropped == (archived ? 57 : 0));
    CHECK(w.old.lattice.checkpoints().dropped == (archived ? 57 : 0));
  }
}

TEST_CASE("archive: one that cannot be had, or is another, is given up for blocks") {
  world w;
  REQUIRE(w.checkpoint()); // each value is the last of its key: nothing is dropped
  auto& octets = w.contents.begin()->second;
  SUBCASE("nobody has it") {
    w.contents.clear();
  }
  SUBCASE("it never comes") {
    w.answers = false;
  }
  SUBCASE("something else") {
    octets = to_bytes("hello");
  }
  SUBCASE("of another version") {
    octets[16] = std::byte{'2'};
  }
  SUBCASE("with a block of another domain among them") {
    msgpack_writer out;
    out.blob(forger{9}.make(1, std::nullopt, {}, put_op("k", {}, 1), id(77)).wire.view());
    octets.insert(octets.begin() + 17, out.view().begin(), out.view().end());
  }
  SUBCASE("nothing behind its beginning") {
    octets.resize(17);
  }
  SUBCASE("cut off") {
    octets.resize(octets.size() - 100);
  }
  SUBCASE("of another domain") {
    msgpack_writer out;
    out.text("hanse-archive-v1");
    for (int i = 0; i < 30; ++i)
      out.blob(forger{9}.make(1, std::nullopt, {}, put_op("k", {}, static_cast<time_ms>(i)), id(77)).wire.view());
    octets = std::move(out).take();
  }
  w.run(25'000);
  CHECK(w.agree() == w.answers);
  w.run(20'000); // past its time
  CHECK(w.agree());
  CHECK(w.wanted == 1);
  CHECK(w.at_fresh().archives_failed == 1);
  CHECK(w.at_fresh().archives_taken == 0);
}

TEST_CASE("archive: one that is too large is not looked at") {
  world w;
  REQUIRE(w.checkpoint());
  w.answers = false;
  w.run(5'000);
  REQUIRE(w.wanted == 1);
  auto octets = w.contents.begin()->second;
  octets.resize(archive_octets_max + 1);
  w.fresh.lattice.archive_came(shared_bytes{octets}, w.now, w.fresh.out);
  CHECK(w.at_fresh().archives_failed == 1);
}

TEST_CASE("archive: after one that failed a newcomer asks for another a minute later") {
  world w{60, 3};
  REQUIRE(w.checkpoint()); // what it replaced is dropped: only the archive helps
  const auto kept = std::exchange(w.contents, {});
  w.run(30'000);
  CHECK_FALSE(w.agree());
  CHECK(w.wanted == 1);
  CHECK(w.fresh.lattice.lace().stats().refused == 0); // what it would not take is not sent
  w.contents = kept;
  w.run(60'000);
  CHECK(w.agree());
  CHECK(w.wanted == 2);
}

TEST_CASE("archive: it is named to who lacks much, or something without payload, and can get content") {
  SUBCASE("much") {
    world w;
    REQUIRE(w.checkpoint());
    w.run(10'000);
    CHECK(w.wanted == 1);
  }
  SUBCASE("little") {
    world w{10, 10};
    REQUIRE(w.checkpoint());
    w.run(10'000);
    CHECK(w.wanted == 0);
    CHECK(w.agree());
  }
  SUBCASE("little, but without payload") {
    world w{10, 3};
    REQUIRE(w.checkpoint());
    w.run(10'000);
    CHECK(w.wanted == 1);
    CHECK(w.agree());
  }
  SUBCASE("much, but of what the checkpoint does not cover") {
    world w{1, 1};
    REQUIRE(w.checkpoint());
    for (int i = 0; i < 60; ++i) REQUIRE(w.old.put("k" + std::to_string(i), "v"));
    w.run(10'000);
    CHECK(w.wanted == 0);
    CHECK(w.agree());
  }
  SUBCASE("it cannot get content") {
    world w;
    REQUIRE(w.checkpoint());
    w.fresh.lattice.take_archives(false);
    w.run(10'000);
    CHECK(w.old.lattice.checkpoints().archives_named == 0);
    CHECK(w.agree());
  }
}

TEST_CASE("archive: only what the owner signed is fetched, and one at a time") {
  world w;
  const auto from = w.old.id();
  const auto archive = capability_of(to_bytes("a"));
  const auto offered = [&](const map_op& op) {
    CHECK(w.fresh.lattice.receive(from, offer_of(op), w.now, w.fresh.out));
    w.fresh.settle();
    return w.fresh.count<archive_wanted>();
  };
  SUBCASE("signed") {
    CHECK(offered(checkpoint_op(archive)) == 1);
    CHECK(offered(checkpoint_op(capability_of(to_bytes("b")))) == 1); // the first is under way
  }
  SUBCASE("by somebody else") {
    CHECK(offered(checkpoint_op(archive, 1)) == 0);
  }
  SUBCASE("for another archive") {
    auto op = checkpoint_op(archive);
    op.archive = capability_of(to_bytes("b"));
    CHECK(offered(op) == 0);
  }
  SUBCASE("none") {
    CHECK(offered(checkpoint_op({})) == 0);
  }
  SUBCASE("no checkpoint") {
    CHECK(offered(put_op("k", {}, 1)) == 0);
  }
  SUBCASE("to who can get none") {
    w.fresh.lattice.take_archives(false);
    CHECK(offered(checkpoint_op(archive)) == 0);
    CHECK(w.at_fresh().archives_failed == 0);
  }
}

TEST_CASE("archive: a block that came since it was made makes its checkpoint stale") {
  world w;
  auto p = w.old.lattice.propose_checkpoint();
  p.request.archive = capability_of(p.archive);
  REQUIRE(w.old.write(ack_op(7))); // changes no state
  CHECK(w.old.lattice.write_checkpoint(p.request, by_owner(p.request), 1, w.old.out).code() == errc::stale);
  p.request.archive.clear();
  CHECK(w.old.lattice.write_checkpoint(p.request, by_owner(p.request), 1, w.old.out));
}

TEST_CASE("archive: headers are taken from it, and from nowhere else") {
  world w{60, 3};
  REQUIRE(w.checkpoint());
  w.old.give_to(w.fresh); // block by block
  CHECK_FALSE(w.agree());
  CHECK(w.fresh.count<lace_refused>() == 57);
}

TEST_CASE("archive: a restart under a checkpoint names it again") {
  world w{60, 3};
  REQUIRE(w.checkpoint());
  hand_node again{1, small_archives()};
  seeded_random random{1};
  domain_lattice lattice{domain_id(), key(1), judge_fake, random, small_archives()};
  for (const auto& [k, v] : w.old.disk) REQUIRE(lattice.restore(k, v));
  lattice_effects out;
  lattice.start(0, out);
  CHECK(lattice.root() == w.old.lattice.root());
  CHECK(lattice.checkpoints().archived);
  CHECK(lattice.checkpoints().dropped == 57);
  CHECK(lattice.checkpoints().covered == 62);
}

TEST_CASE("archive: requests are read back as they were written, and junk in place of a capability is refused") {
  const checkpoint_request r{3, blake2b_256({}), 7, capability_of(to_bytes("a"))};
  const auto read = decode_checkpoint_request(encode(r));
  REQUIRE(read);
  CHECK(*read == r);
  auto junk = r;
  junk.archive = to_bytes("x");
  CHECK_FALSE(decode_checkpoint_request(encode(junk)));
  auto op = checkpoint_op(r.archive);
  const auto again = decode_map_op(encode(op));
  REQUIRE(again);
  CHECK(*again == op);
  op.archive = to_bytes("x");
  CHECK_FALSE(decode_map_op(encode(op)));
  CHECK(checkpoint_statement(domain_id(), r) != checkpoint_statement(domain_id(), junk));
}

TEST_CASE("archive: a domain's configuration says how many blocks make one worth it") {
  seeded_random random{1};
  const auto own = key(1);
  const auto made = [&](const std::string& blocks) {
    return make_blocklace_membership({domain_id(), own, judge_fake, random}, {{"archive_blocks", blocks}});
  };
  CHECK(made("20"));
  for (const auto* bad : {"0", "1000001", "many", ""}) CHECK(made(bad).code() == errc::bad_config);
}
