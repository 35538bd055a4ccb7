import Foundation
import TestSupport
import Testing

@testable import Datasets
@testable import Formats
@testable import Inference

@Suite("Preparing training data")
struct PrepareTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  static let plain = """
    name: plain
    intensity: {normalise: none}
    orientation: image
    classes: [a, b, c, d, e, f, g, h]
    """

  static let sources: [(folder: String, profile: String, cases: [String: DatasetSplit])] = [
    ("ct", "btcv", ["img0007": .train, "img0035": .test]),
    ("mr", "prostate", ["A_Case03": .test, "B_Case04": .train]),
    ("video", "endovis18", ["train_seq_3": .train, "test_seq_2": .test]),
    ("arrays", plain, ["case0008": .train, "case0009": .train]),
    ("stacks", plain, ["case1": .train]),
  ]

  @Test(arguments: sources.map(\.folder))
  func `a source becomes what the published script makes of it`(folder: String) throws {
    let source = try #require(Self.sources.first { $0.folder == folder })
    var profile =
      source.profile == Self.plain
      ? try Profile(yaml: source.profile, file: nil) : try ProfileLibrary.profile(source.profile)
    if source.profile != Self.plain { profile.size = 24 }
    let path = directory.file("data.h5")
    try Preparation(Fixtures.path("prepare/" + folder), profile: profile)
      .write(to: path, overwrite: false, toolVersion: "test")
    let file = try DatasetFile(path: path)
    var splits: [String: DatasetSplit] = [:]
    for item in file.cases { splits[item.name] = item.split }
    #expect(splits == source.cases)
    #expect(file.classNames == profile.classNames)
    #expect(try Profile(yaml: file.description.profile, file: nil).agrees(with: profile))
    #expect(file.cases.allSatisfy { $0.normalisation == (folder == "ct" ? .stack : .none) })
    try compare(path, with: "prepare/expected.safetensors", file.cases)
    for place in file.cases.indices {
      let stack = try file.readStack(case: place, centre: 0, slices: 5)
      #expect(stack.images.count == 5 * 3 * stack.height * stack.width)
    }
  }

  private func compare(_ path: String, with fixture: String, _ cases: [DatasetCase]) throws {
    let (found, expected) = (try openCheckpoint(path), try openCheckpoint(Fixtures.path(fixture)))
    for item in cases {
      for part in ["images", "labels"] {
        let own = try #require(found.index(of: TensorName("cases.\(item.name).\(part)")))
        let other = try #require(expected.index(of: TensorName("\(item.name).\(part)")))
        #expect(found.tensors[own].shape == expected.tensors[other].shape)
        let (first, second) = (try found.bytes(of: own), try expected.bytes(of: other))
        if part == "labels" {
          #expect(first == second, "\(item.name)")
          continue
        }
        let worst = zip(floats(first), floats(second)).map { abs($0 - $1) / max(1, abs($1)) }.max()
        #expect(try #require(worst) < 1e-5, "\(item.name)")
      }
    }
  }

  private func floats(_ bytes: [UInt8]) -> [Float] {
    bytes.withUnsafeBytes { bytes in
      stride(from: 0, to: bytes.count, by: 4).map {
        Float(bitPattern: bytes.loadUnaligned(fromByteOffset: $0, as: UInt32.self))
      }
    }
  }

  @Test func `geometry and digests of the sources are kept`() throws {
    let profile = try ProfileLibrary.profile("btcv")
    let prepared = try Preparation(Fixtures.path("prepare/ct"), profile: profile)
    let item = try #require(prepared.description.cases.first)
    let image = try NIfTIFile(Fixtures.path("prepare/ct/img/img0007.nii.gz"))
    #expect(item.geometry.affine == image.affine && item.geometry.spacing == image.spacing)
    #expect(item.geometry.shape == image.shape && item.height == 512)
    let digest = try InputFile(Fixtures.path("prepare/ct/label/label0007.nii.gz")).contentHash()
    #expect(item.sources.map(\.name) == ["img0007.nii.gz", "label0007.nii.gz"])
    #expect(item.sources[1].digest == digest)
  }

  /// Writes a volume of 2×3×2 into a folder of the source.
  private func lay(
    _ name: String, numbers: [Float] = (0..<12).map(Float.init), shape: [Int] = [2, 3, 2],
    affine: Affine = .identity
  ) throws {
    let path = directory.file("source/" + name)
    try FileManager.default.createDirectory(
      atPath: String(path.dropLast(lastComponent(of: path).count)),
      withIntermediateDirectories: true)
    try NIfTITemplate(shape: shape, affine: affine).write(
      .float32, shape: shape, to: path, overwrite: true,
      from: BytesReader(bytes(of: numbers)[...]))
  }

  private func labels(_ changes: [Int: Float] = [:], count: Int = 12) -> [Float] {
    (0..<count).map { changes[$0] ?? Float($0 % 2) }
  }

  @Test func `every fault of every file is told at once`() throws {
    try lay("images/good.nii.gz")
    try lay("labels/good.nii.gz", numbers: labels())
    try lay("images/lonely.nii.gz")
    try lay("labels/orphan.nii.gz", numbers: labels())
    try lay("images/smaller.nii.gz")
    try lay("labels/smaller.nii.gz", numbers: labels(count: 8), shape: [2, 2, 2])
    try lay("images/moved.nii.gz")
    try lay("labels/moved.nii.gz", numbers: labels(), affine: Affine(diagonal: [1, 1, 1.5]))
    try lay("images/nan.nii.gz", numbers: labels([3: .nan, 5: .infinity]))
    try lay("labels/nan.nii.gz", numbers: labels([7: 0.5]))
    try lay("images/strange.nii.gz")
    try lay("labels/strange.nii.gz", numbers: labels([1: 9, 2: 255, 3: 9]))
    try lay("images/series.nii.gz", numbers: labels(count: 24), shape: [2, 3, 2, 2])
    try lay("labels/series.nii.gz", numbers: labels())
    try lay("images/broken.nii.gz")
    try lay("labels/broken.nii.gz", numbers: labels())
    try FileHandle(
      forWritingTo: URL(fileURLWithPath: directory.file("source/images/broken.nii.gz"))
    )
    .truncate(atOffset: 60)
    let profile = try Profile(
      yaml: "{intensity: {normalise: none}, orientation: image, classes: [one]}", file: nil)
    let error = #expect(throws: DatasetError.self) {
      try Preparation(directory.file("source"), profile: profile)
    }
    #expect(error?.code == .faultySource)
    let text = "\(try #require(error))"
    let faults: [(String, String)] = [
      ("images/lonely", "an image without labels"), ("labels/orphan", "labels without an image"),
      ("labels/smaller", "shape [2, 2, 2] instead of the image's [2, 3, 2]"),
      ("labels/moved", "its affine puts voxels up to 0.5 mm"),
      ("images/nan", "2 intensities are not finite"), ("labels/nan", "found 0.5"),
      ("labels/strange", "9 (2 voxels), 255 (1 voxels)"), ("images/series", "three dimensions"),
      ("images/broken", "ends too early"),
    ]
    #expect(text.split(separator: "\n").count == 1 + faults.count && !text.contains("\\u{"))
    for (file, fault) in faults {
      let line = text.split(separator: "\n").first { $0.contains(file + ".nii.gz") }
      #expect(line?.contains(fault) == true, "\(file): \(line ?? "not told")")
    }
    #expect(text.contains("9 faults") && !text.contains("good"))
  }

  @Test func `the test set of a challenge is left out with a note`() throws {
    try lay("imagesTr/pancreas_001.nii.gz")
    try lay("labelsTr/pancreas_001.nii.gz", numbers: labels())
    try lay("imagesTs/pancreas_002_0000.nii.gz")
    try lay("imagesTs/pancreas_003_0000.nii.gz")
    let profile = try ProfileLibrary.profile("msd-pancreas")
    let prepared = try Preparation(directory.file("source"), profile: profile)
    #expect(prepared.description.cases.map(\.name) == ["pancreas_001"])
    #expect(prepared.notes.count { $0.contains("2 case(s)") } == 1)
    // Case 1 is one for training in the published folds.
    #expect(prepared.notes.count { $0.contains("none of the cases") } == 2)
    let all = try PredictionSource(directory.file("source"))
    #expect(all.items.map(\.name) == ["pancreas_001", "pancreas_002", "pancreas_003"])
    try FileManager.default.removeItem(atPath: directory.file("source/labelsTr"))
    let error = #expect(throws: DatasetError.self) {
      try Preparation(directory.file("source"), profile: profile)
    }
    #expect(error?.code == .noCases && error?.found == "3 cases without one")
  }

  @Test func `frames without labels and of other sizes are told`() throws {
    let folders = ["images", "labels"].map { directory.file("source/a/" + $0) }
    for (place, folder) in folders.enumerated() {
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
      for frame in 0..<(3 - place) {
        let image = RasterImage(
          width: 4, height: 2, channels: 3, bytes: [UInt8](repeating: 0, count: 24))
        try PNGFile.write(image, to: folder + "/frame\(frame).png", overwrite: false)
      }
    }
    let profile = try ProfileLibrary.profile("endovis18")
    let missing = #expect(throws: DatasetError.self) {
      try Preparation(directory.file("source"), profile: profile)
    }
    #expect(
      missing?.items.first?.contains("shape [4, 2, 2] instead of the image's [4, 2, 3]") == true)
    let other = RasterImage(
      width: 2, height: 4, channels: 3, bytes: [UInt8](repeating: 0, count: 24))
    try PNGFile.write(other, to: folders[1] + "/frame2.png", overwrite: false)
    let size = #expect(throws: DatasetError.self) {
      try Preparation(directory.file("source"), profile: profile)
    }
    #expect(size?.items.first?.contains("frame2.png") == true)
  }

  @Test func `lists beside stacks say what their cases are for`() throws {
    let root = directory.file("source")
    try FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: false)
    for name in ["case1", "0002", "12"] {
      try FileManager.default.copyItem(
        atPath: Fixtures.path("prepare/stacks/case1"), toPath: root + "/" + name)
    }
    let write = { (name: String, text: String) in
      try Data(text.utf8).write(to: URL(fileURLWithPath: root + "/" + name))
    }
    // As pandas writes them: with an index, and wherever the stacks once lay.
    try write(
      "training.csv",
      ",image_pth,mask_pth\r\n0,/data/BTCV/case1/images/2Dimage_0000.pkl,x\r\n"
        + "1,\"/data, old/case1/images/2Dimage_0001.pkl\",x\r\n")
    try write(
      "test.csv", "image_pth,mask_pth\n/data/0002/images/2Dimage_0000.pkl,x\n")
    // The profile's list gives what the folder's leave open, and 12 is not 0002's number.
    let profile = try Profile(
      yaml: Self.plain + "\nsplit: {validation: [case1, \"12\"]}\n", file: nil)
    let cases = try Preparation(root, profile: profile).description.cases
    let splits = Dictionary(uniqueKeysWithValues: cases.map { ($0.name, $0.split) })
    #expect(splits == ["case1": .train, "0002": .test, "12": .validation])
    for text in ["image,mask\na/b/c,d\n", "image_pth\n2Dimage_0000.pkl\n", ""] {
      try write("test.csv", text)
      let error = #expect(throws: DatasetError.self) { try Preparation(root, profile: profile) }
      #expect(error?.code == .badList && error?.file == root + "/test.csv")
    }
  }

  @Test func `a list that names no case is told`() throws {
    try lay("images/a_1.nii.gz")
    try lay("labels/a_1.nii.gz", numbers: labels())
    let lists = "\nsplit: {test: [a_2, a_9], validation: [a_1]}\n"
    let profile = try Profile(yaml: Self.plain + lists, file: nil)
    let notes = try Preparation(directory.file("source"), profile: profile).notes
    #expect(notes == ["none of the cases is one that the profile lists for test"])
  }

  @Test func `stacks that were normalised one by one are refused`() throws {
    let folder = directory.file("source/case1")
    try FileManager.default.createDirectory(
      atPath: directory.file("source"), withIntermediateDirectories: false)
    try FileManager.default.copyItem(atPath: Fixtures.path("prepare/stacks/case1"), toPath: folder)
    let profile = try Profile(yaml: Self.plain, file: nil)
    _ = try Preparation(directory.file("source"), profile: profile)
    // The first stack's files are of the size of any other's.
    try FileManager.default.removeItem(atPath: folder + "/images/2Dimage_0003.pkl")
    try FileManager.default.copyItem(
      atPath: folder + "/images/2Dimage_0001.pkl", toPath: folder + "/images/2Dimage_0003.pkl")
    let error = #expect(throws: DatasetError.self) {
      try Preparation(directory.file("source"), profile: profile)
    }
    #expect(error?.code == .faultySource)
    #expect(error?.items.count == 1 && error?.items[0].contains("2Dimage_0003.pkl") == true)
    #expect(error?.items[0].contains("stacks 2 and 3") == true)
  }

  @Test func `folders without cases are refused`() throws {
    let profile = try ProfileLibrary.profile("btcv")
    let empty = #expect(throws: DatasetError.self) {
      try Preparation(directory.path, profile: profile)
    }
    #expect(empty?.code == .noCases)
    let none = #expect(throws: FormatError.self) {
      try Preparation(directory.file("nowhere"), profile: profile)
    }
    #expect(none?.code == .notFound)
  }
}
