// All domains of one node in one machine: which it is in, how it gets in and out, who else is, what they share. Start
// here from the layer above. Spec "Domains", "Joining a domain", "Membership"; design section 8. Sans-IO.
// Not topics, blocks or routing: those learn of members by `domain_change` and `domain_view`.
//
// Per domain: the latest advert, pre-shared keys, this node's role, a membership. An introducer's first start founds an
// instance by writing the domain's configuration; other nodes ask an introducer in. Instances that started apart merge
// when nodes of them get a link: lattices are compared with every member that is known, by its name or by the map.
#pragma once

#include "hanse/domains/convergence.hpp"
#include "hanse/domains/domain_advert_store.hpp"
#include "hanse/domains/domain_effects.hpp"
#include "hanse/domains/domain_message.hpp"
#include "hanse/domains/domain_protocols.hpp"
#include "hanse/domains/join_introducer.hpp"
#include "hanse/domains/join_requester.hpp"

namespace hanse {

/// Bounds and times; guesses.
struct domain_node_config {
  join_introducer_config introducer;
  join_requester_config requester;
  domain_store_config adverts;
  std::size_t domains_max = 64;      ///< that this node is in, or wants to be
  std::size_t finds_max = 64;        ///< domains looked for at once
  std::size_t seen_max = 65'536;     ///< nodes whose last link is remembered
  std::uint32_t leave_ms = 10'000;   ///< a node that leaves goes on exchanging blocks for so long
  std::uint32_t find_again_ms = 500; ///< between rounds of asking
  std::uint32_t find_ms = 10'000;    ///< then looking for a domain ends
  bool gossip = false;               ///< tell and take adverts of domains that nobody asked for
  std::uint32_t gossip_ms = 10'000;  ///< between two tellings
  std::size_t news_links = 3;        ///< nodes that are told of a new version at once
  std::size_t news_max = 8;          ///< new versions told at once between two tellings; others wait for those
  rate_limit gossip_bodies{30, 600, 60'000};
};

/// A domain that this node is to be in.
struct enrolment {
  signed_domain_advert advert;
  psk_list keys = {};        ///< with auth psk
  std::string key_file = {}; ///< remembered, so that the host reads the keys again at the next start; may be empty
  std::string instance = {}; ///< to join; empty: none in particular
};

/// The machine. Not thread-safe. `random` must outlive it.
///
/// Use: `restore` every pair of the tables `domain_tables`, `set_keys` of those that have a key file, `start`; then
/// inputs; perform effects in order.
class domain_node {
public:
  domain_node(const key_pair& own, random_source& random, domain_protocols protocols, domain_node_config config = {});
  ~domain_node();
  domain_node(const domain_node&) = delete;
  domain_node& operator=(const domain_node&) = delete;

  /// Errors: `bad_value`, `not_found` (another table), those of the parts.
  expected<unit> restore(std::string_view table, byte_view key, byte_view value);
  void start(time_ms now, domain_effects& out);

  // --- what the operator wants ---

  /// Enters: founds an instance if the advert names this node as introducer, else joins. Done at once or by a
  /// `domain_role_changed`. A node that is in already takes the keys, and the advert if it is newer.
  /// Errors: `unsupported_protocol`, `unsupported_version`, `bad_config` (the stack), `stale` (rollback), `bad_proof`
  /// (no key), `not_found` (nobody to ask), `already_exists` (on its way), `table_full`.
  expected<unit> enter(enrolment e, time_ms now, domain_effects& out);

  /// Errors: `not_found` (not in that domain).
  expected<unit> leave(const identity& domain, time_ms now, domain_effects& out);

  /// Gives a newer advert to the domain, or, of one that this node is not in, keeps it to answer with.
  /// Errors: `stale`, `already_exists`, `unsupported_protocol`, … `in_doubt` never: it is written when that is
  /// possible.
  expected<unit> publish(signed_domain_advert advert, time_ms now, domain_effects& out);

  /// Operations on the map. Errors: `not_found` (not in that domain, or no such member), `permission_denied`,
  /// `in_doubt` (the other members have not confirmed this node's newest block yet), `too_long`.
  expected<unit> expel(const identity& domain, const identity& member, time_ms now, domain_effects& out);
  expected<unit> promote(const identity& domain, const identity& member, member_level level, time_ms now,
                         domain_effects& out);
  expected<unit> put(const identity& domain, std::string key, bytes value, time_ms now, domain_effects& out);

  /// What the owner should sign for a checkpoint, and what its archive would hold.
  /// Errors: `not_found`, `in_doubt`, `unsupported_protocol`.
  expected<checkpoint_proposal> propose_checkpoint(const identity& domain) const;
  /// Errors: `not_found`, `stale` (propose again), `permission_denied` (not signed by the owner), `in_doubt`.
  expected<unit> checkpoint(const identity& domain, const checkpoint_request& request,
                            const message_signature& signature, time_ms now, domain_effects& out);

