/// The bytes every HDF5 file begins with, if need be behind a user block.
enum HDF5Signature {
  static let bytes: [UInt8] = [0x89, 0x48, 0x44, 0x46, 0x0D, 0x0A, 0x1A, 0x0A]

  /// Where the signature lies: at 0, at 512, or at a doubling of that.
  static func place(in file: InputFile) throws -> Int? {
    var place = 0
    while place <= file.size - bytes.count {
      if try file.bytes(place..<place + bytes.count) == bytes { return place }
      place = place == 0 ? 512 : place * 2
    }
    return nil
  }
}
