// The domains of a running node, for programs: enter, leave, see who is in, hear of changes. Start here.
// Not the machine (domains/domain_node.hpp) and not sending to a domain: `node::send` and `node::remote` do that.
//
//   auto d = hanse::node_domains::start(*n, {});
//   d->enter({.advert = *parse_domain_ticket(text), .key_file = "lab.psk"});
//   d->await_members(domain, 1);   // this node is one
#pragma once

#include "hanse/actors/node.hpp"

namespace hanse {

namespace internal {
class change_signal;
}

/// How long the archive of a checkpoint is kept: by then another checkpoint should be made. A guess.
inline constexpr std::uint64_t archive_lease_ms = 180ull * 24 * 3'600'000;

struct domain_options {
  domain_protocols protocols = domain_protocols::builtin(); ///< what a domain's configuration may name
  domain_node_config machine = {};                          ///< `gossip`: opt in here
};

/// To be in `node_options::speaks` of a node with domains.
std::vector<protocol_id> domain_node_protocols();

/// Lives as long as it is wanted, and no longer than the node. Thread-safe; calls wait for the node's actors and may
/// not come from one of them.
class node_domains {
public:
  /// Takes up the domains that the node was in before. Key files are read again; one that cannot be is logged, and
  /// joins that need it fail. Errors: those of node::register_service; `io_error`.
  static expected<std::unique_ptr<node_domains>> start(node& n, domain_options options);

  /// Reads `key_file` if there is one and `keys` is empty. Returns when the wish is durable, not when the node is a
  /// member: `reports` and listeners tell. Errors: those of load_psk_file and domain_node::enter.
  expected<unit> enter(enrolment e);

  /// The rest is as in domain_node.
  expected<unit> leave(const identity& domain);
  expected<unit> publish(const signed_domain_advert& advert);
  expected<unit> expel(const identity& domain, const identity& member);
  expected<unit> promote(const identity& domain, const identity& member, member_level level);
  expected<unit> put(const identity& domain, std::string key, bytes value);
  expected<unit> assume_current(const identity& domain);

  /// A checkpoint: propose it, put the archive (if there is one) into the domain's blocks for `archive_lease_ms` and
  /// its capability into the request, let the owner sign checkpoint_statement of that, and give both back. `replicas`:
  /// other members that are to keep the archive, too; it does not wait for those.
  expected<checkpoint_proposal> propose_checkpoint(const identity& domain);
  expected<unit> checkpoint(const identity& domain, const checkpoint_request& request,
                            const message_signature& signature, std::uint32_t replicas);

  /// Asks known nodes, up to 10 s. Errors: `not_found`.
  expected<signed_domain_advert> find(const identity& domain);

  expected<std::vector<domain_report>> reports();
  expected<domain_report> report(const identity& domain); ///< Errors: `not_found`
  expected<std::vector<domain_member>> members(const identity& domain);
  expected<lace_drawing> drawing(const identity& domain, std::size_t blocks_max);

  /// Waits until this node is a member that sees `members` of them, itself among them. Errors: `not_found`; why it does
  /// not get in, as soon as that is final; `timed_out`, saying how far it got.
  expected<unit> await_members(const identity& domain, std::size_t members, std::uint32_t timeout_ms = 20'000);

  /// Waits until `done` is true of a report of the domain; looks now and after each change of roles or members.
  /// Errors: `not_found`, `timed_out`.
  expected<domain_report> await(const identity& domain, const std::function<bool(const domain_report&)>& done,
                                std::uint32_t timeout_ms = 20'000);

  /// `listener` hears of every change from now on, until it ends.
  void subscribe(const domain_listener_actor& listener);

  const domain_actor& handle() const noexcept { return actor_; }

private:
  node_domains(std::shared_ptr<node_core> core, domain_actor actor, std::shared_ptr<internal::change_signal> changes)
      : core_(std::move(core)), actor_(std::move(actor)), changes_(std::move(changes)) {}

  std::shared_ptr<node_core> core_;
  domain_actor actor_;
  std::shared_ptr<internal::change_signal> changes_;
};

} // namespace hanse
