// hanse domain: a domain's configuration is made, signed and shown, and its pre-shared keys are made, as files.
// Opens no sockets and needs no running node; what talks to a node about domains belongs beside this file.
#include "hanse/app/command.hpp"
#include "hanse/app/domain_text.hpp"
#include "hanse/app/group_file.hpp"
#include "hanse/app/json_document.hpp"
#include "hanse/app/passphrase.hpp"
#include "hanse/app/text_file.hpp"
#include "hanse/crypto/key_file.hpp"
#include "hanse/crypto/private_file.hpp"
#include "hanse/domains/psk.hpp"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

namespace hanse::app {
namespace {

bool looks_like_json(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r\n");
  return first != text.npos && text[first] == '{';
}

expected<domain_file> load_domain_file(const std::string& file) {
  HANSE_TRY(const auto text, read_text_file(file, json_file_size_max));
  return parse_domain_file(text, file);
}

expected<key_pair> load_key(const std::string& file, const std::string& passphrase_file) {
  auto key = load_key_file(file, [&] { return get_passphrase({passphrase_file}); });
  if (!key) return error{key.error().code, file + ": " + to_string(key.error())};
  return key;
}

struct create_options {
  std::string config, owner, out, replaces, name, auth, passphrase_file;
  std::vector<std::string> groups, introducers, protocols, parameters;
  std::uint64_t version = 0;
};

/// The owner: the key in a key file, or the group in a group file.
expected<std::optional<key_pair>> read_owner(const create_options& options, domain_file& domain) {
  HANSE_TRY(const auto text, read_text_file(options.owner, json_file_size_max));
  if (!looks_like_json(text)) {
    HANSE_TRY(auto key, load_key(options.owner, options.passphrase_file));
    domain.config.domain = key.identity();
    return std::optional{std::move(key)};
  }
  HANSE_TRY(const auto owner, parse_group_file(text, options.owner));
  domain.config.domain = owner.group;
  domain.groups.emplace(owner.group, owner.descriptor);
  for (const auto& file : options.groups) {
    HANSE_TRY(const auto nested_text, read_text_file(file, json_file_size_max));
    HANSE_TRY(const auto nested, parse_group_file(nested_text, file));
    domain.groups.emplace(nested.group, nested.descriptor);
  }
  if (auto nested = check_nesting(owner.group, domain.groups); !nested)
    return error{nested.error().code, "a group within the owner is not known; give its file with --group"};
  return std::optional<key_pair>{};
}

expected<unit> apply_flags(const create_options& options, domain_config& c) {
  if (!options.name.empty()) c.name = options.name;
  if (!options.auth.empty()) {
    HANSE_TRY(c.auth, parse_auth_mechanism(options.auth));
  }
  if (!options.introducers.empty()) c.introducers.clear();
  for (const auto& ticket : options.introducers) {
    auto advert = parse_ticket(ticket);
    if (!advert)
      return error{advert.error().code,
                   "--introducer takes a ticket as `hanse node status` prints it: " + to_string(advert.error())};
    c.introducers.push_back(make_introducer(*advert));
  }
  for (const auto& p : options.protocols) HANSE_CHECK(set_protocol(c.stack, p));
  for (const auto& p : options.parameters) HANSE_CHECK(set_parameter(c.stack, p));
  return ok();
}

/// Settings in this order: those of the file that is replaced, of --config, of the other flags.
expected<domain_file> create(const create_options& options) {
  domain_file domain;
  std::uint64_t version_before = 0;
  if (!options.replaces.empty()) {
    HANSE_TRY(domain, load_domain_file(options.replaces));
    version_before = domain.config.version;
    domain.signatures.clear();
  }
  const auto domain_before = domain.config.domain;
  HANSE_TRY(const auto key, read_owner(options, domain));
  if (version_before != 0 && domain.config.domain != domain_before)
    return error{errc::wrong_signer, options.replaces + " is of another owner, " + to_string(domain_before)};
  domain.config.version = 0;
  if (!options.config.empty()) {
    HANSE_TRY(const auto text, read_text_file(options.config, json_file_size_max));
    HANSE_TRY(domain.config, parse_domain_settings(text, options.config, domain.config));
  }
  HANSE_CHECK(apply_flags(options, domain.config));
  if (options.version != 0) domain.config.version = options.version;
  if (domain.config.version == 0) domain.config.version = std::max(wall_clock_ms(), version_before + 1);
  if (domain.config.version <= version_before)
    return error{errc::stale, options.replaces + " is version " + std::to_string(version_before) +
                                  ", and nobody takes one that is not higher"};
  if (auto checked = check(domain.config); !checked)
    return error{errc::bad_config, to_string(checked.error())}; // without a place: flags and files together
  if (key) {
    const auto hash = hash_to_sign(domain.config);
    HANSE_CHECK(add_signature(domain, {key->identity(), sign_single(*key, hash)}));
  }
  HANSE_CHECK(write_new_file(options.out, encode_domain_file(domain), 0644));
  return domain;
}

void domain_create(command_context& c, const create_options& options) {
  const auto domain = create(options);
  if (!domain) return c.fail("make the domain", domain.error());
  print_domain(c, *domain, options.out);
}

struct sign_options {
  std::string file, key, passphrase_file;
  std::vector<std::string> merge;
};

/// Adds what is new of the signatures of another copy of the file.
expected<unit> merge(domain_file& domain, const std::string& file) {
  HANSE_TRY(const auto other, load_domain_file(file));
  if (!(other.config == domain.config))
    return error{errc::wrong_signer, file + " is not a copy of it: the configurations differ"};
  for (const auto& part : other.signatures) {
    const auto added = add_signature(domain, part);
    if (!added && added.code() != errc::already_exists) return added.error();
  }
  return ok();
}

expected<domain_file> sign(const sign_options& options) {
  HANSE_TRY(auto domain, load_domain_file(options.file));
  for (const auto& file : options.merge) HANSE_CHECK(merge(domain, file));
  if (!options.key.empty()) {
    HANSE_TRY(const auto key, load_key(options.key, options.passphrase_file));
    const auto part = sign_member(key, domain.config.domain, hash_to_sign(domain.config));
    const auto added = add_signature(domain, part);
    if (!added && added.code() != errc::already_exists) return added.error(); // twice is as good as once
  }
  HANSE_CHECK(replace_file(options.file, encode_domain_file(domain), 0644));
  return domain;
}

void domain_sign(command_context& c, const sign_options& options) {
  const auto domain = sign(options);
  if (!domain) return c.fail("sign " + options.file, domain.error());
  print_domain(c, *domain, options.file);
}

void domain_show(command_context& c, const std::string& what) {
  auto ticket = what;
  if (!what.starts_with("hdomain1") && !what.starts_with("HDOMAIN1")) {
    auto text = read_text_file(what, json_file_size_max);
    if (!text) return c.fail("show " + what, text.error());
    if (looks_like_json(*text)) {
      const auto domain = parse_domain_file(*text, what);
      if (!domain) return c.fail("show " + what, domain.error());
      return print_domain(c, *domain, what);
    }
    ticket = text->substr(0, text->find_last_not_of(" \t\r\n") + 1); // a ticket in a file
  }
  const auto advert = parse_domain_ticket(ticket);
  if (!advert) return c.fail("show the domain's ticket", advert.error());
  print_domain(c, *advert);
}

struct psk_options {
  std::string out, rotate;
  std::uint32_t overlap_hours = 24; // a guess: a day to hand the new key out
};

expected<psk_list> make_keys(const psk_options& options) {
  system_random random;
  psk_list keys{make_psk(random)};
  if (options.rotate.empty()) {
    HANSE_CHECK(write_private_file(options.out, to_psk_text(keys), random));
    return keys;
  }
  HANSE_TRY(const auto before, load_psk_file(options.rotate));
  const auto now = wall_clock_ms();
  HANSE_TRY(keys, rotate(before, std::move(keys.front()), now, now + options.overlap_hours * std::uint64_t{3'600'000}));
  HANSE_CHECK(replace_private_file(options.rotate, to_psk_text(keys), random));
  return keys;
}

void domain_psk(command_context& c, const psk_options& options) {
  const auto keys = make_keys(options);
  const auto& file = options.rotate.empty() ? options.out : options.rotate;
  if (!keys) return c.fail((options.rotate.empty() ? "make a key in " : "rotate the keys in ") + file, keys.error());
  c.print({{"file", file}, {"keys", keys->size()}}, [&] {
    c.out << "A new pre-shared key is in " << file << ". Hand the file to introducers and to who may join, secretly.\n";
    if (keys->size() > 1)
      c.out << "The keys before it are accepted for " << options.overlap_hours << " more hours at most.\n";
  });
}

void add_create(CLI::App& domain, command_context& context) {
  auto* create = domain.add_subcommand("create", "Make a domain's configuration, or its next version, in a file");
  auto o = std::make_shared<create_options>();
  create->add_option("--owner", o->owner, "The owner: a key file, which signs at once, or a group file")->required();
  create->add_option("--out", o->out, "The file to write; never overwritten")->required();
  create->add_option("--group", o->groups, "The file of a group within the owner's group")->allow_extra_args(false);
  create->add_option("--config", o->config, "Settings as JSON (docs/domains.md); - for standard input");
  create->add_option("--replaces", o->replaces, "The domain file before it: its settings, and a higher version");
  create->add_option("--name", o->name, "A name for people");
  create->add_option("--auth", o->auth, "How newcomers prove themselves")
      ->check(CLI::IsMember(std::vector<std::string>{"none", "psk"}));
  create->add_option("--introducer", o->introducers, "The ticket of a node that lets newcomers in")
      ->allow_extra_args(false);
  create->add_option("--protocol", o->protocols, "membership=, dissemination= or storage=NAME/VERSION")
      ->allow_extra_args(false);
  create->add_option("--parameter", o->parameters, "A protocol's parameter: dissemination.KEY=VALUE")
      ->allow_extra_args(false);
  create->add_option("--version-number", o->version, "The version; milliseconds since 1970 if none is given")
      ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{wire_number_max}));
  create->add_option("--passphrase-file", o->passphrase_file, "Take the first line of this file as the passphrase");
  create->footer("Of --replaces, --config and the other options the later ones win.\n\n"
                 "Example: a domain of two of three people; they sign it next\n"
                 "  hanse domain create --owner board.json --auth psk --introducer hticket1… --out lab.json\n"
                 "  hanse domain sign lab.json --key alice.key");
  create->callback([&context, o] {
    if (!o->replaces.empty() && o->replaces == o->out)
      return context.misuse("--out must not be the file that --replaces names: it is never overwritten");
    domain_create(context, *o);
  });
}

