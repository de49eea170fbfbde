// See spool_engine.hpp.
#include "hanse/actors/spool_engine.hpp"

#include "hanse/actors/internal/carried.hpp"
#include "hanse/protocols/codec.hpp"

namespace hanse {

namespace {

namespace fs = std::filesystem;

constexpr time_ms spool_more_ms = 50; // when a look found more than it could take

bytes number_record(std::uint64_t n) {
  msgpack_writer out;
  out.unsigned_integer(n);
  return std::move(out).take();
}

/// Whoever asks waits as long as the message lives, and no longer; what is told may come when it comes.
time_ms life_of(const std::vector<outbound>& messages, time_ms life_ms, time_ms now) {
  time_ms life = 1;
  for (const auto& m : messages) {
    if (m.message.kind == message_kind::tell) return life_ms;
    life = std::max(life, m.message.expires_ms() > now ? m.message.expires_ms() - now : 1);
  }
  return life;
}

} // namespace

spool_engine::spool_engine(pointer self, std::shared_ptr<node_core> core, spool_directory directory, spool_setup setup)
    : self_(self), core_(std::move(core)), directory_(std::move(directory)), setup_(std::move(setup)),
      inbox_(*core_->key), outbox_(setup_.quota) {
  compat::ignore_stray_errors(self_);
  for (const auto& r : setup_.seen)
    if (auto done = inbox_.restore(r.key, r.value); !done) failed("bundle_not_restored", {}, done.error());
  for (const auto& r : setup_.own) {
    msgpack_reader in{r.value};
    const auto size = in.unsigned_integer();
    const std::string file{as_text(r.key)};
    const auto parsed = parse_bundle_name(file);
    if (!in.finish() || !parsed) continue;
    outbox_.wrote(*parsed, size);
    own_.insert(file);
  }
  setup_.seen.clear();
  setup_.own.clear();
}

spool_actor::behavior_type spool_engine::make_behavior() {
  compat::send(self_, self_, tick_atom_v);
  return {
      [this](const identity& to, const way&, std::vector<outbound>& messages) { send(to, std::move(messages)); },
      [this](stop_atom) {
        stopping_ = true;
        end_if_done();
      },
      [this](tick_atom) {
        if (stopping_) return;
        const auto next_ms = scan() ? spool_more_ms : setup_.scan_ms;
        compat::delayed_send_to_self(self_, std::chrono::milliseconds{next_ms}, tick_atom_v);
      },
  };
}

/// What was sent before the node was told to stop is written first.
void spool_engine::end_if_done() {
  if (stopping_ && sending_ == 0) self_->quit();
}

/// The recipient may know nothing of us but our name: our adverts go along.
void spool_engine::send(const identity& to, std::vector<outbound> messages) {
  auto shared = std::make_shared<std::vector<outbound>>(std::move(messages));
  ++sending_;
  const auto go_on = [this, to, shared] {
    --sending_;
    write(to, std::move(*shared), adverts_);
    end_if_done();
  };
  compat::request(self_, core_->identities, caf::infinite, adverts_atom_v, true)
      .then(
          [this, go_on](std::vector<bytes>& adverts) {
            adverts_ = std::move(adverts);
            go_on();
          },
          [go_on](const caf::error&) { go_on(); }); // the node stops: with the adverts of last time
}

void spool_engine::write(const identity& to, std::vector<outbound> messages, const std::vector<bytes>& adverts) {
  const auto refuse = [this](outbound m, error why) {
    std::vector<outbound> one;
    one.push_back(std::move(m));
    give_back(std::move(one), why);
  };
  for (auto& p :
       internal::seal_all(std::move(messages), bundle_payload_max, now(), core_->services->random(), refuse)) {
    const auto life = life_of(p.messages, setup_.life_ms, now());
    if (auto done = write_bundle(to, p.octets, life, adverts); !done) give_back(std::move(p.messages), done.error());
  }
}

expected<unit> spool_engine::write_bundle(const identity& to, byte_view payload, time_ms life_ms,
                                          const std::vector<bytes>& adverts) {
  HANSE_TRY(const auto file, make_bundle(*core_->key, to, payload, now(), life_ms, core_->services->random(), adverts));
  HANSE_CHECK(outbox_.admits(to, file.octets.size()));
  const auto file_name = to_string(file.name);
  if (auto done = directory_.write(file_name, file.octets); !done) {
    failed("bundle_not_written", file_name, done.error());
    return done.error();
  }
  outbox_.wrote(file.name, file.octets.size());
  own_.insert(file_name);
  compat::send(
      self_, core_->store, write_atom_v,
      std::vector<record>{{std::string{spool_own_table}, to_bytes(file_name), number_record(file.octets.size())}});
  core_->services->counters.bundles_sent.inc();
  return ok();
}

void spool_engine::give_back(std::vector<outbound> messages, const error& why) {
  compat::send(self_, core_->router, unsent_atom_v, std::move(messages), why);
}

/// True if there is more than what was taken at once.
bool spool_engine::scan() {
  auto names = directory_.list(spool_files_max);
  if (!names) {
    failed("spool_not_readable", {}, names.error());
    return false;
  }
  clear_away(*names);
  std::erase_if(*names, [this](const std::string& file) { return is_set_aside(file); }); // they take nobody's place
  std::vector<spool_effect> effects;
  inbox_.scanned(*names, now(), effects);
  const bool full = effects.size() >= bundles_open_max;
  inbox_.tick(now(), effects);
  perform(std::move(effects));
  return full;
}

/// Of our own files: removes those that expired, and forgets those that somebody has carried away.
void spool_engine::clear_away(const std::vector<std::string>& names) {
  const std::set<std::string> there{names.begin(), names.end()};
  const auto expired = outbox_.scanned(names, now());
  std::vector<record> gone;
  for (const auto& file : expired) {
    core_->services->counters.drop(errc::expired);
    if (auto done = directory_.remove(file); !done) failed("bundle_not_removed", file, done.error());
    own_.erase(file);
    gone.push_back({std::string{spool_own_table}, to_bytes(file), {}});
  }
  std::erase_if(own_, [&](const std::string& file) {
    if (there.contains(file)) return false;
    gone.push_back({std::string{spool_own_table}, to_bytes(file), {}});
    return true;
  });
  if (!gone.empty()) compat::send(self_, core_->store, write_atom_v, std::move(gone));
  std::erase_if(set_aside_, [&](const auto& entry) { return !there.contains(entry.first); });
}

void spool_engine::perform(std::vector<spool_effect> effects) {
  for (auto& effect : effects) {
    if (auto* r = std::get_if<spool_read>(&effect))
      read(r->name);
    else if (auto* p = std::get_if<spool_persist>(&effect))
      persist(*p);
    else if (auto* d = std::get_if<spool_deliver>(&effect))
      deliver(*d);
    else if (auto* gone = std::get_if<spool_remove>(&effect)) {
      if (auto done = directory_.remove(gone->name); !done) failed("bundle_not_removed", gone->name, done.error());
    } else {
      refused(std::get<spool_refused>(effect));
    }
  }
}

/// Looked at before it is read: if it is still being copied, the rest is a reason to read it again.
void spool_engine::read(const std::string& file) {
  last_read_ = {file, look_of(file)};
  const auto octets = directory_.read(file, bundle_size_max);
  if (!octets) {
    inbox_.unreadable(file);
    return refused({file, octets.error()});
  }
  std::vector<spool_effect> effects;
  inbox_.content(file, *octets, now(), effects);
  perform(std::move(effects));
}

/// Durable before the messages are handed on.
void spool_engine::persist(const spool_persist& wanted) {
  std::vector<record> records;
  for (const auto& w : wanted.writes)
    records.push_back({std::string{spool_seen_table}, w.key, w.value.value_or(bytes{})});
  compat::request(self_, core_->store, caf::infinite, write_atom_v, std::move(records))
      .then(
          [this, file = wanted.name] {
            std::vector<spool_effect> effects;
            if (!file.empty()) inbox_.persisted(file, now(), effects);
            perform(std::move(effects));
          },
          [](const caf::error&) { /* the store has stopped the node */ });
}

/// The life of the messages begins now: the bundle's was judged, and so was that it is new.
void spool_engine::deliver(const spool_deliver& d) {
  auto here = std::make_shared<spool_deliver>(d);
  const auto handled = [this, here] {
    std::vector<spool_effect> effects;
    inbox_.handled(here->name, effects);
    perform(std::move(effects));
  };
  const auto refuse = [this, here, handled](const error& why) {
    core_->services->counters.drop(why.code);
    failed("payload_refused", here->name, why);
    handled();
  };
  const auto take = [this, here, handled, refuse] {
    auto messages = internal::open_carried(*core_->services, core_->identities, here->content);
    if (!messages) return refuse(messages.error());
    for (auto& in : *messages) {
      in.message.sent_ms = now();
      in.judged = true;
    }
    compat::send(self_, core_->router, received_atom_v, here->content.sender, std::move(*messages));
    handled();
  };
  internal::unless_banned(self_, core_->identities, here->content.sender, take, refuse);
}

/// Counted once, not at every scan: a file that stays is looked at again when it has changed, or later.
void spool_engine::refused(const spool_refused& r) {
  core_->services->counters.drop(r.why.code);
  failed("bundle_refused", r.name, r.why);
  auto look = last_read_.first == r.name ? last_read_.second : look_of(r.name);
  if (!look || set_aside_.size() >= spool_set_aside_max) return;
  look->for_good = r.why.code != errc::clock_skew && r.why.code != errc::table_full;
  set_aside_[r.name] = *look;
}

bool spool_engine::is_set_aside(const std::string& file) const {
  const auto i = set_aside_.find(file);
  if (i == set_aside_.end()) return false;
  const auto look = look_of(file);
  if (!look || look->size != i->second.size || look->written != i->second.written) return false;
  return i->second.for_good || now() < i->second.at + spool_look_again_ms;
}

std::optional<spool_engine::set_aside> spool_engine::look_of(const std::string& file) const {
  std::error_code no_size, no_time;
  const auto path = directory_.path() / file;
  const auto size = fs::file_size(path, no_size);
  const auto written = fs::last_write_time(path, no_time);
  if (no_size || no_time) return std::nullopt;
  return set_aside{size, written, now(), false};
}

void spool_engine::failed(std::string_view what, const std::string& file, const error& why) {
  core_->services->log(log_level::warning, what,
                       {{"directory", directory_.path().string()}, {"file", file}, {"reason", to_string(why)}});
}

} // namespace hanse
