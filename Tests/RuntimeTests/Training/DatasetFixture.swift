import Datasets
import Formats

/// Datasets of small cases whose every pixel tells where it is from.
enum DatasetFixture {
  static let side = 16

  struct Item {
    var split = DatasetSplit.train
    var slices = 4
    var channels = 1
    var side = DatasetFixture.side
    /// Columns, rows and slices of the foreground.
    var foreground: (ClosedRange<Int>, ClosedRange<Int>, ClosedRange<Int>)? = (3...6, 5...12, 1...2)
    /// Of the last pixel of the last slice, if it is not like the others.
    var intensity: Float?
  }

  /// Writes cases of numbers that tell case, slice and channel, all of class 2 in their foreground.
  static func write(
    _ items: [Item], classes: Int = 2, to path: String
  ) throws -> DatasetFile {
    let geometry = DatasetGeometry(
      shape: [1, 1, 1], spacing: [1, 1, 1], affine: Affine(diagonal: [1, 1, 1]))
    let cases = items.enumerated().map { place, item in
      DatasetCase(
        name: "case\(place)", split: item.split, slices: item.slices, channels: item.channels,
        height: item.side, width: item.side, normalisation: .none, geometry: geometry,
        sources: [DatasetSource(name: "scan.nii", digest: "ab")])
    }
    let description = DatasetDescription(
      classNames: (0..<classes).map { "class\($0)" }, profile: "{}", cases: cases)
    try DatasetWriter(description, toolVersion: "1").write(to: path, overwrite: true) { index in
      let item = items[index]
      let pixels = item.side * item.side
      return DatasetWriter.Slices(
        image: { slice in
          var image = (0..<item.channels * pixels).map {
            Float(index * 50 + slice * 5 + $0 / pixels) / 255
          }
          if slice == item.slices - 1, let last = item.intensity { image[image.count - 1] = last }
          return image
        },
        labels: { slice in
          (0..<pixels).map { pixel in
            guard let (columns, rows, slices) = item.foreground else { return 0 }
            let isInside =
              columns.contains(pixel % item.side) && rows.contains(pixel / item.side)
              && slices.contains(slice)
            return isInside ? 2 : 0
          }
        })
    }
    return try DatasetFile(path: path)
  }
}
