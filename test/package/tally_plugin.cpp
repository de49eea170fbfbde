// A plug-in for the test: an engine whose message types are its own, a struct among them.
#include <hanse/actors/plugin.hpp>

struct tally_entry {
  std::string what;
  std::int32_t many = 0;
};

template <class Inspector>
bool inspect(Inspector& f, tally_entry& x) {
  return f.object(x).fields(f.field("what", x.what), f.field("many", x.many));
}

CAF_BEGIN_TYPE_ID_BLOCK(tally, caf::first_custom_type_id + 3000)
CAF_ADD_TYPE_ID(tally, (tally_entry))
CAF_ADD_TYPE_ID(tally, (std::vector<tally_entry>))
CAF_ADD_ATOM(tally, tally_messages, note_atom)
CAF_ADD_ATOM(tally, tally_messages, all_atom)
CAF_END_TYPE_ID_BLOCK(tally)

using tally_actor = caf::typed_actor<caf::result<std::int32_t>(tally_messages::note_atom, tally_entry),
                                     caf::result<std::vector<tally_entry>>(tally_messages::all_atom)>;
HANSE_PROTOCOL(tally_actor, "tally/1.0")

struct tally_engine {
  explicit tally_engine(tally_actor::pointer) {}
  tally_actor::behavior_type make_behavior() {
    return {
        [this](tally_messages::note_atom, const tally_entry& entry) {
          entries.push_back(entry);
          return entry.many;
        },
        [this](tally_messages::all_atom) { return entries; },
    };
  }
  std::vector<tally_entry> entries;
};

// [plugin]
HANSE_PLUGIN(caf::id_block::tally,
             [](hanse::engine_registry& registry) { return registry.add<tally_actor, tally_engine>("tally"); })
// [plugin]
