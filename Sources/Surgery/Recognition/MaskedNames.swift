import Formats

/// Names, found by what is left of them without their numbers.
struct MaskedNames {
  let names: [TensorName]
  private let places: [String: [Int]]

  init(_ names: [TensorName]) {
    self.names = names
    places = Dictionary(grouping: names.indices) { NameTemplate.masked(names[$0].text) }
  }

  /// Where the names stand that a template could match, in their order.
  func places(like template: NameTemplate) -> [Int] { places[template.shape] ?? [] }
}
