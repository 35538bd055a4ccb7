import Foundation
import TestSupport
import Testing

@testable import Formats

/// The rows of the bad-input table about NIfTI and gzip around it (129 to 131).
@Suite("Hostile volumes")
struct VolumeRowTests {
  /// What is done to a header of 2×3×4 shorts and which field the error must name.
  struct Row: CustomTestStringConvertible, Sendable {
    var testDescription: String
    var field: NIfTIField
    var change: @Sendable (inout NIfTIHeader) -> Void

    init(
      _ name: String, _ field: NIfTIField, change: @escaping @Sendable (inout NIfTIHeader) -> Void
    ) {
      testDescription = "130 " + name
      self.field = field
      self.change = change
    }

    init(_ field: NIfTIField, _ index: Int, _ value: Int) {
      self.init("\(field.rawValue)[\(index)] = \(value)", field) { $0.set(field, index, to: value) }
    }

    init(_ field: NIfTIField, _ index: Int, _ value: Double) {
      self.init("\(field.rawValue)[\(index)] = \(value)", field) { $0.set(field, index, to: value) }
    }
  }

  static let both: [Row] = [
    Row(.extents, 0, 0), Row(.extents, 0, 8), Row(.extents, 0, -1), Row(.extents, 1, -6),
    Row(.extents, 2, 0), Row(.extents, 3, -1), Row(.datatype, 0, 0), Row(.datatype, 0, 1),
    Row(.datatype, 0, 1536), Row(.datatype, 0, 9999), Row(.datatype, 0, 32),
    Row(.datatype, 0, 1792),
    Row(.datatype, 0, 2304), Row(.bits, 0, 8), Row(.bits, 0, 0), Row(.bits, 0, -16),
    Row("NaN affine", .matrix) {
      $0.set(.matrixCode, to: 1)
      $0.set(.matrix, 5, to: Double.nan)
    },
    Row("infinite quaternion", .quaternion) {
      $0.set(.matrixCode, to: 0)
      $0.set(.quaternionCode, to: 1)
      $0.set(.quaternion, 1, to: Double.infinity)
    },
    Row("NaN origin", .origin) {
      $0.set(.matrixCode, to: 0)
      $0.set(.quaternionCode, to: 1)
      $0.set(.origin, 2, to: Double.nan)
    },
    Row(.steps, 2, Double.nan), Row(.steps, 0, Double.infinity),
    Row("intercept NaN beside a slope", .intercept) {
      $0.set(.slope, to: 2.0)
      $0.set(.intercept, to: Double.nan)
    },
    Row("magic", .magic) { $0.set(.magic, to: 0x6D) },
  ]

  static let first: [Row] = [
    Row(.dataOffset, 0, Double.nan), Row(.dataOffset, 0, Double.infinity),
    Row(.dataOffset, 0, -1.0),
    Row(.dataOffset, 0, 10.0), Row(.dataOffset, 0, 1e30), Row(.dataOffset, 0, 352.5),
    Row(.dataOffset, 0, 351.0), Row(.dataOffset, 0, 0.0), Row(.dataOffset, 0, 1e9),
    Row("FreeSurfer's long vector", .extents) {
      $0.set(.extents, 1, to: -1)
      $0.set(.leastValue, to: 163_842)
    },
  ]

  static let second: [Row] = [
    Row(.dataOffset, 0, -1), Row(.dataOffset, 0, 0), Row(.dataOffset, 0, 543),
    Row(.dataOffset, 0, Int.max),
    Row(.dataOffset, 0, Int.min), Row(.extents, 1, Int.min),
    Row("quaternion beyond all numbers", .quaternion) {
      $0.set(.matrixCode, to: 0)
      $0.set(.quaternionCode, to: 1)
      $0.set(.quaternion, 1, to: 1e200)
    },
  ]

  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  /// A good file of one version: header, flag, and 24 shorts.
  static func parts(_ version: NIfTIVersion) -> (header: NIfTIHeader, rest: [UInt8]) {
    let template = NIfTITemplate(shape: [2, 3, 4], affine: .identity)
    var header = version == .one ? template.header : NIfTIHeader(.two)
    if version == .two {
      header.set(.steps, 0, to: 1.0)
      for axis in 1...3 { header.set(.steps, axis, to: 2.0) }
    }
    header = NIfTITemplate(header, [0, 0, 0, 0]).header(.int16, shape: [2, 3, 4])
    return (header, [0, 0, 0, 0] + (0..<48).map { UInt8($0) })
  }

