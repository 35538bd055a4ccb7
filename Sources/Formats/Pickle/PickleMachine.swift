/// Reads a pickle into a graph of inert values; executes nothing.
///
/// A stack machine after CPython's `Lib/pickle.py`, with the opcode policy of torch's weights-only
/// unpickler and budgets on everything a file can make grow.
struct PickleMachine {
  typealias ID = PickleDocument.ID

  /// What to do when the pickle calls something unknown.
  struct Options: Sendable {
    /// Keep the results of unknown calls inert instead of refusing them.
    var skipsUnknownCalls = false
    /// Accept every name, only to list them.
    var listsGlobalsOnly = false
    var persistentIDs = PersistentIDs.archive
  }

  /// What BINPERSID may refer to.
  enum PersistentIDs: Sendable {
    /// A storage of a torch archive: five fields.
    case archive
    /// A storage of a stream from before torch 1.6: six fields.
    case stream
    /// Nothing: the pickle stands alone.
    case none
  }

  var document = PickleDocument()
  var cursor: PickleInput
  let options: Options
  var stack: [ID] = []
  var marks: [Int] = []
  var memo = PickleMemo()
  var globalIndices: [TensorName: Int32] = [:]
  var storageIndices: [TensorName: Int32] = [:]
  var inertNames: Set<TensorName> = []
  /// Where the opcode being run starts.
  var opcodeOffset = 0
  private let start: Int
  private var frameEnd = 0
  private var opcodeCount = 0
  private var isStopped = false
  /// The first opcode of the text protocol, which is read on only to name worse things.
  var textOpcodeOffset: Int?

  private init(_ input: PickleInput, options: Options) {
    cursor = input
    start = input.offset
    self.options = options
    // Three shared values, so that a flood of them costs nothing.
    document.nodes = [
      PickleDocument.Node(kind: .none), PickleDocument.Node(kind: .bool),
      PickleDocument.Node(kind: .bool, payload: 1),
    ]
  }

  /// Parses a whole pickle; nothing may follow it.
  ///
  /// - Throws: `FormatError` with a pickle code and the offset of the opcode at fault.
  static func parse(_ bytes: [UInt8], options: Options = Options()) throws -> PickleDocument {
    try parse(PickleInput(bytes), options: options)
  }

  /// Parses a whole pickle; nothing may follow it.
  ///
  /// - Throws: `FormatError` with a pickle code and the offset of the opcode at fault.
  static func parse(
    _ input: PickleInput, options: Options = Options()
  ) throws -> PickleDocument {
    var input = input
    let document = try parseNext(&input, options: options)
    guard input.isAtEnd else {
      throw FormatError(
        .trailingBytes, offset: input.offset, expected: "the end of the pickle",
        found: "\(input.remaining) more bytes")
    }
    return document
  }

  /// Parses one of several pickles that follow one another, and moves the input behind it.
  ///
  /// - Throws: `FormatError` with a pickle code and the offset of the opcode at fault.
  static func parseNext(
    _ input: inout PickleInput, options: Options = Options()
  ) throws -> PickleDocument {
    var machine = PickleMachine(input, options: options)
    do {
      try machine.run()
    } catch let error as FormatError {
      throw machine.completed(error)
    }
    input = machine.cursor
    return machine.document
  }

  private mutating func run() throws {
    while !isStopped {
      opcodeOffset = cursor.offset
      opcodeCount += 1
      guard opcodeCount <= Budgets.pickleOpcodes else { throw limit(.opcodeLimit) }
      try step()
      // Older C unpicklers read past a frame, and so ran opcodes that scanners did not see.
      if opcodeOffset < frameEnd, cursor.offset > frameEnd {
        throw FormatError(
          .badFrame, offset: opcodeOffset, expected: "the opcode to end by \(frameEnd)",
          found: "\(cursor.offset)")
      }
      guard stack.count <= Budgets.pickleStackItems else { throw limit(.stackLimit) }
    }
    if let textOpcodeOffset { throw FormatError(.unsupportedProtocol0, offset: textOpcodeOffset) }
  }

