// The built-in membership protocol: a domain_lattice behind the interface that configurations choose from.
// Not the lattice itself (domain_lattice.hpp).
#include "hanse/domains/membership_protocol.hpp"

#include <charconv>

namespace hanse {

namespace {

constexpr std::uint32_t compare_ms_min = 100;
constexpr std::uint32_t compare_ms_max = 3'600'000;
constexpr std::uint32_t archive_blocks_max = 1'000'000;

expected<std::uint32_t> number(const std::string& name, const std::string& text, std::uint32_t min, std::uint32_t max) {
  std::uint32_t value = 0;
  const auto* end = text.data() + text.size();
  const auto [at, failed] = std::from_chars(text.data(), end, value);
  if (failed != std::errc{} || at != end || value < min || value > max)
    return error{errc::bad_config,
                 name + " is not a number from " + std::to_string(min) + " to " + std::to_string(max)};
  return value;
}

expected<unit> done(const expected<block_id>& written) {
  if (!written) return written.error();
  return ok();
}

class lattice_membership final : public membership_protocol {
public:
  lattice_membership(const membership_setup& s, const lattice_config& config)
      : lattice_(s.domain, s.own, s.adverts, s.random, config) {}

  expected<unit> restore(byte_view key, byte_view value) override { return lattice_.restore(key, value); }
  void start(time_ms now, membership_effects& out) override { lattice_.start(now, out); }
  void add_contact(const identity& node) override { lattice_.add_contact(node); }
  expected<unit> receive(const identity& from, byte_view body, time_ms now, membership_effects& out) override {
    return lattice_.receive(from, body, now, out);
  }
  void peer_up(const identity& peer, time_ms now, membership_effects& out) override {
    lattice_.peer_up(peer, now, out);
  }
  void persisted(std::uint64_t token, time_ms now, membership_effects& out) override {
    lattice_.persisted(token, now, out);
  }
  void tick(time_ms now, membership_effects& out) override { lattice_.tick(now, out); }
  std::optional<time_ms> next_timer() const override { return lattice_.next_timer(); }

  expected<unit> configure(bytes signed_advert, time_ms now, membership_effects& out) override {
    return done(lattice_.configure(std::move(signed_advert), now, out));
  }
  expected<unit> admit(const identity& member, member_level level, bytes value, time_ms now,
                       membership_effects& out) override {
    return done(lattice_.admit(member, level, std::move(value), now, out));
  }
  expected<unit> withdraw(const identity& member, time_ms now, membership_effects& out) override {
    return done(lattice_.write(remove_op(member, now), now, out));
  }
  expected<unit> expel(const identity& member, time_ms now, membership_effects& out) override {
    return done(lattice_.expel(member, now, out));
  }
  expected<unit> put(std::string key, bytes value, time_ms now, membership_effects& out) override {
    return done(lattice_.put(std::move(key), std::move(value), now, out));
  }
  void assume_current(time_ms now, membership_effects& out) override { lattice_.assume_current(now, out); }

  expected<checkpoint_proposal> propose_checkpoint() const override { return lattice_.propose_checkpoint(); }
  expected<unit> checkpoint(const checkpoint_request& request, const message_signature& signature, time_ms now,
                            membership_effects& out) override {
    return done(lattice_.write_checkpoint(request, signature, now, out));
  }
  void take_archives(bool can) override { lattice_.take_archives(can); }
  void archive_came(std::optional<shared_bytes> octets, time_ms now, membership_effects& out) override {
    lattice_.archive_came(std::move(octets), now, out);
  }

  std::vector<lattice_member> members() const override { return lattice_.members(); }
  std::vector<identity> member_ids() const override {
    auto ids = lattice_.map().member_ids();
    std::erase_if(ids, [&](const identity& m) { return lattice_.lace().is_byzantine(m); });
    return ids;
  }
  std::size_t member_count() const override { return lattice_.map().member_count(); }
  member_level level_of(const identity& who) const override { return lattice_.map().level_of(who); }
  bool was_member(const identity& who) const override { return lattice_.map().was_member(who); }
  bool is_expelled(const identity& who) const override { return lattice_.map().is_expelled(who); }
  bool is_in_good_standing(const identity& who) const override { return lattice_.is_in_good_standing(who); }
  std::optional<bytes> value_of(std::string_view key) const override { return lattice_.map().value_of(key); }
  std::uint64_t advert_version() const override { return lattice_.map().terms().version; }
  bool may_write() const override { return lattice_.lace().may_write(); }
  membership_status status() const override {
    const auto stats = lattice_.lace().stats();
    return {lattice_.lace().byzantine(), stats.blocks, stats.pending, lattice_.map().state_hash(),
            lattice_.checkpoints()};
  }
  lace_drawing drawing(std::size_t blocks_max) const override { return draw(lattice_, blocks_max); }

private:
  domain_lattice lattice_;
};

} // namespace

expected<std::unique_ptr<membership_protocol>> make_blocklace_membership(const membership_setup& setup,
                                                                         const protocol_parameters& parameters) {
  lattice_config c;
  for (const auto& [name, text] : parameters) {
    if (name == "archive_blocks") {
      HANSE_TRY(c.sync.archive_blocks, number(name, text, 1, archive_blocks_max));
      continue;
    }
    if (name != "busy_ms" && name != "idle_ms") return error{errc::bad_config, "blocklace has no parameter " + name};
    HANSE_TRY(const auto value, number(name, text, compare_ms_min, compare_ms_max));
    (name == "busy_ms" ? c.sync.busy_ms : c.sync.idle_ms) = value;
  }
  if (setup.is_new) c.lace.tip_answers_min = 1;
  return std::unique_ptr<membership_protocol>{std::make_unique<lattice_membership>(setup, c)};
}

} // namespace hanse
