// Numbers from and to text, UTF-8, and names found by their bytes.
#pragma once
#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace fairway {

// A body that cannot be read as rows; becomes BodyRefused in Python.
struct BodyError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

enum class Grammar { json, csv };
enum class Parsed { number, none, too_large };

inline bool is_digit(char c) { return unsigned(c - '0') < 10; }

namespace number_parts {
// The digits from `p` on, added to `mantissa` as long as 19 of them fit; -> past the last.
inline const char* digits(const char* p, const char* end, uint64_t& mantissa, int& kept, int& dropped) {
  for (; p < end && is_digit(*p); p++) {
    if (kept < 19) {
      mantissa = mantissa * 10 + uint64_t(*p - '0');
      kept += mantissa != 0;
    } else {
      dropped++;
    }
  }
  return p;
}
}  // namespace number_parts

// Reads the longest number at `p`, moves `p` past it; exactly the nearest float64, underflow to zero as everywhere.
inline Parsed parse_number(const char*& p, const char* end, Grammar grammar, double& out) {
  static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                  1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
  const char* at = p;
  bool negative = at < end && *at == '-';
  if (negative || (at < end && *at == '+' && grammar == Grammar::csv)) at++;
  const char* unsigned_start = at;
  uint64_t mantissa = 0;
  int kept = 0, dropped_whole = 0, dropped_part = 0;
  const char* whole = at;
  at = number_parts::digits(at, end, mantissa, kept, dropped_whole);
  auto whole_digits = at - whole;
  if (grammar == Grammar::json && (whole_digits == 0 || (whole_digits > 1 && *whole == '0'))) return Parsed::none;
  int64_t exponent = dropped_whole;
  if (at < end && *at == '.') {
    const char* part = ++at;
    at = number_parts::digits(at, end, mantissa, kept, dropped_part);
    if (at == part && (grammar == Grammar::json || whole_digits == 0)) return Parsed::none;
    exponent -= at - part - dropped_part;
  } else if (whole_digits == 0) {
    return Parsed::none;
  }
  if (at < end && (*at == 'e' || *at == 'E')) {
    const char* e = at + 1;
    bool minus = e < end && *e == '-';
    if (e < end && (*e == '-' || *e == '+')) e++;
    if (e >= end || !is_digit(*e)) return Parsed::none;
    int64_t power = 0;
    const char* power_digits = e;
    for (; e < end && is_digit(*e); e++) power = power < 1000000 ? power * 10 + (*e - '0') : power;
    if (grammar == Grammar::csv && e - power_digits > 4) return Parsed::none;
    exponent += minus ? -power : power;
    at = e;
  }
  p = at;
  if (mantissa == 0 && !dropped_whole && !dropped_part) {
    out = negative ? -0.0 : 0.0;
    return Parsed::number;
  }
  if (!dropped_whole && !dropped_part && mantissa <= (uint64_t(1) << 53) && exponent >= -22 && exponent <= 22) {
    // both factors are exact, so the one rounding is the right one
    out = exponent < 0 ? double(mantissa) / powers[-exponent] : double(mantissa) * powers[exponent];
  } else {
    auto result = std::from_chars(unsigned_start, at, out);
    if (result.ec == std::errc::result_out_of_range) {
      if (exponent > 0) return Parsed::too_large;
      out = 0.0;
    }
  }
  if (negative) out = -out;
  return Parsed::number;
}

// The shortest text that reads back as the same number, and as a float: 1.0, not 1.
inline char* write_number(char* out, double value) {
  auto end = std::to_chars(out, out + 32, value).ptr;
  bool whole = true;
  for (char* c = out; c < end; c++) whole &= is_digit(*c) || *c == '-';
  if (whole) {
    *end++ = '.';
    *end++ = '0';
  }
  return end;
}

inline std::string number_text(double value) {
  char text[40];
  return {text, write_number(text, value)};
}

inline bool is_utf8(const char* data, size_t size) {
  auto p = reinterpret_cast<const unsigned char*>(data), end = p + size;
  while (p < end) {
    uint64_t eight;
    if (end - p >= 8 && (std::memcpy(&eight, p, 8), !(eight & 0x8080808080808080u))) {
      p += 8;
      continue;
    }
    unsigned char c = *p++;
    if (c < 0x80) continue;
    int more = c >= 0xF0 ? 3 : c >= 0xE0 ? 2 : 1;
    if (c < 0xC2 || c > 0xF4 || end - p < more) return false;
    unsigned low = c == 0xE0 ? 0xA0 : c == 0xF0 ? 0x90 : 0x80, high = c == 0xED ? 0x9F : c == 0xF4 ? 0x8F : 0xBF;
    if (*p < low || *p > high) return false;
    for (int i = 0; i < more; i++)
      if ((*p++ & 0xC0) != 0x80) return false;
  }
  return true;
}

inline size_t characters(std::string_view text) {
  return size_t(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

// What a message repeats of a value: up to 60 characters.
inline std::string shown(std::string_view text) {
  size_t characters = 0;
  for (size_t i = 0; i < text.size(); i++)
    if ((text[i] & 0xC0) != 0x80 && ++characters > 60) return std::string(text.substr(0, i)) + "...";
  return std::string(text);
}

// Texts -> their places, by open addressing.
class Lookup {
 public:
  void build(const std::vector<std::string>& texts) {
    texts_ = texts;
    size_t size = 8;
    while (size < texts.size() * 2 + 1) size *= 2;
    places_.assign(size, -1);
    for (size_t i = 0; i < texts.size(); i++) {
      size_t at = hash(texts[i]) & (size - 1);
      while (places_[at] >= 0) at = (at + 1) & (size - 1);
      places_[at] = int32_t(i);
    }
  }
  // -1 for a text that is not among them
  int32_t find(std::string_view text) const {
    size_t at = hash(text) & (places_.size() - 1);
    while (places_[at] >= 0 && texts_[size_t(places_[at])] != text) at = (at + 1) & (places_.size() - 1);
    return places_[at];
  }

 private:
  std::vector<std::string> texts_;
  std::vector<int32_t> places_;

  static size_t hash(std::string_view text) {
    uint64_t h = text.size() * 0x9E3779B97F4A7C15u;
    const char* p = text.data();
    size_t left = text.size();
    for (; left >= 8; left -= 8, p += 8) {
      uint64_t word;
      std::memcpy(&word, p, 8);
      h = (h ^ word) * 0xff51afd7ed558ccdu;
      h ^= h >> 32;
    }
    uint64_t word = 0;
    if (left) std::memcpy(&word, p, left);
    h = (h ^ word) * 0xc4ceb9fe1a85ec53u;
    return h ^ (h >> 29);
  }
};

}  // namespace fairway
