import Formats
import Networks
import Support
import Surgery

extension Verifier {
  /// Whether the tensors are those of a model that can be calculated with, as far as shapes and types
  /// tell, and whether the metadata say nothing else.
  ///
  /// - Throws: what the families' manifests throw.
  func schema() throws -> VerificationReport.Level {
    let names = "every tensor of family '\(architecture.family)' and no other"
    do {
      try checkMetadata()
      if architecture.isDelta { return .init("schema", .passed, names + "; a delta") }
      guard architecture.encoder?.globalBlocks != nil else {
        return .init(
          "schema", .passed, names + "; nothing says which blocks attend globally")
      }
      try SegmentAnything.check(plan, path: model.path)
    } catch let error as any Failure where error.category == .badData && !(error is FormatError) {
      return .init("schema", .failed, "\(error) [\(error.codeName)]")
    }
    return .init("schema", .passed, names + ", of shapes that fit together")
  }

  /// Checks what the file says of itself against what its tensors tell.
  private func checkMetadata() throws {
    let metadata = ModelMetadata(model.metadata)
    let entries = plan.entries.map(\.info)
    if let family = metadata[.family], try !isComplete(family, entries) {
      throw contradiction(.family, found: family, told: architecture.family)
    }
    if let size = try metadata.imageSize, let told = architecture.imageSize, size != told {
      throw contradiction(.imageSize, found: "\(size)", told: "\(told)")
    }
    // A delta that holds all of a model's tensors is the model.
    guard architecture.isDelta else { return }
    let found = try Recogniser().recognise(entries, isCanonical: true)
    if let manifest = found.manifest, found.report.isComplete, found.symbols["g"] != nil {
      throw contradiction(.family, found: architecture.family, told: manifest.family)
    }
  }

  /// Whether the tensors are all of a family's, of which some differ in what surrounds them in a file alone.
  private func isComplete(_ family: String, _ tensors: [TensorInfo]) throws -> Bool {
    do {
      let found = try Recogniser().recognise(tensors, as: family)
      return found.manifest != nil && found.report.isComplete
    } catch let error as SurgeryError where error.code == .unknownFamily {
      return false
    }
  }

  private func contradiction(
    _ key: ModelMetadata.Key, found: String, told: String
  ) -> SurgeryError {
    SurgeryError(
      .badMetadata, file: model.path, subject: key.rawValue,
      expected: "'\(told)', as the tensors tell",
      found: "'\(found.escapedForDisplay.shortened())'")
  }
}
