import Support

/// Limits that keep a file from costing more than it can be worth.
///
/// Each stands far above anything the field writes and far below what would hurt.
public enum Budgets {
  public static let safeTensorsHeaderBytes = 100_000_000
  /// The pickle of a torch archive, and the texts of any pickle that are kept in memory.
  public static let pickleBytes = 64 << 20
  /// A longer text is no name and is not kept in memory.
  public static let pickleStringBytes = 65_536
  public static let pickleOpcodes = 5_000_000
  public static let pickleNodes = 1_000_000
  public static let pickleGlobals = 10_000
  public static let pickleStackItems = 1_000_000
  public static let pickleMarks = 100_000
  public static let memoEntries = 1_000_000
  public static let nodesVisited = 5_000_000
  public static let pickleDepth = 200
  public static let jsonDepth = 32
  public static let integerBytes = 16
  public static let globalNameBytes = 256
  public static let rank = 64
  /// More than any function that wt understands takes, or its metadata has entries.
  static let arguments = 32
  public static let tensors = 1_000_000
  public static let zipEntries = 200_000
  public static let zipDirectoryBytes = 256 << 20
  public static let tensorNameBytes = 65_535
  /// The names of one file's tensors together.
  public static let nameBytes = 16 << 20
  /// The files of a sharded checkpoint: each stays open, and a process may commonly open 1,024.
  public static let shards = 512
  public static let npyHeaderBytes = 10_000
  /// The extensions of one NIfTI file.
  public static let niftiExtensionBytes = 16 << 20
  /// What lies in one folder.
  public static let folderEntries = 1_000_000
  /// A picture as it is stored, and its pixels.
  public static let imageBytes = 1 << 30
  public static let imagePixels = 1 << 28
  /// How often a file's own size views, sharing and compression may blow up to.
  public static let expansionFactor = 16
  /// Expansion that is always allowed, so that a tiny file may hold a modest broadcast.
  public static let freeExpansionBytes = 64 << 20

  /// The most bytes one file may make us produce.
  public static var materialisedBytes: Int { min(halfOfPhysicalMemory, 64 << 30) }

  /// The most bytes that a file of a given size may blow up to.
  ///
  /// - Parameter isLifted: whether the user allows any expansion.
  static func expansionLimit(of fileSize: Int, isLifted: Bool) -> Int {
    guard !isLifted else { return .max }
    let (product, overflow) = fileSize.multipliedReportingOverflow(by: expansionFactor)
    return min(materialisedBytes, max(freeExpansionBytes, overflow ? .max : product))
  }

  /// Deflate cannot exceed this ratio, so a larger claim is a lie (RFC 1951's limit is 1032:1).
  public static let deflateRatio = 1032
}
