import Formats

/// Copies of checkpoints that differ from them in one thing.
enum Altered {
  /// - Parameters:
  ///   - prefix: tensors of such names are left out.
  ///   - name: the 32-bit tensor whose numbers are replaced.
  /// - Returns: the new file's path.
  static func write(
    _ path: String, to target: String, without prefix: String? = nil,
    replacing name: String? = nil, _ number: @escaping @Sendable (Int) -> Float = { _ in 0 }
  ) throws -> String {
    let file = try openCheckpoint(path)
    let places = file.tensors.indices.filter { place in
      prefix.map { !file.tensors[place].name.text.hasPrefix($0) } ?? true
    }
    let writer = CheckpointWriter(
      places.map { file.tensors[$0] }, metadata: file.metadata, format: OutputFormat(.torch),
      from: { index in
        let tensor = file.tensors[places[index]]
        guard tensor.name.text == name else { return try file.reader(of: places[index]) }
        return NumbersReader((0..<tensor.elementCount).map(number))
      })
    return try writer.write(to: target, overwrite: false).path
  }
}

private final class NumbersReader: TensorReader {
  private var rest: ArraySlice<UInt8>

  init(_ numbers: [Float]) { rest = numbers.withUnsafeBytes { Array($0) }[...] }

  func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    let part = rest.prefix(buffer.count)
    buffer.copyBytes(from: part)
    rest = rest.dropFirst(part.count)
    return part.count
  }
}
