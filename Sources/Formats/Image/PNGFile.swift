import CImages

/// Reads and writes PNG files through libpng.
///
/// Samples are those of the file: no gamma, no blending, palettes as indices.
public enum PNGFile {
  private static let signature: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]

  /// Width, height and kind, without the pixels.
  public struct Header: Sendable, Equatable {
    public var width: Int
    public var height: Int
    public var channels: Int
    public var bitDepth: Int
    public var palette: [RGBColour]

    var byteCount: Int { width * height * channels * bitDepth / 8 }
  }

  /// Reads what stands before the pixels.
  ///
  /// - Throws: `FormatError` with code `badPNG`, `sizeLimit` or one of the file's.
  public static func header(of path: String) throws -> Header {
    let file = try InputFile(path)
    return try naming(file: path) { try header(content(file)) }
  }

  /// Reads a picture.
  ///
  /// - Throws: `FormatError` with code `badPNG`, `sizeLimit`, `expansionLimit`, `fileChanged` or
  ///   one of the file's.
  public static func read(_ path: String) throws -> RasterImage {
    let file = try InputFile(path)
    return try naming(file: path) {
      let image = try image(content(file))
      try file.checkUnchanged()
      return image
    }
  }

  private static func content(_ file: InputFile) throws -> [UInt8] {
    guard file.size <= Budgets.imageBytes else {
      throw FormatError(
        .sizeLimit, expected: "a picture of at most \(Budgets.imageBytes) bytes",
        found: "\(file.size)")
    }
    return try file.bytes(0..<file.size)
  }

  static func header(_ bytes: [UInt8]) throws -> Header {
    guard bytes.starts(with: signature) else {
      throw FormatError(.badPNG, offset: 0, expected: "the signature of a PNG file")
    }
    var image = wt_png()
    guard wt_png_read_header(bytes, bytes.count, &image) == 0 else { throw failure(&image) }
    let header = Header(
      width: Int(image.width), height: Int(image.height), channels: Int(image.channels),
      bitDepth: Int(image.bit_depth), palette: palette(&image))
    let most = Budgets.imagePixels
    guard header.width <= most, header.height <= most, header.width * header.height <= most else {
      throw FormatError(
        .sizeLimit, expected: "at most \(most) pixels", found: "\(header.width) × \(header.height)")
    }
    return header
  }

  static func image(_ bytes: [UInt8]) throws -> RasterImage {
    let header = try header(bytes)
    // Samples narrower than a byte unpack to eight times as many bytes.
    guard header.byteCount / 8 <= bytes.count * Budgets.deflateRatio else {
      throw FormatError(
        .expansionLimit, expected: "\(header.byteCount) bytes of pixels",
        found: "a file of \(bytes.count), which cannot hold them",
        remedy: "the file is damaged: fetch it again")
    }
    var image = wt_png()
    var status: Int32 = 0
    let pixels = [UInt8](unsafeUninitializedCapacity: header.byteCount) { target, initialized in
      target.initialize(repeating: 0)
      status = wt_png_read_pixels(bytes, bytes.count, &image, target.baseAddress)
      initialized = header.byteCount
    }
    guard status == 0 else { throw failure(&image) }
    if !header.palette.isEmpty, let wrong = pixels.first(where: { $0 >= header.palette.count }) {
      throw FormatError(
        .badPNG, expected: "indices below \(header.palette.count)", found: "\(wrong)")
    }
    return RasterImage(
      width: header.width, height: header.height, channels: header.channels,
      bitDepth: header.bitDepth, palette: header.palette, bytes: pixels)
  }

  /// Writes 8-bit RGB, or indices if the picture has a palette.
  ///
  /// - Throws: `FormatError`; the target is then what it was before.
  public static func write(
    _ picture: RasterImage, to target: String, overwrite: Bool,
    fileSystem: any FileSystem = POSIXFileSystem()
  ) throws {
    try AtomicFile.write(
      encode(picture), to: target, overwrite: overwrite, fileSystem: fileSystem)
  }

  /// The file's bytes for 8-bit RGB, or for indices if the picture has a palette.
  ///
  /// - Throws: `FormatError` with code `badPNG`.
  public static func encode(_ picture: RasterImage) throws -> [UInt8] {
    precondition(
      picture.bitDepth == 8 && picture.channels == (picture.palette.isEmpty ? 3 : 1)
        && picture.palette.count <= 256, "8-bit RGB or indices")
    var image = wt_png()
    image.width = UInt32(picture.width)
    image.height = UInt32(picture.height)
    image.palette_colours = Int32(picture.palette.count)
    withUnsafeMutableBytes(of: &image.palette) {
      $0.copyBytes(from: picture.palette.flatMap { [$0.red, $0.green, $0.blue] })
    }
    var size = 0
    guard wt_png_write(&image, picture.bytes, nil, &size) == 0 else { throw failure(&image) }
    var status: Int32 = 0
    let output = [UInt8](unsafeUninitializedCapacity: size) { target, initialized in
      status = wt_png_write(&image, picture.bytes, target.baseAddress, &size)
      initialized = status == 0 ? size : 0
    }
    guard status == 0 else { throw failure(&image) }
    return output
  }

  private static func palette(_ image: inout wt_png) -> [RGBColour] {
    let count = Int(image.palette_colours)
    return withUnsafeBytes(of: &image.palette) { bytes in
      (0..<count).map { RGBColour(bytes[3 * $0], bytes[3 * $0 + 1], bytes[3 * $0 + 2]) }
    }
  }

  private static func failure(_ image: inout wt_png) -> FormatError {
    let text = withUnsafeBytes(of: &image.message) {
      String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
    }
    return FormatError(.badPNG, found: text.isEmpty ? "libpng could not start" : text)
  }
}
