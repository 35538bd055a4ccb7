import Formats
import TestSupport
import Testing

@testable import Networks
@testable import Numerics

/// Pictures on their way into a model and masks on their way out, against what Pillow and the published
/// predictor made of them; tools/reference/make_resize_fixtures.py recorded both.
struct ImageTests {
  @Test func `pictures are resized as Pillow does it, to the last bit`() throws {
    let file = try openCheckpoint(Fixtures.path("runtime/pillow-resize.safetensors"))
    let image = { (name: String) throws -> ByteImage in
      let place = try #require(file.index(of: TensorName(name)))
      let shape = file.tensors[place].shape
      return ByteImage(
        width: shape[1], height: shape[0], channels: shape[2], bytes: try file.bytes(of: place))
    }
    #expect(file.tensors.count == 20)
    for number in 0..<file.tensors.count / 2 {
      let (before, after) = (try image("\(number).before"), try image("\(number).after"))
      #expect(before.resized(width: after.width, height: after.height) == after, "\(number)")
    }
  }

  @Test func `masks at the image's size are the published predictor's`() throws {
    let model = try GoldenModel(name: "sam-published").model()
    let file = try openCheckpoint(Fixtures.path("runtime/predictor.golden.safetensors"))
    let tensor = { (name: TensorName) in
      let place = try #require(file.index(of: name))
      return try Tensor(reading: file, place)
    }
    let input = try ForwardInput(file, for: model.architecture)
    let outputs = model.forward(input)
    for output in outputs where output.name != "image_embeddings" {
      expectClose(output.tensor.values, try tensor(TensorName(output.name)).values, 2e-5)
    }
    let size = try #require(model.architecture.imageSize)
    let masks = try #require(MaskOutputs(outputs, of: input, modelSize: size))
    let logits = try tensor("mask_logits")
    let largest = logits.values.map(abs).max() ?? 0
    for prompt in 0..<2 {
      for token in 0..<4 {
        expectClose(
          masks.restored(prompt: prompt, token: token).values,
          logits[prompt][token].packed().values, 2e-5)
      }
    }
    // Bytes may differ only where a logit is so near to zero that its sign is rounding.
    let doubtful = logits.values.map { abs($0) <= 2e-5 * largest }
    let written = try bytes(masks)
    let expected = try ["masks", "best_masks"].map { try tensor(TensorName($0)).values }
    #expect(written[0].count == expected[0].count && written[1].count == expected[1].count)
    for place in written[0].indices where !doubtful[place] {
      #expect(Float(written[0][place]) == expected[0][place])
    }
    let plane = written[1].count / 2
    for place in written[1].indices {
      let source = (place / plane * 4 + masks.best[place / plane]) * plane + place % plane
      #expect(doubtful[source] || Float(written[1][place]) == expected[1][place])
    }
  }

  /// What the outputs hold once they are written and read again.
  private func bytes(_ masks: MaskOutputs) throws -> [[UInt8]] {
    let directory = try TemporaryDirectory()
    try [NamedTensor]().write(
      with: masks, to: directory.file("masks"), overwrite: false, isInput: { _ in false })
    let file = try openCheckpoint(directory.file("masks"))
    return try ["masks", "best_masks"].map { name in
      let place = try #require(file.index(of: TensorName(name)))
      return try file.bytes(of: place)
    }
  }

  @Test func `the first of the best masks is chosen, and token 0 only alone`() {
    #expect(MaskOutputs.best([9, 1, 3, 3]) == 2)
    #expect(MaskOutputs.best([9, 4, 3]) == 1)
    #expect(MaskOutputs.best([9]) == 0)
  }
}