void add_sign(CLI::App& domain, command_context& context) {
  auto* sign = domain.add_subcommand("sign", "Add a signature to a domain file, and say which are missing");
  auto o = std::make_shared<sign_options>();
  sign->add_option("FILE", o->file, "The domain file; the signature goes into it")->required();
  sign->add_option("--key", o->key, "The key file of one of the owner's members");
  sign->add_option("--merge", o->merge, "Another copy of the file: take the signatures that it has");
  sign->add_option("--passphrase-file", o->passphrase_file, "Take the first line of this file as the passphrase");
  sign->footer("Read what you sign: hanse domain show FILE.\n\n"
               "Example: one signs, hands the file on, the next signs\n"
               "  hanse domain sign lab.json --key alice.key\n"
               "  hanse domain sign lab.json --key bob.key");
  sign->callback([&context, o] {
    if (o->key.empty() && o->merge.empty()) return context.misuse("domain sign needs --key or --merge");
    domain_sign(context, *o);
  });
}

void add_show(CLI::App& domain, command_context& context) {
  auto* show = domain.add_subcommand("show", "Print a domain file or a domain's ticket, and check its signatures");
  auto what = std::make_shared<std::string>();
  show->add_option("FILE|TICKET", *what, "A domain file, a ticket (hdomain1…), or a file with one")->required();
  show->footer("Example:\n  hanse domain show lab.json");
  show->callback([&context, what] { domain_show(context, *what); });
}

