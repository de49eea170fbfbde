// A membership protocol of a researcher's own, chosen by a domain's configuration: every member keeps a roll and tells
// it to everybody it knows; the later entry wins, by the clock. It believes whoever is on the roll: a sketch, no model.
#include "domains/domain_world.hpp"

#include <doctest/doctest.h>

namespace hanse::test {

namespace {

constexpr std::size_t roll_max = 1024;

class roll_call final : public membership_protocol {
public:
  explicit roll_call(const membership_setup& s) : domain_(s.domain), self_(s.own.identity()), adverts_(s.adverts) {}

  expected<unit> restore(byte_view, byte_view value) override { return merge(value, nullptr); }
  void start(time_ms, membership_effects&) override {}
  void add_contact(const identity& node) override { contacts_.insert(node); }
  expected<unit> receive(const identity& from, byte_view body, time_ms, membership_effects& out) override {
    if (!is_member(from) && !contacts_.contains(from)) return error{errc::permission_denied, "not on the roll"};
    HANSE_CHECK(merge(body, &out));
    if (!equal(body, encoded())) out.push_back(peer_message{from, encoded()}); // it lacks something
    return ok();
  }
  void peer_up(const identity& peer, time_ms, membership_effects& out) override {
    if (is_member(peer) || contacts_.contains(peer)) out.push_back(peer_message{peer, encoded()});
  }
  void persisted(std::uint64_t, time_ms, membership_effects&) override {}
  void tick(time_ms, membership_effects&) override {}
  std::optional<time_ms> next_timer() const override { return std::nullopt; }

  expected<unit> configure(bytes signed_advert, time_ms now, membership_effects& out) override {
    return change(out, [&] {
      advert_ = std::move(signed_advert);
      const auto terms = adverts_(advert_);
      for (const auto& i : terms->introducers) roll_[i] = {level_introducer, now, {}};
    });
  }
  expected<unit> admit(const identity& member, member_level level, bytes value, time_ms now,
                       membership_effects& out) override {
    return change(out, [&] { roll_[member] = {level, now, std::move(value)}; });
  }
  expected<unit> withdraw(const identity& member, time_ms now, membership_effects& out) override {
    return change(out, [&] { roll_[member] = {level_none, now, {}}; });
  }
  expected<unit> expel(const identity& member, time_ms now, membership_effects& out) override {
    return withdraw(member, now, out);
  }
  expected<unit> put(std::string, bytes, time_ms, membership_effects&) override {
    return error{errc::permission_denied, "a roll has no registers"};
  }
  void assume_current(time_ms, membership_effects&) override {}

  std::vector<lattice_member> members() const override {
    std::vector<lattice_member> out;
    for (const auto& [who, e] : roll_)
      if (e.level != level_none) out.push_back({{who, e.level, e.at_ms, e.value}, false});
    return out;
  }
  std::vector<identity> member_ids() const override {
    std::vector<identity> out;
    for (const auto& m : members()) out.push_back(m.view.member);
    return out;
  }
  std::size_t member_count() const override { return member_ids().size(); }
  member_level level_of(const identity& who) const override {
    const auto found = roll_.find(who);
    return found == roll_.end() ? level_none : found->second.level;
  }
  bool was_member(const identity& who) const override { return roll_.contains(who) && !is_member(who); }
  bool is_expelled(const identity&) const override { return false; }
  bool is_in_good_standing(const identity& who) const override { return is_member(who); }
  std::optional<bytes> value_of(std::string_view) const override { return std::nullopt; }
  std::uint64_t advert_version() const override {
    const auto terms = adverts_(advert_);
    return terms ? terms->version : 0;
  }
  bool may_write() const override { return true; }
  membership_status status() const override { return {{}, roll_.size(), 0, blake2b_256(encoded())}; }

private:
  struct entry {
    member_level level = level_none;
    time_ms at_ms = 0;
    bytes value;
  };

  bytes encoded() const {
    msgpack_writer out;
    out.array(1 + 4 * roll_.size());
    out.blob(advert_);
    for (const auto& [who, e] : roll_) {
      out.blob(who.wire());
      out.unsigned_integer(e.level);
      out.unsigned_integer(e.at_ms);
      out.blob(e.value);
    }
    return std::move(out).take();
  }