  private func read(_ bytes: [UInt8], as name: String = "hostile.nii") throws -> Volume {
    try Volume(contentsOf: directory.write(bytes, as: name))
  }

  private func refusal(_ bytes: [UInt8], as name: String = "hostile.nii") -> FormatError? {
    #expect(throws: FormatError.self) { try read(bytes, as: name) }
  }

  @Test(arguments: [NIfTIVersion.one, .two]) func `the file is good without a change`(
    version: NIfTIVersion
  ) throws {
    let (header, rest) = Self.parts(version)
    #expect(try read(header.bytes + rest).floats(0..<2) == [256, 770])
  }

  @Test(arguments: both + first) func `a field of version 1 is refused by name`(row: Row) throws {
    try refuse(row, .one)
  }

  @Test(arguments: both + second) func `a field of version 2 is refused by name`(row: Row) throws {
    try refuse(row, .two)
  }

  private func refuse(_ row: Row, _ version: NIfTIVersion) throws {
    var (header, rest) = Self.parts(version)
    row.change(&header)
    for bytes in [header.bytes + rest, CompressionBuilder.gzip(header.bytes + rest)] {
      let error = refusal(bytes)
      #expect(error?.code == .badNiftiHeader && error?.subject == row.field.rawValue, "\(row)")
      #expect(error?.file == directory.file("hostile.nii") && error?.category == .badData)
    }
  }

  @Test func `a size that is no header's is refused`() {
    var (header, rest) = Self.parts(.one)
    for size in [0, 347, 541, -1] {
      header.set(.headerSize, to: size)
      #expect(refusal(header.bytes + rest)?.subject == "sizeof_hdr")
    }
    #expect(refusal([1, 2])?.code == .truncated)
    #expect(refusal([])?.code == .truncated)
    #expect(refusal(Array(header.bytes[..<100]))?.subject == "sizeof_hdr")
    #expect(refusal(Array(Self.parts(.two).header.bytes[..<400]))?.code == .truncated)
  }

  @Test func `extents whose product is too large are refused before room is made`() {
    for version in [NIfTIVersion.one, .two] {
      var (header, rest) = Self.parts(version)
      header.set(.extents, 0, to: 7)
      for axis in 1...7 { header.set(.extents, axis, to: 32_767) }
      for bytes in [header.bytes + rest, CompressionBuilder.gzip(header.bytes + rest)] {
        #expect(refusal(bytes)?.code == .overflow)
      }
      for axis in 4...7 { header.set(.extents, axis, to: 1) }
      for bytes in [header.bytes + rest, CompressionBuilder.gzip(header.bytes + rest)] {
        #expect(refusal(bytes)?.code == .truncated)
      }
    }
  }

