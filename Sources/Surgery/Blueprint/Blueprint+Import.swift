import Formats

extension Blueprint {
  /// The plan of a checkpoint of a known family under its canonical names.
  ///
  /// - Throws: `SurgeryError` with code `schemaMismatch` or `nameCollision`.
  public init(importing source: any Checkpoint, toolVersion: String) throws {
    let plan = try Import(source, toolVersion: toolVersion)
    guard plan.recognition.manifest != nil else {
      var error = SurgeryError.unrecognised(plan.recognition)
      error.file = source.path
      throw error
    }
    self = plan.blueprint
  }

  /// The plan of a checkpoint's copy, whatever it is: names, bytes and metadata as they are.
  public init(copying source: any Checkpoint) {
    self.init(
      entries: source.tensors.indices.map { place in
        Entry(
          info: source.tensors[place],
          origin: .stored(StoredTensor(checkpoint: source, places: [place])))
      }, metadata: source.metadata)
  }
}
