#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// Changes of grey values alone, on 8-bit pictures, with the very bytes that Pillow gives.
///
/// Source: `ImageOps.posterize` and `ImageEnhance` of Pillow; the gamma table of MA-SAM's
/// `adjust_light`.
extension AugmentedSample {
  /// Replaces every value v by 255·(v/255)^(1/γ), the fraction cut off.
  mutating func applyGamma(_ gamma: Double) {
    mapValues { UInt8(pow(Double($0) / 255, 1 / gamma) * 255) }
  }

  /// Keeps the upper bits of every value.
  mutating func posterise(bits: Int) {
    let mask = UInt8.max << UInt8(8 - bits)
    mapValues { $0 & mask }
  }

  mutating func changeBrightness(_ factor: Double) {
    mapValues { mixed(0, $0, Float(factor)) }
  }

  /// Moves every value of a slice away from or towards the slice's mean.
  mutating func changeContrast(_ factor: Double) {
    var result = bytes
    for slice in 0..<slices {
      let range = slice * channels * pixels..<(slice + 1) * channels * pixels
      let mean = meanGrey(result[range])
      let table = (0...UInt8.max).map { mixed(mean, $0, Float(factor)) }
      result.withUnsafeMutableBufferPointer { result in
        for place in range { result[place] = table[Int(result[place])] }
      }
    }
    setImages(result)
  }

  /// Moves every value away from or towards the weighted mean of its neighbourhood.
  mutating func changeSharpness(_ factor: Double) {
    let (height, width, factor) = (height, width, Float(factor))
    mapPlanes { source, target in
      _ = target.update(fromContentsOf: source)
      guard height > 2, width > 2 else { return }
      for row in 1..<height - 1 {
        for place in row * width + 1..<(row + 1) * width - 1 {
          let smooth = smoothed(source, at: place, width: width)
          target[place] = mixed(smooth, source[place], factor)
        }
      }
    }
  }

  /// The mean of a slice, rounded; of colours the luma of ITU-R 601 in 65536ths.
  private func meanGrey(_ slice: ArraySlice<UInt8>) -> UInt8 {
    guard pixels > 0 else { return 0 }
    let sum = slice.withUnsafeBufferPointer { values in
      (0..<pixels).reduce(0) { sum, place in
        guard channels == 3 else { return sum + Int(values[place]) }
        let (red, green) = (Int(values[place]), Int(values[pixels + place]))
        let blue = Int(values[2 * pixels + place])
        return sum + (red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16
      }
    }
    return UInt8(Double(sum) / Double(pixels) + 0.5)
  }

  private mutating func mapValues(_ body: (UInt8) -> UInt8) {
    let table = (0...UInt8.max).map(body)
    var result = bytes
    result.withUnsafeMutableBufferPointer { result in
      for place in result.indices { result[place] = table[Int(result[place])] }
    }
    setImages(result)
  }
}

/// What lies at `part` of the way from one value to the other, which may be beyond it.
private func mixed(_ from: UInt8, _ to: UInt8, _ part: Float) -> UInt8 {
  let value = Float(from) + part * Float(Int(to) - Int(from))
  return value <= 0 ? 0 : value >= 255 ? 255 : UInt8(value)
}

/// The mean of nine values in which the middle one counts five times, rounded.
@inline(__always)
private func smoothed(_ source: UnsafeBufferPointer<UInt8>, at place: Int, width: Int) -> UInt8 {
  let sum =
    sumOfThree(source, place - width) + sumOfThree(source, place)
    + sumOfThree(source, place + width)
    + 4 * Int(source[place])
  return UInt8((2 * sum + 13) / 26)
}

@inline(__always)
private func sumOfThree(_ source: UnsafeBufferPointer<UInt8>, _ middle: Int) -> Int {
  Int(source[middle - 1]) + Int(source[middle]) + Int(source[middle + 1])
}
