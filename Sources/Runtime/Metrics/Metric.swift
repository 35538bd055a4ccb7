/// What is measured of one class in one case.
public enum Metric: String, Sendable, CaseIterable {
  case dice, iou, hd, hd95, nsd, assd

  /// The name under which results are written.
  public var name: String {
    switch self {
    case .dice: "Dice"
    case .iou: "IoU"
    case .hd: "HD"
    case .hd95: "HD95"
    case .nsd: "NSD"
    case .assd: "ASSD"
    }
  }

  /// Whether it is a length, where less is better and a missed object has no value.
  public var isDistance: Bool { self == .hd || self == .hd95 || self == .assd }
}

/// Whose definitions hold where those of the field differ.
public enum EvaluationProtocol: String, Sendable, CaseIterable {
  /// A class in neither mask is undefined and left out of means.
  ///
  /// Source: `nnunetv2.evaluation.evaluate_predictions.compute_metrics`.
  case nnunet
  /// A class in neither mask counts as 1; pooled HD95 in voxels.
  ///
  /// Source: `calculate_metric_percase` of cchen-cc/MA-SAM.
  case masam
  /// A predicted class that the reference lacks counts as 1, one in neither as 0.
  ///
  /// Source: `calculate_metric_percase` of hitachinsk/SAMed, as in TransUNet.
  case samed
  /// Only classes of the reference count, first over each frame, then over all frames.
  ///
  /// Source: the rules of the EndoVis 2018 scene segmentation challenge.
  case endovis18

  /// Whether distances are in voxels, and HD95 is of the distances of both directions together.
  public var isPooledInVoxels: Bool { self == .masam || self == .samed }

  /// Whether means are taken over the classes of a case first.
  public var averagesEachCase: Bool { self == .endovis18 }

  /// The value of a metric for a class that is in one mask at most, nil if it has none.
  func value(_ metric: Metric, ofIncomplete overlap: Overlap) -> Double? {
    switch self {
    case .endovis18 where !overlap.isReferred: nil
    case .samed where metric != .nsd:
      metric.isDistance ? 0 : overlap.isPredicted ? 1 : 0
    case .nnunet, .masam, .samed, .endovis18:
      if metric.isDistance {
        nil
      } else if overlap.isPredicted || overlap.isReferred {
        0
      } else {
        self == .masam && metric != .nsd ? 1 : nil
      }
    }
  }
}
