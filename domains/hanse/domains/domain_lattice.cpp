// Puts blocklace, map and exchange together; see the header. Checkpoints are in lattice_checkpoints.cpp.
#include "hanse/domains/domain_lattice.hpp"

#include "hanse/domains/internal/overloaded.hpp"

#include <algorithm>

namespace hanse {

domain_lattice::domain_lattice(const identity& domain, const key_pair& own, advert_judge adverts, random_source& random,
                               const lattice_config& config)
    : map_(domain, std::move(adverts)), lace_(domain, own, map_, config.lace), sync_(lace_, random, config.sync),
      config_(config) {}

expected<unit> domain_lattice::restore(byte_view key, byte_view value) {
  return lace_.restore(key, value);
}

void domain_lattice::start(time_ms now, lattice_effects& out) {
  lace_effects effects;
  lace_.start(false, effects);
  perform(std::move(effects), now, out);
  update_peers();
  const bool is_alone = contacts_.empty() && map_.member_count() <= (map_.is_member(lace_.self()) ? 1U : 0U);
  if (is_alone) assume_current(now, out);
}

void domain_lattice::assume_current(time_ms now, lattice_effects& out) {
  lace_effects effects;
  lace_.assume_current(effects);
  perform(std::move(effects), now, out);
}

void domain_lattice::add_contact(const identity& node) {
  contacts_.insert(node);
  update_peers();
}

void domain_lattice::update_peers() {
  std::vector<identity> peers(contacts_.begin(), contacts_.end());
  for (const auto& m : map_.member_ids())
    if (!lace_.is_byzantine(m)) peers.push_back(m);
  sync_.set_peers(std::move(peers));
}

void domain_lattice::flush(std::vector<peer_message>&& messages, lattice_effects& out) {
  for (auto& m : messages) out.emplace_back(std::move(m));
}

void domain_lattice::note(map_effects&& changes, lattice_effects& out) {
  bool is_other_membership = false;
  for (auto& c : changes) {
    is_other_membership |= std::holds_alternative<member_added>(c) || std::holds_alternative<member_removed>(c);
    std::visit([&](auto& change) { out.emplace_back(std::move(change)); }, c);
  }
  if (is_other_membership) update_peers();
}

void domain_lattice::perform(lace_effects effects, time_ms now, lattice_effects& out) {
  std::vector<peer_message> send;
  map_effects changes;
  for (auto& e : effects)
    std::visit(overloaded{
                   [&](lace_publish& p) { sync_.publish(p, now, send); },
                   [&](lace_missing& m) { sync_.missing(m, now, send); },
                   [&](lace_acknowledged& a) {
                     map_.apply(lace_.graph(), a.blocks, changes);
                     note(std::exchange(changes, {}), out);
                     sync_.changed(now);
                   },
                   [&](lace_reordered&) {
                     map_.rebuild(lace_.graph(), lace_.acknowledged(), changes);
                     note(std::exchange(changes, {}), out);
                     sync_.changed(now);
                   },
                   [&](auto& other) { out.emplace_back(std::move(other)); },
               },
               e);
  if (std::ranges::any_of(effects, [](const auto& e) { return std::holds_alternative<lace_byzantine>(e); }))
    update_peers();
  flush(std::move(send), out);
  follow_checkpoint(out);
}

expected<unit> domain_lattice::receive(const identity& from, byte_view body, time_ms now, lattice_effects& out) {
  if (!map_.is_member(from) && !contacts_.contains(from))
    return error{errc::permission_denied, "not a member of the domain"};
  std::vector<peer_message> send;
  lace_effects effects;
  auto result = sync_.receive(from, body, now, send, effects);
  flush(std::move(send), out);
  perform(std::move(effects), now, out);
  if (const auto offer = sync_.take_offer()) consider(*offer, now, out);
  return result;
}

void domain_lattice::peer_up(const identity& peer, time_ms now, lattice_effects& out) {
  std::vector<peer_message> send;
  sync_.compare(peer, now, send);
  flush(std::move(send), out);
}

void domain_lattice::persisted(std::uint64_t token, time_ms now, lattice_effects& out) {
  lace_effects effects;
  lace_.persisted(token, effects);
  perform(std::move(effects), now, out);
}

void domain_lattice::tick(time_ms now, lattice_effects& out) {
  std::vector<peer_message> send;
  sync_.tick(now, send);
  flush(std::move(send), out);
  archive_step(now, out);
}

expected<block_id> domain_lattice::write(const map_op& op, time_ms now, lattice_effects& out) {
  lace_effects effects;
  auto id = lace_.write(encode(op), effects);
  perform(std::move(effects), now, out);
  return id;
}

expected<block_id> domain_lattice::configure(bytes signed_advert, time_ms now, lattice_effects& out) {
  return write(configure_op(std::move(signed_advert), now), now, out);
}

expected<block_id> domain_lattice::admit(const identity& member, member_level level, bytes value, time_ms now,
                                         lattice_effects& out) {
  return write(add_op(member, level, std::move(value), now), now, out);
}

expected<block_id> domain_lattice::leave(time_ms now, lattice_effects& out) {
  return write(remove_op(lace_.self(), now), now, out);
}

expected<block_id> domain_lattice::expel(const identity& member, time_ms now, lattice_effects& out) {
  return write(revoke_op(member, now), now, out);
}

expected<block_id> domain_lattice::put(std::string key, bytes value, time_ms now, lattice_effects& out) {
  return write(put_op(std::move(key), std::move(value), now), now, out);
}

std::vector<lattice_member> domain_lattice::members() const {
  std::vector<lattice_member> out;
  for (auto& m : map_.members()) {
    const bool is_byzantine = lace_.is_byzantine(m.member);
    out.push_back({std::move(m), is_byzantine});
  }
  return out;
}

} // namespace hanse
