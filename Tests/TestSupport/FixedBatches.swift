import Foundation

/// A safetensors file of fixed batches: images [count, 1, slices, 3, side, side] all of one number, and
/// labels [count, slices, side, side], of which the first slice is filled with one of them.
public struct FixedBatches {
  public var count = 2
  public var slices = 1
  public var side = 64
  public var label: UInt8 = 0
  public var pixel: Float = 0.5
  /// For every slice: left, top, right, bottom.
  public var box: [Float]?

  public init() {}

  public func write(to path: String) throws {
    let plane = side * side
    let (images, labels) = (count * slices * 3 * plane, count * slices * plane)
    let boxes = box.map { [[Float]](repeating: $0, count: count * slices).flatMap { $0 } } ?? []
    let ends = (4 * images, 4 * images + labels, 4 * images + labels + 4 * boxes.count)
    let header = """
      {"images":{"dtype":"F32","shape":[\(count),1,\(slices),3,\(side),\(side)],\
      "data_offsets":[0,\(ends.0)]},\
      "labels":{"dtype":"U8","shape":[\(count),\(slices),\(side),\(side)],\
      "data_offsets":[\(ends.0),\(ends.1)]}\(boxEntry(ends.1, ends.2))}
      """
    let text = header + String(repeating: " ", count: (8 - header.utf8.count % 8) % 8)
    var bytes = withUnsafeBytes(of: UInt64(text.utf8.count).littleEndian) { Data($0) }
    bytes += Data(text.utf8)
    for _ in 0..<images { append(pixel, to: &bytes) }
    for index in 0..<labels { bytes.append(index < plane ? label : 0) }
    for number in boxes { append(number, to: &bytes) }
    try bytes.write(to: URL(fileURLWithPath: path))
  }

  private func boxEntry(_ start: Int, _ end: Int) -> String {
    guard box != nil else { return "" }
    return """
      ,"boxes":{"dtype":"F32","shape":[\(count),\(slices),4],"data_offsets":[\(start),\(end)]}
      """
  }

  private func append(_ number: Float, to bytes: inout Data) {
    withUnsafeBytes(of: number.bitPattern.littleEndian) { bytes += $0 }
  }
}
