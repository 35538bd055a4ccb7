import PlainYAML
import Testing

@Suite("Plain YAML")
struct PlainYAMLTests {
  @Test func `mappings, lists and scalars are read`() throws {
    let text = "a: [1, {b: 'c & *d'}]\n\"&e\":\n  - f & g\n  - |\n    &h *i\n"
    let root = try #require(try PlainYAML.compose(text))
    #expect(root["a"]?[0]?.string == "1" && root["a"]?[1]?["b"]?.string == "c & *d")
    #expect(root["&e"]?.sequence?.compactMap(\.string) == ["f & g", "&h *i\n"])
    #expect(try PlainYAML.compose("") == nil && PlainYAML.compose("# nothing\n") == nil)
  }

  /// Twelve levels of nine aliases each, which stand for 9¹² values, as a key.
  static let bomb =
    (["a0: &a0 [x]"]
    + (1..<12).map { level in
      "a\(level): &a\(level) [" + (0..<9).map { _ in "*a\(level - 1)" }.joined(separator: ",") + "]"
    } + ["? *a11", ": 1"]).joined(separator: "\n")

  static let refused: [(String, String)] = [
    (bomb, "line 1: an anchor"), ("a: &b 1", "an anchor"), ("- &b [1]", "an anchor"),
    ("&b {}", "an anchor"), ("\n- *b", "line 2: an alias"), ("*b : 1", "an alias"),
    ("? [1]\n: 2", "a key that is no plain text"), ("{{a: 1}: 2}", "a key that is no plain text"),
    (String(repeating: "[", count: 40) + String(repeating: "]", count: 40), "levels"),
    (String(repeating: "- ", count: 100_000) + "1", "levels"),
    ("[" + String(repeating: "1,", count: 300_000) + "]", "values"),
    (String(repeating: "#", count: 5 << 20), "bytes"), ("a: 1\n--- \nb: 2", "document"),
    ("a: 1\na: 2", "'a' stands twice"), ("[", "did not find"), ("a: b: c", "line 1: "),
    ("a: \u{1}", "control"),
  ]

  @Test(arguments: refused.indices) func `all else is refused on one line`(place: Int) {
    let (text, problem) = Self.refused[place]
    let fault = #expect(throws: YAMLFault.self) { try PlainYAML.compose(text) }
    let told = fault.map { "\($0)" } ?? ""
    #expect(told.contains(problem), "\(told)")
    #expect(told.count < 200 && !told.contains { $0.isNewline })
  }
}
