import Formats
import Support
import Synchronization

/// Makes training data out of a folder of scans with labels.
public struct Preparation: Sendable {
  public let profile: Profile
  public let description: DatasetDescription
  /// What a user should know though nothing is wrong.
  public let notes: [String]
  private let cases: [SourceCase]
  private let progress: ProgressHandler

  /// Finds the cases of a folder and reads all of them once.
  ///
  /// - Throws: `FormatError`, or `DatasetError` as below.
  public init(
    _ source: String, profile: Profile, fold: Int = 0,
    progress: @escaping ProgressHandler = { _ in }
  ) throws {
    try self.init(SourceLayout(source), profile: profile, fold: fold, progress: progress)
  }

  /// Reads all cases once, to find every fault before anything is written.
  ///
  /// - Parameter fold: which of the profile's splits, from 0.
  /// - Throws: `DatasetError` with code `faultySource`, naming every fault of every file,
  ///   `noCases` or `badProfile`; or `FormatError`.
  public init(
    _ layout: SourceLayout, profile: Profile, fold: Int = 0,
    progress: @escaping ProgressHandler = { _ in }
  ) throws {
    let source = layout.root
    guard !profile.classNames.isEmpty else {
      throw DatasetError(
        .badProfile, file: profile.name, subject: "classes", expected: "names of classes",
        found: "none")
    }
    guard profile.splits.indices.contains(fold) else {
      throw DatasetError(
        .badProfile, file: profile.name, subject: "folds",
        expected: "a fold from 0 to \(profile.splits.count - 1)", found: "\(fold)")
    }
    self.profile = profile
    self.progress = progress
    guard !layout.cases.isEmpty || !layout.strays.isEmpty || !layout.unreadable.isEmpty else {
      throw DatasetError(
        .noCases, file: source, expected: "a folder of labels beside the images",
        found: "\(layout.unlabelled.count) cases without one")
    }
    var rule = profile.splits[fold]
    // Who prepared the stacks has said which are for what, more closely than a profile can.
    if layout.hasStacks { rule.lists = try CaseLists(of: source).lists + rule.lists }
    notes = Self.notes(layout, rule)
    let splits = rule.splits(of: layout.cases.map(\.path))
    var faults = Self.faults(layout)
    let counter = ProgressCounter(
      "checking", total: layout.cases.count, unit: .pieces, progress)
    var prepared: [DatasetCase] = []
    let check = SourceCheck(profile: profile)
    for (item, split) in zip(layout.cases, splits) {
      let (found, wrong) = check.check(item, split: split)
      if let found { prepared.append(found) }
      faults += wrong
      counter.add(1)
    }
    try DatasetNames.check(layout.cases.map(\.name), file: source)
    guard faults.isEmpty else { throw Self.failure(faults, source) }
    cases = layout.cases
    description = DatasetDescription(
      classNames: profile.classNames, profile: profile.modelText, cases: prepared)
  }

  /// Writes the dataset.
  ///
  /// - Throws: `FormatError` or `DatasetError`; the target is then what it was before.
  public func write(to target: String, overwrite: Bool, toolVersion: String) throws {
    let last = Mutex<(index: Int, item: PreparedCase)?>(nil)
    let writer = DatasetWriter(description, toolVersion: toolVersion, progress: progress)
    try writer.write(to: target, overwrite: overwrite) { index in
      // Images and labels of a case are asked for one after the other.
      let item = try last.withLock { last in
        if let last, last.index == index { return last.item }
        last = nil
        let item = try PreparedCase(cases[index], profile, size: profile.size)
        last = (index, item)
        return item
      }
      return DatasetWriter.Slices(image: item.image, labels: item.labels)
    }
  }

  /// What is wrong before a file is opened.
  private static func faults(_ layout: SourceLayout) -> [SourceFault] {
    layout.unreadable.map { SourceFault($0.path, "it cannot be read: \($0.reason)") }
      + (layout.orphans + layout.strays.map(\.image.path)).map {
        SourceFault($0, "labels without an image")
      }
  }

  private static func notes(_ layout: SourceLayout, _ rule: SplitRule) -> [String] {
    var notes = rule.splitsWithoutCase(of: layout.cases.map(\.path)).map {
      "none of the cases is one that the profile lists for \($0.rawValue)"
    }
    if let first = layout.unlabelled.first {
      notes.append(
        "\(layout.unlabelled.count) case(s) beside which there is no folder of labels were left out, "
          + "such as '\(first.name.escapedForDisplay)'")
    }
    return notes + [layout.leftOutNote].compactMap { $0 }
  }

  private static func failure(_ faults: [SourceFault], _ source: String) -> DatasetError {
    DatasetError(
      .faultySource, file: source,
      found: "\(faults.count) fault\(faults.count == 1 ? "" : "s")",
      remedy: "mend or remove these files; nothing was written",
      items: faults.map { "\($0.path): \($0.text)" })
  }
}

/// One case on its way into a dataset.
struct PreparedCase: Sendable {
  private let scan: any Scan
  private let labelScan: any LabelScan
  private let transform: IntensityTransform
  private let map: LabelTable
  private let orientation: Orientation
  private let size: (height: Int, width: Int)
  private let spline: SplineZoom
  private let nearest: NearestZoom

  /// - Parameter size: pixels a side, or nil for the scan's own.
  init(_ item: SourceCase, _ profile: Profile, size: Int?) throws {
    guard let data = item.labels, let rule = profile.rule(for: item.name) else {
      preconditionFailure("cases are checked before")
    }
    scan = try item.image.scan()
    labelScan = try data.labels()
    transform = try IntensityTransform(rule, for: scan)
    map = profile.labels.table()
    orientation = profile.orientation
    self.size = (size ?? scan.height, size ?? scan.width)
    spline = SplineZoom(
      height: scan.height, width: scan.width, newHeight: self.size.height,
      newWidth: self.size.width)
    nearest = NearestZoom(
      height: scan.height, width: scan.width, newHeight: self.size.height,
      newWidth: self.size.width)
  }

  /// Of shape [channels, height, width].
  @Sendable func image(_ slice: Int) throws -> [Float] {
    let plane = scan.width * scan.height
    let numbers = try scan.plane(slice).map { transform($0) }
    let turned = orientation.turned(numbers, plane: plane)
    return (0..<scan.channels).flatMap { channel in
      spline(Array(turned[channel * plane..<(channel + 1) * plane])).map { Float($0) }
    }
  }

  /// Of shape [height, width].
  @Sendable func labels(_ slice: Int) throws -> [UInt8] {
    let classes = try labelScan.plane(slice).map { label in
      guard let found = map[label] else {
        throw FormatError(.fileChanged, file: labelScan.path)
      }
      return found
    }
    return nearest(orientation.turned(classes, plane: classes.count))
  }
}
