// Steps of a scenario that are about domains: making one, entering, changing, and waiting until nodes agree.
// The others are step_runner.cpp. The domain's owner is this process: its key lives as long as the step.
#include "hanse/app/cluster/step_runner.hpp"

#include "hanse/app/control_wire.hpp"
#include "hanse/app/text_file.hpp"
#include "hanse/crypto/private_file.hpp"
#include "hanse/domains/domain_advert.hpp"
#include "hanse/domains/psk.hpp"

namespace hanse::app {

using nlohmann::json;

namespace {

expected<std::string> write_key(const std::filesystem::path& file, random_source& random) {
  psk_list keys;
  keys.push_back(make_psk(random));
  const auto text = to_psk_text(keys);
  HANSE_CHECK(write_private_file(file, text, random));
  return file.string();
}

} // namespace

step_runner::result step_runner::run(const domain_create_step& s, work&) {
  system_random random;
  const auto owner = key_pair::generate(random);
  domain_config config;
  config.domain = owner.identity();
  config.version = 1;
  config.name = s.domain;
  config.stack = s.stack;
  config.auth = s.psk ? auth_mechanism::psk : auth_mechanism::none;
  std::size_t count = 0;
  for (const auto& [name, nodes] : s.instances) {
    std::vector<introducer> list;
    for (const auto& node : nodes) {
      HANSE_TRY(const auto ticket, cluster_.ticket_of(node));
      HANSE_TRY(const auto advert, parse_ticket(ticket));
      list.push_back(make_introducer(advert));
    }
    count += list.size();
    if (name.empty())
      config.introducers = std::move(list);
    else
      config.instances.push_back({name, {}, std::move(list)}); // ascending: the map is
  }
  HANSE_CHECK(check(config));
  cluster_domain d{to_string(config.domain), to_ticket(sign(config, owner)), {}, {}};
  const auto base = cluster_.directory() / s.domain;
  if (s.psk) {
    HANSE_TRY(d.key_file, write_key(base.string() + ".psk", random));
    HANSE_TRY(d.wrong_key_file, write_key(base.string() + ".wrong.psk", random));
  }
  HANSE_CHECK(write_new_file(base.string() + ".ticket", d.ticket + "\n", 0644));
  cluster_.add_domain(s.domain, d);
  return step_outcome{1, s.domain + ": " + std::to_string(count) + " introducers" + (s.psk ? ", pre-shared key" : "")};
}

expected<unit> step_runner::join_domain(const domain_join_step& s, const std::string& node, work& w) {
  HANSE_TRY(const auto domain, cluster_.domain(s.domain));
  json request{{"command", "domain_enter"}, {"advert", domain.ticket}};
  if (!s.instance.empty()) request["instance"] = s.instance;
  if (!domain.key_file.empty()) request["key_file"] = s.wrong_key ? domain.wrong_key_file : domain.key_file;
  HANSE_CHECK(cluster_.ask(node, request, w.scope));
  while (true) {
    HANSE_TRY(const auto answer,
              cluster_.ask(node, {{"command", "domain_status"}, {"domain", domain.identity}}, w.scope));
    const auto& status = answer.at("domains").at(0);
    const auto role = status.at("role").get<std::string>();
    if (role == "member" && status.value("members", 0) > 0) return ok();
    const auto& why = status.at("why");
    if (role == "outside" && why.is_object())
      return error{errc_of(why.at("code").get<std::string>()), why.at("detail").get<std::string>()};
    // One that asks on after a refusal: another introducer was silent.
    if (status.at("join").is_object() && !s.expect_error.empty())
      for (const auto& t : status.at("join").at("tries"))
        if (const auto text = t.at("why").get<std::string>(); text.starts_with(s.expect_error))
          return error{errc_of(s.expect_error), text};
    if (auto waited = w.scope.pause(); !waited)
      return error{waited.error().code, node + " is " + role + " of " + s.domain};
  }
}

step_runner::result step_runner::run(const domain_join_step& s, work& w) {
  std::string names;
  for (const auto& node : s.nodes) {
    const auto joined = join_domain(s, node, w);
    names += (names.empty() ? "" : ", ") + node;
    if (s.expect_error.empty()) {
      if (!joined) return joined.error();
      continue;
    }
    if (joined) return error{errc::bad_value, node + " joined; expected the error " + s.expect_error};
    if (to_string(joined.code()) != s.expect_error) return joined.error();
    HANSE_TRY(const auto domain, cluster_.domain(s.domain)); // it may still be asking others
    (void)cluster_.ask(node, {{"command", "domain_leave"}, {"domain", domain.identity}}, w.scope);
  }
  return step_outcome{s.nodes.size(), names + (s.expect_error.empty() ? "" : " refused: " + s.expect_error)};
}

step_runner::result step_runner::run(const domain_do_step& s, work& w) {
  HANSE_TRY(const auto domain, cluster_.domain(s.domain));
  json request{{"command", "domain_" + s.action}, {"domain", domain.identity}};
  if (!s.member.empty()) {
    HANSE_TRY(request["member"], cluster_.identity_of({s.member, ""}, w.scope));
  }
  if (s.action == "promote") request["level"] = s.level;
  if (s.action == "put") {
    request["key"] = s.key;
    request["value"] = s.value;
  }
  while (true) { // a node that has just started writes once others have confirmed its newest block
    const auto done = cluster_.ask(s.node, request, w.scope);
    if (done) return step_outcome{1, s.node + ": " + s.action + " " + s.key + s.member};
    if (done.error().code != errc::in_doubt) return done.error();
    HANSE_CHECK(w.scope.pause());
  }
}

step_runner::result step_runner::run(const domain_check_step& s, work& w) {
  HANSE_TRY(const auto domain, cluster_.domain(s.domain));
  while (true) {
    std::string seen;
    std::set<std::string> states;
    bool all = true;
    for (const auto& node : s.nodes) {
      HANSE_TRY(const auto answer,
                cluster_.ask(node, {{"command", "domain_status"}, {"domain", domain.identity}}, w.scope));
      const auto& d = answer.at("domains").at(0);
      const auto count = d.at("members").get<std::uint32_t>();
      all = all && count == s.members && d.at("role") == "member";
      states.insert(d.at("state").is_string() ? d.at("state").get<std::string>() : "none");
      seen += (seen.empty() ? "" : ", ") + node + " " + std::to_string(count);
    }
    if (all && states.size() == 1)
      return step_outcome{s.nodes.size(),
                          std::to_string(s.members) + " members, one state " + states.begin()->substr(0, 12)};
    if (auto waited = w.scope.pause(); !waited)
      return error{waited.error().code, "members: " + seen + "; " + std::to_string(states.size()) + " states"};
  }
}

} // namespace hanse::app
