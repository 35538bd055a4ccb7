extension EvaluationSummary {
  /// The cases of each folder on their own, such as the sequences of a challenge; empty for one folder.
  ///
  /// In the order in which the folders' first cases come.
  public var folders: [(path: String, summary: EvaluationSummary)] {
    var folders: [(path: String, cases: [CaseResult])] = []
    // By bytes, as file systems tell names apart.
    var places: [[UInt8]: Int] = [:]
    for item in cases {
      let end = item.reference.lastIndex(of: "/") ?? item.reference.startIndex
      let path = String(item.reference[..<end])
      let place = places[Array(path.utf8)] ?? folders.count
      if place == folders.count { folders.append((path, [])) }
      places[Array(path.utf8)] = place
      folders[place].cases.append(item)
    }
    guard folders.count > 1 else { return [] }
    return folders.map { path, cases in
      var part = self
      part.cases = cases
      return (path, part)
    }
  }
}
