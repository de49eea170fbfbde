// Archives of checkpoints between a node's domains and its blocks: proposed, written and spread, and got for a domain
// that lacks what one holds. See domain_engine.hpp; what is in an archive is the machine's
// (domains/domain_lattice.hpp).
#include "hanse/actors/domain_engine.hpp"
#include "hanse/actors/errors.hpp"

#include <algorithm>

namespace hanse {

caf::result<std::vector<bytes>> domain_engine::propose(const identity& domain) {
  auto p = node().propose_checkpoint(domain);
  if (!p) return to_caf(p.error());
  return std::vector<bytes>{encode(p->request), std::move(p->archive)};
}

caf::result<void> domain_engine::checkpoint(const identity& domain, const std::vector<bytes>& signed_request,
                                            std::uint32_t replicas) {
  domain_effects out;
  checkpoint_request request;
  const auto write = [&]() -> expected<unit> {
    if (signed_request.size() != 2) return error{errc::bad_value, "a request and a signature"};
    HANSE_TRY(request, decode_checkpoint_request(signed_request[0]));
    HANSE_TRY(const auto signature, decode_message_signature(signed_request[1]));
    return node().checkpoint(domain, request, signature, now(), out);
  };
  const auto written = write();
  perform(std::move(out));
  if (!written) return to_caf(written.error());
  if (!request.archive.empty() && replicas > 0)
    spread_archive(domain, *decode_eris_capability(request.archive), replicas);
  return caf::unit;
}

/// The checkpoint is there already: nobody waits for this.
void domain_engine::spread_archive(const identity& domain, const eris_capability& content, std::uint32_t replicas) {
  const auto to = blocks();
  if (!to) return;
  spread_wish wish{domain, content, replicas, now() + archive_lease_ms};
  compat::request(self_, to, caf::infinite, keep_atom_v, std::move(wish))
      .then([this](std::uint64_t token) { follow_spread(token); },
            [this](const caf::error& why) {
              core_->services->log(log_level::info, "archive_not_spread", {{"reason", to_string(to_hanse(why))}});
            });
}

void domain_engine::follow_spread(std::uint64_t token) {
  const auto to = blocks();
  if (!to) return;
  compat::request(self_, to, caf::infinite, keep_atom_v, token, domain_ttl_ms)
      .then(
          [this, token](const spread_state& s) {
            if (!s.done) return follow_spread(token);
            core_->services->log(
                log_level::info, "archive_spread",
                {{"replicas", std::to_string(std::ranges::count_if(s.replicas, &content_replica::complete))}});
          },
          [](const caf::error&) {}); // the blocks have ended
}

/// In a message of its own: the effects that this one is of are still performed.
void domain_engine::want_archive(const domain_archive& wanted) {
  archives_[wanted.domain] = {++last_archive_, wanted.content, 0};
  compat::send(self_, domain_engine_actor{self_}, retry_atom_v, wanted.domain, true);
}

void domain_engine::fetch_archive(const identity& domain) {
  const auto at = archives_.find(domain);
  if (at == archives_.end()) return;
  const auto number = at->second.number;
  const auto from = blocks();
  if (!from) return archive_came(domain, number, std::nullopt, {errc::not_found, "this node has no blocks"});
  content_get_wish wish{.domain = domain, .content = at->second.content, .size_max = archive_octets_max};
  compat::request(self_, from, caf::infinite, load_atom_v, std::move(wish))
      .then(
          [this, domain, number](std::vector<bytes>& octets) {
            if (octets.size() != 1) return archive_came(domain, number, std::nullopt, errc::internal);
            archive_came(domain, number, shared_bytes{std::move(octets.front())}, {});
          },
          [this, domain, number](const caf::error& why) { archive_came(domain, number, std::nullopt, to_hanse(why)); });
}

void domain_engine::archive_came(const identity& domain, std::uint64_t number, std::optional<shared_bytes> octets,
                                 const error& why) {
  const auto at = archives_.find(domain);
  if (at == archives_.end() || at->second.number != number) return; // another one is wanted by now
  if (why.code == errc::not_found && blocks_ && ++at->second.tries < archive_tries_max)
    return compat::delayed_send_to_self(self_, std::chrono::milliseconds{archive_again_ms}, retry_atom_v, domain, true);
  archives_.erase(at);
  core_->services->log(log_level::info, octets ? "archive_got" : "archive_unavailable",
                       {{"domain", to_short_string(domain)}, {"reason", octets ? "" : to_string(why)}});
  domain_effects out;
  node().archive_came(domain, std::move(octets), now(), out);
  perform(std::move(out));
}

} // namespace hanse
