// hanse domain checkpoint: the owner's keys sign, here, what a running node proposes, and the node writes it. Keys
// never go to the node. What a checkpoint is good for: docs/blocklace.md.
#include "hanse/app/command.hpp"
#include "hanse/app/control_client.hpp"
#include "hanse/app/group_file.hpp"
#include "hanse/app/json_document.hpp"
#include "hanse/app/passphrase.hpp"
#include "hanse/app/text_file.hpp"
#include "hanse/crypto/key_file.hpp"
#include "hanse/crypto/signature_collection.hpp"
#include "hanse/domains/domain_lattice.hpp"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

namespace hanse::app {
namespace {

using nlohmann::json;

constexpr int tries_max = 10; // in a domain where others write, too; a guess
constexpr std::chrono::milliseconds answer_timeout{30'000};

struct checkpoint_options {
  std::string domain, owner, passphrase_file;
  std::vector<std::string> keys, groups;
  std::uint32_t replicas = 3;
};

/// Who signs: keys, and the groups behind the domain if it is one.
struct signers {
  std::vector<key_pair> keys;
  composite_table groups;
};

expected<signers> read_signers(const checkpoint_options& o) {
  signers s;
  for (const auto& file : o.keys) {
    auto key = load_key_file(file, [&] { return get_passphrase({o.passphrase_file}); });
    if (!key) return error{key.error().code, file + ": " + to_string(key.error())};
    s.keys.push_back(*std::move(key));
  }
  auto files = o.groups;
  if (!o.owner.empty()) files.push_back(o.owner);
  for (const auto& file : files) {
    HANSE_TRY(const auto text, read_text_file(file, json_file_size_max));
    HANSE_TRY(const auto group, parse_group_file(text, file));
    s.groups.emplace(group.group, group.descriptor);
  }
  return s;
}

expected<message_signature> sign(const signers& s, const identity& domain, const digest& statement) {
  if (domain.kind() == identity_kind::individual) {
    if (s.keys.size() != 1 || s.keys.front().identity() != domain)
      return error{errc::wrong_signer, "the domain's owner is " + to_string(domain) + "; --key takes its key file"};
    return message_signature{sign_single(s.keys.front(), statement)};
  }
  if (!s.groups.contains(domain))
    return error{errc::wrong_signer,
                 "the domain's owner is the group " + to_string(domain) + "; name its file: --owner"};
  if (auto nested = check_nesting(domain, s.groups); !nested)
    return error{nested.error().code, "a group within the owner is not known; give its file with --group"};
  std::vector<member_signature> parts;
  for (const auto& key : s.keys) parts.push_back(sign_member(key, domain, statement));
  std::ranges::sort(parts, {}, &member_signature::signer);
  HANSE_TRY(auto signature, compose(domain, s.groups, statement, std::move(parts)));
  return message_signature{std::move(signature)};
}

/// One try: what the node proposes is signed and given back. Its answer has what it proposed, too.
expected<json> try_once(const std::filesystem::path& socket, const checkpoint_options& o, const signers& s) {
  HANSE_TRY(const auto proposed,
            ask_node(socket, {{"command", "domain_checkpoint"}, {"domain", o.domain}}, answer_timeout));
  HANSE_TRY(const auto domain, identity::parse(field(proposed, "domain")));
  HANSE_TRY(const auto wire, from_hex(field(proposed, "request")));
  HANSE_TRY(const auto request, decode_checkpoint_request(wire));
  HANSE_TRY(const auto signature, sign(s, domain, checkpoint_statement(domain, request)));
  HANSE_TRY(auto done, ask_node(socket,
                                {{"command", "domain_checkpoint"},
                                 {"domain", field(proposed, "domain")},
                                 {"request", field(proposed, "request")},
                                 {"signature", to_hex(encode(signature))},
                                 {"replicas", o.replicas}},
                                answer_timeout));
  for (const auto* key : {"state", "archive_octets", "no_archive"}) done[key] = proposed.value(key, json{});
  return done;
}

void checkpoint(command_context& c, const checkpoint_options& o) {
  const auto signers = read_signers(o);
  if (!signers) return c.fail("read the owner's keys", signers.error());
  auto done = try_once(c.socket(), o, *signers);
  for (int i = 1; i < tries_max && !done && done.error() == errc::stale; ++i) done = try_once(c.socket(), o, *signers);
  if (!done) return c.fail_to_ask("make a checkpoint", done.error());
  c.print(*done, [&] {
    const auto& now = done->at("checkpoint");
    c.out << "checkpoint     " << field(now, "version") << ", of " << field(now, "covered") << " blocks; "
          << field(now, "dropped") << " without payload\nstate          " << field(*done, "state").substr(0, 16)
          << '\n';
    if (done->at("no_archive").is_null())
      c.out << "archive        " << field(*done, "archive_octets") << " octets; up to " << o.replicas
            << " other members get it, too\n";
    else
      c.out << "archive        none: " << field(*done, "no_archive") << ". No payload is dropped under it.\n";
  });
}

} // namespace

void add_checkpoint_command(CLI::App& domain, command_context& context) {
  auto* s =
      domain.add_subcommand("checkpoint", "Sign the domain's present state as its owner: history below it shrinks, "
                                          "and newcomers take it as a whole");
  auto o = std::make_shared<checkpoint_options>();
  s->add_option("DOMAIN", o->domain, "The domain's identity, or its name")->required();
  s->add_option("--key", o->keys, "The owner's key file; of a group, those of enough members")
      ->required()
      ->allow_extra_args(false);
  s->add_option("--owner", o->owner, "The owner's group file, if it is a group");
  s->add_option("--group", o->groups, "The file of a group within the owner's group")->allow_extra_args(false);
  s->add_option("--replicas", o->replicas, "Other members that are to keep the archive")
      ->capture_default_str()
      ->check(CLI::Range(0, 64));
  s->add_option("--passphrase-file", o->passphrase_file, "Take the first line of this file as the passphrase");
  s->footer("The node is asked what is to be signed; the keys stay here. You vouch for what that node knows of the "
            "domain: ask one that you trust.\n\nExample:\n  hanse domain checkpoint lab --key lab.key");
  s->callback([&context, o] { checkpoint(context, *o); });
}

} // namespace hanse::app
