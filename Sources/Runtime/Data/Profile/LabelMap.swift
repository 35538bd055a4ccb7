import Formats

/// Which class a stored label is.
public struct LabelMap: Sendable, Equatable {
  /// By the label as it is stored, or the colour as a number.
  public var classes: [Int: UInt8]
  /// The class of every other label; nil when there must be none.
  public var others: UInt8?

  public init(_ classes: [Int: UInt8], others: UInt8? = nil) {
    self.classes = classes
    self.others = others
  }

  public subscript(_ label: Int) -> UInt8? { classes[label] ?? others }

  /// The same as a table, for millions of labels.
  func table() -> LabelTable { LabelTable(self) }

  /// A colour as a label that no gray value can be.
  public static func label(of colour: RGBColour) -> Int {
    1 << 24 | Int(colour.red) << 16 | Int(colour.green) << 8 | Int(colour.blue)
  }

  /// How a label is told to a user.
  public static func text(_ label: Int) -> String {
    label < 1 << 24
      ? "\(label)" : "colour \(label >> 16 & 255),\(label >> 8 & 255),\(label & 255)"
  }
}

/// A label map that finds labels of scans by their number and colours by a search.
struct LabelTable: Sendable {
  private let map: LabelMap
  /// By label; -1 for one that there must not be.
  private let classes: [Int16]

  init(_ map: LabelMap) {
    self.map = map
    classes = (0..<1 << 16).map { label in map[label].map(Int16.init) ?? -1 }
  }

  subscript(_ label: Int) -> UInt8? {
    guard classes.indices.contains(label) else { return map[label] }
    return UInt8(exactly: classes[label])
  }
}
