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
}
