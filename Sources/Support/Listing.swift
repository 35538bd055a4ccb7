extension Collection<String> {
  /// The first ten of many for a message, and how many more there are.
  public var firstTen: String {
    let more = count > 10 ? " and \(count - 10) more" : ""
    return prefix(10).joined(separator: ", ") + more
  }
}
