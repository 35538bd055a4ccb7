import Formats
import Support

/// How a checkpoint's tensors compare with a family's.
public struct SurgeryReport: Sendable {
  /// A tensor of the family whose shape is another.
  public struct Mismatch: Sendable, Equatable {
    public var name: TensorName
    public var expected: String
    public var found: [Int]
  }

  /// Tensors that were found, under their canonical names.
  public var applied: [TensorName] = []
  /// Tensors that the family needs and the file lacks.
  public var missing: [TensorName] = []
  /// Tensors of the file that the family does not know, under the file's names.
  public var unused: [TensorName] = []
  public var mismatched: [Mismatch] = []

  public init() {}

  public var isComplete: Bool { missing.isEmpty && unused.isEmpty && mismatched.isEmpty }

  /// The first few of each kind of difference.
  public var summary: String {
    var parts: [String] = []
    parts += Self.list("missing", missing.map(\.description))
    parts += Self.list("unused", unused.map(\.description))
    parts += Self.list(
      "mismatched", mismatched.map { "\($0.name) is \($0.found), expected \($0.expected)" })
    return parts.joined(separator: "; ")
  }

  private static func list(_ kind: String, _ items: [String]) -> [String] {
    items.isEmpty ? [] : ["\(items.count) \(kind): \(items.firstTen)"]
  }

  public var json: JSON {
    .object([
      ("applied", .int(applied.count)),
      ("missing", .array(missing.map { .string($0.text) })),
      ("unused", .array(unused.map { .string($0.text) })),
      (
        "mismatched",
        .array(
          mismatched.map {
            .object([
              ("name", .string($0.name.text)), ("expected", .string($0.expected)),
              ("found", .array($0.found.map(JSON.int))),
            ])
          })
      ),
    ])
  }
}
