// A domain's checkpoints: what their owner signs, what is dropped below them, and archives of what they cover, made
// here and taken from others. See domain_lattice.hpp; docs/blocklace.md, "Checkpoints" and "Archives". Where an archive
// is kept is not known here.
#include "hanse/domains/domain_lattice.hpp"

#include <algorithm>

namespace hanse {

namespace {

constexpr std::string_view archive_context = "hanse-archive-v1";

} // namespace

digest checkpoint_statement(const identity& domain, const checkpoint_request& r) {
  return checkpoint_statement(domain, r.version, r.state, r.archive);
}

bytes encode(const checkpoint_request& r) {
  msgpack_writer out;
  out.array(4);
  out.unsigned_integer(r.version);
  out.blob(r.state.view());
  out.unsigned_integer(r.blocks);
  out.blob(r.archive);
  return std::move(out).take();
}

expected<checkpoint_request> decode_checkpoint_request(byte_view wire) {
  msgpack_reader in{wire};
  checkpoint_request r;
  in.array_exactly(4);
  r.version = in.unsigned_integer(wire_number_max);
  const auto state = in.blob_exactly(digest::size_bytes);
  if (in.good()) std::ranges::copy(state, r.state.octets.begin());
  r.blocks = in.unsigned_integer(wire_number_max);
  r.archive = to_bytes(in.blob(eris_capability_size));
  HANSE_CHECK(in.finish());
  if (!r.archive.empty()) HANSE_CHECK(decode_eris_capability(r.archive));
  return r;
}

// --- made here ---

checkpoint_request domain_lattice::request_checkpoint() const {
  return {map_.checkpoint_version() + 1, map_.state_hash(), lace_.accepted().size(), {}};
}

checkpoint_proposal domain_lattice::propose_checkpoint() const {
  checkpoint_proposal p{request_checkpoint(), {}};
  const auto& g = lace_.graph();
  auto dropped = map_.strippable_below(g, no_block);
  std::ranges::sort(dropped);
  msgpack_writer out;
  out.text(archive_context);
  for (const auto b : lace_.acknowledged()) {
    if (std::ranges::binary_search(dropped, b))
      out.blob(strip_payload(*decode_block(g[b].wire)));
    else
      out.blob(g[b].wire.view());
    if (out.size() > archive_octets_max) return p;
  }
  p.archive = std::move(out).take();
  return p;
}

expected<block_id> domain_lattice::write_checkpoint(const checkpoint_request& request,
                                                    const message_signature& signature, time_ms now,
                                                    lattice_effects& out) {
  if (request.state != map_.state_hash()) return error{errc::stale, "the state changed since it was signed"};
  if (!request.archive.empty() && request.blocks != lace_.accepted().size())
    return error{errc::stale, "blocks came since it was signed"}; // others would drop payloads that it has
  map_op op;
  op.kind = map_op_kind::checkpoint;
  op.at_ms = now;
  op.version = request.version;
  op.state = request.state;
  op.archive = request.archive;
  op.signature = encode(signature);
  return write(op, now, out);
}

std::size_t domain_lattice::strip(const std::vector<block_index>& blocks, lattice_effects& out) {
  lace_effects effects;
  lace_.strip(blocks, effects);
  for (auto& e : effects)
    if (auto* p = std::get_if<lace_persist>(&e)) out.emplace_back(std::move(*p));
  return blocks.size();
}

std::size_t domain_lattice::compact(lattice_effects& out) {
  return strip(map_.strippable(lace_.graph()), out);
}

/// After every change: a newer checkpoint may have been placed, or (rare) one may count no more.
void domain_lattice::follow_checkpoint(lattice_effects& out) {
  const auto& g = lace_.graph();
  if (const auto newest = map_.checkpoint(); std::exchange(newest_, newest) != newest)
    covered_ =
        newest == no_block ? 0 : static_cast<std::size_t>(std::ranges::count_if(lace_.accepted(), [&](block_index b) {
          return b != newest && g.in_past(b, newest);
        }));
  const auto archived = map_.archived_checkpoint();
  if (std::exchange(archived_, archived) == archived) return;
  sync_.set_archive(archived, archived == no_block ? bytes{} : to_bytes(g.payload(archived)));
  if (archived != no_block) strip(map_.strippable_below(g, archived), out);
}

checkpoint_status domain_lattice::checkpoints() const {
  return {map_.checkpoint_version(),    archived_ != no_block, covered_,        lace_.stats().bare,
          sync_.stats().archives_named, archives_taken_,       archives_failed_};
}

// --- from others ---

/// Fetched only if the domain's owner signed it: who else names something makes nobody work.
void domain_lattice::consider(const archive_offer& offer, time_ms now, lattice_effects& out) {
  arrival_ = arrival{offer.from, now + config_.archive_ms, std::nullopt, 0, lace_.accepted().size()};
  const auto op = decode_map_op(offer.voucher);
  if (!op || op->archive.empty() || !map_.is_by_owner(*op)) return end_archive(false, now, out);
  out.emplace_back(archive_wanted{*decode_eris_capability(op->archive)});
}

void domain_lattice::archive_came(std::optional<shared_bytes> octets, time_ms now, lattice_effects& out) {
  if (!arrival_ || arrival_->octets) return; // given up meanwhile
  if (!octets || octets->size() > archive_octets_max) return end_archive(false, now, out);
  msgpack_writer head;
  head.text(archive_context);
  if (octets->size() < head.size() || !equal(octets->view().first(head.size()), head.view()))
    return end_archive(false, now, out);
  arrival_->octets = std::move(octets);
  arrival_->at = head.size();
}

/// Every block is looked at as any other; only that some lack their payload is believed, as the owner signed that.
void domain_lattice::archive_step(time_ms now, lattice_effects& out) {
  if (!arrival_) return;
  auto& a = *arrival_;
  if (!a.octets) {
    if (now >= a.until) end_archive(false, now, out);
    return;
  }
  const auto all = a.octets->view();
  msgpack_reader in{all.subspan(a.at), archive_octets_max};
  std::vector<shared_bytes> blocks;
  for (const auto end = std::min(all.size(), a.at + config_.archive_step_octets); a.at < end;) {
    const auto wire = in.blob(block_size_max);
    if (!in.good()) return end_archive(false, now, out);
    a.at = static_cast<std::size_t>(wire.data() + wire.size() - all.data());
    blocks.push_back(shared_bytes::copy_of(wire));
  }
  lace_effects effects;
  lace_.accept(a.from, blocks, effects, true);
  const bool refused =
      std::ranges::any_of(effects, [](const auto& e) { return std::holds_alternative<lace_refused>(e); });
  perform(std::move(effects), now, out);
  if (refused) return end_archive(false, now, out);
  if (a.at == all.size()) end_archive(lace_.accepted().size() > a.before, now, out);
}

void domain_lattice::end_archive(bool taken, time_ms now, lattice_effects& out) {
  ++(taken ? archives_taken_ : archives_failed_);
  const auto from = arrival_->from;
  arrival_.reset();
  sync_.archive_done(now);
  peer_up(from, now, out); // for the rest, or for all of it without an archive
}

std::optional<time_ms> domain_lattice::next_timer() const {
  const auto at = sync_.next_timer();
  if (!arrival_) return at;
  const auto own = arrival_->octets ? 0 : arrival_->until;
  return at ? std::min(*at, own) : own;
}

} // namespace hanse
