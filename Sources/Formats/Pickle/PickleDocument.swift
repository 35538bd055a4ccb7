/// What a pickle describes: a graph of inert values, kept flat.
///
/// Values are indices into one array and children are linked through another, so that nesting of
/// any depth is built, walked and freed without recursion and a hostile file cannot make a value
/// cost more than a few dozen bytes.
struct PickleDocument: Sendable {
  typealias ID = Int32

  enum Kind: UInt8, Sendable {
    case none, bool, integer, bigInteger, float, string, bytes
    case tuple, list, dict, set
    /// A name; never looked up.
    case global
    /// A function and its arguments, which nobody applied.
    case call
    /// An instance of a class that wt does not know.
    case object
    /// A reference to a storage record.
    case storage
  }

  struct Node: Sendable {
    var kind: Kind
    /// The greatest nesting below, as far as known when the value was made.
    var depth: UInt8 = 0
    /// Whether a dictionary came from a class that takes a state (OrderedDict).
    var acceptsState = false
    /// Whether a string is Python 2's, which may be text as well as bytes.
    var isByteString = false
    /// A container's last link, or the place of a string's or bytes' span.
    var tail: Int32 = -1
    /// The value of a scalar, a string's start and end in `strings`, or a container's first link
    /// and count.
    var payload: Int64 = 0
  }

  struct Link: Sendable {
    var item: ID
    var next: Int32 = -1
  }

  /// A name that the pickle mentions.
  struct Global: Sendable, Equatable {
    var module: String
    var name: String
    var offset: Int
    var isCalled = false
    var qualified: String { module + "." + name }
  }

  /// A persistent id: `('storage', class, key, location, element count)`, to which streams from
  /// before torch 1.6 add `(part's key, offset, element count)`.
  struct Storage: Sendable, Equatable {
    var className: String
    var key: String
    var elementCount: Int
    var part: Part?
  }

  /// A stretch of a storage that has a key of its own.
  struct Part: Sendable, Equatable {
    var key: String
    /// In elements of the storage.
    var range: Range<Int>
  }

  /// The contents of the strings that are short enough to be names, one after another.
  var strings: [UInt8] = []
  /// Where in the input the contents of each string and byte string lie.
  var spans: [Range<Int>] = []
  var nodes: [Node] = []
  var links: [Link] = []
  var globals: [Global] = []
  var storages: [Storage] = []
  var root: ID = 0
  /// Names of classes and constructors whose values were kept inert, in order of appearance.
  var inertNames: [String] = []

  func kind(_ id: ID) -> Kind { nodes[Int(id)].kind }

  func integer(_ id: ID) -> Int? {
    let node = nodes[Int(id)]
    return node.kind == .integer ? Int(node.payload) : nil
  }

  func bool(_ id: ID) -> Bool? {
    let node = nodes[Int(id)]
    return node.kind == .bool ? node.payload != 0 : nil
  }

  func float(_ id: ID) -> Double? {
    let node = nodes[Int(id)]
    switch node.kind {
    case .float: return Double(bitPattern: UInt64(bitPattern: node.payload))
    case .integer: return Double(node.payload)
    default: return nil
    }
  }

  /// The bytes of a string, or nil when it is none or too long to be a name.
  func rawBytes(_ id: ID) -> ArraySlice<UInt8>? {
    let node = nodes[Int(id)]
    guard node.kind == .string, node.head >= 0 else { return nil }
    return strings[Int(node.head)..<node.count]
  }

  /// The text of a string, or nil when it is none, too long to be a name, or not valid UTF-8.
  func string(_ id: ID) -> String? {
    rawBytes(id).flatMap { String(validating: $0, as: UTF8.self) }
  }

  /// Where in the input the contents of a string or byte string lie.
  func span(_ id: ID) -> Range<Int>? {
    let node = nodes[Int(id)]
    return node.kind == .string || node.kind == .bytes ? spans[Int(node.tail)] : nil
  }

  func global(_ id: ID) -> Global? {
    let node = nodes[Int(id)]
    return node.kind == .global ? globals[Int(node.payload)] : nil
  }

  func storage(_ id: ID) -> Storage? {
    let node = nodes[Int(id)]
    return node.kind == .storage ? storages[Int(node.payload)] : nil
  }

  /// The children in order; keys and values alternate in a dictionary, a call holds its function,
  /// its arguments and whatever was added to it.
  ///
  /// - Parameter limit: the most that are wanted. What only looks at the first few must say so: a
  ///   file can recall one long tuple a million times.
  func children(_ id: ID, atMost limit: Int = .max) -> [ID] {
    let node = nodes[Int(id)]
    guard node.isContainer else { return [] }
    var result: [ID] = []
    result.reserveCapacity(min(node.count, limit))
    var link = node.head
    while link >= 0, result.count < limit {
      result.append(links[Int(link)].item)
      link = links[Int(link)].next
    }
    return result
  }

  /// The items of a tuple or list, or nil for anything else.
  func sequence(_ id: ID) -> [ID]? {
    kind(id) == .tuple || kind(id) == .list ? children(id) : nil
  }

  /// The name of what a call calls.
  func callee(_ id: ID) -> Global? {
    let node = nodes[Int(id)]
    return node.kind == .call && node.count >= 2 ? global(links[Int(node.head)].item) : nil
  }

  /// The name and the arguments of a call, of which no function takes more than are given.
  func call(_ id: ID) -> (callee: Global, arguments: [ID])? {
    guard kind(id) == .call else { return nil }
    let parts = children(id, atMost: 2)
    guard parts.count >= 2, let callee = global(parts[0]) else { return nil }
    return (callee, arguments(parts[1]))
  }

  /// The items of a tuple of arguments; more than any function takes are cut off.
  func arguments(_ id: ID) -> [ID] { children(id, atMost: Budgets.arguments) }

  /// How many children a container has.
  func count(_ id: ID) -> Int {
    let node = nodes[Int(id)]
    return node.isContainer ? node.count : 0
  }

  /// The pairs of a dictionary.
  func pairs(_ id: ID) -> [(key: ID, value: ID)] {
    let flat = children(id)
    return stride(from: 0, to: flat.count - flat.count % 2, by: 2).map {
      (flat[$0], flat[$0 + 1])
    }
  }
}

extension PickleDocument.Node {
  var isContainer: Bool {
    switch kind {
    case .tuple, .list, .dict, .set, .call, .object: true
    default: false
    }
  }
  var head: Int32 { Int32(truncatingIfNeeded: payload >> 32) }
  var count: Int { Int(payload & 0xFFFF_FFFF) }

  static func packed(_ first: Int, _ second: Int) -> Int64 { Int64(first) << 32 | Int64(second) }
}
