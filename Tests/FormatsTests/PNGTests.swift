import CZlib
import Foundation
import Support
import TestSupport
import Testing

@testable import Formats

@Suite("PNG files") struct PNGTests {
  struct Expected: Decodable {
    var width: Int
    var height: Int
    var channels: Int
    var bits: Int
    var palette: [UInt8]
    var sha256: String
  }

  static let expected: [String: Expected] = {
    let path = URL(fileURLWithPath: Fixtures.path("images/images.json"))
    let content = try? JSONDecoder().decode(
      [String: Expected].self, from: Data(contentsOf: path))
    return content ?? [:]
  }()

  static let names = expected.keys.sorted()

  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private func path(_ name: String) -> String { Fixtures.path("images/" + name) }

  @Test func `there are pictures of every kind`() { #expect(Self.names.count >= 12) }

  @Test(arguments: names) func `every sample is what Pillow reads`(name: String) throws {
    let expected = try #require(Self.expected[name])
    let image = try PNGFile.read(path(name))
    #expect(image.width == expected.width && image.height == expected.height)
    #expect(image.channels == expected.channels && image.bitDepth == expected.bits)
    #expect(image.palette.flatMap { [$0.red, $0.green, $0.blue] } == expected.palette)
    var hash = ContentHash()
    image.bytes.withUnsafeBytes { hash.update($0) }
    #expect(hash.hexDigest() == expected.sha256)
    let header = try PNGFile.header(of: path(name))
    #expect(header.width == image.width && header.palette == image.palette)
  }

  @Test func `colours run from 0 to 1 whatever the kind`() throws {
    for name in Self.names {
      let image = try PNGFile.read(path(name))
      let colours = image.colours()
      #expect(colours.count == 3 * image.width * image.height)
      #expect(colours.allSatisfy { (0...1).contains($0) })
    }
    let deep = try PNGFile.read(path("rgb16.png"))
    #expect(deep.colours()[20 + 7] == Float(deep.sample(7, 1)) / 65_535)
  }

  @Test(arguments: [0, 2, 3, 14, 100, 256]) func `what is written is read`(colours: Int) throws {
    let palette = (0..<colours).map { RGBColour(UInt8($0), UInt8(255 - $0), UInt8($0 / 2)) }
    let channels = colours == 0 ? 3 : 1
    let image = RasterImage(
      width: 13, height: 7, channels: channels, palette: palette,
      bytes: (0..<91 * channels).map { UInt8(($0 * 7) % max(1, colours == 0 ? 256 : colours)) })
    let path = directory.file("written.png")
    try PNGFile.write(image, to: path, overwrite: false)
    #expect(try PNGFile.read(path) == image)
    let again = try PNGFile.encode(image)
    #expect(try InputFile(path).allBytes() == again)
    #expect(throws: FormatError.self) { try PNGFile.write(image, to: path, overwrite: false) }
  }

  @Test(arguments: ["rgb.png", "palette12.png", "interlaced.png", "bits.png"])
  func `no truncation goes unseen`(name: String) throws {
    let bytes = try InputFile(path(name)).allBytes()
    for count in bytes.indices {
      let error = #expect(throws: FormatError.self, "\(count) bytes") {
        try PNGFile.image(Array(bytes[..<count]))
      }
      #expect(error?.code == .badPNG)
    }
  }

  @Test(arguments: ["rgb.png", "palette12.png", "grey16.png"])
  func `a changed bit is found or harmless`(name: String) throws {
    let bytes = try InputFile(path(name)).allBytes()
    let good = try PNGFile.image(bytes)
    for place in bytes.indices {
      for bit in 0..<8 {
        var changed = bytes
        changed[place] ^= 1 << bit
        // Each chunk has a checksum, so that what is read at all is right.
        if let image = try? PNGFile.image(changed) { #expect(image == good, "byte \(place)") }
      }
    }
  }

  /// A picture's header that says something else, under a right checksum.
  private func header(_ bytes: [UInt8], width: UInt32, height: UInt32) -> [UInt8] {
    var changed = bytes
    let size = [width, height].flatMap { value in
      withUnsafeBytes(of: value.bigEndian) { Array($0) }
    }
    changed.replaceSubrange(16..<24, with: size)
    let checksum = UInt32(truncatingIfNeeded: crc32(0, Array(changed[12..<29]), 17))
    changed.replaceSubrange(29..<33, with: withUnsafeBytes(of: checksum.bigEndian) { Array($0) })
    return changed
  }

  @Test func `sizes that cannot be are refused before room is made`() throws {
    let bytes = try InputFile(path("rgb.png")).allBytes()
    #expect(try PNGFile.image(header(bytes, width: 9, height: 7)).width == 9)
    let lies: [(UInt32, UInt32, FormatError.Code)] = [
      (0, 7, .badPNG), (9, 0, .badPNG), (.max, 7, .badPNG), (1 << 31, 1, .badPNG),
      (900_000, 900_000, .sizeLimit), (1 << 20, 1 << 20, .sizeLimit),
      (16_000, 16_000, .expansionLimit), (9, 8, .badPNG),
    ]
    for (width, height, code) in lies {
      let error = #expect(throws: FormatError.self, "\(width) × \(height)") {
        try PNGFile.image(header(bytes, width: width, height: height))
      }
      // libpng has a limit of its own for either side.
      #expect(error?.code == code || error?.code == .badPNG)
    }
  }

  @Test func `what is no picture is refused`() throws {
    for bytes in [[], [0x89], Array("GIF89a".utf8), [UInt8](repeating: 0, count: 100)] {
      let path = try directory.write(bytes, as: "no.png")
      let error = #expect(throws: FormatError.self) { try PNGFile.read(path) }
      #expect(error?.code == .badPNG && error?.file == path)
    }
    #expect(throws: FormatError.self) { try PNGFile.read(directory.path) }
  }
}
