/// Notes how many slices a model takes at once, which no shape shows.
public struct SetSlices: Operation {
  public var count: Int

  public init(count: Int) { self.count = count }

  public func apply(to blueprint: inout Blueprint) throws {
    guard (1...1024).contains(count) else {
      throw SurgeryError(.badOption, subject: "slices", expected: "1 to 1024", found: "\(count)")
    }
    var metadata = ModelMetadata(blueprint.metadata)
    metadata[.slices] = "\(count)"
    blueprint.metadata = metadata.entries
  }
}
