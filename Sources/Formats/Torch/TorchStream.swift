import Support

/// The stream that `torch.save` wrote before version 1.6, and writes still when asked to.
///
/// Five pickles stand back to back: a magic number, the protocol's version, facts about the
/// machine, the object, and the storages' keys. Then comes each storage in the order of the keys:
/// its element count and its bytes. Source: torch/serialization.py (`_legacy_save`) and
/// torch/csrc/serialization.cpp (`THPStorage_writeFileRaw`).
struct TorchStream: TorchStorages {
  let document: PickleDocument
  /// Never: whatever machine wrote it, the bytes are little-endian, and torch looks at nothing else.
  let isBigEndian = false
  private let file: InputFile
  private let namesBigEndian: Bool
  /// Where the bytes of each storage lie in the file.
  private var places: [TensorName: Range<Int>] = [:]

  static let magic: [UInt8] = [0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19]
  private static let version = 1001
  private static let countBytes = 8
  private static let listing = PickleMachine.Options(
    listsGlobalsOnly: true, persistentIDs: .stream)

  /// Reads the pickles and the storages' headers.
  ///
  /// - Throws: `FormatError` with code `badMagic`, `storageSizeMismatch`, `truncated`,
  ///   `trailingBytes` or a pickle code.
  init(_ file: InputFile, skipsUnknownCalls: Bool) throws {
    self.file = file
    var input = PickleInput(file)
    try Self.checkMagic(&input, file)
    try Self.checkVersion(&input)
    namesBigEndian = try Self.isBigEndian(&input)
    document = try PickleMachine.parseNext(
      &input, options: .init(skipsUnknownCalls: skipsUnknownCalls, persistentIDs: .stream))
    let keys = try Self.keys(&input)
    places = try locate(keys, from: input.offset)
  }

  /// Whether a file of pickles is such a stream: its second pickle is a plain number that is
  /// followed by more, whatever the first may be.
  static func isLikely(_ file: InputFile) -> Bool {
    var input = PickleInput(file)
    guard (try? PickleMachine.parseNext(&input, options: listing)) != nil, !input.isAtEnd,
      let second = try? PickleMachine.parseNext(&input, options: listing)
    else { return false }
    return second.kind(second.root) == .integer && !input.isAtEnd
  }

  /// The names that the five pickles mention, with offsets from the start of the file.
  static func globals(of file: InputFile) throws -> [PickleDocument.Global] {
    var input = PickleInput(file)
    return try (0..<5).flatMap { _ in
      try PickleMachine.parseNext(&input, options: listing).globals
    }
  }

  // MARK: - The pickles

  /// A scanner can be led past a magic number that is computed, so only the literal one counts.
  private static func checkMagic(_ input: inout PickleInput, _ file: InputFile) throws {
    let document = try PickleMachine.parseNext(&input, options: listing)
    // LONG1, its length, the number, STOP.
    let literal = [0x8A, UInt8(magic.count)] + magic + [0x2E]
    guard document.kind(document.root) == .bigInteger,
      try file.bytes(max(0, input.offset - literal.count)..<input.offset) == literal
    else {
      throw FormatError(
        .badMagic, offset: 0, expected: "torch's number 0x1950a86a20f9469cfc6c as it stands",
        found: "another \(document.kind(document.root))")
    }
  }

  private static func checkVersion(_ input: inout PickleInput) throws {
    let at = input.offset
    let document = try PickleMachine.parseNext(&input, options: listing)
    guard let found = document.integer(document.root), found == version else {
      throw FormatError(
        .badMagic, offset: at, expected: "protocol version \(version) as it stands",
        found: document.integer(document.root).map(String.init)
          ?? "a \(document.kind(document.root))")
    }
  }