  expected<unit> merge(byte_view body, membership_effects* out) {
    msgpack_reader in{body};
    const auto fields = in.array(1 + 4 * roll_max);
    const auto advert = to_bytes(in.blob(map_advert_max));
    std::map<identity, entry> theirs;
    for (std::size_t i = 1; i + 4 <= fields && in.good(); i += 4) {
      const auto who = identity::decode_unchecked(in.blob_exactly(identity::size_bytes));
      entry e;
      e.level = static_cast<member_level>(in.unsigned_integer(level_none));
      e.at_ms = in.unsigned_integer();
      e.value = to_bytes(in.blob(map_value_max));
      if (who) theirs[*who] = std::move(e);
    }
    HANSE_CHECK(in.finish());
    const auto take = [&] {
      if (const auto terms = adverts_(advert); terms && terms->version > advert_version()) advert_ = advert;
      for (auto& [who, e] : theirs)
        if (const auto known = roll_.find(who); known == roll_.end() || known->second.at_ms < e.at_ms) roll_[who] = e;
    };
    if (out) return change(*out, take);
    take();
    return ok();
  }

  template <class Act>
  expected<unit> change(membership_effects& out, Act&& act) {
    const auto before = encoded();
    const auto levels = roll_;
    const auto version = advert_version();
    act();
    if (before == encoded()) return ok();
    for (const auto& [who, e] : roll_) {
      const auto old = levels.find(who);
      const auto was = old == levels.end() ? level_none : old->second.level;
      if (was == level_none && e.level != level_none) out.emplace_back(member_added{who, e.level});
      if (was != level_none && e.level == level_none) out.emplace_back(member_removed{who});
      if (!e.value.empty() && was == level_none) out.emplace_back(value_changed{who, e.value});
    }
    if (version != advert_version()) out.emplace_back(config_changed{advert_version(), advert_});
    out.emplace_back(lace_persist{++token_, {{to_bytes(domain_.wire()), encoded()}}});
    auto all = contacts_;
    for (const auto& m : member_ids()) all.insert(m);
    all.erase(self_);
    for (const auto& to : all) out.emplace_back(peer_message{to, encoded()});
    return ok();
  }

  identity domain_, self_;
  advert_judge adverts_;
  bytes advert_;
  std::map<identity, entry> roll_;
  std::set<identity> contacts_;
  std::uint64_t token_ = 0;
};

expected<std::unique_ptr<membership_protocol>> make_roll(const membership_setup& setup,
                                                         const protocol_parameters& parameters) {
  if (!parameters.empty()) return error{errc::bad_config, "a roll has no parameter " + parameters.begin()->first};
  return std::unique_ptr<membership_protocol>{std::make_unique<roll_call>(setup)};
}

domain_config with_roll() {
  domain_config c;
  c.domain = id(1);
  c.version = 1;
  c.name = "roll";
  c.introducers = {introducer_of(11)};
  c.stack.membership = {{"roll-call", 1, 0}, {}};
  return c;
}

} // namespace

TEST_CASE("a domain runs on a membership protocol of a researcher's own, through joining, leaving and restarts") {
  domain_world w;
  REQUIRE(w.protocols.membership.add({"roll-call", 1, 0}, make_roll));
  for (std::uint64_t n = 11; n <= 14; ++n) w.add(n);
  for (std::uint64_t n = 12; n <= 14; ++n) w.link(11, n);
  REQUIRE(w.enter(11, with_roll()));
  for (std::uint64_t n = 12; n <= 14; ++n) {
    REQUIRE(w.enter(n, with_roll()));
    w.advance(1000);
  }
  const auto all = std::vector{id(11), id(12), id(13), id(14)};
  for (std::uint64_t n = 11; n <= 14; ++n) {
    CAPTURE(n);
    CHECK(w.report(n).role == domain_role::member);
    CHECK(std::ranges::is_permutation(w.members(n), all));
    CHECK(w.report(n).state == w.report(11).state);
  }
  REQUIRE(w.with(13, [&](auto& m, auto& out) { return m.leave(id(1), w.now, out); }));
  w.advance(1000);
  CHECK(w.members(12).size() == 3);
  w.restart(12);
  CHECK(w.report(12).role == domain_role::member);
  CHECK(w.members(12).size() == 3);
  CHECK(w.report(12).state == w.report(11).state);
}

TEST_CASE("a node that does not know a domain's membership protocol, or a parameter of it, refuses to enter") {
  domain_world w;
  w.add(12);
  const auto refused = w.enter(12, with_roll());
  CHECK(refused.code() == errc::unsupported_protocol);
  CHECK(refused.error().detail.find("blocklace/1.0") != std::string::npos);
  REQUIRE(w.protocols.membership.add({"roll-call", 1, 0}, make_roll));
  w.add(13);
  auto c = with_roll();
  c.stack.membership.parameters = {{"loud", "true"}};
  const auto unknown = w.enter(13, c);
  CHECK(unknown.code() == errc::bad_config);
  CHECK(unknown.error().detail.find("loud") != std::string::npos);
}

} // namespace hanse::test
