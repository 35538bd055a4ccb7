import TestSupport
import Testing

@testable import Datasets
@testable import Formats

@Suite("Profiles")
struct ProfileTests {
  @Test func `every profile that ships can be read`() throws {
    #expect(ProfileLibrary.names == ["amos", "btcv", "endovis18", "msd-pancreas", "prostate"])
    for name in ProfileLibrary.names {
      let profile = try ProfileLibrary.profile(name)
      #expect(profile.name == name && profile.size == 512)
      #expect(try Profile(yaml: profile.modelText, file: nil).agrees(with: profile))
    }
    #expect(try ProfileLibrary.profile("btcv").classNames.count == 12)
    #expect(try ProfileLibrary.profile("btcv").labels[13] == 12)
    #expect(try ProfileLibrary.profile("btcv").labels[14] == nil)
    #expect(try ProfileLibrary.profile("prostate").labels[255] == 1)
    #expect(try ProfileLibrary.profile("amos").labels[10] == 11)
    #expect(try ProfileLibrary.profile("msd-pancreas").splits.count == 5)
    let colour = LabelMap.label(of: RGBColour(187, 155, 25))
    #expect(try ProfileLibrary.profile("endovis18").labels[colour] == 6)
  }

  @Test func `amos tells CT from MRI by the case's number`() throws {
    let amos = try ProfileLibrary.profile("amos")
    let (ct, mr) = (try ProfileLibrary.profile("btcv"), try ProfileLibrary.profile("prostate"))
    #expect(amos.rule(for: "amos_0007") == ct.rule(for: "any"))
    #expect(amos.rule(for: "amos_0507") == mr.rule(for: "any"))
    #expect(amos.rule(for: "scan") == nil)
  }

