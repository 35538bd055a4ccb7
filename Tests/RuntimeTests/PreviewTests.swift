import TestSupport
import Testing

@testable import Datasets
@testable import Formats
@testable import Inference

@Suite("Pictures of predictions")
struct PreviewTests {
  private func scan(_ shape: [Int]) throws -> VolumeScan {
    let count = shape.reduce(1, *)
    return try VolumeScan(
      Volume(
        path: "scan", shape: shape, dtype: .uint8, voxels: (0..<count).map { UInt8($0 % 200) }))
  }

  private func picture(_ shape: [Int], _ labels: [UInt8], _ names: [String]) throws -> RasterImage {
    try Preview(
      scan(shape), rule: IntensityRule(normalise: .stack), orientation: .image, classNames: names
    ).image(labels)
  }

  private func colours(_ image: RasterImage) -> [RGBColour: Int] {
    var counts: [RGBColour: Int] = [:]
    for place in stride(from: 0, to: image.bytes.count, by: 3) {
      counts[
        RGBColour(image.bytes[place], image.bytes[place + 1], image.bytes[place + 2]), default: 0
      ] += 1
    }
    return counts
  }

  @Test func `outlines are drawn in the classes' colours, insides are not`() throws {
    var labels = [UInt8](repeating: 0, count: 20 * 20 * 3)
    for y in 5..<15 { for x in 5..<15 { labels[400 + y * 20 + x] = 2 } }
    let image = try picture([20, 20, 3], labels, ["one", "two"])
    let palette = ClassPalette.colours(2)
    let counts = colours(image)
    // One tile of 160 pixels: only the second slice holds something. Its square of 80 pixels has an
    // outline of 4·79; the legend's squares have 49 each.
    #expect(image.width == 160 && image.height == 160 + 2 + 12)
    #expect(counts[palette[2]] == 4 * 79 + 49)
    #expect(counts[palette[1]] == 49)
  }

  @Test(arguments: [[1, 1, 1], [7, 300, 2], [450, 390, 3], [30, 2, 5]])
  func `any size makes a picture`(shape: [Int]) throws {
    let labels = (0..<shape.reduce(1, *)).map { UInt8($0 % 3) }
    let image = try picture(shape, labels, ["liver", "left kidney, upper pole (größer)"])
    #expect(image.width > 0 && image.width <= 3 * 384 + 4)
    #expect(try PNGFile.image(PNGFile.encode(image)) == image)
  }

  @Test func `the colours of many classes all differ`() {
    let colours = ClassPalette.colours(60)
    #expect(Set(colours).count == 61 && colours[0] == RGBColour(0, 0, 0))
  }

  @Test func `letters are dots and unknown ones a question mark`() {
    #expect(BitmapFont.dots("l").count == 11 && BitmapFont.dots(" ").isEmpty)
    let (unknown, question) = (BitmapFont.dots("ß"), BitmapFont.dots("?"))
    // Upper case has two letters for it.
    #expect(unknown.count == BitmapFont.dots("SS").count && !question.isEmpty)
    #expect(BitmapFont.dots("→").map { [$0.x, $0.y] } == question.map { [$0.x, $0.y] })
  }
}
