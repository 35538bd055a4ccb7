import Foundation
import TestSupport
import Testing

@testable import Formats

@Suite("Evaluating by command")
struct EvalCommandTests {
  private let directory: TemporaryDirectory
  private let shape = [6, 5, 4]

  init() throws {
    directory = try TemporaryDirectory()
    for folder in ["pred", "gt", "pred/seq", "gt/seq"] {
      try FileManager.default.createDirectory(
        atPath: directory.file(folder), withIntermediateDirectories: true)
    }
  }

  private func wt(_ arguments: String...) throws -> Tool.Outcome {
    try Tool.run(arguments, in: directory)
  }

  private func json(_ arguments: String...) throws -> [String: Any] {
    let outcome = try Tool.run(arguments + ["--json"], in: directory)
    #expect(outcome.status == 0, "\(outcome.errors)")
    return try #require(
      try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any])
  }

  /// Writes a volume in which some columns of x hold a label.
  private func write(
    _ name: String, _ columns: [Int: UInt8], shape: [Int]? = nil,
    affine: Affine = Affine(diagonal: [2, 3, 4])
  ) throws {
    let shape = shape ?? self.shape
    let labels = (0..<shape.reduce(1, *)).map { columns[$0 % shape[0]] ?? 0 }
    let volume = Volume(path: name, shape: shape, dtype: .uint8, affine: affine, voxels: labels)
    try volume.template.write(
      labels: labels, shape: shape, to: directory.file(name), overwrite: true)
  }

  private func picture(_ name: String, _ colours: [RGBColour]) throws {
    let image = RasterImage(
      width: colours.count, height: 1, channels: 3,
      bytes: colours.flatMap { [$0.red, $0.green, $0.blue] })
    try PNGFile.write(image, to: directory.file(name), overwrite: true)
  }

  private func number(_ object: Any?, _ path: String...) -> Double? {
    var object = object
    for key in path { object = (object as? [String: Any])?[key] }
    return (object as? NSNumber)?.doubleValue
  }

  private func twoCases() throws {
    try write("gt/a.nii.gz", [1: 1, 2: 1, 3: 2])
    try write("pred/a.nii", [2: 1, 3: 2, 4: 2])
    try write("gt/b.nii.gz", [0: 1])
    try write("pred/b.nii.gz", [0: 1, 5: 2])
  }

  @Test func `folders are paired by name and measured in millimetres`() throws {
    try twoCases()
    let report = try json(
      "eval", directory.file("pred"), directory.file("gt"), "--class-names", "liver,spleen")
    let cases = try #require(report["metric_per_case"] as? [[String: Any]])
    try #require(cases.count == 2)
    #expect((cases[0]["reference_file"] as? String)?.hasSuffix("gt/a.nii.gz") == true)
    let first = cases[0]["metrics"]
    let expected: [(String, String, Double)] = [
      ("1", "Dice", 2.0 / 3), ("2", "IoU", 0.5), ("1", "HD", 2), ("1", "TP", 20), ("1", "FN", 20),
      ("1", "n_ref", 40), ("1", "TN", 80),
    ]
    for (label, name, value) in expected { #expect(number(first, label, name) == value) }
    let second = cases[1]["metrics"]
    #expect(number(second, "2", "Dice") == 0)
    #expect(((second as? [String: Any])?["2"] as? [String: Any])?["HD95"] is NSNull)
    let mean = report["mean"]
    let (half, diagonal) = ((2.0 / 3 + 1) / 2, Double(12 * 12 + 15 * 15 + 16 * 16).squareRoot())
    #expect(number(mean, "1", "Dice") == half)
    #expect(number(mean, "2", "HD_defined") == 1)
    let penalised = (2 + diagonal) / 2
    #expect(number(mean, "2", "HD_penalised") == penalised)
    #expect(try #require(number(report, "peak_rss_bytes")) > 1e6)
    #expect((report["classes"] as? [String: String]) == ["1": "liver", "2": "spleen"])
  }

  @Test func `a table shows means and how many values they have`() throws {
    try twoCases()
    let table = try wt("eval", directory.file("pred"), directory.file("gt"))
    #expect(table.status == 0, "\(table.errors)")
    #expect(table.output.contains("0.8333 (2)"), "\(table.output)")
    #expect(table.output.contains("2.0 (1) / 13.5"), "\(table.output)")
    let lines = try wt("eval", directory.file("pred"), directory.file("gt"), "--csv").output
    #expect(lines.split(separator: "\n").count == 5)
    #expect(lines.hasPrefix("case,label,class,Dice,IoU,HD,HD95,NSD,ASSD,TP"))
  }

  @Test func `protocols, metrics and tolerance change what is measured`() throws {
    try twoCases()
    let arguments = ["eval", directory.file("pred/a.nii"), directory.file("gt/a.nii.gz")]
    func first(_ more: String...) throws -> Any? {
      let outcome = try Tool.run(arguments + more + ["--json"], in: directory)
      let report = try JSONSerialization.jsonObject(with: Data(outcome.output.utf8))
      return ((report as? [String: Any])?["metric_per_case"] as? [[String: Any]])?[0]["metrics"]
    }
    #expect(number(try first("--protocol", "masam"), "1", "HD95") == 1)
    #expect(number(try first("--tolerance-mm", "2"), "1", "NSD") == 1)
    #expect(try #require(number(try first("--tolerance-mm", "1"), "1", "NSD")) < 1)
    let only = try first("--metrics", "dice", "--include-background")
    #expect(number(only, "0", "Dice") != nil && number(only, "1", "HD") == nil)
  }

  @Test func `grids that differ are refused, naming both files`() throws {
    try write("gt/a.nii", [1: 1])
    try write("pred/a.nii", [1: 1], shape: [6, 5, 3])
    let shapes = try wt("eval", directory.file("pred"), directory.file("gt"))
    #expect(shapes.status == 65 && shapes.output.isEmpty)
    #expect(shapes.errors.contains("pred/a.nii") && shapes.errors.contains("gt/a.nii"))
    #expect(shapes.errors.contains("[shapeMismatch]"), "\(shapes.errors)")
    try write("pred/a.nii", [1: 1], affine: Affine(diagonal: [2, 3, 4.1]))
    let affines = try wt("eval", directory.file("pred"), directory.file("gt"))
    #expect(affines.status == 65 && affines.errors.contains("[affineMismatch]"))
    #expect(affines.errors.contains("gt/a.nii"), "\(affines.errors)")
    // What a header's single precision does to an affine is no difference.
    try write("pred/a.nii", [1: 1], affine: Affine(diagonal: [2, 3, 4.00001]))
    #expect(try wt("eval", directory.file("pred"), directory.file("gt")).status == 0)
  }

  @Test func `references without a prediction are told, and left out only on request`() throws {
    try twoCases()
    try write("gt/c.nii", [1: 1])
    try write("pred/d.nii", [1: 1])
    let refused = try wt("eval", directory.file("pred"), directory.file("gt"))
    #expect(refused.status == 65 && refused.errors.contains("gt/c.nii"))
    #expect(refused.errors.contains("--allow-missing"))
    let report = try json(
      "eval", directory.file("pred"), directory.file("gt"), "--allow-missing")
    #expect((report["missing_predictions"] as? [String])?.count == 1)
    #expect((report["extra_predictions"] as? [String])?.first?.hasSuffix("pred/d.nii") == true)
  }

  @Test func `names that say image and labels belong together, unless they could be many`() throws {
    try write("gt/label0035.nii.gz", [1: 1])
    try write("pred/img0035.nii.gz", [1: 1])
    let report = try json("eval", directory.file("pred"), directory.file("gt"))
    #expect(number(report["foreground_mean"], "Dice") == 1)
    try write("pred/image_0035.nii.gz", [1: 1])
    #expect(try wt("eval", directory.file("pred"), directory.file("gt")).status == 65)
  }

  @Test func `a volume and a picture are no pair`() throws {
    try write("gt/a.nii", [1: 1])
    try picture("pred/a.png", [RGBColour(0, 0, 0)])
    let outcome = try wt("eval", directory.file("pred"), directory.file("gt"))
    #expect(outcome.status == 65 && outcome.errors.contains("[kindMismatch]"), "\(outcome.errors)")
  }

  @Test func `frames are measured as the challenge does, whatever their colours`() throws {
    let (shaft, clasper, none) = (
      RGBColour(0, 255, 0), RGBColour(0, 255, 255), RGBColour(0, 0, 0)
    )
    try picture("gt/seq/frame000.png", [shaft, shaft, clasper, none])
    try picture("pred/seq/frame000.png", [shaft, none, clasper, none])
    try picture("gt/seq/frame001.png", [shaft, none, none, none])
    try picture("pred/seq/frame001.png", [shaft, clasper, none, none])
    let report = try json(
      "eval", directory.file("pred"), directory.file("gt"), "--protocol", "endovis18",
      "--profile", "endovis18")
    // Frames: (1/2 + 1) / 2, then the shaft alone.
    #expect(number(report["foreground_mean"], "IoU") == 0.875)
    #expect((report["classes"] as? [String: String])?["2"] == "instrument clasper")
    try picture("gt/frame002.png", [shaft, none, none, none])
    try picture("pred/frame002.png", [none, none, none, none])
    let both = try json(
      "eval", directory.file("pred"), directory.file("gt"), "--protocol", "endovis18")
    let parts = both["foreground_mean_by_folder"]
    #expect(number(parts, directory.file("gt"), "IoU") == 0)
    #expect(number(parts, directory.file("gt/seq"), "IoU") == 0.875)
    try picture("pred/seq/frame001.png", [RGBColour(1, 2, 3), none, none, none])
    let unknown = try wt(
      "eval", directory.file("pred"), directory.file("gt"), "--protocol", "endovis18")
    #expect(unknown.status == 65 && unknown.errors.contains("colour 1,2,3"), "\(unknown.errors)")
  }

  @Test func `a page shows bars and the worst slices`() throws {
    try twoCases()
    let page = directory.file("report.html")
    let arguments = ["eval", directory.file("pred"), directory.file("gt"), "--report", page]
    #expect(try Tool.run(arguments, in: directory).status == 0)
    let text = try String(contentsOfFile: page, encoding: .utf8)
    #expect(text.contains("style=\"width:66.7%\""))
    #expect(text.components(separatedBy: "src=\"data:image/png;base64,iVBOR").count == 3)
    #expect(!text.contains("http"))
    #expect(try Tool.run(arguments, in: directory).status == 73)
    #expect(try Tool.run(arguments + ["--force"], in: directory).status == 0)
  }

  @Test func `what cannot be evaluated is an error of its kind`() throws {
    try twoCases()
    let (prediction, reference) = (directory.file("pred/a.nii"), directory.file("gt/a.nii.gz"))
    #expect(try wt("eval", prediction, reference, "--metrics", "dice,volume").status == 64)
    #expect(try wt("eval", prediction, reference, "--tolerance-mm", "-1").status == 64)
    #expect(try wt("eval", prediction, directory.file("none.nii")).status == 66)
    #expect(try wt("eval", directory.file("none"), directory.file("gt")).status == 66)
    // A header alone: eight thousand million voxels are refused before they are read.
    let template = NIfTITemplate(shape: [2048, 2048, 2048], affine: .identity)
    let large = try directory.write(
      Data(template.header(.uint8, shape: [2048, 2048, 2048]).bytes + template.body),
      as: "large.nii")
    let beyond = try wt("eval", large, large)
    #expect(beyond.status == 65 && beyond.errors.contains("[notALabelMap]"), "\(beyond.errors)")
    #expect(beyond.errors.contains("2048 × 2048 × 2048"))
    let halves = Volume(
      path: "", shape: [1, 1, 2], dtype: .float32, voxels: [0, 0, 0, 0, 0, 0, 0xC0, 0x3F])
    try halves.template.write(
      .float32, shape: [1, 1, 2], to: directory.file("half.nii"), overwrite: true,
      from: ArrayReader(halves.voxels))
    let half = try wt("eval", directory.file("half.nii"), directory.file("half.nii"))
    #expect(half.status == 65 && half.errors.contains("1.5"), "\(half.errors)")
  }
}
