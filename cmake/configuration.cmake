# What the libraries at hand can do, asked by compiling and linking, never guessed from a version number.
# The answers are in the generated header evstream_config.h, which any file may include.
include(CheckCSourceCompiles)

# evs_check_symbol(<variable> "<headers>" <symbol> <library targets…>)
function(evs_check_symbol variable headers symbol)
  set(CMAKE_REQUIRED_LIBRARIES ${ARGN})
  set(CMAKE_REQUIRED_QUIET ON)
  # Without a sanitizer's runtime the check would fail to link; the answer does not hang on it.
  get_directory_property(link_options LINK_OPTIONS)
  set(CMAKE_REQUIRED_LINK_OPTIONS ${link_options})
  string(REGEX REPLACE "([^;]+);?" "#include <\\1>\n" includes "${headers}")
  check_c_source_compiles("
#include <stddef.h>
#include <stdint.h>
#include <sys/time.h>
${includes}
int main(void) { void (*volatile symbol)(void) = (void (*)(void))${symbol}; return symbol == NULL; }
" ${variable})
  if(${variable})
    message(STATUS "${symbol}: yes")
  else()
    message(STATUS "${symbol}: no")
  endif()
endfunction()

# The control: a check that cannot say yes to what is surely there would switch everything off in silence.
evs_check_symbol(EVS_CHECKS_WORK nats/nats.h natsOptions_SetURL evs::nats)
if(NOT EVS_CHECKS_WORK)
  message(FATAL_ERROR "A program that uses the NATS client library (libnats-dev) does not compile and link; "
                      "CMakeFiles/CMakeError.log in the build folder has the compiler's words.")
endif()

evs_check_symbol(EVS_HAVE_NATS_MESSAGE_PADDING nats/nats.h natsOptions_SetMessageBufferPadding evs::nats)
evs_check_symbol(EVS_HAVE_NATS_PULL_ASYNC nats/nats.h js_PullSubscribeAsync evs::nats)
evs_check_symbol(EVS_HAVE_NATS_CREDENTIALS_MEMORY nats/nats.h natsOptions_SetUserCredentialsFromMemory evs::nats)
evs_check_symbol(EVS_HAVE_HIREDIS_SSL "hiredis/hiredis.h;hiredis/hiredis_ssl.h" redisInitiateSSLWithContext evs::hiredis)
evs_check_symbol(EVS_HAVE_HIREDIS_OPTIONS hiredis/hiredis.h redisConnectWithOptions evs::hiredis)
evs_check_symbol(EVS_HAVE_HIREDIS_PUSH hiredis/hiredis.h redisSetPushCallback evs::hiredis)

configure_file(${PROJECT_SOURCE_DIR}/cmake/evstream_config.h.in ${PROJECT_BINARY_DIR}/generated/evstream_config.h @ONLY)
include_directories(${PROJECT_BINARY_DIR}/generated)
