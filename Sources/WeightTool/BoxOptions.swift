import ArgumentParser
import Datasets
import Formats
import Inference

/// Where in a scan something is to be found.
struct BoxOptions: ParsableArguments {
  @Option(
    name: .customLong("box3d"),
    help: ArgumentHelp(
      "A box of voxels, both ends included: x0,y0,z0,x1,y1,z1.", valueName: "numbers"))
  var box3D: VoxelBox?
  @Option(
    help: ArgumentHelp(
      "The box around all labels of a file, or of the file of the same name in a folder or below.",
      valueName: "path"), completion: .file())
  var boxFrom: String?
  @Option(
    help: ArgumentHelp("Move every side of the box outward by this part of it.", valueName: "x%"))
  var relax = Percentage(part: 0)

  func validate() throws {
    guard box3D == nil || boxFrom == nil else {
      throw ValidationError("Give either --box3d or --box-from.")
    }
  }

  /// A box of numbers is of one scan.
  func check(isSingle: Bool) throws {
    guard box3D == nil || isSingle else {
      throw ValidationError("--box3d goes with one scan; for a folder take --box-from FOLDER.")
    }
  }

  /// The box on a scan, nil when nothing is asked for.
  ///
  /// - Throws: `DatasetError` with code `badBox`, or what reading the labels throws.
  func box(
    for item: PredictionSource.Item, in labels: BoxLabels?, _ scan: any Scan
  ) throws -> Box3D? {
    if let box3D { return box3D.box.relaxed(by: relax.part, in: scan) }
    guard let path = try labels?.file(for: item) else { return nil }
    let kind = SourceName(lastComponent(of: path))?.kind
    let labels =
      try (kind == .array ? SourceData.array(path, name: "label") : .volume(path)).labels()
    guard [labels.width, labels.height, labels.slices] == [scan.width, scan.height, scan.slices],
      scan.affine.distance(to: labels.affine, over: [scan.width, scan.height, scan.slices])
        <= 0.5 * (scan.affine.steps.min() ?? 1)
    else {
      throw DatasetError(
        .badBox, file: path, expected: "labels in the grid of '\(lastComponent(of: scan.path))'",
        found: "another shape or affine")
    }
    guard let box = try Box3D(around: labels) else {
      throw DatasetError(.badBox, file: path, expected: "labels other than 0", found: "none")
    }
    return box.relaxed(by: relax.part, in: scan)
  }
}

/// Six voxel indices.
struct VoxelBox: ExpressibleByArgument, Sendable {
  var box: Box3D

  init?(argument: String) {
    let parts = argument.split(separator: ",", omittingEmptySubsequences: false)
    let numbers = parts.compactMap { Int($0) }.map(Double.init)
    guard parts.count == 6, numbers.count == 6,
      (0..<3).allSatisfy({ numbers[$0] <= numbers[$0 + 3] && numbers[$0] >= 0 })
    else { return nil }
    box = Box3D(lower: Array(numbers[..<3]), upper: Array(numbers[3...]))
  }
}

/// A part, written as `5%` or `0.05`.
struct Percentage: ExpressibleByArgument, Sendable {
  var part: Double

  init(part: Double) { self.part = part }

  init?(argument: String) {
    let isPercent = argument.hasSuffix("%")
    guard let number = Double(isPercent ? String(argument.dropLast()) : argument), number >= 0,
      number.isFinite
    else { return nil }
    part = isPercent ? number / 100 : number
  }

  var defaultValueDescription: String { "\(part * 100)%" }
}
