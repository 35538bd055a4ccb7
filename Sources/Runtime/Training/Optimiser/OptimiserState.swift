import Formats
import Numerics

/// An optimiser's state as a file.
public enum OptimiserState {
  /// Writes the entries as safetensors.
  ///
  /// - Throws: `FormatError`; the target is then what it was before.
  public static func write(
    _ entries: [OptimiserEntry], to path: String, metadata: CheckpointMetadata,
    fileSystem: any FileSystem
  ) throws -> WriteSummary {
    let infos = try entries.map { entry in
      let name = TensorName(entry.name)
      return switch entry.contents {
      case .tensor(let tensor): try TensorInfo(name: name, dtype: .float32, shape: tensor.shape)
      case .count: try TensorInfo(name: name, dtype: .int64, shape: [])
      }
    }
    let writer = CheckpointWriter(
      infos, metadata: metadata, fileSystem: fileSystem,
      from: { index in
        switch entries[index].contents {
        case .tensor(let tensor): TensorBytes(tensor)
        case .count(let count): NumberBytes(count)
        }
      })
    return try writer.write(to: path, overwrite: false)
  }
}

/// Hands out the bytes of a tensor in memory.
public final class TensorBytes: TensorReader {
  private let tensor: Tensor
  private var position = 0

  /// - Parameter tensor: not changed until the reader is gone.
  public init(_ tensor: Tensor) { self.tensor = tensor.packed() }

  public func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    // Tensors lie in memory as in the file: 32 bits, little-endian.
    let bytes = UnsafeRawBufferPointer(
      start: tensor.pointer, count: tensor.count * MemoryLayout<Float>.stride)
    let count = min(buffer.count, bytes.count - position)
    buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[position..<position + count]))
    position += count
    return count
  }
}

/// Hands out the bytes of a whole number of 64 bits.
private final class NumberBytes: TensorReader {
  private var rest: ArraySlice<UInt8>

  init(_ number: Int) { rest = withUnsafeBytes(of: Int64(number).littleEndian) { Array($0)[...] } }

  func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    let part = rest.prefix(buffer.count)
    buffer.copyBytes(from: part)
    rest = rest.dropFirst(part.count)
    return part.count
  }
}
