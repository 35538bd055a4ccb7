import Foundation
import TestSupport
import Testing

@testable import Formats

@Suite("Label maps in the geometry of their scan")
struct VolumeWriterTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  static let names = VolumeFixtureTests.names.filter { !$0.hasPrefix("axes_A") }

  /// The bytes of a header that may change: extents, type, offset, scaling and display range.
  private static func mutable(_ version: NIfTIVersion) -> [Range<Int>] {
    version == .one
      ? [40..<56, 70..<74, 108..<120, 124..<132, 344..<348] : [4..<32, 32..<80, 168..<208]
  }

  private func labels(of volume: Volume) -> [UInt8] {
    (0..<volume.shape[..<3].reduce(1, *)).map { UInt8($0 % 14) }
  }

  @Test(arguments: names) func `only what must change of the header does`(name: String) throws {
    let source = try Volume(contentsOf: VolumeFixtureTests.path(name))
    let (shape, labels) = (Array(source.shape[..<3]), labels(of: source))
    for ending in ["nii", "nii.gz"] {
      let path = directory.file("labels.\(ending)")
      try source.template.write(labels: labels, shape: shape, to: path, overwrite: true)
      let written = try Volume(contentsOf: path)
      #expect(written.shape == shape && written.dtype == .uint8 && written.scaling == nil)
      #expect(try written.labels() == labels)
      #expect(written.affine == source.affine && written.spacing == source.spacing)
      #expect(written.template.header.isBigEndian == source.template.header.isBigEndian)
      let (old, new) = (source.template.header.bytes, written.template.header.bytes)
      let allowed = Self.mutable(source.template.header.version)
      for place in old.indices where !allowed.contains(where: { $0.contains(place) }) {
        #expect(old[place] == new[place], "byte \(place)")
      }
      let kept = source.template.extensions
      if kept.count > 4 { #expect(written.template.extensions == kept) }
    }
  }

  @Test func `a type that needs more bytes keeps the order of the source's`() throws {
    let source = try Volume(contentsOf: VolumeFixtureTests.path("extended_big.nii"))
    let numbers = (0..<120).map { Float($0) / 7 }
    let bytes = numbers.flatMap { withUnsafeBytes(of: $0.bitPattern.littleEndian) { Array($0) } }
    let path = directory.file("probabilities.nii.gz")
    try source.template.write(
      .float32, shape: source.shape + [2], to: path, overwrite: false, from: BytesReader(bytes[...])
    )
    let written = try Volume(contentsOf: path)
    #expect(written.shape == [4, 3, 5, 2])
    #expect(written.floats(0..<120) == numbers)
  }

  @Test func `the same labels give the same bytes`() throws {
    let source = try Volume(contentsOf: VolumeFixtureTests.path("packed_v1.nii.gz"))
    let files = try ["first.nii.gz", "second.nii.gz"].map { name in
      try source.template.write(
        labels: labels(of: source), shape: source.shape, to: directory.file(name),
        overwrite: false)
      return try InputFile(directory.file(name)).allBytes()
    }
    #expect(files[0] == files[1])
    // Neither a name nor a time: flags and the four bytes after them.
    #expect(files[0][3..<8].allSatisfy { $0 == 0 })
  }

  @Test func `a volume without a header gets a plain one`() throws {
    let affine = Affine(rows: [[0, -2, 0, 5], [1, 0, 0, -7], [0, 0, 3.5, 11]])
    let volume = Volume(
      path: "array", shape: [2, 3, 4], dtype: .uint8, affine: affine,
      voxels: [UInt8](repeating: 1, count: 24))
    let path = directory.file("plain.nii")
    try volume.template.write(
      labels: volume.labels(), shape: volume.shape, to: path, overwrite: false)
    let written = try Volume(contentsOf: path)
    #expect(written.affine == affine && written.spacing == [1, 2, 3.5])
    #expect(written.voxels == volume.voxels)
  }

  @Test(arguments: [false, true]) func `too few or too many voxels leave nothing`(
    isPacked: Bool
  ) throws {
    let source = try Volume(contentsOf: VolumeFixtureTests.path("extended_v1.nii"))
    for count in [0, 59, 61] {
      #expect(throws: FormatError.self) {
        try source.template.write(
          .uint8, shape: [4, 3, 5], to: directory.file(isPacked ? "a.nii.gz" : "a.nii"),
          overwrite: false, from: BytesReader([UInt8](repeating: 0, count: count)[...]))
      }
    }
    #expect(try directory.entries().isEmpty)
  }

  @Test(arguments: FailingFileSystem.Call.ofConversions, ["labels.nii", "labels.nii.gz"])
  func `a failing call loses nothing`(call: FailingFileSystem.Call, name: String) throws {
    let source = VolumeFixtureTests.path("packed_v1.nii.gz")
    var failures = 0
    for index in 1...100 {
      _ = try directory.write([1, 2, 3], as: name)
      let system = FailingFileSystem(
        call, .failure(SystemFailure(errno: [28, 5, 122][index % 3]), at: index))
      do {
        let volume = try NIfTIFile(source, fileSystem: system).volume()
        try volume.template.write(
          labels: labels(of: volume), shape: volume.shape, to: directory.file(name),
          overwrite: true, fileSystem: system)
      } catch let error as FormatError {
        failures += 1
        #expect(error.category == .inputOutput, "\(error)")
        let isOld = try InputFile(directory.file(name)).allBytes() == [1, 2, 3]
        #expect(isOld == (call != .synchronizeDirectory))
      }
      #expect(try directory.entries() == [name])
      guard system.hasFailed else { break }
    }
    #expect(failures > 0 || call == .link)
  }
}
