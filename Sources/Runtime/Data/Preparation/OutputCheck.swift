import Formats

/// Refuses a command's outputs before any work is done: those that may not be replaced, those that
/// something is read from, and those that another output is.
public struct OutputCheck {
  /// What tells files apart, whatever names and links lead to them.
  private struct Identity: Hashable {
    var device, inode: UInt64

    init?(_ path: String) {
      guard let status = try? POSIXFileSystem().status(path: path) else { return nil }
      (device, inode) = (status.device, status.inode)
    }
  }

  /// A name that need not be there yet, under the folder that is.
  private struct Place: Hashable {
    var folder: Identity?
    var names: [TensorName]
  }

  private let inputs: Set<Identity>
  private var outputs: Set<Place> = []
  private var folders: Set<Place> = []

  /// - Parameter inputs: paths of files; one that is not there is no target either.
  public init(inputs: [String]) { self.inputs = Set(inputs.compactMap(Identity.init)) }

  /// Whether a path leads to something that is read.
  public func isInput(_ path: String) -> Bool {
    !inputs.isEmpty && Identity(path).map(inputs.contains) ?? false
  }

  /// Takes an output.
  ///
  /// - Throws: `FormatError` with code `outputExists` or `outputUnavailable`.
  public mutating func add(_ target: String, overwrites: Bool) throws {
    guard !isInput(target) else { throw FormatError.isInput(target) }
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
    var folder = parentFolder(of: path)
    while Identity(folder) == nil, folder != ".", folder != "/" {
      names.insert(TensorName(lastComponent(of: folder)), at: 0)
      folder = parentFolder(of: folder)
    }
    return Place(folder: Identity(folder), names: names.filter { !["", "."].contains($0.text) })
  }
}

/// The folder that a path lies in.
public func parentFolder(of path: String) -> String {
  let name = lastComponent(of: path)
  let folder = path.dropLast(name.count)
  return folder.isEmpty ? "." : folder == "/" ? "/" : String(folder.dropLast())
}
