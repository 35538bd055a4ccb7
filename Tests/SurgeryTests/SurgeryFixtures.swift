import Formats
import TestSupport
import Testing

@testable import Surgery

/// The tiny models that `make_surgery.py` records, and what PyTorch made of them.
enum SurgeryFixtures {
  static let depth = 4
  static let width = 32

  static func blueprint(_ name: String) throws -> Blueprint {
    let path = Fixtures.path("surgery/" + name)
    return try Blueprint(importing: try openCheckpoint(path), toolVersion: "test")
  }

  static func base() throws -> Blueprint { try blueprint("base.pth") }

  /// MA-SAM's adapter with the scale and size of the `config.txt` beside it.
  static func delta() throws -> Blueprint {
    var delta = try blueprint("masam/epoch_3.pth")
    delta.metadata["wt.fact_scale"] = "0.5"
    delta.metadata["wt.image_size"] = "96"
    return delta
  }

  static func expected(_ name: String) throws -> [Double] {
    let file = try openCheckpoint(Fixtures.path("surgery/expected.safetensors"))
    let place = try #require(file.index(of: TensorName(name)), "\(name) was not recorded")
    let stored = Blueprint.Entry(
      info: file.tensors[place],
      origin: .stored(StoredTensor(checkpoint: file, places: [place])))
    return try numbers(stored)
  }

  static func numbers(_ entry: Blueprint.Entry) throws -> [Double] {
    let coder = try FloatCoder(checking: entry.info)
    let bytes = try entry.bytes()
    return [Double](unsafeUninitializedCapacity: entry.info.elementCount) { buffer, count in
      count = entry.info.elementCount
      bytes.withUnsafeBytes {
        coder.decode($0, into: UnsafeMutableBufferPointer(rebasing: buffer[..<count]))
      }
    }
  }

  static func numbers(_ blueprint: Blueprint, _ name: TensorName) throws -> [Double] {
    try numbers(try blueprint.required(name))
  }
}

/// How many floats lie between two numbers.
func ulps(_ left: Double, _ right: Double) -> Int {
  let order = { (value: Double) -> Int in
    let bits = Int(Int32(bitPattern: Float(value).bitPattern))
    return bits < 0 ? -(bits & 0x7FFF_FFFF) : bits
  }
  return abs(order(left) - order(right))
}

extension Blueprint {
  /// The names and bytes of all tensors.
  func contents() throws -> [TensorName: [UInt8]] {
    var contents: [TensorName: [UInt8]] = [:]
    for entry in entries { contents[entry.info.name] = try entry.bytes() }
    return contents
  }
}
