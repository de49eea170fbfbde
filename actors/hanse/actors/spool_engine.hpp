// The actor around a node's spool (transport/spool.hpp): writes messages as bundles into a directory, looks for bundles
// that somebody has carried there, and gives what is in them to the router. The router's carrier for "spool". It waits
// for the disk, so it has a thread of its own. Not the directory (spool_directory.hpp), not who carries files.
#pragma once

#include "hanse/actors/node.hpp"
#include "hanse/actors/spool_directory.hpp"
#include "hanse/transport/spool.hpp"

#include <caf/stateful_actor.hpp>

namespace hanse {

using spool_actor = caf::typed_actor<caf::result<void>(identity, way, std::vector<outbound>), //
                                     caf::result<void>(stop_atom), caf::result<void>(tick_atom)>;

inline constexpr std::string_view spool_seen_table = "spool_seen"; ///< digests of bundles that were taken
inline constexpr std::string_view spool_own_table = "spool_own";   ///< names of our files, and their sizes
inline constexpr time_ms spool_look_again_ms = 60'000; ///< at a file that was not good yet, unless it changes; a guess
inline constexpr std::size_t spool_set_aside_max = 4096; ///< such files remembered

/// What is durable, and how the engine works.
struct spool_setup {
  time_ms life_ms = bundle_life_default_ms; ///< of bundles with one-way messages
  time_ms scan_ms = 2'000;
  spool_quota quota = {};
  std::vector<record> seen, own; ///< of the two tables
};

class spool_engine {
public:
  using pointer = spool_actor::pointer;
  static inline const char* name = "hanse.spool";

  spool_engine(pointer self, std::shared_ptr<node_core> core, spool_directory directory, spool_setup setup);

  spool_actor::behavior_type make_behavior();

private:
  /// A file that was refused and stays: what it looked like, and when.
  struct set_aside {
    std::uintmax_t size = 0;
    std::filesystem::file_time_type written;
    time_ms at = 0;
    bool for_good = false; ///< until it changes
  };

  time_ms now() const { return core_->services->now_ms(); }
  void send(const identity& to, std::vector<outbound> messages);
  void write(const identity& to, std::vector<outbound> messages, const std::vector<bytes>& adverts);
  expected<unit> write_bundle(const identity& to, byte_view payload, time_ms life_ms,
                              const std::vector<bytes>& adverts);
  void give_back(std::vector<outbound> messages, const error& why);
  bool scan();
  void clear_away(const std::vector<std::string>& names);
  void perform(std::vector<spool_effect> effects);
  void read(const std::string& file);
  void persist(const spool_persist& wanted);
  void deliver(const spool_deliver& d);
  void refused(const spool_refused& r);
  bool is_set_aside(const std::string& file) const;
  std::optional<set_aside> look_of(const std::string& file) const;
  void failed(std::string_view what, const std::string& file, const error& why);
  void end_if_done();

  pointer self_;
  std::shared_ptr<node_core> core_;
  spool_directory directory_;
  spool_setup setup_;
  spool_inbox inbox_;
  spool_outbox outbox_;
  std::set<std::string> own_; ///< files in outbox_
  std::map<std::string, set_aside> set_aside_;
  std::pair<std::string, std::optional<set_aside>> last_read_; ///< the file, and what it was like before
  std::vector<bytes> adverts_;                                 ///< ours, as of the last message
  std::size_t sending_ = 0;                                    ///< messages that wait for our adverts
  bool stopping_ = false;
};

} // namespace hanse
