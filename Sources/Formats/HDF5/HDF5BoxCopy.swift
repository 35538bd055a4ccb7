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
  // Runs along the dimension around them lie at steady distances.
  let runs = axis > 0 ? shared.extents[axis - 1] : 1
  let steps = [sourceBox, targetBox].map { $0.extents[axis...].reduce(elementBytes, *) }
  var coordinates = shared.origin
  for _ in 0..<shared.elementCount / (run * runs) {
    let from = sourceBox.index(of: coordinates) * elementBytes
    let to = targetBox.index(of: coordinates) * elementBytes
    copyRuns(
      runs, of: run * elementBytes, from: UnsafeRawBufferPointer(rebasing: source[from...]),
      step: steps[0], to: UnsafeMutableRawBufferPointer(rebasing: target[to...]), step: steps[1])
    advance(&coordinates, within: shared, before: max(0, axis - 1))
  }
}

private func copyRuns(
  _ count: Int, of bytes: Int, from source: UnsafeRawBufferPointer, step sourceStep: Int,
  to target: UnsafeMutableRawBufferPointer, step targetStep: Int
) {
  switch bytes {
  case 1: copyWords(count, source, sourceStep, target, targetStep, UInt8.self)
  case 2: copyWords(count, source, sourceStep, target, targetStep, UInt16.self)
  case 4: copyWords(count, source, sourceStep, target, targetStep, UInt32.self)
  case 8: copyWords(count, source, sourceStep, target, targetStep, UInt64.self)
  default:
    for index in 0..<count {
      let part = source[index * sourceStep..<index * sourceStep + bytes]
      UnsafeMutableRawBufferPointer(rebasing: target[(index * targetStep)...])
        .copyMemory(from: UnsafeRawBufferPointer(rebasing: part))
    }
  }
}

/// The runs of columns, of which there may be as many as elements.
private func copyWords<Word: FixedWidthInteger>(
  _ count: Int, _ source: UnsafeRawBufferPointer, _ sourceStep: Int,
  _ target: UnsafeMutableRawBufferPointer, _ targetStep: Int, _ type: Word.Type
) {
  for index in 0..<count {
    let word = source.loadUnaligned(fromByteOffset: index * sourceStep, as: type)
    target.storeBytes(of: word, toByteOffset: index * targetStep, as: type)
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
