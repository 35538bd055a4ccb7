import Formats

/// The lists that MA-SAM's preprocessing writes beside its stacks: which cases are for what.
///
/// `training.csv` and `test.csv` have a column `image_pth` of paths that end in
/// `CASE/images/2Dimage_0000.pkl`; what stands before the case is where the stacks once lay.
/// Source: MA-SAM's dataset.py, test.py and preprocessing.
struct CaseLists {
  /// The cases of each list that is there.
  private(set) var lists: [(split: DatasetSplit, items: [SplitRule.Item])] = []

  private static let files: [(name: String, split: DatasetSplit)] = [
    ("training.csv", .train), ("validation.csv", .validation), ("test.csv", .test),
  ]
  private static let column = "image_pth"
  /// Some million lines.
  private static let largestFile = 256 << 20

  /// Where the lists of a folder would lie.
  static func paths(in folder: String) -> [String] { files.map { folder + "/" + $0.name } }

  /// - Throws: `DatasetError` with code `badList`, or `FormatError`.
  init(of folder: String) throws {
    let present = try FolderListing(folder).files
    for (name, split) in Self.files where present.contains(name) {
      let cases = try Self.cases(in: folder + "/" + name)
      lists.append((split, cases.map(SplitRule.Item.init(exactly:))))
    }
  }

  /// The names in a list, each once, in their order.
  private static func cases(in path: String) throws -> [String] {
    let lines = try text(of: path).split(whereSeparator: \.isNewline)
    let header = fields(lines.first ?? "")
    guard let place = header.firstIndex(of: column) else {
      throw DatasetError(
        .badList, file: path, expected: "a column '\(column)'",
        found: header.isEmpty ? "nothing" : header.joined(separator: ", ").escapedForDisplay)
    }
    var names: [String] = []
    var seen: Set<TensorName> = []
    for (number, line) in lines.enumerated().dropFirst() {
      let fields = fields(line)
      let parts = place < fields.count ? fields[place].split(separator: "/") : []
      guard parts.count >= 3 else {
        throw DatasetError(
          .badList, file: path, subject: "line \(number + 1)",
          expected: "a path that ends in CASE/images/STACK", found: String(line).escapedForDisplay)
      }
      let name = String(parts[parts.count - 3])
      if seen.insert(TensorName(name)).inserted { names.append(name) }
    }
    return names
  }

  private static func text(of path: String) throws -> String {
    let file = try InputFile(path)
    guard file.size <= largestFile else {
      throw DatasetError(
        .badList, file: path, expected: "at most \(largestFile) bytes", found: "\(file.size)")
    }
    guard let text = String(validating: try file.bytes(0..<file.size), as: UTF8.self) else {
      throw DatasetError(.badList, file: path, expected: "UTF-8")
    }
    return text
  }

  /// The fields of a line; a quoted one may hold commas.
  private static func fields(_ line: Substring) -> [String] {
    var fields = [""]
    var isQuoted = false
    for character in line {
      switch character {
      case "\"": isQuoted.toggle()
      case "," where !isQuoted: fields.append("")
      default: fields[fields.count - 1].append(character)
      }
    }
    return fields
  }
}
