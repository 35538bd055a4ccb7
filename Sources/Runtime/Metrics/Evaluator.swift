/// Measures how far a segmentation is from its reference.
public struct Evaluator: Sendable {
  public var convention: EvaluationProtocol
  public var metrics: Set<Metric>
  /// How far apart two surfaces may be and still agree, for NSD, in millimetres.
  public var tolerance: Double

  public init(
    convention: EvaluationProtocol = .nnunet, metrics: Set<Metric> = Set(Metric.allCases),
    tolerance: Double = 1
  ) {
    self.convention = convention
    self.metrics = metrics
    self.tolerance = tolerance
  }

  /// The results of all classes, in their order.
  ///
  /// - Parameters:
  ///   - reference: of the prediction's shape; its spacing holds for both.
  ///   - classes: labels, each once; 0 stands for the background.
  public func callAsFunction(
    _ prediction: LabelGrid, _ reference: LabelGrid, classes: [UInt16]
  ) -> [ClassResult] {
    precondition(prediction.shape == reference.shape)
    let overlaps = Overlap.count(prediction, reference, ClassSlots(classes))
    var results = overlaps.map(result)
    for batch in batches(overlaps) {
      let slots = ClassSlots(batch.map { classes[$0] })
      addDistances(prediction, reference, slots, to: &results, at: batch)
      addSurfaceDice(prediction, reference, slots, to: &results, at: batch)
    }
    return results
  }

  /// The result of a class that a case of so many points does not have.
  public func absent(pointCount: Int) -> ClassResult {
    result(Overlap(trueNegatives: pointCount))
  }

  /// What the counts alone say.
  private func result(_ overlap: Overlap) -> ClassResult {
    var result = ClassResult(overlap: overlap)
    for metric in metrics {
      if !overlap.isPredicted || !overlap.isReferred {
        result[metric] = convention.value(metric, ofIncomplete: overlap)
      } else if metric == .dice {
        result[metric] = overlap.dice
      } else if metric == .iou {
        result[metric] = overlap.intersectionOverUnion
      }
    }
    return result
  }

  /// The classes that have surfaces in both, as many together as memory allows.
  private func batches(_ overlaps: [Overlap]) -> [[Int]] {
    guard !metrics.isSubset(of: [.dice, .iou]) else { return [] }
    let limit = 1 << 27
    var batches: [[Int]] = []
    var size = limit
    for (index, overlap) in overlaps.enumerated() where overlap.isPredicted && overlap.isReferred {
      // A voxel is on the surface itself and touches eight cells, at most.
      let most = 9 * (overlap.predicted + overlap.reference)
      if size + most > limit {
        batches.append([])
        size = 0
      }
      batches[batches.count - 1].append(index)
      size += most
    }
    return batches
  }
}