  /// Whether the host answers `domain_archive` by more than nothing.
  void take_archives(bool can);
  void archive_came(const identity& domain, std::optional<shared_bytes> octets, time_ms now, domain_effects& out);

  /// The operator vouches that this node wrote nothing that is not here. Errors: `not_found`.
  expected<unit> assume_current(const identity& domain, time_ms now, domain_effects& out);

  /// In place of the keys before. Errors: `not_found`.
  expected<unit> set_keys(const identity& domain, psk_list keys);

  /// Asks nodes for the advert of a domain; comes as `domain_found` (also when it is known already).
  /// Errors: `table_full`.
  expected<unit> find(const identity& domain, time_ms now, domain_effects& out);

  // --- from the network ---

  /// A body from an authenticated node; `channel`: of the link that it came by (channel binding).
  /// Errors: those of the parts: it did nothing.
  expected<unit> receive(const identity& from, domain_channel which, const join_channel& channel, byte_view body,
                         time_ms now, domain_effects& out);
  void link_up(const identity& node, time_ms now, domain_effects& out);
  void link_down(const identity& node, time_ms now);

  /// The signed advert of a node, as known to the host: goes into the map when the node joins.
  void node_advert(const identity& node, bytes advert);

  void persisted(const identity& domain, std::uint64_t token, time_ms now, domain_effects& out);
  void tick(time_ms now, domain_effects& out);
  std::optional<time_ms> next_timer() const;

  // --- questions ---

  std::vector<domain_report> reports() const; ///< of all known domains, ascending
  expected<domain_report> report(const identity& domain) const;
  std::vector<domain_member> members(const identity& domain) const;
  const signed_domain_advert* advert(const identity& domain) const noexcept { return adverts_.find(domain); }
  const membership_protocol* membership(const identity& domain) const noexcept; ///< null if this node is not in it
  std::string key_file(const identity& domain) const;
  expected<eris_key> convergence(const identity& domain) const; ///< Errors: `not_found` (not in that domain)
  const identity& self() const noexcept { return self_; }

private:
  struct entry;
  struct search {
    time_ms until = 0, again_at = 0;
  };
  using entries = std::map<identity, std::unique_ptr<entry>>;

  entry* find_entry(const identity& domain) const;
  entry* find_active(const identity& domain) const;
  expected<entry*> make_entry(const identity& domain);
  expected<std::unique_ptr<membership_protocol>> make_membership(const identity& domain, const protocol_stack& stack,
                                                                 bool is_new);
  expected<unit> open_membership(entry& e, bool is_new);
  void activate(entry& e, time_ms now, domain_effects& out);
  expected<unit> ask_in(entry& e, bool leaving, time_ms now, domain_effects& out);
  void set_role(entry& e, domain_role role, error why, domain_effects& out);
  void keep_role(const entry& e, domain_effects& out) const;
  void serve(entry& e);
  void configure(entry& e, time_ms now, domain_effects& out);
  void new_advert(const identity& domain, time_ms now, domain_effects& out);
  void reach_introducers(const entry& e, domain_effects& out) const;
  void view(const entry& e, domain_effects& out) const;
  void depart(entry& e, error why, domain_effects& out);

  void take(entry& e, membership_effects effects, time_ms now, domain_effects& out);
  void take(domain_store_effects effects, time_ms now, domain_effects& out);
  void take(introducer_effects effects, time_ms now, domain_effects& out);
  void take(requester_effects effects, time_ms now, domain_effects& out);
  void on_joined(join_done& done, time_ms now, domain_effects& out);
  void approve(const join_approve& a, time_ms now, introducer_effects& answers, domain_effects& out);
  void withdraw(const join_withdraw& w, time_ms now, introducer_effects& answers, domain_effects& out);
  void answer(entry& e, time_ms now, domain_effects& out);
  expected<unit> on_lattice(const identity& from, const lattice_body& b, time_ms now, domain_effects& out);
  void on_refusal(const identity& from, const membership_refusal& r, domain_effects& out);
  expected<unit> on_gossip(const identity& from, const advert_gossip& g, time_ms now, domain_effects& out);
  void gossip(domain_effects& out);
  void tell_news(const identity& domain, domain_effects& out);
  void search_on(time_ms now, domain_effects& out);
  std::vector<identity> some_links(std::size_t count);
  std::vector<bytes> adverts_of(const entry& e) const;

  key_pair own_;
  identity self_;
  random_source& random_;
  domain_protocols protocols_;
  domain_node_config config_;
  domain_advert_store adverts_;
  join_introducer introducer_;
  join_requester requester_;
  rate_limiter gossip_bodies_;
  entries entries_;
  std::map<identity, search> searches_;
  std::set<identity> links_;
  std::map<identity, bytes> node_adverts_; ///< of nodes with a link
  std::map<identity, time_ms> seen_;
  time_ms gossip_at_ = 0;
  std::size_t news_told_ = 0; // since the last telling
  bool started_ = false;
  bool takes_archives_ = false;
};

} // namespace hanse