  private mutating func step() throws {
    let byte = try cursor.u8()
    guard let opcode = PickleOpcode(rawValue: byte) else { return try runRefused(byte) }
    switch opcode {
    case .proto: try setProtocol()
    case .frame: try openFrame()
    case .stop: try stop()
    case .mark: try pushMark()
    case .none, .newTrue, .newFalse, .binInt, .binInt1, .binInt2, .long1, .long4, .binFloat:
      try pushScalar(opcode)
    case .binUnicode, .shortBinUnicode, .binUnicode8, .shortBinString, .binString,
      .shortBinBytes, .binBytes, .binBytes8, .byteArray8:
      try pushText(opcode)
    case .emptyTuple, .tuple, .tuple1, .tuple2, .tuple3, .emptyList, .emptyDict, .emptySet,
      .frozenSet:
      try makeContainer(opcode)
    case .append, .appends, .setItem, .setItems, .addItems: try extendContainer(opcode)
    case .binPut, .longBinPut, .memoize, .binGet, .longBinGet: try useMemo(opcode)
    case .global, .stackGlobal: try pushGlobal(opcode)
    case .reduce: try call()
    case .newObject: try makeObject()
    case .build: try build()
    case .binPersistentID: try pushStorage()
    }
  }

  private mutating func setProtocol() throws {
    let version = try cursor.u8()
    guard opcodeOffset == start, version <= 5 else {
      throw FormatError(
        .badProtocol, offset: opcodeOffset, expected: "protocol 0 to 5, once, at the start",
        found: "protocol \(version)")
    }
  }

  private mutating func openFrame() throws {
    let start = opcodeOffset
    let length = try cursor.u64()
    guard start >= frameEnd, let count = Int(exactly: length), count <= cursor.remaining else {
      throw FormatError(
        .badFrame, offset: start, expected: "a frame of at most \(cursor.remaining) bytes",
        found: start < frameEnd ? "a frame within a frame" : "\(length)")
    }
    frameEnd = cursor.offset + count
    // The opcode itself stands before the frame that it opens.
    opcodeOffset = frameEnd
  }

  private mutating func stop() throws {
    guard marks.isEmpty else { throw FormatError(.markMismatch, offset: opcodeOffset) }
    let value = try pop()
    guard stack.isEmpty else {
      throw FormatError(
        .badOperand, offset: opcodeOffset, expected: "one value at the end",
        found: "\(stack.count + 1)")
    }
    document.root = value
    isStopped = true
  }

  private mutating func pushMark() throws {
    guard marks.count < Budgets.pickleMarks else { throw limit(.markLimit) }
    marks.append(stack.count)
  }

  func limit(_ code: FormatError.Code) -> FormatError {
    FormatError(code, offset: opcodeOffset)
  }

  /// Gives an error the place of its opcode, and prefers "text protocol" over what follows from it.
  private func completed(_ error: FormatError) -> FormatError {
    var error = error
    if let textOpcodeOffset, error.code != .forbiddenOpcode, error.code != .forbiddenGlobal {
      error = FormatError(.unsupportedProtocol0, offset: textOpcodeOffset)
    }
    error.offset = error.offset ?? opcodeOffset
    return error
  }
}

/// What the pickle remembers, dense where the writer counts up and sparse where a file jumps.
struct PickleMemo {
  private var dense: [PickleDocument.ID] = []
  private var sparse: [UInt32: PickleDocument.ID] = [:]

  /// The number of remembered values, which is where MEMOIZE puts the next.
  var count: Int { dense.count + sparse.count }

  mutating func set(_ index: UInt32, _ value: PickleDocument.ID) throws {
    if Int(index) < dense.count {
      dense[Int(index)] = value
    } else if Int(index) == dense.count {
      dense.append(value)
    } else {
      sparse[index] = value
    }
    guard count <= Budgets.memoEntries else {
      throw FormatError(.memoLimit, expected: "at most \(Budgets.memoEntries) values")
    }
  }

  func get(_ index: UInt32) throws -> PickleDocument.ID {
    if Int(index) < dense.count { return dense[Int(index)] }
    guard let value = sparse[index] else { throw FormatError(.memoMissing, found: "\(index)") }
    return value
  }
}
