import Support

/// Time since it was made.
struct Stopwatch {
  private let start = ContinuousClock.now

  var seconds: Double { (ContinuousClock.now - start).inSeconds }
}

extension JSON {
  /// The times that every computing command prints, in seconds.
  static func seconds(load: Double, compute: [Double] = [], save: Double) -> JSON {
    .object([
      ("load", .double(load)), ("compute", .array(compute.map(JSON.double))),
      ("save", .double(save)),
    ])
  }
}
