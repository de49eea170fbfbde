// Comparing and exchanging blocks; see the header. The octets of the messages are in docs/blocklace.md.
#include "hanse/protocols/lace_sync.hpp"

#include "hanse/protocols/internal/wire_fields.hpp"

#include <algorithm>
#include <bit>

namespace hanse {

namespace {

enum class kind : std::uint8_t {
  root = 1,
  buckets = 2,
  vector = 3,
  want = 4,
  blocks = 5,
  tip_ask = 6,
  tip = 7,
  archive = 8
};
constexpr std::uint64_t format_version = 1;
constexpr std::size_t bucket_hash_size = 16;
constexpr std::size_t tips_max = 16; ///< of one creator that are compared; an honest one has one
constexpr std::size_t tops_max = 256;
constexpr unsigned log2_buckets_max = 10;

msgpack_writer begin(kind k, std::size_t fields) {
  msgpack_writer out;
  out.array(2 + fields);
  out.unsigned_integer(static_cast<std::uint64_t>(k));
  out.unsigned_integer(format_version);
  return out;
}

digest read_digest(msgpack_reader& in) {
  digest d;
  const auto octets = in.blob_exactly(digest::size_bytes);
  if (in.good()) std::ranges::copy(octets, d.octets.begin());
  return d;
}

std::size_t bucket_of(const identity& creator, unsigned log2_count) {
  const auto o = creator.octets();
  const auto n = std::to_integer<std::size_t>(o[0]) | std::to_integer<std::size_t>(o[1]) << 8;
  return n & ((std::size_t{1} << log2_count) - 1);
}

} // namespace

lace_sync::lace_sync(blocklace& lace, random_source& random, const lace_sync_config& config)
    : lace_(lace), random_(random), config_(config) {}

void lace_sync::set_peers(std::vector<identity> peers) {
  std::erase(peers, lace_.self());
  std::ranges::sort(peers);
  peers.erase(std::unique(peers.begin(), peers.end()), peers.end());
  peers_ = std::move(peers);
  if (budgets_.size() > 2 * peers_.size() + 16) budgets_.clear();
}

// --- what is here, as tips ---

/// The acknowledged blocks of a creator that no other of its own covers.
lace_sync::tips lace_sync::tips_of(creator_index c) const {
  const auto& g = lace_.graph();
  std::vector<block_index> tops;
  for (const auto l : g.lanes_of(c)) {
    const auto& chain = g.lane(l);
    const auto end = std::ranges::partition_point(chain, [&](block_index b) { return g[b].acknowledged; });
    if (end != chain.begin() && tops.size() < tops_max) tops.push_back(*std::prev(end));
  }
  tips out;
  for (const auto t : tops)
    if (std::ranges::none_of(tops, [&](block_index other) { return other != t && g.in_past(t, other); }))
      out.push_back({g[t].seq, g[t].id});
  std::ranges::sort(out);
  if (out.size() > tips_max) out.resize(tips_max);
  return out;
}

void lace_sync::refresh() {
  if (!std::exchange(is_stale_, false)) return;
  vector_.clear();
  const auto& g = lace_.graph();
  for (creator_index c = 0; c < g.creators(); ++c)
    if (auto t = tips_of(c); !t.empty()) vector_.emplace(g.creator_id(c), std::move(t));
  bytes all;
  for (const auto& [creator, tips] : vector_) {
    append(all, creator.wire());
    for (const auto& t : tips) append(all, t.id.view());
  }
  root_ = blake2b_256({as_byte_view("hanse-lace-root-v1"), all});
}

digest lace_sync::root() {
  refresh();
  return root_;
}

std::vector<digest> lace_sync::bucket_hashes(unsigned log2_count) const {
  std::vector<bytes> content(std::size_t{1} << log2_count);
  for (const auto& [creator, tips] : vector_) {
    auto& c = content[bucket_of(creator, log2_count)];
    append(c, creator.wire());
    for (const auto& t : tips) append(c, t.id.view());
  }
  std::vector<digest> out;
  for (const auto& c : content) out.push_back(blake2b_256({as_byte_view("hanse-lace-bucket-v1"), c}));
  return out;
}

// --- budgets ---

std::size_t lace_sync::allowance(const identity& peer, time_ms now) {
  const auto full = 2 * config_.peer_octets_per_s;
  const auto [b, is_new] = budgets_.try_emplace(peer, budget{full, now});
  auto& left = b->second;
  if (!is_new && now > left.since_ms) {
    const auto ms = std::min<std::uint64_t>(now - left.since_ms, 10'000);
    left.octets = std::min<std::size_t>(full, left.octets + config_.peer_octets_per_s * ms / 1000);
    left.since_ms = now;
  }
  if (left.octets == 0) ++stats_.throttled;
  return left.octets;
}

void lace_sync::spend(const identity& peer, std::size_t octets) {
  auto& left = budgets_[peer].octets;
  left -= std::min(left, octets);
  stats_.octets_sent += octets;
}

// --- messages ---

expected<unit> lace_sync::receive(const identity& from, byte_view body, time_ms now, std::vector<peer_message>& send,
                                  lace_effects& lace_out) {
  msgpack_reader in{body};
  const auto fields = in.array(16);
  const auto k = static_cast<kind>(in.unsigned_integer(UINT8_MAX));
  if (in.unsigned_integer() != format_version) in.fail(errc::bad_version);
  constexpr std::array<std::size_t, 9> wanted{0, 3, 4, 7, 3, 4, 2, 3, 3};
  const auto at = static_cast<std::size_t>(k);
  if (in.good() && (at == 0 || at >= wanted.size())) in.fail(errc::bad_type);
  if (in.good() && fields != wanted[at]) in.fail(errc::bad_value);
  if (!in.good()) return ++stats_.bad, in.finish();
  refresh();
  switch (k) {
  case kind::root:
    on_root(from, in, send);
    break;
  case kind::buckets:
    on_buckets(from, in, now, send);
    break;
  case kind::vector:
    HANSE_CHECK(on_vector(from, in, now, send));
    break;
  case kind::want:
    on_want(from, in, now, send);
    break;
  case kind::blocks:
    on_blocks(from, in, now, send, lace_out);
    break;
  case kind::tip_ask:
    on_tip_ask(from, send);
    break;
  case kind::tip:
    on_tip(from, in, lace_out);
    break;
  case kind::archive:
    on_archive(from, in, now);
    break;
  }
  auto done = in.finish();
  if (!done) ++stats_.bad;
  return done;
}

void lace_sync::send_root(const identity& to, std::vector<peer_message>& send) {
  refresh();
  auto out = begin(kind::root, 1);
  out.blob(root_.view());
  ++stats_.roots;
  send.push_back({to, std::move(out).take()});
}

void lace_sync::on_root(const identity& from, msgpack_reader& in, std::vector<peer_message>& send) {
  const auto theirs = read_digest(in);
  if (!in.good() || waits_for_archive()) return;
  if (theirs == root_) {
    ++stats_.equal_roots;
    return;
  }
  const auto log2_count = std::clamp<unsigned>(std::bit_width(vector_.size() / 4), 3, log2_buckets_max);
  bytes hashes;
  for (const auto& h : bucket_hashes(log2_count)) append(hashes, h.view().first(bucket_hash_size));
  auto out = begin(kind::buckets, 2);
  out.unsigned_integer(log2_count);
  out.blob(hashes);
  send.push_back({from, std::move(out).take()});
}

void lace_sync::on_buckets(const identity& from, msgpack_reader& in, time_ms now, std::vector<peer_message>& send) {
  const auto log2_count = static_cast<unsigned>(in.unsigned_integer(log2_buckets_max));
  const auto theirs = in.blob_exactly(bucket_hash_size << log2_count);
  if (!in.good() || theirs.empty() || waits_for_archive()) return;
  const auto own = bucket_hashes(log2_count);
  std::vector<bool> differs(own.size());
  for (std::size_t i = 0; i < own.size(); ++i)
    differs[i] = !equal(own[i].view().first(bucket_hash_size), theirs.subspan(i * bucket_hash_size, bucket_hash_size));
  if (std::ranges::find(differs, true) != differs.end()) send_vector(from, log2_count, differs, true, now, send);
}

/// The tips of the creators in the buckets that differ. `wants_reply`: the answer may be the same of the other side.
void lace_sync::send_vector(const identity& to, unsigned log2_count, const std::vector<bool>& buckets, bool wants_reply,
                            time_ms now, std::vector<peer_message>& send) {
  bytes mask((buckets.size() + 7) / 8);
  for (std::size_t i = 0; i < buckets.size(); ++i)
    if (buckets[i]) mask[i / 8] |= static_cast<std::byte>(1U << (i % 8));
  auto budget = std::min<std::size_t>(allowance(to, now), body_size_max / 2);
  msgpack_writer entries;
  std::size_t count = 0;
  for (const auto& [creator, tips] : vector_) {
    if (!buckets[bucket_of(creator, log2_count)] || entries.size() > budget) continue;
    entries.array(2);
    entries.blob(creator.wire());
    entries.array(2 * tips.size());
    for (const auto& t : tips) {
      entries.unsigned_integer(t.seq);
      entries.blob(t.id.view());
    }
    ++count;
  }
  auto out = begin(kind::vector, 5);
  out.unsigned_integer(log2_count);
  out.blob(mask);
  out.boolean(wants_reply);
  out.boolean(hears_archives(now));
  out.array(count);
  out.raw(entries.view());
  spend(to, out.size());
  send.push_back({to, std::move(out).take()});
}

expected<unit> lace_sync::on_vector(const identity& from, msgpack_reader& in, time_ms now,
                                    std::vector<peer_message>& send) {
  const auto log2_count = static_cast<unsigned>(in.unsigned_integer(log2_buckets_max));
  const auto mask = in.blob_exactly(((std::size_t{1} << log2_count) + 7) / 8);
  const auto wants_reply = in.boolean();
  const auto hears_archives = in.boolean();
  const auto count = in.array(codec_tokens_max);
  std::map<identity, tips> theirs;
  for (std::size_t i = 0; i < count && in.good(); ++i) {
    in.array_exactly(2);
    const auto creator = internal::read_identity(in);
    auto& t = theirs[creator];
    for (auto n = in.array(2 * tips_max) / 2; n > 0 && in.good(); --n) {
      const auto seq = in.unsigned_integer(wire_number_max);
      t.push_back({seq, read_digest(in)});
    }
  }
  HANSE_CHECK(in.finish());
  std::vector<bool> buckets(std::size_t{1} << log2_count);
  for (std::size_t i = 0; i < buckets.size(); ++i)
    buckets[i] = (mask[i / 8] & static_cast<std::byte>(1U << (i % 8))) != std::byte{};
  const auto& g = lace_.graph();
  std::vector<block_index> lacking;
  for (const auto& [creator, tips] : vector_)
    if (buckets[bucket_of(creator, log2_count)]) collect_above(*g.find_creator(creator), theirs[creator], lacking);
  if (hears_archives && is_for_archive(lacking)) {
    auto out = begin(kind::archive, 1);
    out.blob(archive_voucher_);
    ++stats_.archives_named;
    send.push_back({from, std::move(out).take()}); // it compares again when it has that
  } else if (!lacking.empty()) {
    send_blocks(from, std::move(lacking), now, send);
  }
  const auto is_new = [&](const tip& t) {
    const auto b = g.find(t.id);
    return b == no_block || !g[b].acknowledged;
  };
  if (wants_reply && !waits_for_archive() &&
      std::ranges::any_of(theirs, [&](const auto& e) { return std::ranges::any_of(e.second, is_new); }))
    send_vector(from, log2_count, buckets, false, now, send);
  return ok();
}

/// The acknowledged blocks of a creator that are not in the chains below `theirs`.
void lace_sync::collect_above(creator_index c, const tips& theirs, std::vector<block_index>& lacking) const {
  const auto& g = lace_.graph();
  std::map<std::uint32_t, std::uint32_t> have; // lane -> blocks of it
  for (const auto& t : theirs)
    for (auto b = g.find(t.id); b != no_block && g[b].creator == c;) {
      auto& place = have[g[b].lane];
      if (place >= g[b].place) break;
      place = g[b].place;
      b = g[g.lane(g[b].lane).front()].self_prev;
    }
  for (const auto l : g.lanes_of(c)) {
    const auto& chain = g.lane(l);
    const auto known = have.find(l);
    for (auto i = known == have.end() ? 0 : known->second; i < chain.size() && g[chain[i]].acknowledged; ++i)
      lacking.push_back(chain[i]);
  }
}

void lace_sync::send_blocks(const identity& to, std::vector<block_index> blocks, time_ms now,
                            std::vector<peer_message>& send) {
  const auto& g = lace_.graph();
  std::erase_if(blocks, [&](block_index b) { return g[b].bare; }); // nobody takes them but from an archive
  std::ranges::sort(blocks, {}, [&](block_index b) { return g[b].stored_at; });
  const auto budget = std::min(config_.answer_octets_max, allowance(to, now));
  std::size_t sent = 0;
  for (std::size_t i = 0; i < blocks.size() && sent < budget;) {
    const auto first = i;
    std::size_t octets = 0;
    while (i < blocks.size() && (i == first || octets + g[blocks[i]].wire.size() <= config_.message_octets_max) &&
           sent + octets < budget)
      octets += g[blocks[i++]].wire.size() + 5;
    sent += octets;
    auto out = begin(kind::blocks, 2);
    out.boolean(i < blocks.size() && sent >= budget);
    out.array(i - first);
    for (auto j = first; j < i; ++j) out.blob(g[blocks[j]].wire.view());
    stats_.blocks_sent += i - first;
    send.push_back({to, std::move(out).take()});
  }
  spend(to, sent);
}

void lace_sync::on_blocks(const identity& from, msgpack_reader& in, time_ms now, std::vector<peer_message>& send,
                          lace_effects& lace_out) {
  const bool more = in.boolean();
  const auto count = in.array(codec_tokens_max);
  std::vector<shared_bytes> blocks;
  for (std::size_t i = 0; i < count && in.good(); ++i) blocks.push_back(shared_bytes::copy_of(in.blob(block_size_max)));
  if (!in.good()) return;
  lace_.accept(from, blocks, lace_out);
  is_stale_ = true;
  if (more) compare(from, now, send);
}

void lace_sync::publish(const lace_publish& own, time_ms now, std::vector<peer_message>& send) {
  auto out = begin(kind::blocks, 2);
  out.boolean(false);
  out.array(1);
  out.blob(own.wire.view());
  for (const auto& p : peers_) {
    ++stats_.blocks_sent;
    stats_.octets_sent += out.size();
    send.push_back({p, to_bytes(out.view())});
  }
  changed(now);
}

// --- wants ---

void lace_sync::send_wants(const identity& to, const std::vector<block_id>& ids, std::vector<peer_message>& send) {
  for (std::size_t i = 0; i < ids.size(); i += config_.want_ids_max) {
    const auto n = std::min(config_.want_ids_max, ids.size() - i);
    auto out = begin(kind::want, 1);
    out.array(n);
    for (std::size_t j = 0; j < n; ++j) out.blob(ids[i + j].view());
    stats_.wants_sent += n;
    send.push_back({to, std::move(out).take()});
  }
}

void lace_sync::missing(const lace_missing& what, time_ms now, std::vector<peer_message>& send) {
  std::vector<block_id> ids;
  for (const auto& id : what.ids) {
    if (wants_.size() >= config_.wants_max) break;
    if (wants_.try_emplace(id, want{now, 1}).second) ids.push_back(id);
  }
  if (ids.empty()) return;
  send_wants(what.from, ids, send);
  changed(now);
}

void lace_sync::on_want(const identity& from, msgpack_reader& in, time_ms now, std::vector<peer_message>& send) {
  const auto& g = lace_.graph();
  std::vector<block_index> found;
  for (auto n = in.array(config_.want_ids_max); n > 0 && in.good(); --n)
    if (const auto b = g.find(read_digest(in)); b != no_block && g[b].accepted) found.push_back(b);
  std::ranges::sort(found);
  found.erase(std::unique(found.begin(), found.end()), found.end());
  if (in.good() && !found.empty()) send_blocks(from, std::move(found), now, send);
}

void lace_sync::retry_wants(time_ms now, std::vector<peer_message>& send) {
  std::vector<block_id> again;
  for (auto w = wants_.begin(); w != wants_.end();) {
    auto& [asked_ms, tries] = w->second;
    const bool is_due = now >= asked_ms + config_.want_again_ms;
    if (lace_.has(w->first) || (is_due && tries >= config_.want_tries_max)) {
      w = wants_.erase(w); // what nobody had may come up again by a comparison
      continue;
    }
    if (is_due) again.push_back(w->first), asked_ms = now, ++tries;
    ++w;
  }
  if (!again.empty() && !peers_.empty()) send_wants(peers_[random_.below(peers_.size())], again, send);
}

// --- the own tip ---

void lace_sync::on_tip_ask(const identity& from, std::vector<peer_message>& send) {
  auto out = begin(kind::tip, 1);
  if (const auto newest = lace_.newest_of(from)) {
    out.blob(newest->view());
  } else {
    out.nil();
  }
  send.push_back({from, std::move(out).take()});
}

void lace_sync::on_tip(const identity& from, msgpack_reader& in, lace_effects& lace_out) {
  std::optional<shared_bytes> newest;
  if (!in.nil()) newest = shared_bytes::copy_of(in.blob(block_size_max));
  if (!in.good() || !std::ranges::binary_search(peers_, from)) return;
  lace_.peer_tip(from, newest, peers_.size(), lace_out);
  is_stale_ = true;
}

void lace_sync::ask_tips(std::vector<peer_message>& send) {
  if (lace_.is_confirmed() || peers_.empty()) return;
  const auto first = random_.below(peers_.size());
  for (std::size_t i = 0; i < std::min<std::size_t>(peers_.size(), 8); ++i)
    send.push_back({peers_[(first + i) % peers_.size()], begin(kind::tip_ask, 0).take()});
}

// --- time ---

void lace_sync::changed(time_ms now) {
  is_stale_ = true;
  busy_until_ms_ = now + config_.idle_ms;
  next_compare_ms_ = std::min(next_compare_ms_, now + config_.busy_ms);
}

void lace_sync::compare(const identity& peer, time_ms now, std::vector<peer_message>& send) {
  send_root(peer, send);
  busy_until_ms_ = std::max(busy_until_ms_, now + config_.busy_ms);
}

void lace_sync::tick(time_ms now, std::vector<peer_message>& send) {
  retry_wants(now, send);
  if (!lace_.is_confirmed() && now >= next_ask_ms_) {
    ask_tips(send);
    next_ask_ms_ = now + config_.busy_ms;
  }
  if (now < next_compare_ms_) return;
  if (!peers_.empty() && !waits_for_archive()) send_root(peers_[random_.below(peers_.size())], send);
  const auto pause = now < busy_until_ms_ ? config_.busy_ms : config_.idle_ms;
  next_compare_ms_ = now + pause / 2 + random_.below(pause); // spread, so that members do not all ask at once
}

std::optional<time_ms> lace_sync::next_timer() const {
  auto at = next_compare_ms_;
  if (!lace_.is_confirmed() && !peers_.empty()) at = std::min(at, next_ask_ms_);
  for (const auto& [id, w] : wants_) at = std::min(at, w.asked_ms + config_.want_again_ms);
  return at;
}

} // namespace hanse
