// See socket_engine.hpp.
#include "hanse/actors/socket_engine.hpp"

#include <map>

namespace hanse {

namespace {

using caf::io::connection_handle;

struct socket_engine {
  using pointer = socket_actor::broker_pointer;

  struct entry {
    connection_handle handle;
    caf::strong_actor_ptr link;
    bool wanted = true;    ///< reading is
    bool reading = true;   ///< as CAF was told last
    bool settling = false; ///< that has not come into effect
  };

  socket_engine(pointer self, transport_actor transport) : self_(self), transport_(std::move(transport)) {
    compat::ignore_stray_errors(self_);
  }

  void adopt(std::uint64_t id, connection_handle handle, const caf::strong_actor_ptr& link) {
    links_[id] = {.handle = handle, .link = link};
    settle(id, links_[id]); // it is polled from the end of this round on
    ids_[handle] = id;
    tell(id, connected_atom_v, caf::strong_actor_ptr{});
    self_->ack_writes(handle, true);
    self_->configure_read(handle, caf::io::receive_policy::at_most(socket_read_max));
  }

  void offer(connection_handle handle) {
    auto from = self_->remote_addr(handle);
    compat::request(self_, transport_, caf::infinite, accepted_atom_v, from)
        .then([this, handle](std::uint64_t id, const caf::strong_actor_ptr& link) { adopt(id, handle, link); },
              [this, handle](const caf::error&) { self_->close(handle); });
  }

  template <class... Ts>
  void tell(std::uint64_t id, Ts&&... xs) {
    auto i = links_.find(id);
    if (i != links_.end()) compat::send(self_, caf::actor_cast<link_actor>(i->second.link), std::forward<Ts>(xs)...);
  }

  /// A copy, so that CAF's read buffer is used again: to make a new one CAF clears it octet by octet, which costs five
  /// times the copy.
  void data(const caf::io::new_data_msg& m) {
    if (auto id = ids_.find(m.handle); id != ids_.end()) tell(id->second, caf::byte_buffer{m.buf});
  }

  void forget(connection_handle handle) {
    auto id = ids_.find(handle);
    if (id == ids_.end()) return;
    links_.erase(id->second);
    ids_.erase(id);
  }

  void read(std::uint64_t id, bool wanted) {
    const auto i = links_.find(id);
    if (i == links_.end()) return;
    i->second.wanted = wanted;
    apply(id, i->second);
  }

  /// CAF changes what it polls at the end of a round of its loop, and forgets a `trigger` in the round of a `halt`, and
  /// a `halt` in that of a `trigger`: it never read again. So one change a round: what is posted is done in a later
  /// one.
  void apply(std::uint64_t id, entry& e) {
    if (e.settling || e.wanted == e.reading) return;
    e.reading = e.wanted;
    if (e.reading)
      self_->trigger(e.handle);
    else
      self_->halt(e.handle);
    settle(id, e);
  }

  void settle(std::uint64_t id, entry& e) {
    e.settling = true;
    self_->backend().post([me = socket_actor{self_}, id] { compat::anon_send(me, tick_atom_v, id); });
  }

  void settled(std::uint64_t id) {
    const auto i = links_.find(id);
    if (i == links_.end()) return;
    i->second.settling = false;
    apply(id, i->second);
  }

  template <class F>
  void with(std::uint64_t id, F f) {
    if (auto i = links_.find(id); i != links_.end()) f(i->second.handle);
  }

  socket_actor::behavior_type make_behavior(const std::shared_ptr<socket_engine>& alive) {
    return {
        [this, alive](listen_atom, int fd) { self_->add_doorman(fd); },
        [this](connected_atom, std::uint64_t id, int fd, const caf::strong_actor_ptr& link) {
          adopt(id, self_->add_scribe(fd), link);
        },
        [this](write_atom, std::uint64_t id, const std::vector<bytes>& parts) {
          with(id, [&](connection_handle h) {
            auto& buffer = self_->wr_buf(h);
            for (const auto& part : parts) {
              const auto* first = reinterpret_cast<const compat::byte_type*>(part.data());
              buffer.insert(buffer.end(), first, first + part.size());
            }
            self_->flush(h);
          });
        },
        [this](pause_atom, std::uint64_t id) { read(id, false); },
        [this](resume_atom, std::uint64_t id) { read(id, true); },
        [this](closed_atom, std::uint64_t id) {
          with(id, [this](connection_handle h) {
            forget(h);
            self_->close(h);
          });
        },
        [this](tick_atom, std::uint64_t id) { settled(id); },
        [this](stop_atom) { self_->quit(); },
        [this](const caf::io::new_connection_msg& m) { offer(m.handle); },
        [this](const caf::io::new_data_msg& m) { data(m); },
        [this](const caf::io::connection_closed_msg& m) {
          if (auto id = ids_.find(m.handle); id != ids_.end()) tell(id->second, closed_atom_v, std::string{});
          forget(m.handle);
        },
        [](const caf::io::acceptor_closed_msg&) {},
        [this](const caf::io::data_transferred_msg& m) {
          if (auto id = ids_.find(m.handle); id != ids_.end()) tell(id->second, written_atom_v, m.written);
        },
    };
  }

  pointer self_;
  transport_actor transport_;
  std::map<std::uint64_t, entry> links_;
  std::map<connection_handle, std::uint64_t> ids_;
};

socket_actor::behavior_type socket_behavior(socket_actor::broker_pointer self, transport_actor transport) {
  auto engine = std::make_shared<socket_engine>(self, std::move(transport));
  return engine->make_behavior(engine);
}

} // namespace

socket_actor spawn_socket_actor(caf::actor_system& system, transport_actor transport) {
  return system.middleman().spawn_broker(socket_behavior, std::move(transport));
}

} // namespace hanse
