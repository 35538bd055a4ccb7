/// Notes how many slices a model takes at once, which no shape shows.
public struct SetSlices: Operation {
  public var count: Int

  public init(count: Int) { self.count = count }

  public func apply(to blueprint: inout Blueprint) throws {
    var metadata = ModelMetadata(blueprint.metadata)
    metadata[.slices] = "\(try Self.checked(count))"
    blueprint.metadata = metadata.entries
  }

  /// - Throws: `SurgeryError` with code `badOption`.
  static func checked(_ count: Int) throws -> Int {
    guard ModelMetadata.slicesRange.contains(count) else {
      throw SurgeryError(.badOption, subject: "slices", expected: "1 to 1024", found: "\(count)")
    }
    return count
  }
}
