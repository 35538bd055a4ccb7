import Formats
import Support
import Surgery

/// Made-up inputs for the whole road from scans to a report, and the commands that go along it.
///
/// Scans are ellipsoid organs under noise, the model a small SAM of random weights: nothing needs to be
/// fetched, and nothing in it is anybody's.
public struct Demonstration: Sendable {
  public let folder: String
  public let seed: UInt64

  private static let (trained, heldOut) = (24, 4)
  private static let steps = 700

  public init(folder: String, seed: UInt64) {
    self.folder = folder
    self.seed = seed
  }

  /// Writes `scans`, `held-out`, `organs.yaml` and `base.safetensors` into the folder, which is there.
  ///
  /// - Throws: `FormatError`; files that were written before stay.
  public func write(
    toolVersion: String, progress: @escaping ProgressHandler = { _ in }
  ) throws {
    let count = Self.trained + Self.heldOut
    let counter = ProgressCounter("drawing", total: count, unit: .pieces, progress)
    for index in 0..<count {
      let name = "case\(String(repeating: "0", count: index < 10 ? 1 : 0))\(index).nii.gz"
      let part = index < Self.trained ? "scans" : "held-out"
      let volume = SyntheticVolume(seed: seed &* 1000 &+ UInt64(index))
      for (kind, isImage) in [("images", true), ("labels", false)] {
        let directory = "\(folder)/\(part)/\(kind)"
        for path in ["\(folder)/\(part)", directory] { try FolderListing.create(path) }
        let target = "\(directory)/\(name)"
        try isImage ? volume.writeImage(to: target) : volume.writeLabels(to: target)
      }
      counter.add(1)
    }
    try AtomicFile.write(profile, to: path("organs.yaml"), overwrite: false)
    let base = try SAMForm.small.random(seed: seed, toolVersion: toolVersion)
    _ = try base.write(to: path("base.safetensors"), overwrite: false, progress: progress)
  }

  /// The arguments of each command, in their order.
  public var commands: [[String]] {
    [
      ["prepare", path("scans"), "-o", path("data.h5"), "--profile", path("organs.yaml")],
      [
        "adapt", path("base.safetensors"), "-o", path("model.safetensors"), "--class-names",
        "bright,dark", "--image-size", "64", "--rank", "4", "--adapter-channels", "32",
        "--adapter-init", "masam", "--seed", "\(seed)",
      ],
      [
        "train", path("model.safetensors"), path("data.h5"), "-o", path("run"), "--steps",
        "\(Self.steps)", "--warmup", "20", "--lr", "1e-3", "--lr-exponent", "0.9", "--batch-size",
        "4", "--augment", "none", "--train-pattern", ".", "--seed", "\(seed)",
      ],
      [
        "merge-fact", path("run/checkpoints/step-00000\(Self.steps)/delta.safetensors"), "-o",
        path("organs.safetensors"),
      ],
      ["verify", path("organs.safetensors")],
      [
        "predict", path("organs.safetensors"), path("held-out/images"), "-o", path("predictions"),
        "--preview", path("preview.png"),
      ],
      [
        "eval", path("predictions"), path("held-out/labels"), "--class-names", "bright,dark",
        "--report", path("report.html"),
      ],
    ]
  }

  private func path(_ name: String) -> String { "\(folder)/\(name)" }

  private var profile: String {
    """
    name: organs
    intensity: {normalise: none}
    orientation: image
    size: 64
    classes: [bright, dark]
    labels: {0: 0, 1: 1, 2: 2}

    """
  }
}

extension SyntheticVolume {
  private var shape: [Int] { [side, side, slices] }
  /// Voxels of 1 × 1 × 2.5 mm.
  private var template: NIfTITemplate {
    NIfTITemplate(shape: shape, affine: Affine(diagonal: [1, 1, 2.5]))
  }

  func writeImage(to target: String) throws {
    try template.write(
      numbers: images.flatMap { $0 }, shape: shape, to: target, overwrite: false)
  }

  func writeLabels(to target: String) throws {
    try template.write(
      labels: labels.flatMap { $0 }, shape: shape, to: target, overwrite: false)
  }
}
