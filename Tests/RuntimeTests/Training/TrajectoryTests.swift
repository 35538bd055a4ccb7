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

    var configuration = TrainingConfiguration()
    try configuration.apply([
      (key: "steps", values: ["\(steps)"]), (key: "lr", values: ["2e-3"]),
      (key: "warmup", values: ["5"]), (key: "fact-dropout", values: ["0"]),
    ])
    let source = try BatchFile(
      path: Fixtures.path("training/\(name).trajectory.safetensors"),
      classes: model.architecture.decoder.maskTokens, imageSize: model.architecture.imageSize ?? 0)
    let schedule = configuration.plan(batches: source.batchesPerEpoch).schedule
    let trainer = Trainer(model, configuration, schedule: schedule)
    for step in 0..<steps {
      let report = try trainer.step(step, batches: step..<step + 1, from: source)
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
