import Support

/// Names, calls, objects and storages: everything that Python would have executed.
extension PickleMachine {
  typealias Policy = PickleGlobalPolicy

  mutating func pushGlobal(_ opcode: PickleOpcode) throws {
    let module: String
    let name: String
    if opcode == .global {
      module = try line()
      name = try line()
    } else {
      try require(2)
      name = try operand(pop())
      module = try operand(pop())
    }
    try pushGlobal(module: module, name: name)
  }

  private mutating func pushGlobal(module: String, name: String) throws {
    let key = TensorName(module + "\n" + name)
    if let index = globalIndices[key] { return try push(.global, Int64(index)) }
    guard document.globals.count < Budgets.pickleGlobals else { throw limit(.nodeLimit) }
    let global = PickleDocument.Global(module: module, name: name, offset: opcodeOffset)
    globalIndices[key] = Int32(document.globals.count)
    document.globals.append(global)
    try push(.global, Int64(document.globals.count - 1))
    if !options.listsGlobalsOnly, verdict(global) == .refused { throw forbidden(global) }
  }

  /// One newline-ended line of a GLOBAL.
  private mutating func line() throws -> String {
    var bytes: [UInt8] = []
    while true {
      let byte = try cursor.u8()
      if byte == UInt8(ascii: "\n") { return try checkedName(bytes[...]) }
      guard bytes.count < Budgets.globalNameBytes else { throw limit(.lineTooLong) }
      bytes.append(byte)
    }
  }

  private func operand(_ id: ID) throws -> String {
    guard document.kind(id) == .string else {
      throw FormatError(
        .badOperand, offset: opcodeOffset, subject: "STACK_GLOBAL", expected: "two strings",
        found: "a \(document.kind(id))")
    }
    guard let bytes = document.rawBytes(id), bytes.count <= Budgets.globalNameBytes else {
      throw limit(.lineTooLong)
    }
    return try checkedName(bytes)
  }

  private func checkedName(_ bytes: ArraySlice<UInt8>) throws -> String {
    guard !bytes.isEmpty, bytes.allSatisfy({ $0 > 0x20 && $0 != 0x7F }),
      let name = String(validating: bytes, as: UTF8.self)
    else {
      throw FormatError(
        .badGlobalName, offset: opcodeOffset, expected: "an identifier",
        found: String(decoding: bytes, as: UTF8.self))
    }
    return name
  }

  // MARK: - Calls

  mutating func call() throws {
    try require(2)
    let (arguments, callee) = (try pop(), try pop())
    let global = try checkedCallee(callee, arguments, "REDUCE")
    document.globals[Int(document.nodes[Int(callee)].payload)].isCalled = true
    switch verdict(global) {
    case .mapping: stack.append(try makeMapping(arguments))
    case .understood: try pushContainer(.call, [callee, arguments])
    case .harmless:
      try checkConstructors(global, arguments)
      try pushContainer(.call, [callee, arguments])
    case .unknown where options.skipsUnknownCalls || options.listsGlobalsOnly:
      noteInert(global.qualified)
      try pushContainer(.object, [callee, arguments])
    case .unknown: throw forbidden(global)
    case .refused where options.listsGlobalsOnly: try pushContainer(.object, [callee, arguments])
    case .refused: throw forbidden(global)
    }
  }

  /// Notes the class that `copyreg._reconstructor` and its kind would have created.
  private mutating func checkConstructors(
    _ global: PickleDocument.Global, _ arguments: ID
  ) throws {
    let silent = ["_codecs.encode", "builtins.set", "builtins.frozenset", "builtins.complex"]
    guard global.module == "copyreg" || global.module == "copy_reg" else {
      if !silent.contains(global.qualified) { noteInert(global.qualified) }
      return
    }
    guard let type = document.arguments(arguments).first.flatMap(document.global) else {
      throw FormatError(.badOperand, offset: opcodeOffset, expected: "a class to create")
    }
    try checkInstantiable(type)
    noteInert(type.qualified)
  }

  /// OrderedDict, Counter and defaultdict become plain dictionaries.
  private mutating func makeMapping(_ arguments: ID) throws -> ID {
    let id = try addContainer(.dict, [])
    document.nodes[Int(id)].acceptsState = true
    for argument in document.children(arguments) {
      if document.kind(argument) == .dict {
        try link(document.children(argument), to: id)
      } else if let pairs = document.sequence(argument) {
        for pair in pairs {
          guard let items = document.sequence(pair), items.count == 2 else {
            throw FormatError(
              .badOperand, offset: opcodeOffset, expected: "pairs of a key and a value")
          }
          try link(items, to: id)
        }
      }
    }
    return id
  }

  mutating func makeObject() throws {
    try require(2)
    let (arguments, callee) = (try pop(), try pop())
    let global = try checkedCallee(callee, arguments, "NEWOBJ")
    if verdict(global) == .mapping { return stack.append(try makeMapping(arguments)) }
    try checkInstantiable(global)
    noteInert(global.qualified)
    try pushContainer(.object, [callee, arguments])
  }

  private func checkInstantiable(_ global: PickleDocument.Global) throws {
    guard !TorchNames.isTensorOrStorageClass(global.qualified) else {
      throw FormatError(.uninitialisedObject, offset: opcodeOffset, subject: global.qualified)
    }
  }

  private func checkedCallee(
    _ callee: ID, _ arguments: ID, _ opcode: String
  ) throws -> PickleDocument.Global {
    guard let global = document.global(callee) else {
      throw FormatError(
        .badOperand, offset: opcodeOffset, subject: opcode, expected: "a name to call",
        found: "a \(document.kind(callee))")
    }
    guard document.kind(arguments) == .tuple else {
      throw FormatError(
        .badOperand, offset: opcodeOffset, subject: opcode, expected: "a tuple of arguments",
        found: "a \(document.kind(arguments))")
    }
    return global
  }

  /// BUILD hands a state to an object; a dictionary's own attributes hold no tensors and are
  /// dropped.
  mutating func build() throws {
    try require(2)
    let state = try pop()
    let target = stack[stack.count - 1]
    switch document.kind(target) {
    case .dict where document.nodes[Int(target)].acceptsState: break
    case .object: try link([state], to: target)
    case .call: try link([state], to: target)
    default:
      throw FormatError(
        .badTarget, offset: opcodeOffset, subject: "BUILD", expected: "an object",
        found: "a \(document.kind(target))")
    }
  }

  /// Whether a call will give a tensor or a torch value, which takes no items.
  func isUnderstoodCall(_ id: ID) -> Bool {
    document.callee(id).map { verdict($0) == .understood } ?? false
  }

  func verdict(_ global: PickleDocument.Global) -> Policy.Verdict {
    Policy.verdict(module: global.module, name: global.name)
  }

  private mutating func noteInert(_ name: String) {
    if inertNames.insert(TensorName(name)).inserted { document.inertNames.append(name) }
  }

  private func forbidden(_ global: PickleDocument.Global) -> FormatError {
    let isUnknown = verdict(global) == .unknown
    return FormatError(
      .forbiddenGlobal, offset: opcodeOffset, subject: global.qualified,
      remedy: isUnknown
        ? "nothing was run; pass --skip-unknown-objects to leave it out and read the rest" : nil)
  }
}
