/// Checks that a file's tensors are in proportion to the file.
///
/// Views, shared bytes and compression let a small file describe more than any disk can hold.
///
/// - Throws: `FormatError` with code `expansionLimit`.
func checkExpansion(of tensors: [TensorInfo], from fileSize: Int, isAllowed: Bool) throws {
  try checkExpansion(
    to: tensors.reduce(0) { $0.addingClamped($1.byteCount) }, from: fileSize, isAllowed: isAllowed)
}

/// The same for a number of bytes.
func checkExpansion(to total: Int, from fileSize: Int, isAllowed: Bool) throws {
  let limit = Budgets.expansionLimit(of: fileSize, isLifted: isAllowed)
  guard total <= limit else {
    throw FormatError(
      .expansionLimit, expected: "at most \(limit) bytes of tensors", found: "\(total)")
  }
}

extension Int {
  func addingClamped(_ other: Int) -> Int {
    let (sum, overflow) = addingReportingOverflow(other)
    return overflow ? .max : sum
  }
}
