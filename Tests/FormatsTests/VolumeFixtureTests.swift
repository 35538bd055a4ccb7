import Foundation
import Support
import TestSupport
import Testing

@testable import Formats

@Suite("Volumes that nibabel wrote")
struct VolumeFixtureTests {
  struct Expected: Decodable {
    var shape: [Int]
    var channels: Int
    var dtype: String
    var affine: [[Double]]
    var spacing: [Double]
    var stored: String
    var scaled: String
  }

  static let expected: [String: Expected] = {
    let path = URL(fileURLWithPath: Fixtures.path("volumes/volumes.json"))
    let content = try? JSONDecoder().decode(
      [String: Expected].self, from: Data(contentsOf: path))
    return content ?? [:]
  }()

  static let names = expected.keys.sorted()

  static func path(_ name: String) -> String { Fixtures.path("volumes/" + name) }

  @Test func `there are volumes`() { #expect(Self.names.count >= 110) }

  @Test(arguments: names) func `every number is what nibabel reads`(name: String) throws {
    let expected = try #require(Self.expected[name])
    let volume = try Volume(contentsOf: Self.path(name))
    #expect(volume.shape == expected.shape)
    #expect(volume.channels == expected.channels)
    #expect(volume.dtype.rawValue == expected.dtype)
    #expect(digest(volume.voxels) == expected.stored)
    let numbers = volume.doubles(0..<volume.count)
    #expect(digest(numbers.flatMap { withUnsafeBytes(of: $0) { Array($0) } }) == expected.scaled)
    #expect(
      volume.floats(0..<volume.count).map(\.bitPattern) == numbers.map { Float($0).bitPattern })
    #expect(volume.affine.distance(to: Affine(rows: expected.affine), over: [2, 2, 2]) < 1e-12)
    // nibabel keeps the steps of version 1 as the 32-bit numbers that they are.
    #expect(Array(volume.spacing.prefix(expected.spacing.count)) == expected.spacing)
  }

  @Test func `either file of a pair may be named`() throws {
    let (header, image) = (
      try Volume(contentsOf: Self.path("pair.hdr")), try Volume(contentsOf: Self.path("pair.img"))
    )
    #expect(header.voxels == image.voxels && header.affine == image.affine)
    let packed = try Volume(contentsOf: Self.path("packed_pair.img.gz"))
    #expect(digest(packed.voxels) == Self.expected["packed_pair.hdr.gz"]?.stored)
  }

  @Test func `all 48 orientations keep their axes apart`() throws {
    let affines = try Self.names.filter { $0.hasPrefix("axes_") }.map {
      try NIfTIFile(Self.path($0)).affine
    }
    #expect(affines.count == 48)
    for (first, affine) in affines.enumerated() {
      for other in affines[..<first] { #expect(affine.distance(to: other, over: [3, 4, 2]) > 1) }
    }
  }

  @Test func `whole numbers are labels and others are not`() throws {
    let labels = try Volume(contentsOf: Self.path("u2_v1_big.nii")).labels(as: UInt16.self)
    #expect(labels.count == 60)
    for name in ["f4_v1_little.nii", "i2_v1_little.nii", "u2_v2_little.nii"] {
      let error = #expect(throws: FormatError.self) {
        _ = try Volume(contentsOf: Self.path(name)).labels(as: UInt8.self)
      }
      #expect(error?.code == .badLabel && error?.file == Self.path(name))
    }
  }

  private func digest(_ bytes: [UInt8]) -> String {
    var hash = ContentHash()
    bytes.withUnsafeBytes { hash.update($0) }
    return hash.hexDigest()
  }
}
