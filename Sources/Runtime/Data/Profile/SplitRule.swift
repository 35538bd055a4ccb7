import Formats
import Support

/// Which cases are for what.
public struct SplitRule: Sendable, Equatable {
  /// A case that belongs to a split.
  ///
  /// `A/0003` is case 3 of a folder `A`; a part that is a number means the number at the end of the
  /// case's own name, so that `img0035` is `0035`.
  public struct Item: Sendable, Equatable {
    let folders: [String]
    let name: String
    /// Whether a number is a name like any other.
    private let isExact: Bool

    init(_ text: String) {
      let parts = text.split(separator: "/").map(String.init)
      folders = parts.dropLast().map { $0.lowercased() }
      name = parts.last ?? ""
      isExact = false
    }

    /// The case of just this name, whatever folders lead to it.
    init(exactly name: String) {
      (folders, self.name, isExact) = ([], name, true)
    }

    func matches(_ path: [String]) -> Bool {
      let found = path.dropLast().map { $0.lowercased() }
      let isInside = folders.allSatisfy { folder in
        found.contains { name in ["", "site", "site_", "site-"].contains { name == $0 + folder } }
      }
      guard isInside, let own = path.last else { return false }
      guard !isExact, let number = Int(name) else {
        return TensorName(own) == TensorName(name)
      }
      return trailingNumber(own) == number
    }
  }

  /// The first split with a fitting item is a case's; without one it is for training.
  public var lists: [(split: DatasetSplit, items: [Item])]
  /// What all cases are that no list names.
  public var rest: DatasetSplit
  /// Parts of the cases that no list names, drawn by their names.
  public var parts: [(split: DatasetSplit, part: Double)]
  public var seed: UInt64

  public init(
    lists: [(split: DatasetSplit, items: [Item])] = [], rest: DatasetSplit = .train,
    parts: [(split: DatasetSplit, part: Double)] = [], seed: UInt64 = 1234
  ) {
    self.lists = lists
    self.rest = rest
    self.parts = parts
    self.seed = seed
  }

  public static func == (left: Self, right: Self) -> Bool {
    left.lists.map(\.split) == right.lists.map(\.split)
      && left.lists.map(\.items) == right.lists.map(\.items) && left.rest == right.rest
      && left.parts.map(\.split) == right.parts.map(\.split)
      && left.parts.map(\.part) == right.parts.map(\.part) && left.seed == right.seed
  }

  /// The splits of cases, given the folders and names that lead to them.
  public func splits(of paths: [[String]]) -> [DatasetSplit] {
    var splits = paths.map { path in
      lists.first { $0.items.contains { $0.matches(path) } }?.split
    }
    // Drawn by name, so that the order of a folder's files does not matter.
    let free = splits.indices.filter { splits[$0] == nil }.sorted {
      draw(paths[$0]) < draw(paths[$1])
    }
    var start = 0
    for (split, part) in parts {
      let end = min(free.count, start + Int((part * Double(free.count)).rounded()))
      for place in free[start..<end] { splits[place] = split }
      start = end
    }
    return splits.map { $0 ?? rest }
  }

  /// The splits whose lists name none of the cases.
  func splitsWithoutCase(of paths: [[String]]) -> [DatasetSplit] {
    DatasetSplit.allCases.filter { split in
      let items = lists.filter { $0.split == split }.flatMap(\.items)
      return !items.isEmpty
        && !items.contains { item in paths.contains { item.matches($0) } }
    }
  }

  private func draw(_ path: [String]) -> (Double, TensorName) {
    let name = path.joined(separator: "/")
    return (RandomStream(seed: seed, name: name).uniform(block: 0)[0], TensorName(name))
  }
}

/// The number at the end of a name.
func trailingNumber(_ name: String) -> Int? {
  let digits = name.utf8.reversed().prefix { (48...57).contains($0) }.reversed()
  return Int(String(decoding: digits, as: UTF8.self))
}
