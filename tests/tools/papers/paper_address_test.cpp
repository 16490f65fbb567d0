// SPDX-License-Identifier: Apache-2.0
/// paper_address_test.cpp: an id is found in whatever people write for a paper, and nowhere else.
#include "flashlm/tools/papers/paper_address.hpp"

#include <string>

#include "flashlm/base/error.hpp"
#include "flashlm/tools/papers/paper_id.hpp"
#include "support/catch.hpp"

using flashlm::ArgumentError;
using flashlm::tools::id_written_in;
using flashlm::tools::PaperId;

TEST_CASE("An id is found in every dress that people give it") {
  for (const char* text : {
           "2312.11514",
           "arXiv: 2312.11514",
           "ARXIV:2312.11514",
           "arXiv 2312.11514",
           "arXiv.2312.11514",
           "arXiv preprint arXiv:2312.11514",
           "arXiv preprint 2312.11514",
           "arXiv:2312.11514 [cs.CL]",
           "arXiv:2312.11514 [cs.CL] 30 Jul 2024",
           "arXiv:2312.11514 [cond-mat.str-el].",
           "10.48550/arXiv.2312.11514",
           "10.48550/ARXIV.2312.11514",
           "doi:10.48550/arXiv.2312.11514",
           "DOI: 10.48550/arXiv.2312.11514",
           "https://doi.org/10.48550/arXiv.2312.11514",
           "https://dx.doi.org/10.48550/arxiv.2312.11514",
           "https://doi.org/10.48550%2FarXiv.2312.11514",
           "`2312.11514`",
           "\"2312.11514\"",
           "'arXiv:2312.11514'",
           "\xe2\x80\x9c"
           "2312.11514\xe2\x80\x9d",
           "\u00ab arXiv:2312.11514 \u00bb",
           "\u201e"
           "2312.11514\u201c",
           "\uff082312.11514\uff09\u3002",
           "\u200b"
           "2312.11514\ufeff",
           "\xc2\xa0"
           "2312.11514",
           "(2312.11514)",
           "[2312.11514].",
           "<https://arxiv.org/abs/2312.11514>,",
           "**2312.11514**",
           "2312.11514.",
           "2312.11514;",
           "2312.11514?",
           "[LLM in a flash](https://arxiv.org/abs/2312.11514)",
           "([LLM in a flash](https://arxiv.org/abs/2312.11514))",
           "[arXiv:2312.11514](<https://arxiv.org/pdf/2312.11514>).",
           "[LLM in a flash](https://arxiv.org/abs/2312.11514 \"a paper\")",
           "2312.11514.pdf",
           "2312.11514.PDF",
           "https://arxiv.org/abs/2312.11514?context=cs.LG",
           "https://arxiv.org/abs/2312.11514/",
           "https://arxiv.org/abs/2312.11514#",
           "HTTPS://ArXiv.org/abs/2312.11514",
           "http://arxiv.org:80/abs/2312.11514",
           "https://arxiv.org:443/abs/2312.11514",
           "//arxiv.org/abs/2312.11514",
           "arxiv.org/abs/2312.11514",
           "www.arxiv.org/abs/2312.11514.",
           "https://export.arxiv.org/abs/2312.11514",
           "https://browse.arxiv.org/html/2312.11514",
           "https://arxiv.org/pdf/2312.11514",
           "https://arxiv.org/pdf/2312.11514.pdf",
           "https://arxiv.org/pdf/2312.11514.pdf?download=1#page=3",
           "https://arxiv.org/pdf/2312.11514/",
           "https://arxiv.org/html/2312.11514#S3.SS1",
           "https://arxiv.org/abs/arXiv:2312.11514",
           "https://ar5iv.labs.arxiv.org/html/2312.11514",
           "https://ar5iv.org/abs/2312.11514",
           "https://www.alphaxiv.org/abs/2312.11514",
           "https://www.alphaxiv.org/overview/2312.11514",
           "alphaxiv.org/zh/overview/2312.11514?tab=1",
           "https://huggingface.co/papers/2312.11514",
           "https://huggingface.co/papers/2312.11514/",
           "https://huggingface.co/papers/2312.11514#community",
           "https://huggingface.co/papers/2312.11514.md",
           "https://huggingface.co/api/papers/2312.11514",
           "hf.co/papers/2312.11514",
       }) {
    CAPTURE(text);
    CHECK(id_written_in(text) == "2312.11514");
    CHECK(PaperId::parse(text).text() == "2312.11514");
  }
}

TEST_CASE("A version, and an id of the old form, are found in the same dresses") {
  for (const char* text :
       {"https://arxiv.org/abs/2312.11514v2?context=cs", "https://arxiv.org/pdf/2312.11514v2.pdf",
        "arXiv: 2312.11514v2 [cs.CL] 4 Jan 2024", "10.48550/arXiv.2312.11514v2",
        "https://www.alphaxiv.org/abs/2312.11514v2/", "`2312.11514V2`"}) {
    CAPTURE(text);
    CHECK(PaperId::parse(text).text() == "2312.11514v2");
  }
  for (const char* text :
       {"math.GT/0309136", "arXiv: math.GT/0309136", "https://arxiv.org/abs/math.GT/0309136/",
        "https://arxiv.org/abs/math.GT%2F0309136", "https://arxiv.org/pdf/math.GT/0309136.pdf",
        "https://doi.org/10.48550/arXiv.math.GT/0309136", "(math.GT/0309136)"}) {
    CAPTURE(text);
    CHECK(PaperId::parse(text).text() == "math.GT/0309136");
  }
  CHECK(PaperId::parse("http://arxiv.org/abs/hep-th/9901001v3?x").text() == "hep-th/9901001v3");
}

TEST_CASE("Other hosts, other pages and what only looks like an address are refused") {
  for (const char* text : {
           "https://evil.org/abs/2312.11514",
           "https://evil-arxiv.org/abs/2312.11514",
           "https://arxiv.org.evil.org/abs/2312.11514",
           "https://arxiv.org@evil.org/abs/2312.11514",
           "https://evil.org/?u=https://arxiv.org/abs/2312.11514",
           "https://arxiv.org:8080/abs/2312.11514",
           "ftp://arxiv.org/abs/2312.11514",
           "https:/arxiv.org/abs/2312.11514",
           "https://arxiv.org/2312.11514",
           "https://arxiv.org/list/2312.11514",
           "https://arxiv.org/abs/",
           "https://arxiv.org/abs/?2312.11514",
           "https://arxiv.org/abs/2312.11514/x1.png",
           "https://arxiv.org/abs/2312.11514%00",
           "https://arxiv.org/abs/2312.11514%2f..%2f",
           "https://arxiv.org/abs/%2e%2e/2312.11514",
           "https://arxiv.org/abs/2312.11514 2312.11515",
           "https://huggingface.co/2312.11514",
           "https://huggingface.co/datasets/2312.11514",
           "https://doi.org/10.1234/arXiv.2312.11514",
           "10.1234/arXiv.2312.11514",
           "10.48550/2312.11514",
           "[2312.11514](https://evil.org/abs/2312.11514)",
           "2312.11514?context=cs.LG",
           "2312.11514/",
           "abs/2312.11514",
           "2312.11514 [cs.CL] ../../x",
           "2312.11514 and 2312.11515",
           "..2312.11514",
           "2312.11514..",
           "2312.11514/.",
           "://",
           "//",
           "](",
           "arXiv:",
           "`",
       }) {
    CAPTURE(text);
    CHECK_THROWS_AS(PaperId::parse(text), ArgumentError);
  }
}
