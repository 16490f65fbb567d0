// SPDX-License-Identifier: Apache-2.0
/// catch_main.cpp: the main function of every test program; built once, since it is slow to
/// compile.
#if __has_include(<catch2/catch_session.hpp>)
#include <catch2/catch_session.hpp>
int main(int argc, char* argv[]) { return Catch::Session().run(argc, argv); }
#else
#define CATCH_CONFIG_MAIN
#include <catch2/catch.hpp>
#endif
