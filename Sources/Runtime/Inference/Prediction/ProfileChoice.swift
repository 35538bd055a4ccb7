import Datasets
import Formats

extension Profile {
  /// The rules for a model's input: those that it carries, or those that are asked for.
  ///
  /// - Parameters:
  ///   - carried: what the model has under `wt.profile`: a profile's text or name.
  ///   - asked: what the user chose.
  ///   - model: the model's path, for messages.
  /// - Throws: `DatasetError` with code `noProfile`, `differentProfile` or `badProfile`.
  public init(carried: String?, asked: Profile?, model: String) throws {
    let own = try carried.map { text in
      ProfileLibrary.names.contains(text)
        ? try ProfileLibrary.profile(text) : try Profile(yaml: text, file: model)
    }
    switch (own, asked) {
    case (let own?, let asked?):
      guard own.agrees(with: asked) else {
        throw DatasetError(
          .differentProfile, file: model, expected: "the rules of '\(own.name)': \(own.modelText)",
          found: "those of '\(asked.name)': \(asked.modelText)",
          remedy: "leave --profile out, or change what the model carries if it is wrong")
      }
      self = own
    case (let own?, nil): self = own
    case (nil, let asked?): self = asked
    case (nil, nil):
      throw DatasetError(
        .noProfile, file: model, remedy: "choose the one it was trained with: --profile NAME")
    }
  }
}
