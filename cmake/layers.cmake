# The layers in the order they may depend on each other, and how a layer or a test is declared.
set(HANSE_LAYERS crypto protocols transport domains actors apps)

add_library(hanse_build_options INTERFACE)
target_compile_features(hanse_build_options INTERFACE cxx_std_20)
target_compile_options(hanse_build_options INTERFACE -Wall -Wextra -Wpedantic)
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # GCC 12 at -O3 takes the alternatives of a std::variant that are not active for uninitialised members.
  target_compile_options(hanse_build_options INTERFACE -Wno-maybe-uninitialized)
endif()
if(HANSE_SANITIZE)
  add_compile_options(-fsanitize=${HANSE_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${HANSE_SANITIZE})
endif()

# hanse_layer(NAME SOURCES ... USES <public dependencies> USES_PRIVATE <others>) makes hanse_NAME and hanse::NAME.
function(hanse_layer name)
  cmake_parse_arguments(arg "" "" "SOURCES;USES;USES_PRIVATE" ${ARGN})
  add_library(hanse_${name} STATIC ${arg_SOURCES})
  add_library(hanse::${name} ALIAS hanse_${name})
  target_include_directories(hanse_${name} PUBLIC $<BUILD_INTERFACE:${CMAKE_CURRENT_SOURCE_DIR}>
                                                  $<INSTALL_INTERFACE:include>)
  set_target_properties(hanse_${name} PROPERTIES EXPORT_NAME ${name})
  target_link_libraries(hanse_${name} PUBLIC ${arg_USES} PRIVATE ${arg_USES_PRIVATE}
                                      $<BUILD_INTERFACE:hanse_build_options>)
  target_compile_features(hanse_${name} PUBLIC cxx_std_20)
endfunction()

set(HANSE_TEST_TIMEOUT_S 600) # five times what the longest takes on two idle cores
if(HANSE_SANITIZE)
  set(HANSE_TEST_TIMEOUT_S 1500)
endif()

add_custom_target(unit_tests) # what `ctest -L unit` needs; scripts/test builds no more for it

# hanse_test(NAME LABEL unit|sim|cluster SOURCES ... USES ...) makes one doctest program, run as one CTest.
function(hanse_test name)
  cmake_parse_arguments(arg "" "LABEL" "SOURCES;USES" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE ${arg_USES} doctest::doctest hanse_test_main hanse_build_options)
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR}/test)
  target_compile_definitions(${name} PRIVATE HANSE_VECTORS_DIR="${HANSE_VECTORS_DIR}"
                                             HANSE_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES LABELS ${arg_LABEL} TIMEOUT ${HANSE_TEST_TIMEOUT_S})
  if(arg_LABEL STREQUAL unit)
    add_dependencies(unit_tests ${name})
  endif()
endfunction()
