import Formats

/// Prefixes that wrappers put before every name: DataParallel's, torch.compile's, and those of the
/// modules that MA-SAM and SAMed hold their model in.
enum PrefixStripping {
  private static let prefixes = ["module.", "_orig_mod.", "sam."]

  /// The names without their common prefixes, and what was taken away.
  ///
  /// - Throws: `SurgeryError` with code `nameCollision` when only some names have the prefix and
  ///   would without it be names that exist.
  static func strip(_ names: [TensorName]) throws -> (names: [TensorName], prefix: String) {
    var names = names
    var removed = ""
    while let prefix = prefixes.first(where: { prefix in
      !names.isEmpty && names.allSatisfy { $0.text.hasPrefix(prefix) && $0.text != prefix }
    }) {
      names = names.map { TensorName(String($0.text.dropFirst(prefix.count))) }
      removed += prefix
    }
    try checkCollisions(names)
    return (names, removed)
  }

  private static func checkCollisions(_ names: [TensorName]) throws {
    let all = Set(names)
    for name in names {
      for prefix in prefixes where name.text.hasPrefix(prefix) {
        let bare = TensorName(String(name.text.dropFirst(prefix.count)))
        guard !all.contains(bare) else {
          throw SurgeryError(
            .nameCollision, subject: name.text, found: "'\(bare)' exists as well",
            remedy: "the file mixes wrapped and bare names: choose a part with --key")
        }
      }
    }
  }
}
