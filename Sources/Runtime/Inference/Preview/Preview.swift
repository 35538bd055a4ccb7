import Datasets
import Formats

/// A montage of slices with the outlines of what was found in them, and a legend.
public struct Preview: Sendable {
  private let scan: any Scan
  private let transform: IntensityTransform
  private let orientation: Orientation
  private let classNames: [String]

  private static let mostTiles = 9
  private static let columns = 3
  /// Pixels a side that a tile should have at least and at most.
  private static let least = 160
  private static let most = 384
  private static let gap = 2
  private static let lineHeight = 12
  private static let white = RGBColour(255, 255, 255)

  /// - Throws: what looking at the scan throws.
  public init(
    _ scan: any Scan, rule: IntensityRule, orientation: Orientation, classNames: [String]
  ) throws {
    self.scan = scan
    self.orientation = orientation
    self.classNames = classNames
    transform = try IntensityTransform(rule, for: scan)
  }

  /// Draws the montage.
  ///
  /// - Parameter labels: [z, y, x] in the scan's grid.
  /// - Throws: what reading the scan throws.
  public func image(_ labels: [UInt8]) throws -> RasterImage {
    let slices = chosen(labels)
    let zoom = Zoom(scan.width, scan.height, least: Self.least, most: Self.most)
    let columns = min(Self.columns, slices.count)
    let rows = (slices.count + columns - 1) / columns
    let width = columns * (zoom.width + Self.gap) - Self.gap
    let legend = legend(width)
    let top = rows * (zoom.height + Self.gap)
    var canvas = Canvas(width: width, height: top + legend.height)
    let colours = ClassPalette.colours(classNames.count)
    for (place, slice) in slices.enumerated() {
      let origin = (
        place % columns * (zoom.width + Self.gap), place / columns * (zoom.height + Self.gap)
      )
      try draw(slice, labels, zoom, at: origin, colours, on: &canvas)
    }
    for entry in legend.entries {
      let y = top + entry.y + 2
      canvas.fill(x: entry.x..<entry.x + 7, y: y..<y + 7, colours[entry.label])
      canvas.write(classNames[entry.label - 1], x: entry.x + 11, y: y, Self.white)
    }
    return canvas.image
  }

  /// Slices with something in them, evenly; any slices if there is nothing in any.
  private func chosen(_ labels: [UInt8]) -> [Int] {
    let plane = scan.width * scan.height
    let found = (0..<scan.slices).filter { slice in
      labels[slice * plane..<(slice + 1) * plane].contains { $0 != 0 }
    }
    let candidates = found.isEmpty ? Array(0..<scan.slices) : found
    let count = min(Self.mostTiles, candidates.count)
    return (0..<count).map { candidates[(2 * $0 + 1) * candidates.count / (2 * count)] }
  }

  private func draw(
    _ slice: Int, _ labels: [UInt8], _ zoom: Zoom, at origin: (x: Int, y: Int),
    _ colours: [RGBColour], on canvas: inout Canvas
  ) throws {
    let plane = scan.width * scan.height
    let numbers = try scan.plane(slice).map { Float(transform($0)) }
    let turned = orientation.turned(DatasetStack.normalised(numbers), plane: plane)
    let classes = orientation.turned(
      Array(labels[slice * plane..<(slice + 1) * plane]), plane: plane)
    let label = { (x: Int, y: Int) in classes[zoom.row(y) * scan.width + zoom.column(x)] }
    for y in 0..<zoom.height {
      for x in 0..<zoom.width {
        let place = zoom.row(y) * scan.width + zoom.column(x)
        let own = label(x, y)
        let isEdge =
          own != 0
          && (label(max(x - 1, 0), y) != own || label(min(x + 1, zoom.width - 1), y) != own
            || label(x, max(y - 1, 0)) != own || label(x, min(y + 1, zoom.height - 1)) != own)
        canvas[origin.x + x, origin.y + y] =
          isEdge
          ? colours[min(Int(own), colours.count - 1)]
          : colour { turned[(scan.channels == 3 ? $0 : 0) * plane + place] }
      }
    }
    canvas.write("\(slice)", x: origin.x + 3, y: origin.y + 3, Self.white)
  }

  private func colour(_ channel: (Int) -> Float) -> RGBColour {
    let bytes = (0..<3).map { UInt8(min(max(channel($0), 0), 1) * 255) }
    return RGBColour(bytes[0], bytes[1], bytes[2])
  }

  private func legend(
    _ width: Int
  ) -> (entries: [(label: Int, x: Int, y: Int)], height: Int) {
    var entries: [(label: Int, x: Int, y: Int)] = []
    var (x, y) = (2, 0)
    for (index, name) in classNames.enumerated() {
      let needed = 11 + BitmapFont.width(of: name) + 6
      if x > 2, x + needed > width { (x, y) = (2, y + Self.lineHeight) }
      entries.append((index + 1, x, y))
      x += needed
    }
    return (entries, y + Self.lineHeight)
  }
}

/// How a slice is brought to the size of a tile: whole steps up, or down by leaving pixels out.
private struct Zoom {
  let width: Int
  let height: Int
  private let source: (width: Int, height: Int)

  init(_ width: Int, _ height: Int, least: Int, most: Int) {
    source = (width, height)
    let side = max(width, height)
    if side > most {
      self.width = max(1, width * most / side)
      self.height = max(1, height * most / side)
    } else {
      let factor = max(1, (least + side - 1) / side)
      (self.width, self.height) = (width * factor, height * factor)
    }
  }

  func column(_ x: Int) -> Int { x * source.width / width }
  func row(_ y: Int) -> Int { y * source.height / height }
}
