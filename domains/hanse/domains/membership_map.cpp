// The membership map's answers within a set of blocks: what stands, who is a member, what is valid; see the header.
// How the state follows the blocklace is in membership_state.cpp.
#include "hanse/domains/membership_map.hpp"

#include "hanse/domains/internal/map_scope.hpp"

#include <algorithm>

namespace hanse {

namespace {

constexpr std::size_t judged_max = 64; ///< adverts whose verdict is remembered; a guess

} // namespace

membership_map::membership_map(const identity& owner, advert_judge adverts)
    : owner_(owner), adverts_(std::move(adverts)) {}

membership_map::key_index membership_map::find_key(const map_key& key) const noexcept {
  const auto found = key_by_name_.find(key);
  return found == key_by_name_.end() ? no_key : found->second;
}

membership_map::key_index membership_map::intern(const map_key& key) {
  const auto [found, is_new] = key_by_name_.try_emplace(key, static_cast<key_index>(keys_.size()));
  if (is_new) keys_.emplace_back().key = key;
  return found->second;
}

// --- what stands ---

/// The order in which Revokes are weighed: rank, height, id.
bool membership_map::precedes(const lace_graph& g, block_index r, block_index other) const {
  const auto order = [&](block_index b) { return std::tuple{records_[b].rank, g[b].height, g[b].id}; };
  return order(r) < order(other);
}

/// Whether the Revoke `r`, if it stands, voids `o`: its target's, beside it, not by a higher rank.
bool membership_map::could_void(const lace_graph& g, block_index r, block_index o) const {
  const auto& revoke = records_[r];
  const auto& other = records_[o];
  if (other.author != revoke.key || revoke.rank > other.rank) return false;
  if (other.kind != map_op_kind::add && other.kind != map_op_kind::put && other.kind != map_op_kind::remove &&
      other.kind != map_op_kind::revoke)
    return false;
  return g.concurrent(r, o) && (other.kind != map_op_kind::revoke || precedes(g, r, o));
}

bool membership_map::is_voided(const scope& s, block_index o) const {
  if (s.standing.empty() || records_[o].author == no_key) return false;
  for (const auto r : keys_[records_[o].author].revokes) {
    if (!s.standing.contains(r) || !could_void(s.g, r, o)) continue;
    const bool is_covered = std::ranges::any_of(
        checkpoints_, [&](block_index c) { return s.has(c) && s.g.in_past(o, c) && !s.g.in_past(r, c); });
    if (!is_covered) return true;
  }
  return false;
}

/// Levels grow along the authorities, so this ends after 255 steps at the latest.
bool membership_map::stands(const scope& s, block_index o) const {
  if (s.standing.empty()) return true;
  for (auto at = o; at != no_block && records_[at].kind != map_op_kind::configure; at = records_[at].authority)
    if (is_voided(s, at)) return false;
  return true;
}

/// Each Revoke is weighed by those before it and by Adds of a higher rank than its own: one pass suffices.
void membership_map::find_standing(scope& s) const {
  for (const auto r : potent_)
    if (s.has(r) && stands(s, r)) s.standing.insert(r);
}

/// Whether something that stands removed what `add` (an Add or a Configure) gave to the key.
bool membership_map::is_taken_back(const scope& s, const key_entry& k, block_index add) const {
  return std::ranges::any_of(k.ops, [&](block_index d) {
    const auto& r = records_[d];
    if ((r.kind != map_op_kind::remove && r.kind != map_op_kind::revoke) || !s.has(d)) return false;
    const bool beats_it =
        s.g.in_past(add, d) || (r.kind == map_op_kind::revoke && r.rank <= records_[add].rank && !s.g.in_past(d, add));
    return beats_it && stands(s, d);
  });
}

// --- who is a member ---

const membership_map::config_entry* membership_map::config_in(const scope& s) const {
  const auto found = std::ranges::find_if(configs_, [&](const config_entry& c) { return s.has(c.b); });
  return found == configs_.end() ? nullptr : &*found;
}

/// Each Configure of the newest advert adds the introducers; any that was not taken back suffices.
bool membership_map::is_introducer(const scope& s, const config_entry& newest, key_index k, block_index& source) const {
  const auto& name = std::get<identity>(keys_[k].key);
  if (std::ranges::find(newest.terms.introducers, name) == newest.terms.introducers.end()) return false;
  for (const auto& c : configs_) {
    if (c.terms.version != newest.terms.version || c.hash != newest.hash || !s.has(c.b)) continue;
    if (is_taken_back(s, keys_[k], c.b)) continue;
    source = c.b;
    return true;
  }
  return false;
}

membership_map::standing_level membership_map::level_in(const scope& s, key_index k) const {
  standing_level out;
  if (k == no_key) return out;
  const auto& key = keys_[k];
  std::vector<block_index> adds;
  for (const auto b : key.ops)
    if (records_[b].kind == map_op_kind::add && s.has(b)) adds.push_back(b);
  if (adds.size() > 1)
    std::ranges::sort(adds, std::greater<>{}, [&](block_index b) { return std::pair{s.g[b].height, s.g[b].id}; });
  for (const auto a : adds) {
    if (!stands(s, a) || is_taken_back(s, key, a)) continue;
    out = {records_[a].level, a, a};
    break;
  }
  block_index source = no_block;
  if (const auto* newest = config_in(s); newest && is_introducer(s, *newest, k, source)) {
    out.level = level_introducer;
    out.source = source;
  }
  if (std::get<identity>(key.key) == owner_) out = {level_owner, no_block, no_block};
  return out;
}

/// The level that the key has, or once had: the one of its last Add, whoever removed it.
member_level membership_map::known_level(const scope& s, key_index k) const {
  if (k == no_key) return level_none;
  if (const auto now = level_in(s, k); now.level != level_none) return now.level;
  const auto& name = std::get<identity>(keys_[k].key);
  for (const auto& c : configs_)
    if (s.has(c.b) && std::ranges::find(c.terms.introducers, name) != c.terms.introducers.end())
      return level_introducer;
  block_index last = no_block;
  for (const auto b : keys_[k].ops) {
    if (records_[b].kind != map_op_kind::add || !s.has(b)) continue;
    if (last == no_block || std::pair{s.g[last].height, s.g[last].id} < std::pair{s.g[b].height, s.g[b].id}) last = b;
  }
  return last == no_block ? level_none : records_[last].level;
}

// --- what is valid ---

const std::optional<domain_terms>& membership_map::terms_of(byte_view signed_advert, const digest& hash) {
  if (const auto known = judged_.find(hash); known != judged_.end()) return known->second;
  if (judged_.size() >= judged_max) judged_.clear();
  return judged_.emplace(hash, adverts_(signed_advert)).first->second;
}

bool membership_map::is_allowed(const scope& s, const map_op& op, member_level rank, const identity& author) const {
  const auto* config = config_in(s);
  const auto may = [&, p = config ? config->terms.permissions : permissions{}](domain_action a) {
    return p.allows(a, rank);
  };
  const auto target = find_key(op.key);
  switch (op.kind) {
  case map_op_kind::add: {
    if (std::get<identity>(op.key) == owner_) return false;
    const auto now = level_in(s, target).level; // level_none is above all
    return may(domain_action::admit) && op.level > rank && now > rank;
  }
  case map_op_kind::put:
    return may(domain_action::record);
  case map_op_kind::remove: {
    if (std::holds_alternative<std::string>(op.key)) return may(domain_action::record);
    if (std::get<identity>(op.key) == author) return true; // leaving
    const auto now = level_in(s, target).level;
    return may(domain_action::expel) && now != level_none && now > rank;
  }
  case map_op_kind::revoke: {
    const auto known = known_level(s, target);
    return may(domain_action::expel) && known != level_none && known > rank;
  }
  default:
    return true;
  }
}

block_verdict membership_map::judge(const lace_graph& lace, block_index b, byte_view payload, bool bare) {
  if (records_.size() <= b) records_.resize(std::max<std::size_t>(lace.slots(), b + std::size_t{1}));
  records_[b] = record{};
  scope s{lace, records_, b, false, {}};
  find_standing(s);
  if (bare) return judge_in(s, b, ack_op(0));
  return judge_in(s, b, decode_map_op(payload));
}

block_verdict membership_map::judge_in(const scope& s, block_index b, const expected<map_op>& op) {
  const auto& author = s.g.creator(b);
  const auto key = find_key(author);
  auto level = level_in(s, key);
  if (author == owner_) level.level = level_owner;
  bool is_configure = false;
  if (op && op->kind == map_op_kind::configure) {
    const auto hash = blake2b_256(op->value);
    if (const auto& terms = terms_of(op->value, hash)) {
      is_configure = true;
      if (std::ranges::find(terms->introducers, author) != terms->introducers.end())
        level.level = std::min(level.level, level_introducer); // an advert authorises those whom it names
      if (level.level == level_none) return block_verdict::unauthorised;
      const auto at = std::ranges::find_if(configs_, [&](const config_entry& c) {
        return std::pair{c.terms.version, c.hash} <= std::pair{terms->version, hash};
      });
      configs_.insert(at, {*terms, hash, b});
    }
  }
  if (level.level == level_none)
    return known_level(s, key) == level_none ? block_verdict::unauthorised : block_verdict::invalid;
  if (!op || (op->kind == map_op_kind::configure && !is_configure)) return block_verdict::invalid;
  if (!is_allowed(s, *op, level.level, author)) return block_verdict::invalid;
  if (op->kind == map_op_kind::checkpoint) {
    if (!is_by_owner(*op)) return block_verdict::invalid;
    checkpoints_.push_back(b);
  }
  auto& r = records_[b];
  r.kind = op->kind;
  r.rank = is_configure ? level_owner : level.level; // a Configure speaks for the owner
  r.level = op->kind == map_op_kind::add ? op->level : level_none;
  r.authority = level.source;
  r.at_ms = op->at_ms;
  r.version = op->version;
  r.archived = !op->archive.empty();
  enlist(s.g, b, *op);
  return block_verdict::valid;
}

// --- what is placed ---

void membership_map::enlist(const lace_graph& g, block_index b, const map_op& op) {
  auto& r = records_[b];
  r.author = intern(g.creator(b));
  if (op.kind == map_op_kind::configure)
    for (const auto& c : configs_)
      for (const auto& i : c.terms.introducers) intern(i);
  if (op.kind == map_op_kind::configure || op.kind == map_op_kind::ack || op.kind == map_op_kind::checkpoint) return;
  r.key = intern(op.key);
  keys_[r.key].ops.push_back(b);
  if (op.kind == map_op_kind::revoke) keys_[r.key].revokes.push_back(b);
  note_potent(g, b);
}

void membership_map::make_potent(const lace_graph& g, block_index revoke) {
  if (std::exchange(records_[revoke].potent, true)) return;
  const auto at = std::ranges::find_if(potent_, [&](block_index p) { return precedes(g, revoke, p); });
  potent_.insert(at, revoke);
}

/// A Revoke counts in the evaluation only if something placed could be voided by it: most never do.
void membership_map::note_potent(const lace_graph& g, block_index b) {
  for (const auto r : keys_[records_[b].author].revokes)
    if (could_void(g, r, b)) make_potent(g, r);
  if (records_[b].kind == map_op_kind::revoke && voids_one(g, b, [](block_index) { return true; })) make_potent(g, b);
}

void membership_map::forget(block_index b) {
  auto& r = records_[b];
  if (r.key != no_key) {
    std::erase(keys_[r.key].ops, b);
    std::erase(keys_[r.key].revokes, b);
  }
  if (r.potent) std::erase(potent_, b);
  std::erase(checkpoints_, b);
  std::erase_if(configs_, [&](const config_entry& c) { return c.b == b; });
  r = record{};
}

} // namespace hanse
