// The blocks of the program's node: what `hanse put`, `hanse get` and `hanse block …` ask of it. Content goes through
// an open file that the client hands over, so it takes no detour through JSON, the node opens no path by somebody's
// word, and files, pipes and terminals are the same.
#include "hanse/app/runtime_backend.hpp"
#include "hanse/app/text_file.hpp"
#include "hanse/crypto/bytes.hpp"

#include <cerrno>
#include <limits.h>
#include <nlohmann/json.hpp>
#include <poll.h>
#include <sys/stat.h>

namespace hanse::app {

using nlohmann::json;

namespace {

constexpr auto tell_every = std::chrono::milliseconds{200}; // progress, and looking whether to give up
constexpr std::size_t file_write_max = 1024 * 1024;

/// Says how far it is to the client, not too often; false when it is gone or the node stops.
class teller {
public:
  teller(const control_channel& channel, const std::atomic<bool>& ending) : channel_(channel), ending_(ending) {}

  template <class Line>
  bool operator()(Line line) {
    if (ending_) return false;
    const auto now = std::chrono::steady_clock::now();
    if (now < next_) return true;
    next_ = now + tell_every;
    return !channel_.progress || channel_.progress(line());
  }

private:
  const control_channel& channel_;
  const std::atomic<bool>& ending_;
  std::chrono::steady_clock::time_point next_{};
};

error failure_of(const char* doing, int number) {
  return {errc::io_error, std::string{doing} + " the file: " + io_failure("", number).detail};
}

/// Waits until the file can be read or written; `tell` is asked meanwhile whether to go on.
expected<unit> await_file(int file, short event, const std::function<bool()>& tell) {
  while (true) {
    pollfd entry{file, event, 0};
    const auto ready = ::poll(&entry, 1, static_cast<int>(tell_every.count()));
    if (ready > 0) return ok();
    if (ready < 0 && errno != EINTR) return failure_of("wait for", errno);
    if (!tell()) return errc::cancelled;
  }
}

expected<std::size_t> read_file(int file, std::span<std::byte> into, const std::function<bool()>& tell) {
  while (true) {
    HANSE_CHECK(await_file(file, POLLIN, tell));
    const auto n = ::read(file, into.data(), into.size());
    if (n >= 0) return static_cast<std::size_t>(n);
    if (errno != EINTR && errno != EAGAIN) return failure_of("read", errno);
  }
}

/// A pipe that poll calls writable takes PIPE_BUF octets without waiting (pipe(7)).
expected<unit> write_file(int file, byte_view octets, std::size_t step, const std::function<bool()>& tell) {
  while (!octets.empty()) {
    HANSE_CHECK(await_file(file, POLLOUT, tell));
    const auto n = ::write(file, octets.data(), std::min(octets.size(), step));
    if (n >= 0) {
      octets = octets.subspan(static_cast<std::size_t>(n));
      continue;
    }
    if (errno == EPIPE) return error{errc::cancelled, "nobody reads what is got"};
    if (errno != EINTR && errno != EAGAIN) return failure_of("write", errno);
  }
  return ok();
}

json octets_of(const domain_usage& u, std::uint64_t quota) {
  return {{"blocks", u.blocks}, {"octets", u.octets}, {"quota_octets", quota}};
}

json json_of(const block_domain_report& d) {
  auto j = octets_of(d.usage, d.quota_octets);
  j.update({{"domain", to_string(d.domain)},
            {"protocol", d.protocol},
            {"why", d.why.code == errc::none ? json{} : json(to_string(d.why))},
            {"members", d.members},
            {"fetched", d.stats.fetched},
            {"served", d.stats.served},
            {"kept", d.stats.kept},
            {"refused", d.stats.refused},
            {"liars", d.stats.liars},
            {"searches", d.stats.searches},
            {"trees", d.trees}});
  return j;
}

} // namespace

/// As resolve_domain; without a text the one that this node is in, if there is only one.
expected<identity> runtime_backend::resolve_own_domain(const std::string& text) {
  if (!text.empty()) return resolve_domain(text);
  HANSE_TRY(const auto all, domains_->reports());
  std::vector<const domain_report*> in;
  for (const auto& r : all)
    if (r.role == domain_role::member) in.push_back(&r);
  if (in.size() == 1) return in.front()->domain;
  if (in.empty()) return error{errc::not_found, "this node is in no domain; enter one with `hanse domain join`"};
  std::string names;
  for (const auto* r : in) names += (names.empty() ? "" : ", ") + (r->name.empty() ? to_string(r->domain) : r->name);
  return error{errc::bad_value, "this node is in several domains; say --domain with one of " + names};
}

control_result runtime_backend::put_content(const block_request& request, const control_channel& channel) {
  content_wish wish;
  HANSE_TRY(wish.domain, resolve_own_domain(request.domain));
  wish.is_private = request.is_private;
  wish.lease_ms = request.lease_ms;
  wish.replicas = request.replicas;
  teller tell{channel, ending_};
  put_progress latest;
  const auto watch = [&](const put_progress& p) {
    latest = p;
    return tell([&p] {
      std::uint64_t spread = 0, complete = 0;
      for (const auto& r : p.replicas) spread += r.blocks, complete += r.complete;
      return json{{"octets", p.octets}, {"spread_blocks", spread}, {"replicas", complete}};
    });
  };
  const auto waiting = [&] { return watch(put_progress{latest}); };
  HANSE_TRY(const auto kept,
            blocks_->put(
                wish, [&](std::span<std::byte> into) { return read_file(channel.file, into, waiting); }, watch));
  auto replicas = json::array();
  for (const auto& r : kept.replicas)
    replicas.push_back({{"node", to_string(r.node)},
                        {"name", name_of(r.node)},
                        {"until_ms", r.root ? json(r.root->until) : json{}},
                        {"receipt", r.root ? json(to_hex(encode(*r.root))) : json{}}});
  return json{{"content", to_urn(kept.content)},
              {"domain", to_string(wish.domain)},
              {"octets", kept.octets},
              {"until_ms", kept.until == lease_forever ? json{} : json(kept.until)},
              {"replicas", replicas},
              {"refusal", kept.last_refusal.code == errc::none ? json{} : json(to_string(kept.last_refusal))}};
}

control_result runtime_backend::get_content(const block_request& request, const control_channel& channel) {
  content_get_wish wish;
  auto capability = parse_eris_urn(request.content);
  if (!capability)
    return error{capability.code(), "that is no capability; it begins with urn:eris: and has 106 more characters"};
  wish.content = *capability;
  wish.size_max = request.size_max;
  HANSE_TRY(wish.domain, resolve_own_domain(request.domain));
  struct stat kind {};
  const auto regular = ::fstat(channel.file, &kind) == 0 && S_ISREG(kind.st_mode);
  const std::size_t step = regular ? file_write_max : PIPE_BUF;
  teller tell{channel, ending_};
  content_progress latest;
  std::uint64_t written = 0;
  const auto say = [&] {
    return json{{"octets", written}, {"blocks_fetched", latest.blocks_fetched}, {"sources", latest.sources.size()}};
  };
  const auto sink = [&](byte_view part) -> expected<unit> {
    HANSE_CHECK(write_file(channel.file, part, step, [&] { return tell(say); }));
    written += part.size();
    return ok();
  };
  HANSE_TRY(const auto done, blocks_->get(wish, sink, [&](const content_progress& p) {
    latest = p;
    return tell(say);
  }));
  auto sources = json::array();
  for (const auto& [node, blocks] : done.sources)
    if (node != node_->id())
      sources.push_back({{"node", to_string(node)}, {"name", name_of(node)}, {"blocks", blocks}});
  return json{{"content", request.content},        {"domain", to_string(wish.domain)},      {"octets", done.octets},
              {"blocks_local", done.blocks_local}, {"blocks_fetched", done.blocks_fetched}, {"sources", sources}};
}

control_result runtime_backend::block_stat() {
  HANSE_TRY(const auto r, blocks_->report());
  auto domains = json::array();
  for (const auto& d : r.domains) {
    auto j = json_of(d);
    const auto report = domains_->report(d.domain);
    j["name"] = report ? report->name : "";
    domains.push_back(std::move(j));
  }
  const auto& s = r.store;
  return json{{"domains", domains},
              {"puts", s.puts},
              {"gets", s.gets},
              {"corrupt", s.corrupt},
              {"scrubbed", s.scrubbed},
              {"scrub_passes", s.scrub_passes},
              {"expired", s.expired},
              {"removed", s.removed},
              {"commits", s.commits},
              {"gets_under_way", r.gets},
              {"puts_under_way", r.spreads}};
}

control_result runtime_backend::list_blocks(const block_request& request) {
  digest after;
  if (!request.after.empty()) {
    const auto name = from_hex(request.after);
    if (!name || name->size() != digest::size_bytes)
      return error{errc::bad_value, "\"after\" is the name of a block: 64 hexadecimal digits"};
    std::copy(name->begin(), name->end(), after.octets.begin());
  }
  HANSE_TRY(const auto entries, blocks_->list(after, request.count));
  auto list = json::array();
  for (const auto& e : entries) {
    auto leases = json::array();
    for (const auto& l : e.leases)
      leases.push_back(
          {{"domain", to_string(l.domain)}, {"until_ms", l.until == lease_forever ? json{} : json(l.until)}});
    list.push_back(
        {{"block", to_hex(e.info.name.view())}, {"size", e.info.size}, {"damaged", e.info.bad}, {"leases", leases}});
  }
  return json{{"blocks", list}};
}

control_result runtime_backend::block(const block_request& request, const control_channel& channel) {
  lock guard{stopping_};
  HANSE_CHECK(running());
  if (request.action == "put") return put_content(request, channel);
  if (request.action == "get") return get_content(request, channel);
  if (request.action == "list") return list_blocks(request);
  if (request.action == "gc") {
    HANSE_TRY(const auto ended, blocks_->collect());
    return json{{"ended", ended}};
  }
  if (request.action == "verify") {
    teller tell{channel, ending_};
    HANSE_TRY(const auto r, blocks_->verify([&tell](const verify_result& so_far) {
      return tell([&so_far] { return json{{"checked", so_far.checked}, {"corrupt", so_far.corrupt}}; });
    }));
    return json{{"checked", r.checked}, {"corrupt", r.corrupt}};
  }
  return block_stat();
}

} // namespace hanse::app