void add_psk(CLI::App& domain, command_context& context) {
  auto* psk = domain.add_subcommand("psk", "Make a pre-shared key for joining a domain, or rotate the keys in a file");
  auto o = std::make_shared<psk_options>();
  auto* out = psk->add_option("--out", o->out, "The file to write; never overwritten");
  auto* rotate = psk->add_option("--rotate", o->rotate, "A key file that gets a new key; the old ones run out");
  out->excludes(rotate);
  psk->add_option("--overlap-hours", o->overlap_hours, "How long old keys are accepted after a rotation")
      ->needs(rotate)
      ->check(CLI::Range(0U, 24U * 365U));
  psk->footer("Example: a key, and another one a year later\n"
              "  hanse domain psk --out lab.psk\n"
              "  hanse domain psk --rotate lab.psk --overlap-hours 48");
  psk->callback([&context, o] {
    if (o->out.empty() && o->rotate.empty()) return context.misuse("domain psk needs --out or --rotate");
    domain_psk(context, *o);
  });
}

} // namespace

void add_domain_commands(CLI::App& program, command_context& context) {
  auto* domain = program.add_subcommand("domain", "Make, sign, enter and watch domains");
  domain->require_subcommand(1);
  domain->footer("Example:\n  hanse domain create --owner alice.key --name lab --introducer hticket1… --out lab.json");
  add_create(*domain, context);
  add_sign(*domain, context);
  add_show(*domain, context);
  add_psk(*domain, context);
  add_domain_node_commands(*domain, context);
}

} // namespace hanse::app
