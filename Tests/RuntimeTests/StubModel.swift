import Inference
import Networks
import Numerics
import Synchronization

/// Stands for a network, so that what is around it can be told apart from it.
struct StubModel: StackModel {
  var imageSize: Int
  var classCount: Int
  /// Mask pixels a side; the input's if there is no other number.
  var maskSize: Int?
  /// A logit by the intensity of a pixel, the class, and the place of the slice in its window.
  var logit: @Sendable (_ intensity: Float, _ label: Int, _ place: Int) -> Float
  /// The boxes of every call.
  let calls = Calls()

  final class Calls: Sendable {
    let boxes = Mutex<[Prompts.Box?]>([])
  }

  /// Tells evenly spaced intensities apart: background at 0, the last class at 1.
  static func identity(size: Int, classes: Int) -> StubModel {
    StubModel(imageSize: size, classCount: classes) { intensity, label, _ in
      let distance = intensity * Float(classes - 1) - Float(label)
      return -20 * distance * distance
    }
  }

  func logits(_ images: Tensor, boxes: [Prompts.Box]?) -> Tensor {
    calls.boxes.withLock { $0.append(boxes?.first) }
    precondition(images.shape[1...] == [3, imageSize, imageSize])
    let (side, plane) = (maskSize ?? imageSize, imageSize * imageSize)
    let values = images.values
    var result: [Float] = []
    for slice in 0..<images.shape[0] {
      for label in 0..<classCount {
        for pixel in 0..<side * side {
          let (y, x) = (pixel / side * imageSize / side, pixel % side * imageSize / side)
          result.append(
            logit(values[slice * 3 * plane + y * imageSize + x], label, slice))
        }
      }
    }
    return Tensor(result, shape: [images.shape[0], classCount, side, side])
  }
}
