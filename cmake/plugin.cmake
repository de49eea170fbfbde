# hanse_add_plugin(NAME SOURCES ...) makes NAME.so: engines that a node loads by name (docs/plugins.md). It gets headers
# only: everything of Hanse and CAF comes from the program that loads it, so that there is one copy of each.
function(hanse_add_plugin name)
  cmake_parse_arguments(arg "" "" "SOURCES" ${ARGN})
  add_library(${name} MODULE ${arg_SOURCES})
  set_target_properties(${name} PROPERTIES PREFIX "")
  target_compile_features(${name} PRIVATE cxx_std_20)
  foreach(target hanse::actors CAF::core CAF::io)
    target_include_directories(${name} SYSTEM PRIVATE
      $<TARGET_PROPERTY:${target},INTERFACE_INCLUDE_DIRECTORIES>)
    target_compile_definitions(${name} PRIVATE $<TARGET_PROPERTY:${target},INTERFACE_COMPILE_DEFINITIONS>)
  endforeach()
  if(TARGET hanse_build_stamp)
    foreach(layer crypto protocols transport domains) # in the tree each has its own folder
      target_include_directories(${name} SYSTEM PRIVATE
        $<TARGET_PROPERTY:hanse::${layer},INTERFACE_INCLUDE_DIRECTORIES>)
    endforeach()
    add_dependencies(${name} hanse_build_stamp)
  endif()
endfunction()
