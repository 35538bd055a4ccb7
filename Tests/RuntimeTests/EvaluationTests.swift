import Support
import Testing

@testable import Metrics

@Suite("Evaluation")
struct EvaluationTests {
  private static let empties: [(predicted: Bool, referred: Bool)] = [
    (false, false), (false, true), (true, false),
  ]

  private func result(
    _ convention: EvaluationProtocol, predicted: Bool, referred: Bool
  ) -> ClassResult {
    func grid(_ isFull: Bool) -> LabelGrid {
      LabelGrid(
        labels: [0, isFull ? 3 : 0, 0, 0, 0, 0, 0, 0], shape: [2, 2, 2], spacing: [1, 1, 1])
    }
    return Evaluator(convention: convention)(grid(predicted), grid(referred), classes: [3])[0]
  }

  /// Dice for: neither mask, only the reference, only the prediction.
  @Test(
    arguments: [
      (EvaluationProtocol.nnunet, [nil, 0, 0]), (.masam, [1, 0, 0]), (.samed, [0, 0, 1]),
      (.endovis18, [nil, 0, nil]),
    ] as [(EvaluationProtocol, [Double?])])
  func `empty masks have the Dice and IoU of their protocol`(
    _ convention: EvaluationProtocol, _ expected: [Double?]
  ) {
    for (masks, value) in zip(Self.empties, expected) {
      let found = result(convention, predicted: masks.predicted, referred: masks.referred)
      #expect(found[.dice] == value, "\(convention) \(masks)")
      #expect(found[.iou] == value, "\(convention) \(masks)")
    }
  }

  @Test(arguments: EvaluationProtocol.allCases)
  func `distances to nothing are undefined, except for SAMed, where they are zero`(
    _ convention: EvaluationProtocol
  ) {
    for masks in Self.empties {
      let found = result(convention, predicted: masks.predicted, referred: masks.referred)
      for metric in [Metric.hd, .hd95, .assd] {
        #expect(found[metric] == (convention == .samed ? 0 : nil))
      }
    }
  }

  @Test func `counts are counted`() {
    let prediction = LabelGrid(labels: [0, 1, 1, 2, 2, 2], shape: [3, 2], spacing: [1, 1])
    let reference = LabelGrid(labels: [1, 1, 0, 2, 1, 2], shape: [3, 2], spacing: [1, 1])
    let results = Evaluator(metrics: [.dice, .iou])(prediction, reference, classes: [1, 2, 0])
    #expect(
      results.map(\.overlap) == [
        Overlap(truePositives: 1, falsePositives: 1, falseNegatives: 2, trueNegatives: 2),
        Overlap(truePositives: 2, falsePositives: 1, falseNegatives: 0, trueNegatives: 3),
        Overlap(truePositives: 0, falsePositives: 1, falseNegatives: 1, trueNegatives: 4),
      ])
    #expect(results[0][.dice] == 0.4)
    #expect(results[0][.iou] == 0.25)
    #expect(results[1][.hd] == nil)
  }

  /// Two cases, two classes; the second class is missed once and absent once.
  private func summary(_ convention: EvaluationProtocol) -> EvaluationSummary {
    let evaluator = Evaluator(convention: convention)
    func item(_ name: String, _ prediction: [UInt16], _ reference: [UInt16]) -> CaseResult {
      let pair = [prediction, reference].map {
        LabelGrid(labels: $0, shape: [3, 1, 1], spacing: [3, 4, 12])
      }
      return CaseResult(
        prediction: name, reference: name,
        classes: evaluator(pair[0], pair[1], classes: [1, 2]), diagonal: pair[0].diagonal)
    }
    return EvaluationSummary(
      convention: convention, metrics: Metric.allCases, tolerance: 1,
      classes: [(1, "liver"), (2, "a \"b\", c")],
      cases: [item("one", [1, 0, 0], [1, 0, 2]), item("two", [1, 1, 0], [0, 1, 0])])
  }

  @Test func `means leave out what is undefined and say how much was there`() throws {
    let summary = summary(.nnunet)
    expectMean(summary, .dice, [5.0 / 6, 0])
    #expect(summary.mean(.dice, ofClass: 1) == .init(value: 0, defined: 1, penalised: nil))
    // The way through three voxels of 3 by 4 by 12 mm.
    let diagonal = (81.0 + 16 + 144).squareRoot()
    #expect(summary.cases[0].diagonal == diagonal)
    #expect(
      summary.mean(.hd, ofClass: 1) == .init(value: nil, defined: 0, penalised: diagonal))
    #expect(summary.mean(.hd, ofClass: 0) == .init(value: 1.5, defined: 2, penalised: 1.5))
    #expect(summary.foregroundMean(.hd) == 1.5)
    #expect(summary.penalisedMean(.hd) == (1.5 + diagonal) / 2)
  }

  @Test func `the protocols average as their authors do`() {
    // Liver has Dice 1 and 2/3; the second class 0, then none, 1 or 0 where it is absent.
    expectMean(summary(.masam), .dice, [5.0 / 6, 0.5])
    expectMean(summary(.samed), .dice, [5.0 / 6, 0])
    // Frames: (1 + 0) / 2 with both classes, then the only one's.
    expectMean(summary(.endovis18), .iou, [0.5, 0.5])
    expectMean(summary(.endovis18), .dice, [0.5, 2.0 / 3])
  }

  private func expectMean(
    _ summary: EvaluationSummary, _ metric: Metric, _ parts: [Double],
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let expected = parts.reduce(0, +) / Double(parts.count)
    let found = summary.foregroundMean(metric) ?? .nan
    #expect(abs(found - expected) < 1e-12, sourceLocation: sourceLocation)
  }

  @Test func `a class that never occurs leaves nnU-Net without a mean`() {
    var summary = summary(.nnunet)
    summary.classes.append((9, "nowhere"))
    for index in summary.cases.indices {
      summary.cases[index].classes.append(Evaluator().absent(pointCount: 3))
    }
    #expect(summary.foregroundMean(.dice) == nil)
    #expect(summary.foregroundMean(.hd) == 1.5)
    summary.convention = .masam
    #expect(summary.foregroundMean(.dice) != nil)
  }

  @Test func `tables keep to the schema of nnU-Net and of CSV`() {
    let text = summary(.nnunet).json.encoded()
    for part in [
      "\"metric_per_case\": [{\"prediction_file\": \"one\", \"reference_file\": \"one\", "
        + "\"metrics\": {\"1\": {\"Dice\": 1.0, \"IoU\": 1.0, \"HD\": 0.0",
      "\"TP\": 1, \"FP\": 0, \"FN\": 0, \"TN\": 2, \"n_pred\": 1, \"n_ref\": 1}",
      "\"HD\": null, \"HD_defined\": 0", "\"foreground_mean\": {\"Dice\": 0.41666",
    ] { #expect(text.contains(part), "\(part) in \(text)") }
    let lines = summary(.nnunet).csv.split(separator: "\n")
    #expect(lines.count == 5)
    #expect(lines[0] == "case,label,class,Dice,IoU,HD,HD95,NSD,ASSD,TP,FP,FN,TN,n_pred,n_ref")
    #expect(lines[2] == "one,2,\"a \"\"b\"\", c\",0.0,0.0,,,0.0,,0,0,1,2,0,1")
  }
}
