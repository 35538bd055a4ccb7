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