  @Test(arguments: [false, true]) func `no truncation goes unseen`(isPacked: Bool) throws {
    let (header, rest) = Self.parts(.one)
    let whole = header.bytes + rest
    let bytes = isPacked ? CompressionBuilder.gzip(whole) : whole
    _ = try read(bytes)
    for count in bytes.indices.reversed() {
      try directory.cut("hostile.nii", to: count)
      #expect(throws: FormatError.self, "\(count) bytes") {
        try Volume(contentsOf: directory.file("hostile.nii"))
      }
    }
    let short = refusal(Array(whole.dropLast(10)))
    #expect(short?.code == .truncated && short?.expected?.contains("48") == true)
    #expect(short?.found == "38")
  }

  @Test func `other scalings than a number leave the voxels alone`() throws {
    for slope in [0, Double.nan, .infinity] {
      var (header, rest) = Self.parts(.one)
      header.set(.slope, to: slope)
      header.set(.intercept, to: 5.0)
      #expect(try read(header.bytes + rest).scaling == nil)
    }
  }

  @Test(arguments: [0, 4, -16, 17, 1 << 31, 48]) func `a wrong extension is refused`(
    size: Int
  ) throws {
    for version in [NIfTIVersion.one, .two] {
      let (header, rest) = Self.parts(version)
      let word = withUnsafeBytes(of: UInt32(truncatingIfNeeded: size).littleEndian) { Array($0) }
      let chain: [UInt8] = [1, 0, 0, 0] + word + [UInt8](repeating: 7, count: 28)
      var extended = header
      extended.set(.dataOffset, to: version.headerBytes + chain.count)
      let error = refusal(extended.bytes + chain + rest[4...])
      #expect(error?.code == .badNiftiHeader && error?.subject == "esize")
    }
  }

  @Test func `a pair without its voxels is refused`() throws {
    var (header, rest) = Self.parts(.one)
    header.setMagic(isPair: true)
    header.set(.dataOffset, to: 0)
    let error = refusal(header.bytes + rest[..<4], as: "lonely.hdr")
    #expect(error?.code == .notFound && error?.file == directory.file("lonely.img"))
    _ = try directory.write(rest[4...], as: "lonely.img")
    #expect(try Volume(contentsOf: directory.file("lonely.hdr")).voxels == Array(rest[4...]))
    _ = try directory.write(rest[5...], as: "lonely.img")
    let short = #expect(throws: FormatError.self) {
      try Volume(contentsOf: directory.file("lonely.hdr"))
    }
    #expect(short?.code == .truncated && short?.file == directory.file("lonely.img"))
  }

  @Test func `gzip around a volume is held against its checksums`() throws {
    let (header, rest) = Self.parts(.one)
    let whole = header.bytes + rest
    for bad in [
      CompressionBuilder.gzip(whole, crc: 7), CompressionBuilder.gzip(whole, size: 7),
    ] { #expect(refusal(bad)?.code == .gzipCorrupt) }
    #expect(refusal(CompressionBuilder.gzip(whole) + [1, 2])?.code == .trailingBytes)
    #expect(try read(CompressionBuilder.gzip(whole) + [0, 0]).shape == [2, 3, 4])
  }

  @Test func `a bomb ends where the header says`() {
    let (header, rest) = Self.parts(.one)
    let bomb = CompressionBuilder.gzip(header.bytes + rest + [UInt8](repeating: 0, count: 1 << 24))
    #expect(refusal(bomb)?.code == .trailingBytes)
  }

  @Test func `a volume or a picture is no checkpoint and says so`() throws {
    let names = ["volumes/extended_big.nii", "volumes/packed_v2.nii.gz", "images/rgb.png"]
    for name in names {
      let error = #expect(throws: FormatError.self) { try openCheckpoint(Fixtures.path(name)) }
      #expect(error?.code == .unsupportedContainer, "\(name)")
    }
  }

  @Test func `what is no regular file is refused`() throws {
    for path in [directory.path, "/dev/zero"] {
      let error = #expect(throws: FormatError.self) { try NIfTIFile(path) }
      #expect(error?.code == .notRegularFile)
    }
    let error = #expect(throws: FormatError.self) { try NIfTIFile(directory.file("a\nb")) }
    #expect(error?.code == .notFound)
  }

  @Test func `a changed byte ends in an error or in numbers`() throws {
    for name in ["extended_v1.nii", "packed_v2.nii.gz", "extended_v2.nii"] {
      let bytes = try InputFile(VolumeFixtureTests.path(name)).allBytes()
      let path = try directory.write(bytes, as: name)
      for place in bytes.indices {
        for change in [0xFF, 0x80, 1] as [UInt8] {
          try directory.change(name, at: place, to: bytes[place] ^ change)
          do {
            let volume = try Volume(contentsOf: path)
            #expect(volume.count < 1 << 16)
          } catch is FormatError {}
        }
        try directory.change(name, at: place, to: bytes[place])
      }
    }
  }

  @Test func `a picture's third step of zero is one, as nibabel has it`() throws {
    let directory = try TemporaryDirectory()
    for (shape, step) in [([4, 3], 1.0), ([4, 3, 1], 1), ([4, 3, 2], 0)] {
      var header = NIfTITemplate(shape: [4, 3, 1], affine: Affine(diagonal: [2, 3, 4])).header
      header.set(.matrixCode, to: 0)
      header.set(.steps, 3, to: 0.0)
      let path = directory.file("\(shape.count)-\(step).nii")
      let count = shape.reduce(1, *)
      try NIfTITemplate(header, [0, 0, 0, 0]).write(
        labels: [UInt8](repeating: 1, count: count), shape: shape, to: path, overwrite: false)
      let file = try NIfTIFile(path)
      #expect(file.affine == Affine(diagonal: [2, 3, step]) && file.spacing == [2, 3, step])
    }
  }
}
