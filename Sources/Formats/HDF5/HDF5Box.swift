/// A box of a dataset's elements.
struct HDF5Box: Equatable {
  /// The coordinates of its first element.
  var origin: [Int]
  var extents: [Int]

  var elementCount: Int { extents.reduce(1, *) }

  /// The first elements of all chunks that reach into the box, in C order.
  func chunkPlaces(of chunk: [Int]) -> [[Int]] {
    var places: [[Int]] = [[]]
    for (axis, extent) in chunk.enumerated() {
      let first = origin[axis] / extent
      let last = (origin[axis] + extents[axis] - 1) / extent
      places = places.flatMap { place in (first...last).map { place + [$0 * extent] } }
    }
    return places
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

/// Copies the elements that two boxes share from the bytes of one to those of the other.
func copy(
  from source: UnsafeRawBufferPointer, of sourceBox: HDF5Box,
  to target: UnsafeMutableRawBufferPointer, of targetBox: HDF5Box, elementBytes: Int
) {
  let shared = sourceBox.intersection(targetBox)
  // Innermost dimensions that both boxes hold whole make one run with the next one.
  var axis = shared.extents.count - 1
  var run = shared.extents[axis]
  while axis > 0, shared.extents[axis] == sourceBox.extents[axis],
    shared.extents[axis] == targetBox.extents[axis]
  {
    axis -= 1
    run *= shared.extents[axis]
  }
  var coordinates = shared.origin
  for _ in 0..<shared.elementCount / run {
    let from = sourceBox.index(of: coordinates) * elementBytes
    let to = targetBox.index(of: coordinates) * elementBytes
    UnsafeMutableRawBufferPointer(rebasing: target[to..<to + run * elementBytes])
      .copyMemory(from: UnsafeRawBufferPointer(rebasing: source[from..<from + run * elementBytes]))
    advance(&coordinates, within: shared, before: axis)
  }
}

/// Goes to the next coordinates in C order, of the dimensions before `axis`.
private func advance(_ coordinates: inout [Int], within box: HDF5Box, before axis: Int) {
  for place in (0..<axis).reversed() {
    coordinates[place] += 1
    if coordinates[place] < box.origin[place] + box.extents[place] { return }
    coordinates[place] = box.origin[place]
  }
}
