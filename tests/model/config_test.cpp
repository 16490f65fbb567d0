// SPDX-License-Identifier: Apache-2.0
#include "flashlm/model/config.hpp"

#include <nlohmann/json.hpp>
#include <string>

#include "support/catch.hpp"
#include "support/tiny_model.hpp"

using flashlm::FormatError;
using flashlm::Token;
using flashlm::kernels::Activation;
using flashlm::model::ModelConfig;
using flashlm::model::NormKind;
using flashlm::model::PositionKind;

namespace {

nlohmann::json good() { return support::tiny_config({}); }
nlohmann::json opt() { return support::tiny_config(support::TinyShape::opt()); }
ModelConfig parse(const nlohmann::json& json) { return ModelConfig::parse(json.dump(), "config.json"); }

std::string refusal(const nlohmann::json& json) {
  try {
    parse(json);
  } catch (const FormatError& error) {
    return error.what();
  }
  return "accepted";
}

}  // namespace

TEST_CASE("a Llama config is read whole") {
  const ModelConfig config = parse(good());
  CHECK(config.architecture == "llama");
  CHECK(config.dim == 24);
  CHECK(config.hidden_dim == 150);
  CHECK(config.n_layers == 3);
  CHECK(config.n_heads == 4);
  CHECK(config.n_kv_heads == 2);
  CHECK(config.head_dim == 6);
  CHECK(config.max_context == 96);
  CHECK(config.norm_epsilon == 1e-5f);
  CHECK(config.tied_embedding);
  CHECK(config.eos == std::vector<Token>{256});
  CHECK_FALSE(config.bos);
}

TEST_CASE("an OPT config is read whole") {
  const ModelConfig config = parse(opt());
  CHECK(config.architecture == "opt");
  CHECK(config.hidden_dim == 150);
  CHECK(config.n_kv_heads == 4);
  CHECK(config.head_dim == 6);
  CHECK(config.norm == NormKind::layer);
  CHECK(config.norm_epsilon == 1e-5f);
  CHECK(config.position == PositionKind::learned);
  CHECK(config.position_offset == 2);
  CHECK(config.activation == Activation::relu);
  CHECK_FALSE(config.gated);
  CHECK(config.attention_bias);
  CHECK(config.ffn_bias);
  CHECK(config.tied_embedding);
}

TEST_CASE("what an OPT config leaves out has the defaults of transformers") {
  nlohmann::json json = opt();
  for (const char* key :
       {"do_layer_norm_before", "word_embed_proj_dim", "activation_function", "tie_word_embeddings"}) {
    json.erase(key);
  }
  CHECK(parse(json).tied_embedding);
  CHECK(parse(json).attention_bias);
  json["word_embed_proj_dim"] = nullptr;
  json["tie_word_embeddings"] = false;
  json["enable_bias"] = false;
  CHECK_FALSE(parse(json).tied_embedding);
  CHECK_FALSE(parse(json).attention_bias);
  CHECK_FALSE(parse(json).ffn_bias);
}

TEST_CASE("the OPT that is not supported is refused by name") {
  const auto [key, value, word] = GENERATE(table<const char*, nlohmann::json, const char*>({
      {"do_layer_norm_before", false, "opt-350m"},
      {"word_embed_proj_dim", 12, "opt-350m"},
      {"_remove_final_layer_norm", true, "_remove_final_layer_norm"},
      {"layer_norm_elementwise_affine", false, "layer_norm_elementwise_affine"},
      {"activation_function", "gelu", "activation_function: expected relu"},
      {"num_attention_heads", 5, "a divisor of hidden_size"},
      {"ffn_dim", nullptr, "ffn_dim"},
  }));
  nlohmann::json json = opt();
  json[key] = value;
  INFO(key);
  CHECK_THAT(refusal(json), Catch::Matchers::Contains(word) && Catch::Matchers::Contains("config.json"));
}

