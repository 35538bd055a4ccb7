/// A box of a dataset's elements.
struct HDF5Box: Equatable {
  /// The coordinates of its first element.
  var origin: [Int]
  var extents: [Int]

  var elementCount: Int { extents.reduce(1, *) }

  /// How many chunks reach into the box.
  func chunkCount(of chunk: [Int]) -> Int { chunkRange(of: chunk).reduce(1) { $0 * $1.count } }

  /// The first elements of some of the chunks that reach into the box, in C order.
  func chunkPlaces(of chunk: [Int], _ range: Range<Int>) -> [[Int]] {
    let along = chunkRange(of: chunk)
    return range.map { index in
      var (rest, place) = (index, [Int](repeating: 0, count: chunk.count))
      for axis in chunk.indices.reversed() {
        let (quotient, step) = rest.quotientAndRemainder(dividingBy: along[axis].count)
        place[axis] = (along[axis].lowerBound + step) * chunk[axis]
        rest = quotient
      }
      return place
    }
  }

  /// Which chunks along each axis reach into the box.
  private func chunkRange(of chunk: [Int]) -> [Range<Int>] {
    chunk.enumerated().map { axis, extent in
      origin[axis] / extent..<(origin[axis] + extents[axis] - 1) / extent + 1
    }
  }

  /// What two boxes share, which must not be nothing.
  func intersection(_ other: HDF5Box) -> HDF5Box {
    var result = self
    for axis in origin.indices {
      let start = max(origin[axis], other.origin[axis])
      let end = min(origin[axis] + extents[axis], other.origin[axis] + other.extents[axis])
      result.origin[axis] = start
      result.extents[axis] = end - start
    }
    return result
  }

  /// Where an element lies among the box's, in C order.
  func index(of coordinates: [Int]) -> Int {
    var index = 0
    for axis in origin.indices {
      index = index * extents[axis] + coordinates[axis] - origin[axis]
    }
    return index
  }
}
