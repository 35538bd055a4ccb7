/// Hands out one element again and again.
final class RepeatingReader: TensorReader {
  private let element: [UInt8]
  private var rest: Int

  init(_ element: [UInt8], count: Int) {
    self.element = element
    rest = element.count * count
  }

  func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    // The next byte is the one that as many bytes from the end of an element as `rest` tells.
    let start = (element.count - rest % element.count) % element.count
    let count = min(buffer.count, rest)
    buffer.first(count).fill(with: element, from: start)
    rest -= count
    return count
  }
}

/// Turns the numbers that another reader hands out from big-endian to little-endian.
final class SwappingReader: TensorReader {
  private let base: any TensorReader
  private let unit: Int

  /// - Parameter unit: bytes of a number.
  init(_ base: any TensorReader, unit: Int) {
    self.base = base
    self.unit = unit
  }

  func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    let whole = buffer.first(buffer.count / unit * unit)
    let count = try base.read(into: whole)
    whole.first(count).swapNumbers(of: unit)
    return count
  }
}

extension UnsafeMutableRawBufferPointer {
  /// Repeats the element over the buffer, whose first byte is the element's at `start`.
  func fill(with element: [UInt8], from start: Int = 0) {
    if let first = element.first, element.allSatisfy({ $0 == first }) {
      initializeMemory(as: UInt8.self, repeating: first)
      return
    }
    for index in indices { self[index] = element[(start + index) % element.count] }
  }

  /// Reverses the bytes of every number of 2, 4 or 8 bytes.
  func swapNumbers(of unit: Int) {
    switch unit {
    case 2: swapNumbers(as: UInt16.self)
    case 4: swapNumbers(as: UInt32.self)
    case 8: swapNumbers(as: UInt64.self)
    default: precondition(unit == 1, "numbers are of 1, 2, 4 or 8 bytes")
    }
  }

  private func swapNumbers<Number: FixedWidthInteger>(as: Number.Type) {
    let width = MemoryLayout<Number>.size
    for place in stride(from: 0, through: count - width, by: width) {
      let number = loadUnaligned(fromByteOffset: place, as: Number.self)
      storeBytes(of: number.byteSwapped, toByteOffset: place, as: Number.self)
    }
  }
}
