# What `cmake --install` and CPack bring along, in two components: `runtime` (the program, and CAF's libraries if they
# lie in no place of the system) and `development` (headers without internal/, archives, CMake and pkg-config files).
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(HANSE_INSTALLED_LAYERS crypto protocols transport domains sim actors)
set(HANSE_CMAKE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/hanse)

# CAF as scripts/bootstrap builds it is private to the checkout: the program brings its two libraries along.
get_target_property(hanse_caf_type CAF::core TYPE)
cmake_path(IS_PREFIX CMAKE_SOURCE_DIR "${CAF_DIR}" NORMALIZE hanse_caf_is_private)
set(hanse_bundle_default OFF)
if(hanse_caf_is_private AND hanse_caf_type STREQUAL SHARED_LIBRARY)
  set(hanse_bundle_default ON)
endif()
option(HANSE_BUNDLE_CAF "Install CAF's shared libraries beside the program" ${hanse_bundle_default})

# The program.
set_target_properties(hanse_program PROPERTIES INSTALL_RPATH "$ORIGIN/../${CMAKE_INSTALL_LIBDIR}/hanse")
install(TARGETS hanse_program RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT runtime)
set(hanse_manual ${CMAKE_BINARY_DIR}/apps/manual)
install(DIRECTORY ${hanse_manual}/ DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT runtime FILES_MATCHING PATTERN "*.1")
install(FILES ${hanse_manual}/hanse.bash RENAME hanse COMPONENT runtime
  DESTINATION ${CMAKE_INSTALL_DATAROOTDIR}/bash-completion/completions)
install(FILES ${hanse_manual}/_hanse DESTINATION ${CMAKE_INSTALL_DATAROOTDIR}/zsh/site-functions COMPONENT runtime)
install(FILES ${hanse_manual}/hanse.fish DESTINATION ${CMAKE_INSTALL_DATAROOTDIR}/fish/vendor_completions.d
  COMPONENT runtime)
install(DIRECTORY ${CMAKE_SOURCE_DIR}/apps/templates DESTINATION ${CMAKE_INSTALL_DATAROOTDIR}/hanse COMPONENT development)
if(HANSE_BUNDLE_CAF)
  install(IMPORTED_RUNTIME_ARTIFACTS CAF::core CAF::io
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/hanse COMPONENT runtime)
  # What is imported is not stripped with the rest, and CAF's debug information is 60 MB.
  install(CODE "if(CMAKE_INSTALL_DO_STRIP)
    file(GLOB libraries \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_LIBDIR}/hanse/*.so*\")
    foreach(library IN LISTS libraries)
      execute_process(COMMAND ${CMAKE_STRIP} --strip-debug \${library})
    endforeach()
  endif()" COMPONENT runtime)
endif()

# The layers.
foreach(layer IN LISTS HANSE_INSTALLED_LAYERS)
  install(TARGETS hanse_${layer} EXPORT hanse_targets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT development)
  set(folder ${layer})
  if(layer STREQUAL sim)
    set(folder apps)
  endif()
  install(DIRECTORY ${CMAKE_SOURCE_DIR}/${folder}/hanse/${layer} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/hanse
    COMPONENT development FILES_MATCHING PATTERN "*.hpp" PATTERN internal EXCLUDE)
endforeach()
install(FILES ${CMAKE_BINARY_DIR}/generated/hanse/actors/build_stamp.hpp DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/hanse/actors COMPONENT development)
install(EXPORT hanse_targets NAMESPACE hanse:: FILE hanse-targets.cmake DESTINATION ${HANSE_CMAKE_DIR}
  COMPONENT development)
configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/hanse-config.cmake.in ${CMAKE_BINARY_DIR}/hanse-config.cmake
  INSTALL_DESTINATION ${HANSE_CMAKE_DIR} NO_SET_AND_CHECK_MACRO)
# Before 1.0 every minor version may break its users.
write_basic_package_version_file(${CMAKE_BINARY_DIR}/hanse-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/hanse-config.cmake ${CMAKE_BINARY_DIR}/hanse-config-version.cmake
  ${CMAKE_CURRENT_LIST_DIR}/plugin.cmake DESTINATION ${HANSE_CMAKE_DIR} COMPONENT development)

# pkg-config: one file a layer. CAF 0.18 has none of its own, so its libraries stand in hanse-actors.
function(hanse_pkgconfig layer)
  cmake_parse_arguments(arg "" "ABOUT;CFLAGS;LIBS" "REQUIRES;REQUIRES_PRIVATE" ${ARGN})
  set(layer_name ${layer})
  list(JOIN arg_REQUIRES ", " requires)
  list(JOIN arg_REQUIRES_PRIVATE ", " requires_private)
  configure_file(${PROJECT_SOURCE_DIR}/cmake/hanse.pc.in ${CMAKE_BINARY_DIR}/pkgconfig/hanse-${layer}.pc @ONLY)
  install(FILES ${CMAKE_BINARY_DIR}/pkgconfig/hanse-${layer}.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig
    COMPONENT development)
endfunction()
file(RELATIVE_PATH hanse_pc_prefix /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
hanse_pkgconfig(crypto ABOUT "identities, signatures, key files" REQUIRES_PRIVATE libcrypto libsodium)
hanse_pkgconfig(protocols ABOUT "pure protocol machines" REQUIRES hanse-crypto)
hanse_pkgconfig(transport ABOUT "TLS sessions, links, connection pool" REQUIRES hanse-protocols
  REQUIRES_PRIVATE libssl)
hanse_pkgconfig(domains ABOUT "domains" REQUIRES hanse-protocols)
hanse_pkgconfig(sim ABOUT "the simulator and its test kit" REQUIRES hanse-transport hanse-domains)
set(hanse_caf_cflags "")
if(HANSE_TYPE_ID_START)
  set(hanse_caf_cflags "-DHANSE_TYPE_ID_START=${HANSE_TYPE_ID_START}")
endif()
hanse_pkgconfig(actors ABOUT "CAF actors; needs CAF's headers and libraries, name their place yourself"
  REQUIRES hanse-transport hanse-domains REQUIRES_PRIVATE sqlite3 CFLAGS "${hanse_caf_cflags}" LIBS "-lcaf_io -lcaf_core")

# Packages: cpack -G DEB (or TGZ) in the build directory.
set(CPACK_PACKAGE_NAME hanse)
set(CPACK_PACKAGE_VENDOR "Hanse")
set(CPACK_PACKAGE_CONTACT "The Hanse authors <hanse@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "Networks of cryptographically addressed actors")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_COMPONENTS_ALL runtime development)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_NAME hanse)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_SECTION net)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_SHLIBDEPS ON) # what the program is linked to, as dpkg knows it
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_NAME libhanse-dev)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS
  "libssl-dev (>= 3.0), libsodium-dev, libsqlite3-dev, libc6-dev, pkg-config")
set(CPACK_COMPONENT_RUNTIME_DESCRIPTION "The program hanse: nodes, test clusters, simulations.")
set(CPACK_COMPONENT_DEVELOPMENT_DESCRIPTION
  "Headers, static libraries, CMake and pkg-config files for programs that embed Hanse. hanse::actors also needs
 the C++ Actor Framework (0.18.7 or newer, core and io), which this package does not contain.")
if(HANSE_BUNDLE_CAF)
  get_target_property(hanse_caf_location CAF::core LOCATION)
  cmake_path(GET hanse_caf_location PARENT_PATH CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS)
endif()
include(CPack)
