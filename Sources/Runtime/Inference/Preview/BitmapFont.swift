/// Letters of five by seven dots, for captions on pictures.
enum BitmapFont {
  static let width = 5
  static let height = 7

  /// A row of dots a digit to the base of 32, from the top; the left dot is the highest bit.
  private static let glyphs: [Character: String] = [
    "A": "ehhvhhh", "B": "uhhuhhu", "C": "ehggghe", "D": "uhhhhhu", "E": "vgguggv", "F": "vgguggg",
    "G": "ehgnhhe", "H": "hhhvhhh", "I": "e44444e", "J": "72222ic", "K": "hikokih", "L": "ggggggv",
    "M": "hrllhhh", "N": "hplljhh", "O": "ehhhhhe", "P": "uhhuggg", "Q": "ehhhlid", "R": "uhhukih",
    "S": "fgge11u", "T": "v444444", "U": "hhhhhhe", "V": "hhhhha4", "W": "hhhllrh", "X": "hha4ahh",
    "Y": "hha4444", "Z": "v1248gv", "0": "ehjlphe", "1": "4c4444e", "2": "eh168gv", "3": "u11e11u",
    "4": "26aiv22", "5": "vgu11he", "6": "68guhhe", "7": "v124888", "8": "ehhehhe", "9": "ehhf12c",
    "-": "000e000", "_": "000000v", ".": "0000004", ",": "0000048", "(": "2488842", ")": "8422248",
    "/": "11248gg", "+": "044v440", "?": "eh12404",
  ]

  /// Where the dots of a text are, from its upper left corner.
  static func dots(_ text: String) -> [(x: Int, y: Int)] {
    text.uppercased().enumerated().flatMap { place, letter -> [(x: Int, y: Int)] in
      guard letter != " " else { return [] }
      let rows = glyphs[letter] ?? glyphs["?"] ?? ""
      return rows.enumerated().flatMap { y, digit in
        let bits = Int(String(digit), radix: 32) ?? 0
        return (0..<width).filter { bits >> (width - 1 - $0) & 1 == 1 }.map { x in
          (place * (width + 1) + x, y)
        }
      }
    }
  }

  static func width(of text: String) -> Int { text.count * (width + 1) }
}
