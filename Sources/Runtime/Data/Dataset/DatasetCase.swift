import Formats

/// What a case is for.
public enum DatasetSplit: String, Sendable, CaseIterable {
  case train
  case validation
  case test
}

/// How intensities become numbers from 0 to 1 when they are read.
public enum DatasetNormalisation: String, Sendable, CaseIterable {
  /// Every stack by its own least and largest number; one that is constant becomes zero.
  case stack
  /// They were brought there when the dataset was made.
  case none
}

/// One case of a dataset: a volume with its labels.
public struct DatasetCase: Sendable, Equatable {
  public var name: String
  public var split: DatasetSplit
  public var slices: Int
  /// 1 for grey, 3 for colours.
  public var channels: Int
  public var height: Int
  public var width: Int
  public var normalisation: DatasetNormalisation
  /// The source's own grid.
  public var geometry: DatasetGeometry
  /// The files that the case was made from.
  public var sources: [DatasetSource]

  public init(
    name: String, split: DatasetSplit, slices: Int, channels: Int, height: Int, width: Int,
    normalisation: DatasetNormalisation, geometry: DatasetGeometry, sources: [DatasetSource] = []
  ) {
    self.name = name
    self.split = split
    self.slices = slices
    self.channels = channels
    self.height = height
    self.width = width
    self.normalisation = normalisation
    self.geometry = geometry
    self.sources = sources
  }
}

/// The grid that a case had before it was prepared.
public struct DatasetGeometry: Sendable, Equatable {
  /// Extents, x first.
  public var shape: [Int]
  /// Millimetres.
  public var spacing: [Double]
  public var affine: Affine

  public init(shape: [Int], spacing: [Double], affine: Affine) {
    precondition(shape.count == 3 && spacing.count == 3)
    self.shape = shape
    self.spacing = spacing
    self.affine = affine
  }
}

/// A file that a case was made from.
public struct DatasetSource: Sendable, Equatable {
  /// The file's name, without its folder.
  public var name: String
  /// The SHA-256 of its bytes in hexadecimal digits.
  public var digest: String

  public init(name: String, digest: String) {
    self.name = name
    self.digest = digest
  }
}

/// What holds for a whole dataset.
public struct DatasetDescription: Sendable, Equatable {
  /// Of the foreground, from class 1 on.
  public var classNames: [String]
  /// The rules that it was made by, as a model carries them under `wt.profile`.
  public var profile: String
  public var cases: [DatasetCase]

  public init(
    classNames: [String], profile: String, cases: [DatasetCase]
  ) {
    self.classNames = classNames
    self.profile = profile
    self.cases = cases
  }
}
