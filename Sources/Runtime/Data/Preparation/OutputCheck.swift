import Formats

/// Refuses a command's outputs before any work is done: those that may not be replaced, those that
/// something is read from, and those that another output is.
public struct OutputCheck {
  /// A name that need not be there yet, under the folder that is.
  private struct Place: Hashable {
    var folder: FileIdentity?
    var names: [TensorName]
  }

  private let inputs: Set<FileIdentity>
  private var outputs: Set<Place> = []
  private var folders: Set<Place> = []

  /// - Parameter inputs: paths of files; one that is not there is no target either.
  public init(inputs: [String]) { self.inputs = Set(inputs.compactMap { FileIdentity($0) }) }

  /// Whether a path leads to something that is read.
  public func isInput(_ path: String) -> Bool {
    !inputs.isEmpty && FileIdentity(path).map(inputs.contains) ?? false
  }

  /// Takes an output.
  ///
  /// - Throws: `FormatError` with code `outputExists` or `outputUnavailable`.
  public mutating func add(_ target: String, overwrites: Bool) throws {
    try AtomicFile.refuseInput(target, isInput: isInput(target))
    try AtomicFile.checkTarget(target, overwrite: overwrites)
    let place = Self.place(of: target)
    let above = place.names.indices.dropFirst().map {
      Place(folder: place.folder, names: Array(place.names[..<$0]))
    }
    guard !outputs.contains(place), !folders.contains(place), outputs.isDisjoint(with: above) else {
      throw FormatError(
        .outputUnavailable, file: target, found: "another output of the same command has this name",
        remedy: "choose another name")
    }
    outputs.insert(place)
    folders.formUnion(above)
  }

  private static func place(of path: String) -> Place {
    var names = [TensorName(lastComponent(of: path))]
    var folder = parentDirectory(of: path)
    while FileIdentity(folder) == nil, folder != ".", folder != "/" {
      names.insert(TensorName(lastComponent(of: folder)), at: 0)
      folder = parentDirectory(of: folder)
    }
    return Place(
      folder: FileIdentity(folder), names: names.filter { !["", "."].contains($0.text) })
  }
}
