import Formats
import TestSupport
import Testing

@testable import Networks
@testable import Numerics
@testable import Training

/// Twenty steps of AdamW that PyTorch made on the same batches, without dropout.
struct TrajectoryTests {
  @Test(arguments: ["masam-tt", "masam-tk"]) func `a training is PyTorch's`(_ name: String) throws {
    let fixture = try TrainingFixture("\(name).trajectory")
    let log = try fixture.tensor("log")
    let steps = log.shape[0]
    let model = try TrainedModel(name).model
    let schedule = LearningRateSchedule(base: 2e-3, warmup: 5, length: steps, exponent: 7)
    let trainer = Trainer(
      model, AdamW(decay: WeightDecay(rate: 0.1)), .init(schedule: schedule, seed: 1))
    for step in 0..<steps {
      let report = try trainer.step(step) { try fixture.batch(step) }
      let expected = log[step].values.map(Double.init)
      let found = [report.loss, report.entropy, report.dice, report.rate, report.gradientNorm]
      // Losses to 5e-6 of themselves; the norm of the gradients follows what has drifted by then.
      for (place, tolerance) in [5e-6, 5e-6, 5e-6, 1e-7, 2e-2].enumerated() {
        #expect(
          abs(found[place] - expected[place]) <= tolerance * abs(expected[place]),
          "step \(step), number \(place): \(found[place]) for \(expected[place])")
      }
    }
    for (name, variable) in model.trained {
      try expectClose(
        variable.value.values, fixture.tensor("final.\(name.text)").values, 1e-3, named: name.text)
    }
  }
}

extension TrainingFixture {
  /// The batch of a step, cyclically.
  func batch(_ step: Int) throws -> TrainingBatch {
    let images = try tensor("images")
    let index = step % images.shape[0]
    let labels = try bytes("labels")
    let count = labels.count / images.shape[0]
    let boxes = try has("boxes") ? tensor("boxes")[index].values : nil
    return TrainingBatch(
      images: images[index].copied(),
      labels: labels[index * count..<(index + 1) * count].map(Int16.init),
      boxes: boxes.map { boxes in
        stride(from: 0, to: boxes.count, by: 4).map {
          .init(left: boxes[$0], top: boxes[$0 + 1], right: boxes[$0 + 2], bottom: boxes[$0 + 3])
        }
      })
  }
}
