/// Checks that a file's tensors are in proportion to the file.
///
/// Views, shared bytes and compression let a small file describe more than any disk can hold.
///
/// - Throws: `FormatError` with code `expansionLimit`.
func checkExpansion(of tensors: [TensorInfo], from fileSize: Int, isAllowed: Bool) throws {
  let total = tensors.reduce(0) { $0.addingClamped($1.byteCount) }
  let proportion = max(
    Budgets.freeExpansionBytes, fileSize.multipliedClamped(by: Budgets.expansionFactor))
  let limit = isAllowed ? Int.max : min(Budgets.materialisedBytes, proportion)
  guard total <= limit else {
    throw FormatError(
      .expansionLimit, expected: "at most \(limit) bytes of tensors", found: "\(total)")
  }
}

extension Int {
  fileprivate func addingClamped(_ other: Int) -> Int {
    let (sum, overflow) = addingReportingOverflow(other)
    return overflow ? .max : sum
  }

  fileprivate func multipliedClamped(by factor: Int) -> Int {
    let (product, overflow) = multipliedReportingOverflow(by: factor)
    return overflow ? .max : product
  }
}
