// Common parts of the subcommands.
// Advice is by error code, so that the same failure gets the same hint everywhere.
#include "hanse/app/command.hpp"

#include "hanse/app/control_client.hpp"
#include "hanse/app/text_table.hpp"

#include <nlohmann/json.hpp>
#include <ostream>
#include <thread>

namespace hanse::app {
namespace {

namespace fs = std::filesystem;
using json_value = nlohmann::json;

/// A node that is being started has its socket after so long, or there is none: a guess.
constexpr std::chrono::milliseconds starting_max{1'000};

/// Whether `detail` is a list of problems in a file, "FILE:LINE: …", as compilers write it.
bool is_problem_list(std::string_view detail) {
  for (auto at = detail.find(':'); at != detail.npos; at = detail.find(':', at + 1)) {
    auto end = detail.find_first_not_of("0123456789", at + 1);
    if (end != detail.npos && end > at + 1 && detail.substr(end, 2) == ": ") return true;
  }
  return false;
}

/// Advice for failures that the operating system and SQLite tell by their texts alone; "" for others.
std::string_view advice_for_text(std::string_view detail) {
  constexpr std::pair<std::string_view, std::string_view> known[] = {
      {"disk is full", "Make room on that disk (df -h); nothing that was acknowledged is lost."},
      {"No space left", "Make room on that disk (df -h); nothing that was acknowledged is lost."},
      {"not a database", "The file is damaged: put a backup back, or begin with an empty data_dir."},
      {"database is locked", "Stop the other node first: hanse node stop."},
      {"Cannot assign requested address", "Listen on an address of this machine; ip address lists them."},
      {"not a ticket", "A ticket begins with hticket1; hanse node status prints a node's."}};
  for (auto& [text, advice] : known)
    if (detail.find(text) != detail.npos) return advice;
  return {};
}

std::string dump(const json_value& value) {
  return value.dump(2, ' ', false, json_value::error_handler_t::replace);
}

} // namespace

std::string_view advice_for(errc code) noexcept {
  switch (code) {
  case errc::wrong_passphrase:
    return "Give the passphrase with --passphrase-file or HANSE_PASSPHRASE.";
  case errc::bad_permissions:
    return "Close it to others: chmod 600 for a file, chmod 700 for a directory.";
  case errc::already_exists:
    return "Nothing is overwritten: choose another name, or remove the old one yourself.";
  case errc::bad_checksum:
    return "It is damaged or mistyped: copy it again.";
  case errc::no_route:
    return "Add a node that knows it: hanse add TICKET. What is known: hanse engines, hanse peers.";
  case errc::no_address:
    return "See its addresses with hanse peers; allow_private or schemes may exclude them.";
  case errc::untrusted:
  case errc::constraint:
    return "Ask why: hanse why DEST.";
  case errc::unreachable:
  case errc::link_closed:
    return "Is the node running? Compare hanse peers and the node's log.";
  case errc::wrong_peer:
    return "Another node answers at that address: get a new ticket from the one you mean.";
  case errc::timed_out:
    return "Is the other node running and reachable? See hanse peers; or try a longer --timeout.";
  case errc::unsupported_protocol:
  case errc::unsupported_version:
    return "See what it speaks: hanse engines.";
  case errc::schema_mismatch:
    return "The body is a JSON list with the handler's arguments, such as '[\"add\", 3, 4]'.";
  case errc::engine_down:
    return "See which engines run: hanse engines.";
  case errc::bad_proof:
    return "Get the domain's present key file from who runs its introducers.";
  case errc::bad_config:
    return "Compare with what `hanse node init DIR` writes, with docs/cluster.md, docs/domains.md and "
           "docs/simulation.md.";
  default:
    return "";
  }
}

void command_context::print(const nlohmann::json& result, const std::function<void()>& human) {
  if (json)
    out << dump(result) << std::endl;
  else
    human();
}

void command_context::fail(std::string_view doing, const error& e) {
  exit_code = exit_failed;
  // A detail of the form "what happened; what to do" knows better than its code.
  const bool complete = e.detail.find("; ") != e.detail.npos && !is_problem_list(e.detail);
  auto advice = complete ? std::string_view{} : advice_for_text(e.detail);
  if (!complete && advice.empty()) advice = advice_for(e.code);
  // A list of problems in a file is complete in itself and starts with the place, as compilers do.
  if (e.code == errc::bad_config && is_problem_list(e.detail))
    err << e.detail << "\nhanse: cannot " << doing << ": the file is not right\n";
  else
    err << "hanse: cannot " << doing << ": " << to_string(e) << '\n';
  if (!advice.empty()) err << "       " << advice << '\n';
  if (json)
    out << dump({{"error",
                  {{"code", std::string{to_string(e.code)}}, {"detail", e.detail}, {"advice", std::string{advice}}}}})
        << std::endl;
}

void command_context::misuse(std::string_view what) {
  exit_code = exit_usage;
  err << "hanse: " << what << "\n       Run with --help for an example.\n";
}

std::filesystem::path command_context::socket() const {
  return choose_socket(sockets.empty() ? "" : sockets.front());
}

std::optional<nlohmann::json> command_context::ask(std::string_view doing, const json_value& request,
                                                   std::chrono::milliseconds timeout) {
  const auto path = socket();
  const auto give_up = std::chrono::steady_clock::now() + starting_max;
  auto result = ask_node(path, request, timeout);
  const auto is_not_up = [&] {
    return !result && (result.error() == errc::not_found || result.error() == errc::unreachable) &&
           result.error().detail.starts_with(path.string()) &&
           fs::exists(fs::absolute(path).parent_path().parent_path());
  };
  while (is_not_up() && std::chrono::steady_clock::now() < give_up) { // `hanse node run … &` on the line before
    std::this_thread::sleep_for(std::chrono::milliseconds{50});
    result = ask_node(path, request, timeout);
  }
  if (result) return *std::move(result);
  fail_to_ask(doing, result.error());
  return std::nullopt;
}

void command_context::fail_to_ask(std::string_view doing, const error& e) {
  const auto path = socket().string();
  if ((e == errc::not_found || e == errc::unreachable) && e.detail.starts_with(path))
    fail(doing, {errc::not_found,
                 "no node answers at " + path + "; start one with `hanse node run`, or name its socket with --socket"});
  else
    fail(doing, e);
}

std::uint64_t wall_clock_ms() {
  const auto since = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(since).count());
}

std::string field(const json_value& object, const char* key) {
  auto i = object.find(key);
  if (i == object.end() || i->is_null()) return {};
  if (i->is_string()) return printable(i->get<std::string>());
  return printable(i->dump(-1, ' ', false, json_value::error_handler_t::replace));
}

} // namespace hanse::app
