import Formats
import Support
import Synchronization

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// Where the command talks: results to stdout, everything else to stderr.
enum Console {
  /// The raw value is the file descriptor.
  enum Stream: Int32 {
    case result = 1
    case talk = 2
  }

  static var errorsAreATerminal: Bool {
    isatty(STDERR_FILENO) == 1 && Environment["TERM"] != "dumb"
  }

  /// Prints the result.
  ///
  /// - Throws: `FormatError` with code `ioError` when it cannot be written; a reader that went away
  ///   has had enough, which is no error.
  static func result(_ text: String) throws {
    let isKept = kept.withLock { kept in
      kept?.append(text)
      return kept != nil
    }
    guard !isKept else { return }
    let failure = write(text + "\n", to: .result)
    guard failure == 0 || failure == EPIPE else {
      throw FormatError(
        .ioError, file: "standard output", found: String(cString: strerror(failure)))
    }
  }

  /// The results that are kept rather than printed; nil while they are printed.
  private static let kept = Mutex<[String]?>(nil)

  /// Runs a command and gives what it would have printed as its result.
  static func keepingResults(of run: () throws -> Void) rethrows -> [String] {
    kept.withLock { $0 = [] }
    defer { kept.withLock { $0 = nil } }
    try run()
    return kept.withLock { $0 } ?? []
  }

  static func note(_ text: String) { write("note: " + text + "\n", to: .talk) }

  static func warning(_ text: String) { write("warning: " + text + "\n", to: .talk) }

  /// Writes all of the text and gives the errno that stopped it, or zero.
  @discardableResult
  static func write(_ text: String, to stream: Stream) -> Int32 {
    var text = text
    return text.withUTF8 { bytes in
      var rest = UnsafeRawBufferPointer(bytes)
      while !rest.isEmpty {
        let count = systemWrite(stream.rawValue, rest.baseAddress, rest.count)
        if count < 0 && errno == EINTR { continue }
        guard count > 0 else { return errno }
        rest = UnsafeRawBufferPointer(rebasing: rest[count...])
      }
      return 0
    }
  }

  /// Says why a command failed and ends the process.
  static func fail(
    _ message: String, _ codeName: String, _ category: FailureCategory, prefix: String = "error: "
  ) -> Never {
    tellFailure(message, codeName, category, prefix: prefix)
    exit(category.rawValue)
  }

  /// Says why a command failed; with `--json` on stdout too, as an object.
  static func tellFailure(
    _ message: String, _ codeName: String, _ category: FailureCategory, prefix: String = "error: "
  ) {
    clearProgress()
    write(prefix + message + "\n", to: .talk)
    if asksForJSON {
      let error = JSON.object([
        ("code", .string(codeName)), ("exit_code", .int(Int(category.rawValue))),
        ("message", .string(message)),
      ])
      write(JSON.object([("error", error)]).encoded() + "\n", to: .result)
    }
  }

  /// Whether the command line asks for JSON, which is known even when it could not be parsed.
  private static var asksForJSON: Bool {
    CommandLine.arguments.dropFirst().prefix { $0 != "--" }.contains("--json")
  }

  /// Erases a progress line, so that what follows starts on a clean one.
  static func clearProgress() {
    if errorsAreATerminal { write("\r\u{1B}[K", to: .talk) }
  }

  /// Bytes as people read them, in powers of 1000 as disks and downloads count.
  static func bytes(_ count: Int) -> String {
    let units = ["B", "kB", "MB", "GB", "TB"]
    var (value, unit) = (Double(count), 0)
    while value >= 1000, unit < units.count - 1 { (value, unit) = (value / 1000, unit + 1) }
    return unit == 0 ? "\(count) B" : "\((value * 100).rounded() / 100) \(units[unit])"
  }

  /// A number to four significant digits, as short as it can be.
  static func rounded(_ number: Double) -> String {
    guard number.isFinite, number != 0 else { return "\(number)" }
    let digits = 3 - Int(log10(abs(number)).rounded(.down))
    let scale = pow(10, Double(min(max(digits, -300), 300)))
    return "\((number * scale).rounded() / scale)"
  }

  /// A whole number with its thousands apart.
  static func grouped(_ number: Int) -> String {
    let digits = Array("\(abs(number))")
    var text = number < 0 ? "-" : ""
    for (index, digit) in digits.enumerated() {
      if index > 0, (digits.count - index).isMultiple(of: 3) { text += "," }
      text.append(digit)
    }
    return text
  }
}

/// The system call, which the method of the same name would hide.
private func systemWrite(_ descriptor: Int32, _ bytes: UnsafeRawPointer?, _ count: Int) -> Int {
  write(descriptor, bytes, count)
}
