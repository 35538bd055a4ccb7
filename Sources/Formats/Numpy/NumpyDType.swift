/// An element type as numpy spells it: a byte order, a kind and a width, such as `<f4`.
///
/// Source: numpy's array interface protocol, "typestr".
struct NumpyDType: Equatable {
  enum Order: Character {
    case little = "<"
    case big = ">"
    /// That of the machine, which is little-endian wherever wt runs.
    case native = "="
    /// None: single bytes.
    case irrelevant = "|"
  }

  var dtype: DType
  var order: Order

  /// Whether an element's bytes must be reversed.
  var isSwapped: Bool { order == .big }

  private static let known: [Substring: DType] = [
    "?": .bool, "b1": .bool, "i1": .int8, "i2": .int16, "i4": .int32, "i8": .int64,
    "u1": .uint8, "u2": .uint16, "u4": .uint32, "u8": .uint64,
    "f2": .float16, "f4": .float32, "f8": .float64, "c8": .complex64, "c16": .complex128,
  ]

  /// What the kinds are that hold no plain numbers, and what to do about them.
  private static let foreign: [Character: (name: String, remedy: String?)] = [
    "O": ("Python objects", "store plain numbers: array.astype('float32')"),
    "S": ("byte strings", nil), "a": ("byte strings", nil), "U": ("text", nil), "T": ("text", nil),
    "M": ("dates", "store them as numbers: array.astype('int64')"),
    "m": ("time spans", "store them as numbers: array.astype('int64')"),
    "V": (
      "records or raw bytes", "store every field as an array of its own, bfloat16 as safetensors"
    ),
    "f": ("floats of the machine's own width", "convert the array with astype('float64')"),
    "c": ("complex numbers of the machine's own width", "convert with astype('complex128')"),
  ]

  /// - Throws: `FormatError` with code `unsupportedDtype`.
  init(_ text: String) throws {
    var rest = text[...]
    order = .native
    if let first = rest.first, let order = Order(rawValue: first) {
      self.order = order
      rest = rest.dropFirst()
    }
    guard let dtype = Self.known[rest] else {
      let kind = rest.first.flatMap { Self.foreign[$0] }
      throw FormatError(
        .unsupportedDtype, expected: "booleans, integers, floats or complex numbers",
        found: "'\(text)'" + (kind.map { ", \($0.name)" } ?? ""), remedy: kind?.remedy)
    }
    self.dtype = dtype
  }

  /// Whether a spelling names plain numbers.
  static func isNumeric(_ text: String) -> Bool { (try? NumpyDType(text)) != nil }
}
