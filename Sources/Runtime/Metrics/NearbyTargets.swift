#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// Finds the nearest of many targets by looking around a point, the closest places first.
///
/// Where targets lie close to most points this is far less work than a transform of everything: in
/// noise the first hit comes within a few dozen places. What it finds is exact, as all places up to
/// the last one's distance are among those that are looked at.
struct NearbyTargets: Sendable {
  private struct Place: Sendable {
    var x, y, z: Int32
    var distance: Double
  }

  private let lattice: Lattice
  /// A bit for every point of the lattice.
  private let bits: [UInt64]
  /// Ascending by distance.
  private let places: [Place]
  /// What to add to a point's index to come to a place.
  private let steps: [Int]
  /// How far places lie from their point.
  private let reach: (x: Int, y: Int, z: Int)

  /// As many places are worth a look where targets are dense, and anywhere.
  static let mostPlaces = 4096
  static let fewPlaces = 64

  /// Whether so many targets are dense: on sparse surfaces most lie far from each other.
  static func areDense(_ count: Int, on lattice: Lattice) -> Bool {
    count >= 1024 && count >= lattice.columns * lattice.rows * lattice.layers / 128
  }

  /// Looks at all places up to a distance.
  ///
  /// - Parameter targets: lists of places in the lattice.
  /// - Returns: nil when those are too many to be worth it.
  init?(_ targets: [[UInt32]], on lattice: Lattice, within radius: Double) {
    let isDense = Self.areDense(targets.reduce(0) { $0 + $1.count }, on: lattice)
    let most = isDense ? Self.mostPlaces : Self.fewPlaces
    guard let places = Self.places(lattice, radius), places.count <= most else { return nil }
    self.lattice = lattice
    self.places = places
    bits = Self.bits(targets, lattice)
    steps = places.map { place in
      Int(place.x) + lattice.columns * (Int(place.y) + lattice.rows * Int(place.z))
    }
    reach = (
      places.map { Int($0.x) }.max() ?? 0, places.map { Int($0.y) }.max() ?? 0,
      places.map { Int($0.z) }.max() ?? 0
    )
  }

  /// The radius of the ball that about half of the most places fill.
  static func radius(on lattice: Lattice) -> Double {
    let (count, spacing) = (Double(mostPlaces) / 2, lattice.spacing)
    return lattice.layers == 1
      ? (count * spacing.x * spacing.y / .pi).squareRoot()
      : cbrt(0.75 * count * spacing.x * spacing.y * spacing.z / .pi)
  }

  private static func bits(_ targets: [[UInt32]], _ lattice: Lattice) -> [UInt64] {
    var bits = [UInt64](
      repeating: 0, count: (lattice.columns * lattice.rows * lattice.layers + 63) / 64)
    bits.withUnsafeMutableBufferPointer { bits in
      for list in targets {
        for target in list { bits[Int(target >> 6)] |= 1 << UInt64(target & 63) }
      }
    }
    return bits
  }

  /// All places within a ball, the nearest first; nil for one of far too many.
  private static func places(_ lattice: Lattice, _ radius: Double) -> [Place]? {
    let (sizes, spacing) = ([lattice.columns, lattice.rows, lattice.layers], lattice.spacing)
    let reach = zip(sizes, [spacing.x, spacing.y, spacing.z]).map { size, step in
      Int(min((radius / step).rounded(.up), Double(size - 1)))
    }
    // A step that is far smaller than the others makes a ball a needle of very many places.
    guard reach.reduce(1.0, { $0 * Double(2 * $1 + 1) }) <= Double(8 * mostPlaces) else {
      return nil
    }
    var places: [Place] = []
    for z in -reach[2]...reach[2] {
      for y in -reach[1]...reach[1] {
        for x in -reach[0]...reach[0] {
          let distance = lattice.distance(x, y, z)
          guard distance <= radius else { continue }
          places.append(Place(x: Int32(x), y: Int32(y), z: Int32(z), distance: distance))
        }
      }
    }
    return places.sorted { $0.distance < $1.distance }
  }

  /// The distance of the nearest target, nil when there is none around; and the places looked at.
  func search(from point: UInt32) -> (distance: Double?, looks: Int) {
    let found = index(from: point)
    return (found.map { places[$0].distance }, (found ?? places.count) + 1)
  }

  private func index(from point: UInt32) -> Int? {
    let (row, x) = Int(point).quotientAndRemainder(dividingBy: lattice.columns)
    let (z, y) = row.quotientAndRemainder(dividingBy: lattice.rows)
    let isInside =
      x >= reach.x && x < lattice.columns - reach.x && y >= reach.y && y < lattice.rows - reach.y
      && z >= reach.z && z < lattice.layers - reach.z
    return isInside ? inside(Int(point)) : atBorder(x, y, z)
  }

  /// Whether there is a target within the radius of each point.
  func haveTarget(near points: [UInt32]) -> [Bool] { points.map { index(from: $0) != nil } }

  private func inside(_ point: Int) -> Int? {
    bits.withUnsafeBufferPointer { bits in
      steps.withUnsafeBufferPointer { steps in
        for index in 0..<steps.count {
          let place = point &+ steps[index]
          if bits[place >> 6] >> UInt64(place & 63) & 1 == 1 { return index }
        }
        return nil
      }
    }
  }

  private func atBorder(_ x: Int, _ y: Int, _ z: Int) -> Int? {
    let point = x + lattice.columns * (y + lattice.rows * z)
    return places.indices.first { index in
      let place = places[index]
      guard 0..<lattice.columns ~= x + Int(place.x), 0..<lattice.rows ~= y + Int(place.y),
        0..<lattice.layers ~= z + Int(place.z)
      else { return false }
      let target = point + steps[index]
      return bits[target >> 6] >> UInt64(target & 63) & 1 == 1
    }
  }
}

extension Lattice {
  /// How long a way of so many steps is, rounded as the transform rounds it.
  fileprivate func distance(_ x: Int, _ y: Int, _ z: Int) -> Double {
    let across = Double(x) * spacing.x
    let down = Double(y) * spacing.y
    let deep = Double(z) * spacing.z
    return (across * across + down * down + deep * deep).squareRoot()
  }
}
