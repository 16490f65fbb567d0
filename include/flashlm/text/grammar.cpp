// SPDX-License-Identifier: Apache-2.0
/// grammar.cpp: the bodies of grammars, for programs whose files all define FLASHLM_COMPILED
/// (version.hpp).
#if !defined(FLASHLM_COMPILED)
#error "grammar.cpp belongs to a program that defines FLASHLM_COMPILED in every file."
#endif

#include "flashlm/text/grammar/grammar.ipp"
#include "flashlm/text/grammar/automaton/grammar_rules.ipp"
#include "flashlm/text/grammar/automaton/grammar_shortest.ipp"
#include "flashlm/text/grammar/automaton/grammar_states.ipp"
#include "flashlm/text/grammar/automaton/pattern.ipp"
#include "flashlm/text/grammar/automaton/pattern_places.ipp"
#include "flashlm/text/grammar/automaton/pattern_states.ipp"
#include "flashlm/text/grammar/grammar_guide.ipp"
#include "flashlm/text/grammar/json/json_decimals.ipp"
#include "flashlm/text/grammar/json/json_multiples.ipp"
#include "flashlm/text/grammar/json/json_numbers.ipp"
#include "flashlm/text/grammar/json/json_rules.ipp"
#include "flashlm/text/grammar/json/json_strings.ipp"
#include "flashlm/text/grammar/json/json_value.ipp"
#include "flashlm/text/grammar/json_schema_subset.ipp"
#include "flashlm/text/grammar/schema/json_schema.ipp"
#include "flashlm/text/grammar/schema/json_schema_arrays.ipp"
#include "flashlm/text/grammar/schema/json_schema_context.ipp"
#include "flashlm/text/grammar/schema/json_schema_negation.ipp"
#include "flashlm/text/grammar/schema/json_schema_objects.ipp"
#include "flashlm/text/grammar/schema/json_schema_overlap.ipp"
#include "flashlm/text/grammar/schema/json_schema_parts.ipp"
#include "flashlm/text/grammar/schema/json_schema_resources.ipp"
#include "flashlm/text/grammar/schema/json_schema_strings.ipp"
#include "flashlm/text/grammar/schema/json_schema_values.ipp"
#include "flashlm/text/grammar/schema/json_schema_view.ipp"
#include "flashlm/text/grammar/token_mask.ipp"
