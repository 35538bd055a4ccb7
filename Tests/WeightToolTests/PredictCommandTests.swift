import Foundation
import TestSupport
import Testing

@Suite("Preparing and predicting by command")
struct PredictCommandTests {
  private let directory: TemporaryDirectory
  private let model = Fixtures.path("runtime/masam-tt.model.safetensors")
  private let scan = Fixtures.path("prepare/ct/img/img0007.nii.gz")

  init() throws { directory = try TemporaryDirectory() }

  private func wt(_ arguments: String...) throws -> Tool.Outcome {
    try Tool.run(arguments, in: directory, limit: 4 << 30)
  }

  private func report(_ outcome: Tool.Outcome) throws -> [String: Any] {
    try #require(
      try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any])
  }

  private func bytes(_ path: String) throws -> Data {
    try Data(contentsOf: URL(fileURLWithPath: path))
  }

  @Test func `prepare checks, tells and writes`() throws {
    let (source, output) = (Fixtures.path("prepare/mr"), directory.file("data.h5"))
    let dry = try wt("prepare", source, "-o", output, "--profile", "prostate", "--dry-run")
    #expect(dry.status == 0 && dry.output.contains("nothing was written"))
    #expect(try directory.entries().filter { !$0.hasPrefix(".") }.isEmpty)
    let done = try wt("prepare", source, "-o", output, "--profile", "prostate", "--json")
    #expect(done.status == 0, "\(done.errors)")
    let cases = try #require(try report(done)["cases"] as? [[String: Any]])
    #expect(cases.map { $0["name"] as? String } == ["A_Case03", "B_Case04"])
    #expect(cases.map { $0["split"] as? String } == ["test", "train"])
    #expect(try wt("prepare", source, "-o", output, "--profile", "prostate").status == 73)
    let wrong = try wt("prepare", source, "-o", output, "--profile", "endovis18", "--force")
    #expect(wrong.status == 65 && wrong.errors.contains("2 faults"))
    #expect(wrong.errors.contains("[faultySource]"))
    #expect(
      try wt("prepare", source, "-o", directory.file("x.h5"), "--profile", "bctv").status == 64)
    #expect(
      try wt("prepare", "nowhere", "-o", directory.file("x.h5"), "--profile", "btcv").status == 66)
    #expect(
      try wt(
        "prepare", source, "-o", directory.file("x.h5"), "--profile", "prostate", "--fold", "1"
      ).status == 65)
  }

  @Test func `predict gives the same labels whatever the threads`() throws {
    let outputs = (1...2).map { directory.file("\($0).nii.gz") }
    let picture = directory.file("preview.png")
    let first = try wt(
      "predict", model, scan, "-o", outputs[0], "--profile", "btcv", "--preview", picture,
      "--save-probabilities", "--json")
    #expect(first.status == 0, "\(first.errors)")
    let found = try report(first)
    let item = try #require((found["cases"] as? [[String: Any]])?.first)
    #expect((found["notes"] as? [String])?.isEmpty == true)
    #expect(item["slices"] as? Int == 4 && item["windows"] as? Int == 4)
    #expect((item["voxels"] as? [Int])?.reduce(0, +) == 20 * 17 * 4)
    #expect((found["peak_rss_bytes"] as? Int ?? 0) > 1 << 20)
    let second = try wt(
      "predict", model, scan, "-o", outputs[1], "--profile", "btcv", "--threads", "1")
    #expect(second.status == 0)
    #expect(try bytes(outputs[0]) == bytes(outputs[1]))
    #expect(try bytes(picture).starts(with: [0x89, 0x50, 0x4E, 0x47]))
    #expect(FileManager.default.fileExists(atPath: directory.file("1.probabilities.h5")))
  }

  @Test func `folders are continued where they were left`() throws {
    let (source, output) = (Fixtures.path("prepare/ct/img"), directory.file("labels"))
    let dry = try wt("predict", model, source, "-o", output, "--profile", "btcv", "--dry-run")
    #expect(dry.status == 0 && dry.output.contains("labels/img0035.nii.gz"))
    #expect(!FileManager.default.fileExists(atPath: output))
    let first = try wt("predict", model, source, "-o", output, "--profile", "btcv")
    #expect(first.status == 0, "\(first.errors)")
    let names = try FileManager.default.contentsOfDirectory(atPath: output).sorted()
    #expect(names == ["img0007.nii.gz", "img0035.nii.gz"])
    let all = try names.map { try bytes(output + "/" + $0) }
    #expect(try wt("predict", model, source, "-o", output, "--profile", "btcv").status == 73)
    try FileManager.default.removeItem(atPath: output + "/" + names[1])
    let again = try wt(
      "predict", model, source, "-o", output, "--profile", "btcv", "--continue", "--json")
    #expect(again.status == 0, "\(again.errors)")
    let cases = try #require(try report(again)["cases"] as? [[String: Any]])
    #expect(cases.map { $0["done_before"] as? Bool } == [true, false])
    #expect(try names.map { try bytes(output + "/" + $0) } == all)
  }

  @Test func `only labels of the scan's own extents count as done`() throws {
    let (source, output) = (directory.file("scans"), directory.file("labels"))
    for folder in [source, output] {
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
    }
    let copy = source + "/a.nii.gz"
    try FileManager.default.copyItem(atPath: scan, toPath: copy)
    let target = URL(fileURLWithPath: output + "/a.nii.gz")
    let arguments = ["predict", model, source, "--profile", "btcv", "--continue", "-o"]
    for other in [Data("hi\n".utf8), try bytes(Fixtures.path("prepare/ct/label/label0035.nii.gz"))]
    {
      try other.write(to: target)
      let refused = try Tool.run(arguments + [output], in: directory, limit: 4 << 30)
      #expect(
        refused.status == 73 && refused.errors.contains("[outputExists]"), "\(refused.errors)")
      #expect(try Data(contentsOf: target) == other)
    }
    let itself = try Tool.run(arguments + [source], in: directory, limit: 4 << 30)
    #expect(itself.status == 73 && itself.errors.contains("input"), "\(itself.errors)")
    try bytes(Fixtures.path("prepare/ct/label/label0007.nii.gz")).write(to: target)
    let done = try Tool.run(arguments + [output], in: directory, limit: 4 << 30)
    #expect(done.status == 0 && done.output.contains("done before"), "\(done.errors)")
  }

  @Test func `windows are no longer than scans, and endings may be capitals`() throws {
    let output = directory.file("X.NII.GZ")
    let long = try wt(
      "predict", model, scan, "-o", output, "--profile", "btcv", "--window", "1024", "--stride",
      "1000")
    #expect(long.status == 0 && long.errors.contains("note: windows of"), "\(long.errors)")
    #expect(try bytes(output).starts(with: [0x1F, 0x8B]))
  }

  @Test func `frames give frames`() throws {
    let source = Fixtures.path("prepare/video/test/seq_2/left_frames")
    let output = directory.file("labels")
    let done = try wt("predict", model, source, "-o", output, "--profile", "endovis18")
    #expect(done.status == 0, "\(done.errors)")
    let names = try FileManager.default.contentsOfDirectory(atPath: output).sorted()
    #expect(names == ["frame10.png", "frame11.png", "frame9.png"])
  }

  @Test func `a box may be numbers or come from labels`() throws {
    let labels = Fixtures.path("prepare/ct/label/label0007.nii.gz")
    let whole = try wt(
      "predict", model, scan, "-o", directory.file("box.nii.gz"), "--profile", "btcv", "--box-from",
      labels,
      "--relax", "5%")
    #expect(whole.status == 0, "\(whole.errors)")
    let part = try wt(
      "predict", model, scan, "-o", directory.file("part.nii.gz"), "--profile", "btcv", "--box3d",
      "3,4,1,9,10,2",
      "--relax", "0.05")
    #expect(part.status == 0, "\(part.errors)")
    let beyond = try wt(
      "predict", model, scan, "-o", directory.file("x.nii.gz"), "--profile", "btcv", "--box3d",
      "0,0,0,20,1,1")
    #expect(beyond.status == 65 && beyond.errors.contains("[badBox]"))
    let other = try wt(
      "predict", model, scan, "-o", directory.file("x.nii.gz"), "--profile", "btcv", "--box-from",
      Fixtures.path("prepare/ct/label/label0035.nii.gz"))
    #expect(other.status == 65 && other.errors.contains("[badBox]"))
  }

  @Test func `boxes come from folders as deep as the scans'`() throws {
    let (scans, labels) = (directory.file("scans"), directory.file("gt"))
    for (place, name) in ["one/x", "two/x"].enumerated() {
      let number = ["0007", "0035"][place]
      for (folder, kind) in [(scans, "img"), (labels, "label")] {
        let path = "\(folder)/\(name).nii.gz"
        try FileManager.default.createDirectory(
          atPath: (path as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
        try FileManager.default.copyItem(
          atPath: Fixtures.path("prepare/ct/\(kind)/\(kind)\(number).nii.gz"), toPath: path)
      }
    }
    let arguments = ["predict", model, scans, "--profile", "btcv", "--box-from", labels, "-o"]
    let done = try Tool.run(arguments + [directory.file("o")], in: directory, limit: 4 << 30)
    #expect(done.status == 0, "\(done.errors)")
    try FileManager.default.removeItem(atPath: labels + "/two/x.nii.gz")
    try FileManager.default.moveItem(atPath: labels + "/one", toPath: labels + "/other")
    try FileManager.default.copyItem(atPath: labels + "/other", toPath: labels + "/third")
    let many = try Tool.run(arguments + [directory.file("p")], in: directory, limit: 4 << 30)
    #expect(many.status == 65 && many.errors.contains("found 2"), "\(many.errors)")
  }

  @Test func `a profile of aliases in aliases ends at once`() throws {
    let text =
      (["a0: &a0 [x]"]
      + (1..<12).map { level in
        "a\(level): &a\(level) ["
          + [String](repeating: "*a\(level - 1)", count: 9)
          .joined(separator: ",") + "]"
      } + ["? *a11", ": 1"]).joined(separator: "\n")
    let rules = try directory.write(Data(text.utf8), as: "bomb.yaml")
    let outcome = try wt(
      "prepare", Fixtures.path("prepare/ct"), "-o", directory.file("x.h5"), "--profile", rules)
    #expect(outcome.status == 65 && outcome.errors.contains("[badProfile]"), "\(outcome.errors)")
    #expect(outcome.errors.split(separator: "\n").count == 1)
  }

  @Test func `what cannot be is refused with its code`() throws {
    let output = directory.file("x.nii.gz")
    let refused: [([String], Int32, String)] = [
      ([model, scan], 65, "noProfile"),
      ([model, "nowhere.nii.gz", "--profile", "btcv"], 66, "notFound"),
      ([scan, scan, "--profile", "btcv"], 65, "unsupportedContainer"),
      ([model, model, "--profile", "btcv"], 65, "badNiftiHeader"),
      ([model, scan, "--profile", "amos2"], 64, "unknownProfile"),
      ([model, scan, "--profile", "btcv", "--window", "2", "--stride", "3"], 64, ""),
      ([model, scan, "--profile", "btcv", "--stride", "0"], 64, ""),
      ([model, scan, "--profile", "btcv", "--stride", "9223372036854775807"], 64, ""),
      ([model, scan, "--profile", "btcv", "--window", "9223372036854775807"], 64, ""),
      ([model, scan, "--profile", "btcv", "--window", "1025"], 64, ""),
      ([model, scan, "--profile", "btcv", "--box3d", "1,2,3"], 64, ""),
      ([model, scan, "--profile", "btcv", "--box3d", "5,0,0,1,1,1"], 64, ""),
      ([model, scan, "--profile", "btcv", "--continue", "--force"], 64, ""),
      (
        [Fixtures.path("runtime/sam-published.model.safetensors"), scan, "--profile", "btcv"], 65,
        "unsupportedModel"
      ),
    ]
    for (arguments, status, code) in refused {
      let outcome = try Tool.run(
        ["predict"] + arguments + ["-o", output], in: directory, limit: 4 << 30)
      #expect(outcome.status == status, "\(arguments): \(outcome.errors)")
      #expect(code.isEmpty || outcome.errors.contains(code))
      #expect(!FileManager.default.fileExists(atPath: output))
    }
    let copy = try directory.write(bytes(scan), as: "scan.nii.gz")
    let onto = try wt("predict", model, copy, "-o", copy, "--profile", "btcv", "--force")
    #expect(onto.status == 73 && onto.errors.contains("[outputUnavailable]"))
    #expect(try bytes(copy) == bytes(scan))
  }
}
