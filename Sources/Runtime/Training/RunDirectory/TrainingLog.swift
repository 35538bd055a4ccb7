import Formats
import Support

/// `log.jsonl`: one line for each step, in their order, from step 0 on.
public final class TrainingLog {
  /// What is told of one step.
  public struct Entry: Sendable {
    public var step: Int
    public var loss: Double
    public var entropy: Double
    public var dice: Double
    /// The learning rate that the step used.
    public var rate: Double
    public var gradientNorm: Double
    /// The only thing in which two runs of the same may differ.
    public var seconds: Double
    /// Told of some steps only, such as what validation found.
    public var more: [(key: String, value: JSON)]

    public init(
      step: Int, loss: Double, entropy: Double, dice: Double, rate: Double, gradientNorm: Double,
      seconds: Double, more: [(key: String, value: JSON)] = []
    ) {
      self.step = step
      self.loss = loss
      self.entropy = entropy
      self.dice = dice
      self.rate = rate
      self.gradientNorm = gradientNorm
      self.seconds = seconds
      self.more = more
    }

    var json: JSON {
      .object(
        [
          ("step", .int(step)), ("loss", .double(loss)), ("loss_ce", .double(entropy)),
          ("loss_dice", .double(dice)), ("lr", .double(rate)),
          ("grad_norm", .double(gradientNorm)), ("seconds", .double(seconds)),
        ] + more)
    }
  }

  private let file: LineFile
  /// Lines that there are.
  public private(set) var count = 0

  /// Opens the log and cuts off what is told of later steps than the first `steps`.
  ///
  /// What stays, stays as it is, even where lines between were lost.
  ///
  /// - Throws: `FormatError` with code `outputUnavailable` or `ioError`.
  init(_ path: String, keeping steps: Int, fileSystem: any FileSystem) throws {
    var (kept, next) = (0, 0)
    file = try LineFile(path, fileSystem: fileSystem) { line in
      guard let step = Self.step(line), (next..<max(next, steps)).contains(step) else {
        return false
      }
      (kept, next) = (kept + 1, step + 1)
      return true
    }
    count = kept
  }

  /// The step that a line is of, nil when it is none of a log.
  private static func step(_ line: [UInt8]) -> Int? {
    var step: Int?
    var scanner = JSONScanner(line, base: 0)
    do {
      try scanner.object { scanner, key in
        if key == "step" { step = try scanner.count(.badMetadata) } else { try scanner.skipValue() }
      }
      try scanner.expectEnd()
    } catch {
      return nil
    }
    return step
  }

  /// Adds a step's line, which is with the system when this returns.
  ///
  /// - Throws: `FormatError` with code `ioError`.
  public func append(_ entry: Entry) throws {
    try file.append(entry.json.encoded())
    count += 1
  }

  func synchronize() throws { try file.synchronize() }
}