  private static func isBigEndian(_ input: inout PickleInput) throws -> Bool {
    let at = input.offset
    let document = try PickleMachine.parseNext(&input, options: .init(persistentIDs: .none))
    guard document.kind(document.root) == .dict else {
      throw FormatError(
        .badMagic, offset: at, expected: "a dictionary that describes the machine",
        found: "a \(document.kind(document.root))")
    }
    return document.pairs(document.root).contains { key, value in
      document.string(key) == "little_endian" && document.bool(value) == false
    }
  }

  private static func keys(_ input: inout PickleInput) throws -> [String] {
    let at = input.offset
    let document = try PickleMachine.parseNext(&input, options: .init(persistentIDs: .none))
    let keys = document.sequence(document.root)?.compactMap(document.string)
    guard let keys, keys.count == document.children(document.root).count else {
      throw FormatError(
        .badStorageKey, offset: at, expected: "a list of storage keys",
        found: "a \(document.kind(document.root))")
    }
    return keys
  }

  // MARK: - The storages

  private func locate(_ keys: [String], from start: Int) throws -> [TensorName: Range<Int>] {
    var storages: [TensorName: PickleDocument.Storage] = [:]
    for storage in document.storages where storage.part == nil {
      storages[TensorName(storage.key)] = storage
    }
    var places: [TensorName: Range<Int>] = [:]
    var position = start
    for key in keys {
      guard let storage = storages[TensorName(key)], places[TensorName(key)] == nil else {
        throw FormatError(
          .storageSizeMismatch, subject: key, expected: "the storages that tensors use, each once",
          found: places[TensorName(key)] == nil ? "one that none uses" : "this one twice")
      }
      let range = try place(of: storage, at: position)
      places[TensorName(key)] = range
      position = range.upperBound
    }
    if let missing = document.storages.first(where: { places[TensorName($0.key)] == nil }) {
      throw FormatError(
        .storageSizeMismatch, subject: missing.key,
        expected: "\(missing.elementCount) elements of it", found: "none in the list of storages")
    }
    guard position == file.size else {
      throw FormatError(
        .trailingBytes, offset: position, expected: "the end of the file",
        found: "\(file.size - position) more bytes")
    }
    return places
  }

  private func place(
    of storage: PickleDocument.Storage, at position: Int
  ) throws -> Range<Int> {
    let count = try TorchView.byteCount(of: storage)
    guard file.size - position >= Self.countBytes else {
      throw truncated(storage, position, Self.countBytes)
    }
    var header = ByteCursor(try file.bytes(position..<position + Self.countBytes), base: position)
    let found = Int64(bitPattern: try header.u64())
    guard found == storage.elementCount else {
      throw FormatError(
        .storageSizeMismatch, offset: position, subject: storage.key,
        expected: "\(storage.elementCount) elements", found: "\(found)")
    }
    let start = position + Self.countBytes
    guard file.size - start >= count else { throw truncated(storage, start, count) }
    return start..<start + count
  }

  private func truncated(
    _ storage: PickleDocument.Storage, _ offset: Int, _ count: Int
  ) -> FormatError {
    FormatError(
      .truncated, offset: offset, subject: storage.key, expected: "\(count) more bytes",
      found: "\(file.size - offset)")
  }

  /// All storages were checked when they were located.
  func check(_ storage: PickleDocument.Storage) throws {
    precondition(places[TensorName(storage.key)] != nil, "the storage was located")
  }

  func reader(of view: TorchView) throws -> any TensorReader {
    guard let place = places[TensorName(view.storage.key)] else {
      preconditionFailure("the storage was located")
    }
    let (start, range) = (place.lowerBound, view.byteRange)
    let part = start + range.lowerBound..<start + range.upperBound
    if view.layout.isContiguous { return FileRangeReader(file, part) }
    return StridedReader(try file.bytes(part), view.layout)
  }

  func notes(_ storages: [PickleDocument.Storage]) -> [String] {
    guard namesBigEndian else { return [] }
    return [
      "the file was written on a big-endian machine; its numbers are little-endian all the same"
    ]
  }
}
