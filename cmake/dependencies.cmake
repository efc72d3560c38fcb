# Third-party libraries, all of them Debian packages, as imported targets evs::<name>.
#
# pkg-config is asked first, then the plain header and library: some distributions ship no .pc file for some of them.
# A missing one ends the configuration with the name of the package to install.

find_package(PkgConfig QUIET)
find_package(Threads REQUIRED)
add_library(evs::threads INTERFACE IMPORTED GLOBAL)
target_link_libraries(evs::threads INTERFACE Threads::Threads)

# evs_dependency(<name> PC <module> HEADER <header> LIBRARY <library> PACKAGE <Debian package>)
function(evs_dependency name)
  cmake_parse_arguments(arg "" "PC;HEADER;LIBRARY;PACKAGE" "" ${ARGN})
  add_library(evs::${name} INTERFACE IMPORTED GLOBAL)
  if(PkgConfig_FOUND)
    pkg_check_modules(EVS_PC_${name} QUIET ${arg_PC})
  endif()
  if(EVS_PC_${name}_FOUND)
    message(STATUS "${name}: ${EVS_PC_${name}_VERSION}")
    target_include_directories(evs::${name} SYSTEM INTERFACE ${EVS_PC_${name}_INCLUDE_DIRS})
    target_compile_options(evs::${name} INTERFACE ${EVS_PC_${name}_CFLAGS_OTHER})
    target_link_libraries(evs::${name} INTERFACE ${EVS_PC_${name}_LINK_LIBRARIES})
    target_link_options(evs::${name} INTERFACE ${EVS_PC_${name}_LDFLAGS_OTHER})
    return()
  endif()
  find_path(EVS_${name}_INCLUDE ${arg_HEADER})
  find_library(EVS_${name}_LIBRARY ${arg_LIBRARY})
  if(NOT EVS_${name}_INCLUDE OR NOT EVS_${name}_LIBRARY)
    message(FATAL_ERROR "The library ${name} is missing (looked for pkg-config's ${arg_PC}, the header ${arg_HEADER} "
                        "and lib${arg_LIBRARY}). Install the package ${arg_PACKAGE}, or run ./dev setup.")
  endif()
  message(STATUS "${name}: ${EVS_${name}_LIBRARY}")
  target_include_directories(evs::${name} SYSTEM INTERFACE ${EVS_${name}_INCLUDE})
  target_link_libraries(evs::${name} INTERFACE ${EVS_${name}_LIBRARY})
endfunction()

evs_dependency(nats PC libnats HEADER nats/nats.h LIBRARY nats PACKAGE libnats-dev)
evs_dependency(hiredis PC hiredis HEADER hiredis/hiredis.h LIBRARY hiredis PACKAGE libhiredis-dev)
evs_dependency(simdjson PC simdjson HEADER simdjson.h LIBRARY simdjson PACKAGE libsimdjson-dev)
evs_dependency(xxhash PC libxxhash HEADER xxhash.h LIBRARY xxhash PACKAGE libxxhash-dev)
evs_dependency(lz4 PC liblz4 HEADER lz4.h LIBRARY lz4 PACKAGE liblz4-dev)
evs_dependency(zstd PC libzstd HEADER zstd.h LIBRARY zstd PACKAGE libzstd-dev)
evs_dependency(zlib PC zlib HEADER zlib.h LIBRARY z PACKAGE zlib1g-dev)
evs_dependency(absl_time PC absl_time HEADER absl/time/time.h LIBRARY absl_time PACKAGE libabsl-dev)
evs_dependency(mpfr PC mpfr HEADER mpfr.h LIBRARY mpfr PACKAGE libmpfr-dev)
evs_dependency(re2 PC re2 HEADER re2/re2.h LIBRARY re2 PACKAGE libre2-dev)
evs_dependency(psl PC libpsl HEADER libpsl.h LIBRARY psl PACKAGE libpsl-dev)
evs_dependency(farmhash PC farmhash HEADER farmhash.h LIBRARY farmhash PACKAGE libfarmhash-dev)
evs_dependency(crypto PC libcrypto HEADER openssl/evp.h LIBRARY crypto PACKAGE libssl-dev)
evs_dependency(unistring PC unistring HEADER unicase.h LIBRARY unistring PACKAGE libunistring-dev)

# The sanitizers replace the allocator themselves, so there evs::jemalloc is empty and libc's malloc stays.
if(EVS_SANITIZE)
  add_library(evs::jemalloc INTERFACE IMPORTED GLOBAL)
  set(EVS_HAVE_JEMALLOC OFF)
else()
  evs_dependency(jemalloc PC jemalloc HEADER jemalloc/jemalloc.h LIBRARY jemalloc PACKAGE libjemalloc-dev)
  set(EVS_HAVE_JEMALLOC ON)
endif()

# Tests can be left out: a container image builds the program alone.
option(EVS_TESTS "Build the tests" ON)
if(EVS_TESTS)
  evs_dependency(check PC check HEADER check.h LIBRARY check PACKAGE check)
endif()

# TLS of hiredis is a library of its own where it exists (1.0 and later); the link to it travels with evs::hiredis.
if(PkgConfig_FOUND)
  pkg_check_modules(EVS_PC_hiredis_ssl QUIET hiredis_ssl)
endif()
if(EVS_PC_hiredis_ssl_FOUND)
  target_link_libraries(evs::hiredis INTERFACE ${EVS_PC_hiredis_ssl_LINK_LIBRARIES})
endif()
