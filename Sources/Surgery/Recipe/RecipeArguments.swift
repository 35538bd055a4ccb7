import Formats
import Support

/// Takes typed values out of a step's arguments and knows which were never taken.
struct RecipeArguments {
  private let step: RecipeStep
  private var asked: Set<String> = []

  init(_ step: RecipeStep) { self.step = step }

  static func missing(_ key: String) -> SurgeryError {
    SurgeryError(.badRecipe, subject: key, expected: "a value")
  }

  func checkAllUsed() throws {
    if let stray = step.arguments.first(where: { !asked.contains($0.key) }) {
      throw SurgeryError(
        .badRecipe, subject: stray.key,
        expected: "one of \(asked.sorted().joined(separator: ", ")) in '\(step.name)'")
    }
  }

  mutating func text(_ key: String) throws -> String? {
    asked.insert(key)
    guard let value = step.arguments.first(where: { $0.key == key })?.value else { return nil }
    guard case .scalar(let text) = value else { throw bad(key, "one value", "a list") }
    return text
  }

  mutating func texts(_ key: String) throws -> [String]? {
    asked.insert(key)
    guard let value = step.arguments.first(where: { $0.key == key })?.value else { return nil }
    guard case .list(let items) = value else { throw bad(key, "a list", "one value") }
    return items
  }

  mutating func requiredText(_ key: String) throws -> String {
    guard let text = try text(key) else { throw Self.missing(key) }
    return text
  }

  mutating func count(_ key: String) throws -> Int? {
    try text(key).map { text in
      guard let number = Int(text) else { throw bad(key, "a whole number", text) }
      return number
    }
  }

  mutating func required(_ key: String) throws -> Int {
    guard let number = try count(key) else { throw Self.missing(key) }
    return number
  }

  mutating func counts(_ key: String) throws -> [Int]? {
    try texts(key)?.map { text in
      guard let number = Int(text) else { throw bad(key, "whole numbers", text) }
      return number
    }
  }

  mutating func number(_ key: String) throws -> Double? {
    try text(key).map { text in
      guard let number = Double(text), number.isFinite else { throw bad(key, "a number", text) }
      return number
    }
  }

  mutating func flag(_ key: String) throws -> Bool? {
    guard let text = try text(key) else { return nil }
    guard let flag = Bool(text) else { throw bad(key, "true or false", text) }
    return flag
  }

  mutating func seed() throws -> UInt64 {
    guard let text = try text("seed") else { return RecipeStep.defaultSeed }
    guard let seed = UInt64(text) else { throw bad("seed", "a number from 0 to 2⁶⁴ − 1", text) }
    return seed
  }

  mutating func dtype(_ key: String) throws -> DType {
    let types: [String: DType] = ["f32": .float32, "f16": .float16, "bf16": .bfloat16]
    let text = try requiredText(key)
    guard let dtype = types[text] else { throw bad(key, "f32, f16 or bf16", text) }
    return dtype
  }

  mutating func choice<Choice: RawRepresentable & CaseIterable>(
    _ key: String
  ) throws -> Choice? where Choice.RawValue == String {
    try text(key).map { text in
      guard let choice = Choice(rawValue: text) else {
        let known = Choice.allCases.map(\.rawValue).joined(separator: ", ")
        throw bad(key, "one of \(known)", text)
      }
      return choice
    }
  }

  private func bad(_ key: String, _ expected: String, _ found: String) -> SurgeryError {
    SurgeryError(
      .badRecipe, subject: key, expected: expected, found: found.escapedForDisplay.shortened())
  }
}
