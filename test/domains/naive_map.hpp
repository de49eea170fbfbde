// The membership map's definitions, written down as they are in docs/blocklace.md: sets of blocks and recursion, slow
// and plain. What the incremental map is held against.
#pragma once

#include "domains/lattice_kit.hpp"

namespace hanse::test {

/// Over blocks in any order that has preds first.
class naive_map {
public:
  using set = std::vector<bool>;
  struct member {
    member_level level = level_none;
    bytes value;
    friend bool operator==(const member&, const member&) = default;
  };
  struct state {
    std::map<identity, member> members;
    std::map<std::string, bytes> registers;
    friend bool operator==(const state&, const state&) = default;
  };

  explicit naive_map(const std::vector<shared_bytes>& wires) {
    for (const auto& w : wires) {
      node n;
      n.b = *decode_block(w);
      if (const auto op = decode_map_op(n.b.payload)) n.op = *op;
      n.past.resize(wires.size());
      const auto see = [&](const block_id& id) {
        const auto p = index_.at(id);
        for (std::size_t i = 0; i < p; ++i) n.past[i] = n.past[i] || nodes_[p].past[i];
        n.past[p] = true;
        n.height = std::max(n.height, nodes_[p].height + 1);
      };
      if (n.b.header.self_prev) see(*n.b.header.self_prev);
      for (const auto& p : n.b.header.preds) see(p);
      index_[n.b.id] = nodes_.size();
      nodes_.push_back(n);
      judge(nodes_.size() - 1);
    }
  }

  bool is_valid(const block_id& id) const { return nodes_[index_.at(id)].valid; }

  state of_all() const {
    const set all(nodes_.size(), true);
    state out;
    for (const auto& n : nodes_) {
      consider(n.b.header.creator, all, out);
      if (const auto* who = std::get_if<identity>(&n.op.key)) consider(*who, all, out);
      if (n.op.kind == map_op_kind::configure) {
        const auto terms = *judge_fake(n.op.value);
        for (const auto& i : terms.introducers) consider(i, all, out);
      }
      if (const auto* text = std::get_if<std::string>(&n.op.key); text && !text->empty())
        if (const auto v = text_value(*text, all)) out.registers[*text] = *v;
    }
    return out;
  }

private:
  struct node {
    block b;
    map_op op;
    set past; ///< without itself
    std::size_t height = 1;
    bool valid = false;
    member_level rank = level_none;
    std::optional<std::size_t> authority;
  };
  struct level {
    member_level n = level_none;
    std::optional<std::size_t> source, value;
  };

  const identity& author(std::size_t i) const { return nodes_[i].b.header.creator; }
  auto order(std::size_t i) const { return std::pair{nodes_[i].height, nodes_[i].b.id}; }
  bool has(std::size_t i, const set& s) const { return i < s.size() && s[i] && nodes_[i].valid; }
  bool before(std::size_t a, std::size_t b) const { return nodes_[b].past[a]; }
  bool beside(std::size_t a, std::size_t b) const { return a != b && !before(a, b) && !before(b, a); }

  bool stands(std::size_t o, const set& s) const {
    const auto& n = nodes_[o];
    if (n.op.kind == map_op_kind::configure) return true;
    const bool is_effect = n.op.kind == map_op_kind::add || n.op.kind == map_op_kind::put ||
                           n.op.kind == map_op_kind::remove || n.op.kind == map_op_kind::revoke;
    for (std::size_t r = 0; is_effect && r < nodes_.size(); ++r) {
      if (!has(r, s) || nodes_[r].op.kind != map_op_kind::revoke) continue;
      if (std::get<identity>(nodes_[r].op.key) != author(o) || !beside(r, o) || nodes_[r].rank > n.rank) continue;
      if (n.op.kind == map_op_kind::revoke &&
          !(std::tuple{nodes_[r].rank, nodes_[r].height, nodes_[r].b.id} < std::tuple{n.rank, n.height, n.b.id}))
        continue;
      if (stands(r, s)) return false;
    }
    return !n.authority || stands(*n.authority, s);
  }

  bool taken_back(const map_key& key, std::size_t add, const set& s) const {
    const auto rank = nodes_[add].op.kind == map_op_kind::configure ? level_owner : nodes_[add].rank;
    for (std::size_t d = 0; d < nodes_.size(); ++d) {
      const auto kind = nodes_[d].op.kind;
      if (!has(d, s) || nodes_[d].op.key != key) continue;
      const bool removes = (kind == map_op_kind::remove || kind == map_op_kind::revoke) && before(add, d);
      const bool beats = kind == map_op_kind::revoke && beside(add, d) && nodes_[d].rank <= rank;
      if ((removes || beats) && stands(d, s)) return true;
    }
    return false;
  }

