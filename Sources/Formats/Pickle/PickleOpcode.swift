/// The opcodes of Python's pickle protocols that a checkpoint may hold, and those it may not.
///
/// Source: CPython's `Lib/pickletools.py`; the policy follows torch's weights-only unpickler, with
/// what protocols 3 to 5 need added.
enum PickleOpcode: UInt8, CaseIterable {
  case proto = 0x80
  case stop = 0x2E
  case mark = 0x28
  case none = 0x4E
  case newTrue = 0x88
  case newFalse = 0x89
  case binInt = 0x4A
  case binInt1 = 0x4B
  case binInt2 = 0x4D
  case long1 = 0x8A
  case long4 = 0x8B
  case binFloat = 0x47
  case binUnicode = 0x58
  case shortBinUnicode = 0x8C
  case binUnicode8 = 0x8D
  case shortBinString = 0x55
  case binString = 0x54
  case shortBinBytes = 0x43
  case binBytes = 0x42
  case binBytes8 = 0x8E
  case byteArray8 = 0x96
  case emptyTuple = 0x29
  case tuple = 0x74
  case tuple1 = 0x85
  case tuple2 = 0x86
  case tuple3 = 0x87
  case emptyList = 0x5D
  case append = 0x61
  case appends = 0x65
  case emptyDict = 0x7D
  case setItem = 0x73
  case setItems = 0x75
  case emptySet = 0x8F
  case addItems = 0x90
  case frozenSet = 0x91
  case binPut = 0x71
  case longBinPut = 0x72
  case memoize = 0x94
  case binGet = 0x68
  case longBinGet = 0x6A
  case global = 0x63
  case stackGlobal = 0x93
  case reduce = 0x52
  case newObject = 0x81
  case build = 0x62
  case binPersistentID = 0x51
  case frame = 0x95

  /// Opcodes that no writer of weights emits: amplifiers, hidden calls and registries.
  static let forbidden: [UInt8: String] = [
    0x30: "POP", 0x31: "POP_MARK", 0x32: "DUP", 0x69: "INST", 0x6F: "OBJ", 0x50: "PERSID",
    0x82: "EXT1", 0x83: "EXT2", 0x84: "EXT4", 0x92: "NEWOBJ_EX", 0x97: "NEXT_BUFFER",
    0x98: "READONLY_BUFFER",
  ]

  /// What the text opcodes of protocol 0 do to the stack.
  enum Text { case pushLine, putLine, list, dict }

  static let text: [UInt8: Text] = [
    0x49: .pushLine, 0x4C: .pushLine, 0x46: .pushLine, 0x53: .pushLine, 0x56: .pushLine,
    0x67: .pushLine, 0x70: .putLine, 0x6C: .list, 0x64: .dict,
  ]
}
