// What the tests of the lattice share: keys by number, a stand-in for the DomainAdvert, nodes that exchange blocks
// by hand. Not for other layers' tests.
#pragma once

#include "hanse/domains/domain_lattice.hpp"

#include "protocols/samples.hpp"

#include <doctest/doctest.h>

#include <algorithm>

namespace hanse::test {

inline const identity& domain_id() {
  static const identity id = key(1'000'000).identity();
  return id;
}

/// A stand-in for a signed advert: `["advert", version, [introducers], permissions]`.
inline bytes fake_advert(std::uint64_t version, const std::vector<identity>& introducers,
                         const permissions& p = permissions{}) {
  msgpack_writer out;
  out.array(4);
  out.text("advert");
  out.unsigned_integer(version);
  out.array(introducers.size());
  for (const auto& i : introducers) out.blob(i.wire());
  write(out, p);
  return std::move(out).take();
}

inline std::optional<domain_terms> judge_fake(byte_view octets) {
  msgpack_reader in{octets};
  domain_terms t;
  in.array_exactly(4);
  if (in.text(16) != "advert") return std::nullopt;
  t.version = in.unsigned_integer();
  for (auto n = in.array(64); n > 0 && in.good(); --n)
    if (const auto id = identity::decode(in.blob(33))) t.introducers.push_back(*id);
  t.permissions = read_permissions(in);
  if (!in.finish()) return std::nullopt;
  return t;
}

/// A node whose blocks are carried by hand, and whose writes are durable at once.
struct hand_node {
  explicit hand_node(std::uint64_t number, const lattice_config& config = {})
      : keys(key(number)), random(number), lattice(domain_id(), keys, judge_fake, random, config) {
    lattice.start(0, out);
    lattice.assume_current(0, out);
    settle();
  }

  const identity& id() const { return keys.identity(); }

  /// Performs what can be performed by hand: persists. What was published is kept.
  void settle() {
    for (std::size_t i = 0; i < out.size(); ++i)
      if (const auto* p = std::get_if<lace_persist>(&out[i])) {
        for (const auto& w : p->writes) disk[w.key] = *w.value;
        const auto token = p->token;
        lattice.persisted(token, 0, out);
      }
    for (auto& e : out) seen.push_back(std::move(e));
    out.clear();
  }

  expected<block_id> write(const map_op& op) {
    auto id = lattice.write(op, ++now, out);
    settle();
    return id;
  }
  expected<block_id> add(const identity& who, member_level level, std::string_view value = "") {
    return write(add_op(who, level, to_bytes(value), ++now));
  }
  expected<block_id> put(std::string k, std::string_view v) { return write(put_op(std::move(k), to_bytes(v), ++now)); }

  /// Takes one encoded block as from `from`.
  void take(const identity& from, byte_view wire) {
    msgpack_writer body;
    body.array(4);
    body.unsigned_integer(5);
    body.unsigned_integer(1);
    body.boolean(false);
    body.array(1);
    body.blob(wire);
    lattice.add_contact(from);
    CHECK(lattice.receive(from, body.view(), ++now, out));
    settle();
  }

  /// All accepted blocks, in the order of acceptance.
  std::vector<shared_bytes> blocks() const {
    std::vector<shared_bytes> all;
    for (const auto b : lattice.lace().accepted()) all.push_back(lattice.lace().graph()[b].wire);
    return all;
  }

  /// Gives everything here to `other`.
  void give_to(hand_node& other) const {
    for (const auto& b : blocks()) other.take(id(), b.view());
  }

  template <class Effect>
  std::size_t count() const {
    return static_cast<std::size_t>(
        std::ranges::count_if(seen, [](const auto& e) { return std::holds_alternative<Effect>(e); }));
  }

  key_pair keys;
  seeded_random random;
  lattice_effects out;
  lattice_effects seen;
  std::map<bytes, bytes> disk;
  domain_lattice lattice;
  time_ms now = 1;
};

inline void exchange(hand_node& a, hand_node& b) {
  a.give_to(b);
  b.give_to(a);
}

/// A block of one's own making: what a Byzantine node writes.
struct forger {
  explicit forger(std::uint64_t number) : keys(key(number)) {}
  explicit forger(key_pair k) : keys(std::move(k)) {}

  block make(std::uint64_t seq, std::optional<block_id> prev, std::vector<block_id> preds, const map_op& op,
             const identity& domain = domain_id()) const {
    block_header h;
    h.domain = domain;
    h.seq = seq;
    h.self_prev = prev;
    std::ranges::sort(preds);
    h.preds = std::move(preds);
    return make_block(keys, std::move(h), encode(op));
  }

  /// On top of `prev`.
  block next(const block& prev, std::vector<block_id> preds, const map_op& op) const {
    return make(prev.header.seq + 1, prev.id, std::move(preds), op);
  }

  key_pair keys;
};

} // namespace hanse::test
