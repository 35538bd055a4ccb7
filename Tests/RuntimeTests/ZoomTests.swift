import TestSupport
import Testing

@testable import Datasets
@testable import Formats

@Suite("Resampling as SciPy does it")
struct ZoomTests {
  private let fixture: any Checkpoint

  init() throws { fixture = try openCheckpoint(Fixtures.path("prepare/zooms.safetensors")) }

  private func numbers(_ name: String) throws -> (shape: [Int], values: [Double]) {
    let place = try #require(fixture.index(of: TensorName(name)))
    let info = fixture.tensors[place]
    let decoder = try #require(ElementDecoder(info.dtype))
    var values: [Double] = []
    try fixture.bytes(of: place).withUnsafeBytes { bytes in
      decoder.forEach(bytes) { values.append($0) }
    }
    return (info.shape, values)
  }

  @Test func `splines and neighbours are SciPy's`() throws {
    let names = fixture.tensors.map(\.name.text).filter { $0.hasSuffix(".plane") }
      .map { String($0.dropLast(6)) }
    #expect(names.count == 8)
    for name in names {
      let (plane, cubic) = (try numbers(name + ".plane"), try numbers(name + ".cubic"))
      let (old, new) = (plane.shape, cubic.shape)
      let spline = SplineZoom(height: old[0], width: old[1], newHeight: new[0], newWidth: new[1])
      let found = spline(plane.values)
      #expect(found.count == cubic.values.count)
      for (place, pair) in zip(found, cubic.values).enumerated() {
        #expect(abs(pair.0 - pair.1) < 1e-9, "\(name) at \(place)")
      }
      let nearest = NearestZoom(height: old[0], width: old[1], newHeight: new[0], newWidth: new[1])
      let labels = try numbers(name + ".labels").values.map { UInt8($0) }
      #expect(
        try nearest(labels).map { Double($0) } == numbers(name + ".nearest").values, "\(name)")
    }
  }

  /// SciPy fills in zero where a rounding puts the last sample outside, as published data has it.
  @Test(arguments: [48, 64, 512]) func `the last samples are SciPy's, zeros too`(size: Int) throws {
    for (index, expected) in try numbers("ends.\(size)").values.enumerated() {
      let count = index + 2
      let zoom = SplineZoom(height: 1, width: count, newHeight: 1, newWidth: size)
      let found = zoom([Double](repeating: 1, count: count))
      #expect(abs(found[size - 1] - expected) < 1e-9, "\(count) to \(size)")
    }
  }

  @Test func `percentiles are numpy's`() {
    let numbers: [Float] = [1, 2, 4, 8, 16]
    #expect(percentile(numbers, 0) == 1 && percentile(numbers, 100) == 16)
    #expect(percentile(numbers, 50) == 4 && percentile(numbers, 90) == 12.8)
    #expect(percentile([3], 99) == 3)
  }
}
