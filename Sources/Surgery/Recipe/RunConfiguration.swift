import Formats
import Support

/// What MA-SAM's and SAMed's training wrote into `config.txt` beside their checkpoints.
///
/// Lines of `key: value`, one for each option of the training script, of which a few say what the
/// checkpoint does not. Source: MA-SAM/train.py
public struct RunConfiguration: Sendable, Equatable {
  public var scale: Double?
  public var imageSize: Int?
  public var rank: Int?
  public var classes: Int?

  /// Far more than any training script has options for.
  private static let largestFile = 1 << 20

  public static func path(beside checkpoint: String) -> String {
    (checkpoint.lastIndex(of: "/").map { String(checkpoint[...$0]) } ?? "") + "config.txt"
  }

  /// Reads the file, or gives nil when there is none.
  ///
  /// - Throws: `FormatError` when it cannot be read, `SurgeryError` with code `badMetadata` when a
  ///   value is no number.
  public init?(beside checkpoint: String) throws {
    let path = Self.path(beside: checkpoint)
    do {
      let file = try InputFile(path)
      guard file.size <= Self.largestFile else { return nil }
      try self.init(
        text: String(decoding: try file.bytes(0..<file.size), as: UTF8.self), file: path)
    } catch let error as FormatError where error.code == .notFound {
      return nil
    }
  }

  /// - Throws: `SurgeryError` with code `badMetadata`.
  public init(text: String, file: String) throws {
    for line in text.split(whereSeparator: \.isNewline) {
      let parts = line.split(separator: ":", maxSplits: 1)
      guard parts.count == 2 else { continue }
      let value = String(parts[1].filter { !$0.isWhitespace })
      switch String(parts[0].filter { !$0.isWhitespace }) {
      case "scale", "s": scale = try Self.number(value, line, file) { Double($0) }
      case "img_size": imageSize = try Self.number(value, line, file) { Int($0) }
      case "rank": rank = try Self.number(value, line, file) { Int($0) }
      case "num_classes": classes = try Self.number(value, line, file) { Int($0) }
      default: break
      }
    }
  }

  private static func number<Number>(
    _ text: String, _ line: Substring, _ file: String, _ read: (String) -> Number?
  ) throws -> Number {
    guard let number = read(text) else {
      throw SurgeryError(
        .badMetadata, file: file, expected: "a number",
        found: "'\(String(line).escapedForDisplay.shortened())'")
    }
    return number
  }

  /// Completes a delta's metadata with what it lacks.
  ///
  /// - Throws: `SurgeryError` with code `wrongPairing` when the configuration is another run's.
  public func complete(_ delta: inout Blueprint, file: String) throws {
    let model = try Architecture(delta)
    if let rank, let factors = model.factors, factors.rank != rank {
      throw SurgeryError(
        .wrongPairing, file: file,
        expected: "rank \(factors.rank), as the checkpoint's factors have",
        found: "rank \(rank)",
        remedy: "the file belongs to another run: move it away and give --scale and --image-size")
    }
    let own = ModelMetadata(delta.metadata)
    let isNeeded = own[.factorScale] == nil || own[.imageSize] == nil
    if isNeeded, let classes, classes != model.classes {
      throw SurgeryError(
        .wrongPairing, file: file, expected: "\(model.classes) classes, as the checkpoint has",
        found: "\(classes)",
        remedy: "the file belongs to another run: move it away and give --scale and --image-size")
    }
    var metadata = ModelMetadata(delta.metadata)
    if let scale, metadata[.factorScale] == nil, let factors = model.factors, factors.kind != .lora
    {
      metadata[.factorScale] = "\(scale)"
      delta.notes.append("scale \(scale) is taken from config.txt")
    }
    if let imageSize, metadata[.imageSize] == nil {
      metadata[.imageSize] = "\(imageSize)"
      delta.notes.append("image size \(imageSize) is taken from config.txt")
    }
    delta.metadata = metadata.entries
  }
}
