import Foundation
import TestSupport
import Testing

@testable import Datasets
@testable import Evaluation
@testable import Formats
@testable import Inference

@Suite("Finding cases")
struct LayoutTests {
  private let directory: TemporaryDirectory
  private let root: String

  init() throws {
    directory = try TemporaryDirectory()
    root = directory.file("source")
    try FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: false)
  }

  /// Makes empty files.
  private func lay(_ names: String...) throws {
    for name in names {
      let path = root + "/" + name
      try FileManager.default.createDirectory(
        atPath: parentDirectory(of: path), withIntermediateDirectories: true)
      try Data().write(to: URL(fileURLWithPath: path))
    }
  }

  private func link(_ name: String, to target: String) throws {
    try FileManager.default.createSymbolicLink(
      atPath: root + "/" + name, withDestinationPath: target)
  }

  /// What is segmented, and what is said of it.
  private func predicted() throws -> (names: [String], notes: String) {
    let source = try PredictionSource(root)
    return (source.items.map(\.name).sorted(), source.notes.joined(separator: "\n"))
  }

  @Test func `case 0000 keeps its number where others have one`() throws {
    for number in ["0000", "0001", "0004"] {
      try lay("E/images/case_\(number).nii.gz", "E/labels/case_\(number).nii.gz")
    }
    let layout = try SourceLayout(root)
    #expect(layout.cases.map(\.name) == ["E_case_0000", "E_case_0001", "E_case_0004"])
    #expect(layout.cases.allSatisfy { $0.labels != nil } && layout.orphans.isEmpty)
    let prostate = try ProfileLibrary.profile("prostate").splits[0]
    #expect(prostate.splits(of: layout.cases.map(\.path)) == [.test, .train, .test])
  }

  /// Images, labels, and the names of the cases.
  static let channels: [([String], [String], [String])] = [
    (["a_0000", "b_0000"], ["a", "b"], ["a", "b"]),
    (["a_0000", "b_0000"], ["a_0000", "b_0000"], ["a_0000", "b_0000"]),
    (["a_0000", "a"], ["a"], ["a", "a_0000"]),
    (["a_0000", "a_0001"], ["a"], ["a_0000", "a_0001"]),
    (["case_0000"], ["label_0000"], ["case_0000"]), (["case_0000"], ["case"], ["case"]),
    (["p_001_0000", "p_002_0000"], [], ["p_001", "p_002"]), (["case_0000"], [], ["case_0000"]),
    (["p_001_0000", "p_002"], [], ["p_001_0000", "p_002"]), (["_0000"], [], ["_0000"]),
  ]

  @Test(arguments: channels.indices) func `a channel is one where all names say so`(
    place: Int
  ) throws {
    let (images, labels, names) = Self.channels[place]
    for name in images { try lay("imagesTr/\(name).nii.gz") }
    for name in labels { try lay("labelsTr/\(name).nii.gz") }
    #expect(try predicted().names == names)
  }

  @Test func `one scan keeps its name unless that says more than a channel`() throws {
    try lay("case_0000.nii.gz", "amos_0507_0000.nii.gz")
    #expect(try PredictionSource(root + "/case_0000.nii.gz").items[0].name == "case_0000")
    #expect(try PredictionSource(root + "/amos_0507_0000.nii.gz").items[0].name == "amos_0507")
  }

  @Test func `predictions without the channel belong to references with it`() throws {
    try lay("p/a_001.nii.gz", "p/b_001.nii.gz", "g/a_001_0000.nii.gz", "g/b_001_0000.nii.gz")
    let pairs = try EvaluationPairs(prediction: root + "/p", reference: root + "/g")
    #expect(pairs.pairs.map(\.name) == ["a_001_0000", "b_001_0000"])
    #expect(pairs.extraPredictions.isEmpty && pairs.missingPredictions.isEmpty)
  }

  @Test func `volumes go before pictures, which are told`() throws {
    try lay("a.nii.gz", "b.nii.gz", "overview.png", "notes.txt")
    let (names, notes) = try predicted()
    #expect(names == ["a", "b"])
    #expect(notes.contains("1 file(s)") && notes.contains("overview.png"), "\(notes)")
    try lay("x/images/c.nii.gz", "x/images/c.png", "x/labels/c.nii.gz", "x/labels/d.nii.gz")
    let (all, told) = try predicted()
    #expect(all == ["a", "b", "x_c"])
    #expect(told.contains("2 file(s)") && told.contains("taken for labels"), "\(told)")
  }

  @Test func `pictures above volumes do not hide them, and a video says what it leaves`() throws {
    try lay("overview.png", "deep/a.nii.gz")
    #expect(try predicted().names == ["deep_a"])
    try FileManager.default.removeItem(atPath: root + "/deep/a.nii.gz")
    try lay("deep/frame.png")
    let (names, notes) = try predicted()
    #expect(names == ["source"] && notes.contains("not what lies below"))
  }

  @Test func `folders of frames are scans, but not beside those that are`() throws {
    try lay("one/f1.png", "one/f2.png", "two/f1.png")
    #expect(try predicted().names == ["one", "two"])
    try lay("seq/left_frames/f1.png", "seq/labels/f1.png", "seq/right_frames/f1.png")
    let (names, notes) = try predicted()
    #expect(names == ["one", "seq", "two"] && notes.contains("seq/right_frames"), "\(notes)")
  }

  @Test func `a scan named like labels is segmented where it belongs to none`() throws {
    try lay("a.nii.gz", "a_seg.nii.gz", "seg_b.nii.gz", "gt1.nii.gz")
    let (names, notes) = try predicted()
    #expect(names == ["a", "gt1", "seg_b"])
    #expect(
      notes.contains("gt1.nii.gz' is segmented") && notes.contains("a_seg.nii.gz"), "\(notes)")
    let profile = try ProfileLibrary.profile("btcv")
    let error = #expect(throws: DatasetError.self) { try Preparation(root, profile: profile) }
    let faults = error?.items ?? []
    #expect(faults.contains { $0.hasSuffix("gt1.nii.gz: labels without an image") }, "\(faults)")
  }

  @Test func `cases are found at any depth, each folder once`() throws {
    try lay("a/b/c/d/e/f/g/scan.nii.gz", "images/p1/x.nii.gz", "labels/p1/x.nii.gz")
    try lay("images/p2/y.nii.gz")
    try link("latest", to: ".")
    try link("a/b/up", to: "../..")
    try link("zz", to: "a/b")
    #expect(try predicted().names == ["a_b_c_d_e_f_g_scan", "p1_x", "p2_y"])
    #expect(try SourceLayout(root).cases.first { $0.name == "p1_x" }?.labels != nil)
    let tree = try FolderTree(root)
    #expect(tree.files.count == 4 && tree.unreadable.isEmpty)
    let pairs = try EvaluationPairs(prediction: root, reference: root)
    #expect(pairs.pairs.count == 4)
  }

  @Test func `links that lead nowhere and names that are no text are told`() throws {
    try lay("images/a.nii.gz", "labels/a.nii.gz")
    try link("images/gone.nii.gz", to: "nowhere")
    let name =
      Array((root + "/labels/Sch").utf8CString.dropLast()) + [-28] + Array("del.nii".utf8CString)
    #expect(close(creat(name, 0o644)) == 0)
    let profile = try ProfileLibrary.profile("btcv")
    let error = #expect(throws: DatasetError.self) { try Preparation(root, profile: profile) }
    let lines = error?.items ?? []
    #expect(lines.contains { $0.contains("images/gone.nii.gz") && $0.contains("No such file") })
    #expect(lines.contains { $0.contains("labels/Sch") && $0.contains("UTF-8") })
    let segmenting = #expect(throws: FormatError.self) { try PredictionSource(root) }
    #expect(segmenting?.code == .notReadable && segmenting?.file == root + "/images/gone.nii.gz")
    let evaluating = #expect(throws: FormatError.self) {
      try EvaluationPairs(prediction: root + "/images", reference: root + "/labels")
    }
    #expect(evaluating?.code == .notReadable)
  }
}