TEST_CASE("the family of ReLU is read, FATReLU with its threshold") {
  nlohmann::json json = good();
  CHECK(parse(json).activation == Activation::silu);
  json["hidden_act"] = "relu";
  CHECK(parse(json).activation == Activation::relu);
  json["hidden_act"] = "relu2";
  CHECK(parse(json).activation == Activation::relu2);
  json["hidden_act"] = "fatrelu";
  CHECK_THAT(refusal(json), Catch::Matchers::Contains("hidden_act_param is missing"));
  json["hidden_act_param"] = -0.01;
  CHECK_THAT(refusal(json), Catch::Matchers::Contains("hidden_act_param"));
  json["hidden_act_param"] = 0.01;
  json["model_type"] = "sparsellama";  // as ProSparse has it
  CHECK(parse(json).architecture == "llama");
  CHECK(parse(json).activation == Activation::fatrelu);
  CHECK(parse(json).activation_threshold == 0.01f);
  CHECK(parse(json).gated);
}

TEST_CASE("what a config leaves out has the defaults of transformers") {
  nlohmann::json json = good();
  for (const char* key : {"num_key_value_heads", "head_dim", "rope_theta", "hidden_act", "tie_word_embeddings",
                          "rms_norm_eps", "eos_token_id"}) {
    json.erase(key);
  }
  const ModelConfig config = parse(json);
  CHECK(config.n_kv_heads == config.n_heads);
  CHECK(config.head_dim == config.dim / config.n_heads);
  CHECK(config.rope.theta == 10000);
  CHECK_FALSE(config.tied_embedding);
  CHECK(config.norm_epsilon == 1e-6f);
  CHECK(config.eos.empty());
}

TEST_CASE("rope is read in the old form and in that of transformers 5") {
  nlohmann::json old_form = good();
  old_form["rope_theta"] = 500000.0;
  old_form["rope_scaling"] = {{"type", "linear"}, {"factor", 4.0}};
  nlohmann::json new_form = good();
  new_form.erase("rope_theta");
  new_form["rope_parameters"] = {{"rope_type", "linear"}, {"factor", 4.0}, {"rope_theta", 500000.0}};
  for (const nlohmann::json& json : {old_form, new_form}) {
    const ModelConfig config = parse(json);
    CHECK(config.rope.theta == 500000);
    CHECK(config.rope.type == "linear");
    CHECK(config.rope.factor == 4);
  }
}

TEST_CASE("what is not supported is refused by name") {
  const auto [key, value, word] = GENERATE(table<const char*, nlohmann::json, const char*>({
      {"model_type", "mamba", "unknown architecture"},
      {"hidden_act", "gelu", "hidden_act"},
      {"attention_bias", true, "attention_bias"},
      {"mlp_bias", true, "mlp_bias"},
      {"rope_scaling", {{"type", "yarn"}, {"factor", 2.0}}, "yarn"},
      {"num_key_value_heads", 3, "divisor"},
      {"head_dim", 5, "even"},
      {"hidden_size", 0, "hidden_size"},
      {"hidden_size", -8, "hidden_size"},
      {"hidden_size", 1.5, "hidden_size"},
      {"hidden_size", "24", "hidden_size"},
      {"hidden_size", 1e300, "hidden_size"},
      {"num_hidden_layers", 1000000, "num_hidden_layers"},
      {"rms_norm_eps", -1, "rms_norm_eps"},
      {"tie_word_embeddings", "yes", "tie_word_embeddings"},
      {"eos_token_id", 257, "eos_token_id"},
      {"eos_token_id", {1, -1}, "eos_token_id"},
  }));
  nlohmann::json json = good();
  json[key] = value;
  INFO(key);
  CHECK_THAT(refusal(json), Catch::Matchers::Contains(word) && Catch::Matchers::Contains("config.json"));
}

