/// A change of a planned model.
///
/// Operations look at names, shapes and metadata; bytes are touched when the plan is written.
public protocol Operation: Sendable {
  /// - Throws: `SurgeryError`; the plan must not be used then.
  func apply(to blueprint: inout Blueprint) throws
}

extension Blueprint {
  /// The plan after some operations, in their order.
  ///
  /// - Throws: what the operations throw, completed with the file that the plan starts from.
  public func applying(_ operations: any Operation...) throws -> Blueprint {
    var blueprint = self
    for operation in operations { try naming(self) { try operation.apply(to: &blueprint) } }
    return blueprint
  }

  /// The model's own numbers of a whole model.
  ///
  /// - Throws: `SurgeryError` with code `wrongPairing` for a delta.
  func encoderArchitecture() throws -> (Architecture, Architecture.Encoder) {
    let model = try Architecture(self)
    guard let encoder = model.encoder else { throw SurgeryError.needsBase(model) }
    return (model, encoder)
  }
}

extension SurgeryError {
  static func needsBase(_ delta: Architecture) -> SurgeryError {
    SurgeryError(
      .wrongPairing, expected: "a whole model",
      found: "family '\(delta.family)', which holds no image encoder of its own",
      remedy: "name the model it was trained on with --base")
  }
}
