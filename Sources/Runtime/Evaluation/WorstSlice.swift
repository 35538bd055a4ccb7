import Formats
import Metrics

/// The slice of a case in which most voxels are wrong, as a picture.
public struct WorstSlice: Sendable, Comparable {
  public let name: String
  /// Along the third axis, from 0.
  public let slice: Int
  /// Pixels whose labels differ, over those that either labels.
  public let wrongShare: Double
  /// Grey where both agree, blue where only the reference has a label, orange where only the
  /// prediction has one, red where the labels differ.
  public let picture: RasterImage

  private static let largestSide = 320
  private static let agreed = RGBColour(130, 150, 130)
  private static let missed = RGBColour(60, 120, 255)
  private static let invented = RGBColour(255, 150, 30)
  private static let confused = RGBColour(230, 30, 60)
  private static let nothing = RGBColour(18, 18, 22)

  /// Nil when nothing is wrong.
  init?(_ name: String, _ prediction: LabelGrid, _ reference: LabelGrid) {
    let (width, height) = (reference.shape[0], reference.shape[1])
    let (pixels, layers) = (width * height, reference.shape.count > 2 ? reference.shape[2] : 1)
    let (predicted, referred) = (prediction.labels, reference.labels)
    let counts = (0..<layers).map { layer -> (wrong: Int, labelled: Int) in
      var (wrong, labelled) = (0, 0)
      for place in layer * pixels..<(layer + 1) * pixels {
        let (p, r) = (predicted[place], referred[place])
        if p != r { wrong += 1 }
        if p != 0 || r != 0 { labelled += 1 }
      }
      return (wrong, labelled)
    }
    guard let slice = counts.indices.max(by: { counts[$0].wrong < counts[$1].wrong }),
      counts[slice].wrong > 0
    else { return nil }
    self.name = name
    self.slice = slice
    wrongShare = Double(counts[slice].wrong) / Double(counts[slice].labelled)
    let range = slice * pixels..<(slice + 1) * pixels
    picture = Self.picture(
      predicted[range], referred[range], width: width, height: height)
  }

  /// Every n-th pixel of every n-th row, so that the picture fits a page.
  private static func picture(
    _ prediction: ArraySlice<UInt16>, _ reference: ArraySlice<UInt16>, width: Int, height: Int
  ) -> RasterImage {
    let step = max(1, (max(width, height) + largestSide - 1) / largestSide)
    let (columns, rows) = ((width + step - 1) / step, (height + step - 1) / step)
    var bytes: [UInt8] = []
    bytes.reserveCapacity(3 * columns * rows)
    for row in 0..<rows {
      for column in 0..<columns {
        let place = row * step * width + column * step
        let colour = colour(
          prediction[prediction.startIndex + place], reference[reference.startIndex + place])
        bytes += [colour.red, colour.green, colour.blue]
      }
    }
    return RasterImage(width: columns, height: rows, channels: 3, bytes: bytes)
  }

  private static func colour(_ prediction: UInt16, _ reference: UInt16) -> RGBColour {
    if prediction == reference { return reference == 0 ? nothing : agreed }
    if prediction == 0 { return missed }
    return reference == 0 ? invented : confused
  }

  /// The worse comes first; of equals the one whose name does.
  public static func < (left: WorstSlice, right: WorstSlice) -> Bool {
    if left.wrongShare != right.wrongShare { return left.wrongShare > right.wrongShare }
    return (TensorName(left.name), left.slice) < (TensorName(right.name), right.slice)
  }
}