  std::optional<domain_terms> newest(const set& s) const {
    std::optional<std::tuple<std::uint64_t, digest, domain_terms>> best;
    for (std::size_t c = 0; c < nodes_.size(); ++c) {
      if (!has(c, s) || nodes_[c].op.kind != map_op_kind::configure) continue;
      const auto t = *judge_fake(nodes_[c].op.value);
      const auto h = blake2b_256(nodes_[c].op.value);
      if (!best || std::pair{t.version, h} > std::pair{std::get<0>(*best), std::get<1>(*best)})
        best = std::tuple{t.version, h, t};
    }
    if (!best) return std::nullopt;
    return std::get<2>(*best);
  }

  level level_of(const identity& who, const set& s) const {
    level out;
    std::optional<std::size_t> last;
    for (std::size_t a = 0; a < nodes_.size(); ++a)
      if (has(a, s) && nodes_[a].op.kind == map_op_kind::add && nodes_[a].op.key == map_key{who} && stands(a, s) &&
          !taken_back(who, a, s) && (!last || order(*last) < order(a)))
        last = a;
    if (last) out = {nodes_[*last].op.level, last, last};
    const auto terms = newest(s);
    if (terms && std::ranges::find(terms->introducers, who) != terms->introducers.end())
      for (std::size_t c = 0; c < nodes_.size(); ++c)
        if (has(c, s) && nodes_[c].op.kind == map_op_kind::configure &&
            judge_fake(nodes_[c].op.value)->version == terms->version && !taken_back(who, c, s))
          out.n = level_introducer, out.source = c;
    return out;
  }

  member_level known(const identity& who, const set& s) const {
    if (const auto now = level_of(who, s).n; now != level_none) return now;
    std::optional<std::size_t> last;
    for (std::size_t a = 0; a < nodes_.size(); ++a) {
      if (!has(a, s)) continue;
      if (nodes_[a].op.kind == map_op_kind::configure) {
        const auto t = judge_fake(nodes_[a].op.value);
        if (std::ranges::find(t->introducers, who) != t->introducers.end()) return level_introducer;
      }
      if (nodes_[a].op.kind == map_op_kind::add && nodes_[a].op.key == map_key{who} &&
          (!last || order(*last) < order(a)))
        last = a;
    }
    return last ? nodes_[*last].op.level : level_none;
  }

  void judge(std::size_t o) {
    auto& n = nodes_[o];
    const auto s = n.past;
    auto l = level_of(author(o), s);
    if (n.op.kind == map_op_kind::configure) {
      const auto t = judge_fake(n.op.value);
      if (std::ranges::find(t->introducers, author(o)) != t->introducers.end()) l.n = std::min(l.n, level_introducer);
    }
    if (l.n == level_none) return;
    n.rank = n.op.kind == map_op_kind::configure ? level_owner : l.n;
    n.authority = l.source;
    const auto terms = newest(s);
    const auto p = terms ? terms->permissions : permissions{};
    switch (n.op.kind) {
    case map_op_kind::add:
      n.valid =
          p.allows(domain_action::admit, l.n) && n.op.level > l.n && level_of(std::get<identity>(n.op.key), s).n > l.n;
      break;
    case map_op_kind::put:
      n.valid = p.allows(domain_action::record, l.n);
      break;
    case map_op_kind::remove:
      if (const auto* who = std::get_if<identity>(&n.op.key)) {
        const auto now = level_of(*who, s).n;
        n.valid = *who == author(o) || (p.allows(domain_action::expel, l.n) && now != level_none && now > l.n);
      } else {
        n.valid = p.allows(domain_action::record, l.n);
      }
      break;
    case map_op_kind::revoke: {
      const auto k = known(std::get<identity>(n.op.key), s);
      n.valid = p.allows(domain_action::expel, l.n) && k != level_none && k > l.n;
      break;
    }
    default:
      n.valid = true;
    }
  }

  std::optional<bytes> text_value(const std::string& key, const set& s) const {
    std::optional<std::size_t> last;
    for (std::size_t p = 0; p < nodes_.size(); ++p)
      if (has(p, s) && nodes_[p].op.kind == map_op_kind::put && nodes_[p].op.key == map_key{key} && stands(p, s) &&
          !taken_back(key, p, s) && (!last || order(*last) < order(p)))
        last = p;
    if (!last) return std::nullopt;
    return nodes_[*last].op.value;
  }

  void consider(const identity& who, const set& all, state& out) const {
    if (who.is_none()) return;
    const auto l = level_of(who, all);
    if (l.n == level_none) return;
    out.members[who] = {l.n, l.value ? nodes_[*l.value].op.value : bytes{}};
  }

  std::vector<node> nodes_;
  std::map<block_id, std::size_t> index_;
};

inline naive_map::state shown(const membership_map& map) {
  naive_map::state out;
  for (const auto& m : map.members()) out.members[m.member] = {m.level, m.value};
  for (const auto& [k, v] : map.registers()) out.registers[k] = v;
  return out;
}

} // namespace hanse::test
