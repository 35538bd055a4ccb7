/// How many points of one class agree, and how many do not.
public struct Overlap: Sendable, Equatable {
  public var truePositives = 0
  public var falsePositives = 0
  public var falseNegatives = 0
  public var trueNegatives = 0

  public init(
    truePositives: Int = 0, falsePositives: Int = 0, falseNegatives: Int = 0, trueNegatives: Int = 0
  ) {
    self.truePositives = truePositives
    self.falsePositives = falsePositives
    self.falseNegatives = falseNegatives
    self.trueNegatives = trueNegatives
  }

  /// The points that were predicted.
  public var predicted: Int { truePositives + falsePositives }
  /// The points of the reference.
  public var reference: Int { truePositives + falseNegatives }

  var isPredicted: Bool { predicted > 0 }
  var isReferred: Bool { reference > 0 }

  /// 2·TP / (2·TP + FP + FN), not a number without any point.
  var dice: Double {
    2 * Double(truePositives) / Double(predicted + reference)
  }

  /// TP / (TP + FP + FN), not a number without any point.
  var intersectionOverUnion: Double {
    Double(truePositives) / Double(truePositives + falsePositives + falseNegatives)
  }
}

extension Overlap {
  /// The overlaps of all classes, in one walk over both grids.
  static func count(_ prediction: LabelGrid, _ reference: LabelGrid, _ slots: ClassSlots) -> [Self]
  {
    let (total, piece) = (reference.labels.count, 1 << 20)
    let parts = parallelMap(count: (total + piece - 1) / piece) { index in
      count(prediction, reference, slots, index * piece..<min(total, (index + 1) * piece))
    }
    return slots.classes.indices.map { slot in
      var sum = Overlap()
      for part in parts {
        sum.truePositives += part[slot].truePositives
        sum.falsePositives += part[slot].falsePositives
        sum.falseNegatives += part[slot].falseNegatives
      }
      sum.trueNegatives = total - sum.predicted - sum.falseNegatives
      return sum
    }
  }

  private static func count(
    _ prediction: LabelGrid, _ reference: LabelGrid, _ slots: ClassSlots, _ range: Range<Int>
  ) -> [Self] {
    var result = [Overlap](repeating: Overlap(), count: slots.count)
    prediction.labels.withUnsafeBufferPointer { predicted in
      reference.labels.withUnsafeBufferPointer { referred in
        var start = range.lowerBound
        while start < range.upperBound {
          // Points go in runs of one pair of labels.
          let (p, r) = (predicted[start], referred[start])
          var end = start + 1
          while end < range.upperBound, predicted[end] == p, referred[end] == r { end += 1 }
          if p == r, let slot = slots[p] {
            result[slot].truePositives += end - start
          } else if p != r {
            if let slot = slots[p] { result[slot].falsePositives += end - start }
            if let slot = slots[r] { result[slot].falseNegatives += end - start }
          }
          start = end
        }
      }
    }
    return result
  }
}
