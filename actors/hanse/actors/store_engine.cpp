// See store_engine.hpp.
#include "hanse/actors/store_engine.hpp"

#include "hanse/actors/errors.hpp"

namespace hanse {

store_engine::store_engine(pointer self, std::shared_ptr<database> db, services_ptr services)
    : self_(self), db_(std::move(db)), services_(std::move(services)) {
  compat::ignore_stray_errors(self_);
}

store_actor::behavior_type store_engine::make_behavior() {
  return {
      [this](write_atom, std::vector<record>& records) -> caf::result<void> {
        auto promise = self_->make_response_promise<void>();
        if (pending_.empty() && waiting_.empty()) compat::send(self_, self_, flush_atom_v);
        std::move(records.begin(), records.end(), std::back_inserter(pending_));
        waiting_.push_back(promise);
        if (waiting_.size() >= store_group_max) commit();
        return promise;
      },
      [this](load_atom, const std::string& table) -> caf::result<std::vector<record>> {
        if (!db_) return std::vector<record>{};
        commit();
        auto records = db_->load(table);
        if (!records) return to_caf(records.error());
        return std::move(*records);
      },
      [this](flush_atom) { commit(); },
      [this](stop_atom) {
        commit();
        db_.reset();
        self_->quit();
      },
  };
}

void store_engine::commit() {
  if (waiting_.empty()) return;
  auto written = db_ ? db_->write(pending_) : ok();
  for (auto& promise : waiting_) {
    if (written)
      promise.deliver();
    else
      promise.deliver(to_caf(written.error()));
  }
  pending_.clear();
  waiting_.clear();
  if (!written) {
    services_->log(log_level::error, "store_failed", {{"reason", to_string(written.error())}});
    if (services_->on_fatal) services_->on_fatal(written.error());
  }
}

} // namespace hanse
