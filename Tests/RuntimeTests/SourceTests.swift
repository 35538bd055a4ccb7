import Foundation
import TestSupport
import Testing

@testable import Datasets
@testable import Formats

@Suite("Reading sources")
struct SourceTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  /// A numpy file of an array [1, 2, 3].
  private func array(_ descriptor: String, _ bytes: [UInt8], as name: String) throws {
    var header = "{'descr': '\(descriptor)', 'fortran_order': False, 'shape': (1, 2, 3), }"
    header += String(repeating: " ", count: 117 - header.utf8.count) + "\n"
    let start = [0x93] + Array("NUMPY".utf8) + [1, 0, 118, 0]
    let path = directory.file("source/" + name)
    try FileManager.default.createDirectory(
      atPath: parentDirectory(of: path), withIntermediateDirectories: true)
    try Data(start + Array(header.utf8) + bytes).write(to: URL(fileURLWithPath: path))
  }

  @Test func `arrays of booleans and of halves are labels and images`() throws {
    // 0, 1, 1.5, -2, 65504 and the smallest half.
    let halves: [UInt16] = [0, 0x3C00, 0x3E00, 0xC000, 0x7BFF, 1]
    try array("<f2", halves.flatMap { [UInt8($0 & 255), UInt8($0 >> 8)] }, as: "images/a.npy")
    try array("|b1", [0, 1, 1, 0, 0, 1], as: "labels/a.npy")
    let layout = try SourceLayout(directory.file("source"))
    let item = try #require(layout.cases.first)
    #expect(try item.image.scan().plane(0) == [0, 1, 1.5, -2, 65504, 0x1p-24])
    #expect(try item.labels?.labels().plane(0) == [0, 1, 1, 0, 0, 1])
    let profile = try Profile(yaml: PrepareTests.plain, file: nil)
    try Preparation(layout, profile: profile)
      .write(to: directory.file("data.h5"), overwrite: false, toolVersion: "test")
  }

  @Test func `slices larger than any scanner's are refused before they are read`() throws {
    let root = directory.file("source")
    try FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: false)
    try NIfTITemplate(shape: [8193, 1, 1], affine: .identity).write(
      labels: [UInt8](repeating: 0, count: 8193), shape: [8193, 1, 1], to: root + "/a.nii.gz",
      overwrite: false)
    let template = NIfTITemplate(shape: [32767, 32767, 1], affine: .identity)
    let header = template.header(.uint8, shape: [32767, 32767, 1]).bytes + template.body
    let path = root + "/b.nii"
    try Data(header).write(to: URL(fileURLWithPath: path))
    for data in [SourceData.volume(root + "/a.nii.gz"), .volume(path)] {
      for read in [{ _ = try data.scan() }, { _ = try data.labels() }] {
        let error = #expect(throws: DatasetError.self) { try read() }
        #expect(error?.code == .faultySource && error?.expected?.contains("8192") == true)
      }
    }
  }

  @Test func `a file that holds both images and labels is at fault once`() throws {
    let path = directory.file("source/a.npy.h5")
    try FileManager.default.createDirectory(
      atPath: directory.file("source"), withIntermediateDirectories: false)
    try Data([1, 2, 3]).write(to: URL(fileURLWithPath: path))
    let profile = try Profile(yaml: PrepareTests.plain, file: nil)
    let error = #expect(throws: DatasetError.self) {
      try Preparation(directory.file("source"), profile: profile)
    }
    #expect(error?.found == "1 fault" && error?.items.count == 1, "\(error?.found ?? "")")
  }
}