TEST_CASE("a missing number is a FormatError that names it") {
  const char* key = GENERATE("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
                             "vocab_size", "max_position_embeddings");
  nlohmann::json json = good();
  json.erase(key);
  CHECK_THAT(refusal(json), Catch::Matchers::Contains(key) && Catch::Matchers::Contains("missing"));
}

TEST_CASE("text that is not a JSON object is a FormatError") {
  CHECK_THROWS_AS(ModelConfig::parse("{", "config.json"), FormatError);
  CHECK_THROWS_AS(ModelConfig::parse("[1]", "config.json"), FormatError);
  CHECK_THROWS_AS(ModelConfig::parse("", "config.json"), FormatError);
  nlohmann::json json = good();
  json["rope_scaling"] = "linear";
  CHECK_THROWS_AS(parse(json), FormatError);
}

TEST_CASE("fields that nobody knows are passed over, however deep; known ones as deep are a FormatError") {
  const std::string deep = std::string(100'000, '[') + std::string(100'000, ']');
  const std::string text = good().dump();
  const auto with = [&](const std::string& key) { return "{\"" + key + "\":" + deep + "," + text.substr(1); };
  CHECK_NOTHROW(ModelConfig::parse(with("quantization_config"), "config.json"));
  CHECK_THROWS_AS(ModelConfig::parse(with("bos_token_id"), "config.json"), FormatError);
  CHECK_THROWS_AS(ModelConfig::parse(with("rope_parameters"), "config.json"), FormatError);
}

TEST_CASE("an error inside rope_scaling names the whole path") {
  nlohmann::json json = good();
  json["rope_scaling"] = {{"rope_type", "llama3"}, {"factor", 8.0}, {"low_freq_factor", 4.0}};
  CHECK_THAT(refusal(json), Catch::Matchers::Contains("rope_scaling.high_freq_factor is missing"));
  json["rope_scaling"]["high_freq_factor"] = 4.0;
  json["rope_scaling"]["original_max_position_embeddings"] = 32;
  CHECK_THAT(refusal(json), Catch::Matchers::Contains("rope_scaling.high_freq_factor") &&
                                Catch::Matchers::Contains("low_freq_factor, which is 4"));
}

TEST_CASE("generation_config.json has the last word on the end of a text") {
  const support::TempFolder folder;
  const auto write = [&](const char* name, const nlohmann::json& json) {
    const std::string text = json.dump();
    flashlm::storage::write_file(folder.path() / name, std::as_bytes(std::span(text)));
  };
  write("config.json", good());
  CHECK(ModelConfig::open(folder.path()).eos == std::vector<Token>{256});
  write("generation_config.json", {{"eos_token_id", {7, 256}}});
  CHECK(ModelConfig::open(folder.path()).eos == std::vector<Token>{7, 256});
}

TEST_CASE("ids that nothing uses may be any, and generation_config.json has the last word on what ends a text") {
  nlohmann::json json = good();
  for (const char* key : {"pad_token_id", "unk_token_id", "sep_token_id", "mask_token_id"}) json[key] = 4294967295;
  json["pad_token_id"] = -1;
  CHECK(parse(json).eos == std::vector<Token>{256});
  json["eos_token_id"] = 257;  // one beyond the vocabulary
  CHECK_THROWS_AS(parse(json), FormatError);
  const auto with = [&](const std::string& generation) {
    return ModelConfig::parse(json.dump(), "config.json", generation, "generation_config.json").eos;
  };
  CHECK(with(R"({"eos_token_id": [7, 8]})") == std::vector<Token>{7, 8});
  CHECK_THROWS_AS(with(R"({"temperature": 1})"), FormatError);
  CHECK_THROWS_WITH(with(R"({"eos_token_id": [7, 257]})"),
                    Catch::Matchers::ContainsSubstring("generation_config.json"));
  CHECK_THROWS_WITH(parse(json), Catch::Matchers::ContainsSubstring("eos_token_id"));
}
