# Finds what Hanse builds on; every target used below is made here. scripts/bootstrap installs all of it.
find_package(Threads REQUIRED)
find_package(OpenSSL 3.0 REQUIRED)
find_package(CAF COMPONENTS core io REQUIRED)
find_package(nlohmann_json 3.11 REQUIRED)
find_package(SQLite3 REQUIRED)
find_package(CLI11 REQUIRED)
# Debian 12 installs msgpack-cxx 4 as folder msgpackc-cxx with msgpack-config.cmake; upstream calls it msgpack-cxx.
find_package(msgpack NAMES msgpack-cxx msgpackc-cxx msgpack REQUIRED)
if(NOT TARGET msgpackc-cxx)
  add_library(msgpackc-cxx ALIAS msgpack-cxx)
endif()
find_package(PkgConfig REQUIRED)
pkg_check_modules(sodium REQUIRED IMPORTED_TARGET libsodium)
# For the program alone (`hanse dashboard`): what is installed for developers does not need it.
pkg_check_modules(httplib REQUIRED IMPORTED_TARGET cpp-httplib>=0.11)

if(HANSE_BUILD_TESTS)
  find_package(doctest REQUIRED)
endif()
if(HANSE_BUILD_BENCH)
  find_package(benchmark REQUIRED)
endif()
