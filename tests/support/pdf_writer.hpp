// SPDX-License-Identifier: Apache-2.0
/// pdf_writer.hpp: makes small PDFs: words at places, in Courier, on any number of pages.
#pragma once

#include <cstddef>
#include <cstdio>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace support {

/// A PDF that is put together in memory. Places are in points from the upper left corner of a page
/// of 612 x 792.
class PdfWriter {
 public:
  std::string title{};
  std::string author{};
  bool locked = false;  // says that it is encrypted, with a password that nobody knows

  /// Width of a character of a size: Courier's are all as wide.
  static constexpr double width(double size) { return 0.6 * size; }

  /// The next page; what follows stands on it.
  PdfWriter& page() {
    pages_.emplace_back();
    return *this;
  }

  /// Text that begins at `x` and stands on the line `y`, turned by `turns` quarters clockwise. The
  /// bytes 1 to 7 are the ligatures ff, fi, fl, ffi, ffl, long s + t, st, which the file maps to
  /// U+FB00 ... U+FB06.
  PdfWriter& text(double x, double y, std::string_view words, double size = 10, int turns = 0) {
    static constexpr int kCos[] = {1, 0, -1, 0};
    static constexpr int kSin[] = {0, -1, 0, 1};
    std::string hex;
    bool has_ligature = false;
    for (const char byte : words) {
      char digits[3];
      std::snprintf(digits, sizeof digits, "%02x",
                    static_cast<unsigned>(static_cast<unsigned char>(byte)));
      hex += digits;
      has_ligature = has_ligature || (byte > 0 && byte < 8);
    }
    char buffer[160];
    std::snprintf(buffer, sizeof buffer, "BT /%s %g Tf %d %d %d %d %g %g Tm <",
                  has_ligature ? "L" : "C", size, kCos[turns], kSin[turns], -kSin[turns],
                  kCos[turns], x, 792 - y);
    pages_.back() += buffer + hex + "> Tj ET\n";
    return *this;
  }

  /// A black rectangle, which stands for a picture.
  PdfWriter& picture() {
    pages_.back() += "72 72 400 600 re f\n";
    return *this;
  }

  /// Operators of the page's own.
  PdfWriter& raw(const std::string& operators) {
    pages_.back() += operators;
    return *this;
  }

  std::string bytes() const {
    std::vector<std::string> objects;  // object n is objects[n - 1]
    std::string kids;
    for (std::size_t index = 0; index < pages_.size(); ++index)
      kids += std::to_string(kFirstPage + 2 * index) + " 0 R ";
    objects.push_back("<< /Type /Catalog /Pages 2 0 R >>");
    objects.push_back("<< /Type /Pages /Kids [" + kids + "] /Count " +
                      std::to_string(pages_.size()) + " >>");
    objects.push_back(
        "<< /Type /Font /Subtype /Type1 /BaseFont /Courier /Encoding /WinAnsiEncoding >>");
    std::string widths;
    for (int code = 1; code < 127; ++code) widths += "600 ";
    objects.push_back(
        "<< /Type /Font /Subtype /Type1 /BaseFont /Courier /FirstChar 1 /LastChar 126 /Widths [" +
        widths + "] /ToUnicode 5 0 R >>");
    objects.push_back(
        stream("/CIDInit /ProcSet findresource begin begincmap\n"
               "1 begincodespacerange <00> <ff> endcodespacerange\n"
               "2 beginbfrange <01> <07> <fb00> <20> <7e> <0020> endbfrange\n"
               "endcmap end\n"));
    objects.push_back("<< /Title (" + title + ") /Author (" + author + ") >>");
    for (std::size_t index = 0; index < pages_.size(); ++index) {
      objects.push_back(
          "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Resources << /Font << /C 3 0 R /L "
          "4 0 R >> >> "
          "/Contents " +
          std::to_string(kFirstPage + 2 * index + 1) + " 0 R >>");
      objects.push_back(stream(pages_[index]));
    }
    return file(objects);
  }

 private:
  static constexpr std::size_t kFirstPage = 7;

  static std::string stream(const std::string& content) {
    return "<< /Length " + std::to_string(content.size()) + " >>\nstream\n" + content + "endstream";
  }

  std::string file(const std::vector<std::string>& objects) const {
    std::string out = "%PDF-1.4\n";
    std::string table;
    for (std::size_t index = 0; index < objects.size(); ++index) {
      char entry[32];
      std::snprintf(entry, sizeof entry, "%010zu 00000 n \n", out.size());
      table += entry;
      out += std::to_string(index + 1) + " 0 obj\n" + objects[index] + "\nendobj\n";
    }
    const std::size_t start = out.size();
    const std::string count = std::to_string(objects.size() + 1);
    const std::string key(64, '5');
    out += "xref\n0 " + count + "\n0000000000 65535 f \n" + table + "trailer\n<< /Size " + count +
           " /Root 1 0 R /Info 6 0 R ";
    if (locked) {
      out += "/ID [<00> <00>] /Encrypt << /Filter /Standard /V 1 /R 2 /P -4 /O <" + key + "> /U <" +
             key + "> >> ";
    }
    return out + ">>\nstartxref\n" + std::to_string(start) + "\n%%EOF\n";
  }

  std::vector<std::string> pages_;
};

/// The lines of at most `columns` characters that `words` fill.
inline std::vector<std::string> fill_lines(const std::vector<std::string>& words,
                                           std::size_t columns) {
  std::vector<std::string> lines;
  for (const std::string& word : words) {
    if (lines.empty() || lines.back().size() + 1 + word.size() > columns) {
      lines.push_back(word);
    } else {
      lines.back() += ' ' + word;
    }
  }
  return lines;
}

/// `n` words that differ: `name`0, `name`1, ...
inline std::vector<std::string> numbered_words(const std::string& name, std::size_t n) {
  std::vector<std::string> words;
  for (std::size_t index = 0; index < n; ++index) words.push_back(name + std::to_string(index));
  return words;
}

/// The words of a text.
inline std::vector<std::string> split_words(std::string_view text) {
  std::vector<std::string> words;
  bool inside = false;
  for (const char byte : text) {
    const bool is_space = byte == ' ' || byte == '\n';
    if (!is_space && !inside) words.emplace_back();
    if (!is_space) words.back() += byte;
    inside = !is_space;
  }
  return words;
}

}  // namespace support