  @Test func `published splits are found by number and folder`() throws {
    let btcv = try ProfileLibrary.profile("btcv").splits[0]
    #expect(
      btcv.splits(of: [["img0034"], ["img0035"], ["Training", "0040"], ["img10040"]])
        == [.train, .test, .test, .train])
    let prostate = try ProfileLibrary.profile("prostate").splits[0]
    #expect(
      prostate.splits(of: [
        ["A", "Case03"], ["C", "Case18"], ["siteF", "Case38"], ["site_d", "x", "0001"], ["Case03"],
      ]) == [.test, .train, .test, .test, .train])
    let pancreas = try ProfileLibrary.profile("msd-pancreas").splits
    let cases = (0..<500).map { ["pancreas_\($0)"] }
    let counts = pancreas.map { rule in
      DatasetSplit.allCases.map { split in rule.splits(of: cases).count { $0 == split } }
    }
    #expect(counts.map { $0[1] } == [28, 28, 28, 28, 28])
    #expect(counts.map { $0[2] } == [57, 57, 57, 57, 53])
    #expect(try ProfileLibrary.profile("amos").splits[0].splits(of: [["a"]]) == [.test])
  }

  @Test func `parts are drawn by name and seed alone`() throws {
    let text =
      "{intensity: {normalise: none}, orientation: image, split: {ratio: {test: 0.2, "
      + "validation: 0.1}, seed: 5}}"
    let rule = try Profile(yaml: text, file: nil).splits[0]
    let cases = (0..<30).map { ["case\($0)"] }
    let splits = rule.splits(of: cases)
    #expect(splits.count { $0 == .test } == 6 && splits.count { $0 == .validation } == 3)
    #expect(rule.splits(of: cases.reversed()) == splits.reversed())
    var other = rule
    other.seed = 6
    #expect(other.splits(of: cases) != splits)
  }

  static let wrong: [(String, String)] = [
    ("orientation: image", "intensity"), ("intensity: {normalise: none}", "orientation"),
    ("intensity: {normalise: max}\norientation: image", "normalise"),
    ("intensity: {clip: [1], normalise: none}\norientation: image", "clip"),
    ("intensity: {clip: [5, 1], normalise: none}\norientation: image", "clip"),
    ("intensity: {clip: [.nan, 1], normalise: none}\norientation: image", "clip"),
    ("intensity: {percentiles: [0, 101], normalise: none}\norientation: image", "percentiles"),
    ("intensity: []\norientation: image", "intensity"),
    (
      "intensity: [{numbers: [a, 1, b, 9], normalise: none}]\norientation: image", "numbers"
    ), ("intensity: [{numbers: [9, 1], normalise: none}]\norientation: image", "numbers"),
    (
      "intensity: {normalise: none}\norientation: image\nclasses: [a]\nlabels: {1: 1, '01': 0}",
      "labels"
    ),
    (
      "intensity: {normalise: none}\norientation: image\nclasses: [a]\ncolours: {'1,x,2,3': 1}",
      "colours"
    ),
    (
      "intensity: {normalise: none}\norientation: image\nclasses: [a]\n"
        + "colours: {'1,2,3': 1, '1,02,3': 0}", "colours"
    ),
    ("intensity: {normalise: none}\norientation: left", "orientation"),
    ("intensity: {normalise: none}\norientation: image\nsize: 0", "size"),
    ("intensity: {normalise: none}\norientation: image\nsizes: 4", "sizes"),
    ("intensity: {normalise: none}\norientation: image\nclasses: [a, a]", "classes"),
    ("intensity: {normalise: none}\norientation: image\nclasses: [a]\nlabels: {1: 2}", "labels"),
    ("intensity: {normalise: none}\norientation: image\nclasses: [a]\nlabels: {x: 1}", "labels"),
    (
      "intensity: {normalise: none}\norientation: image\nclasses: [a]\ncolours: {'1,2': 1}",
      "colours"
    ),
    ("intensity: {normalise: none}\norientation: image\nothers: 1", "others"),
    ("intensity: {normalise: none}\norientation: image\nsplit: {holdout: [a]}", "holdout"),
    ("intensity: {normalise: none}\norientation: image\nsplit: {ratio: {test: 2}}", "ratio"),
    ("intensity: {normalise: none}\norientation: image\nsplit: {}\nfolds: [{}]", "folds"),
    ("orientation: image\norientation: image\nintensity: {normalise: none}", "orientation"),
  ]

  @Test(arguments: wrong) func `what a profile cannot be is refused`(
    yaml: String, subject: String
  ) {
    let error = #expect(throws: DatasetError.self) { try Profile(yaml: yaml, file: "mine.yaml") }
    #expect(error?.code == .badProfile && error?.file == "mine.yaml")
    // The YAML library itself refuses keys that occur twice.
    #expect(error?.subject == subject || error?.subject == nil, "\(error?.subject ?? "none")")
  }

  @Test func `text that is no YAML is refused`() {
    for text in ["", "[", "a: b: c", "just text"] {
      let error = #expect(throws: DatasetError.self) { try Profile(yaml: text, file: nil) }
      #expect(error?.code == .badProfile)
    }
    let bomb = "a: &a [x, x]\nb: &b [*a, *a]\n? *b\n: 1\n"
    let refused = #expect(throws: DatasetError.self) { try Profile(yaml: bomb, file: nil) }
    #expect(refused?.found?.hasPrefix("line 1: an anchor") == true)
    let error = #expect(throws: DatasetError.self) { try ProfileLibrary.profile("bctv") }
    #expect(error?.code == .unknownProfile && error?.category == .usage)
  }

  @Test func `turning twice is not turning`() {
    let plane = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]
    #expect(Orientation.image.turned(plane, plane: 6) == plane)
    let turned = Orientation.masam.turned(plane, plane: 6)
    #expect(turned == [6, 5, 4, 3, 2, 1, 12, 11, 10, 9, 8, 7])
    #expect(Orientation.masam.turned(turned, plane: 6) == plane)
  }
}
