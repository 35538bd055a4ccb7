/// A stack of slices with its labels, as training takes it.
public struct AugmentedSample: Sendable, Equatable {
  /// A box around something, with corners in pixels: pixel i reaches from i to i + 1.
  public struct Box: Sendable, Equatable {
    public var x0, y0, x1, y1: Float

    public init(x0: Float, y0: Float, x1: Float, y1: Float) {
      (self.x0, self.y0, self.x1, self.y1) = (x0, y0, x1, y1)
    }
  }

  public let slices: Int
  /// One for grey pictures, three for colours.
  public let channels: Int
  /// Changes places with the width when a picture is turned by 90°.
  public internal(set) var height: Int
  public internal(set) var width: Int
  /// [slices, channels, height, width], from 0 to 1.
  public internal(set) var images: [Float]
  /// [slices, height, width].
  public internal(set) var labels: [UInt8]
  /// One for each slice, if the model is prompted by boxes.
  public internal(set) var boxes: [Box]?

  public init(
    images: [Float], labels: [UInt8], boxes: [Box]? = nil, slices: Int, channels: Int, height: Int,
    width: Int
  ) {
    precondition(channels == 1 || channels == 3)
    precondition(images.count == slices * channels * height * width)
    precondition(labels.count == slices * height * width)
    precondition(boxes.map { $0.count == slices } ?? true)
    precondition(height * width <= Int(Int32.max))
    self.slices = slices
    self.channels = channels
    self.height = height
    self.width = width
    self.images = images
    self.labels = labels
    self.boxes = boxes
  }

  var pixels: Int { height * width }
}

extension AugmentedSample {
  /// The pictures in 8 bits: clipped to [0, 1], times 255, the fraction cut off.
  ///
  /// What is no number becomes zero, as does what is below it.
  var bytes: [UInt8] {
    [UInt8](unsafeUninitializedCapacity: images.count) { target, count in
      images.withUnsafeBufferPointer { source in
        for place in source.indices { target[place] = UInt8(min(max(0, source[place]), 1) * 255) }
      }
      count = images.count
    }
  }

  /// Takes 8-bit pictures back, each byte as so many 255ths.
  mutating func setImages(_ bytes: [UInt8]) {
    let fractions = (0...255).map { Float($0) / 255 }
    images = [Float](unsafeUninitializedCapacity: bytes.count) { target, count in
      for (place, byte) in bytes.enumerated() { target[place] = fractions[Int(byte)] }
      count = bytes.count
    }
  }

  /// Replaces every 8-bit picture by what `body` makes of it.
  ///
  /// - Parameter body: from one plane to another of the same size.
  mutating func mapPlanes(
    _ body: (UnsafeBufferPointer<UInt8>, UnsafeMutableBufferPointer<UInt8>) -> Void
  ) {
    let (source, pixels) = (bytes, pixels)
    let result = [UInt8](unsafeUninitializedCapacity: source.count) { target, count in
      source.withUnsafeBufferPointer { source in
        for start in stride(from: 0, to: source.count, by: max(1, pixels)) {
          let range = start..<start + pixels
          body(
            UnsafeBufferPointer(rebasing: source[range]),
            UnsafeMutableBufferPointer(rebasing: target[range]))
        }
      }
      count = source.count
    }
    setImages(result)
  }
}
