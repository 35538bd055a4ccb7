/// The classes that are looked at, each with a place in a list.
struct ClassSlots: Sendable {
  let classes: [UInt16]
  /// For every label its place in the list, −1 for those that are not looked at.
  private let places: [Int32]

  init(_ classes: [UInt16]) {
    precondition(classes.allSatisfy { $0 <= LabelGrid.highestLabel })
    self.classes = classes
    var places = [Int32](repeating: -1, count: Int(UInt16.max) + 1)
    for (place, label) in classes.enumerated() { places[Int(label)] = Int32(place) }
    self.places = places
  }

  var count: Int { classes.count }

  subscript(_ label: UInt16) -> Int? {
    let place = places[Int(label)]
    return place < 0 ? nil : Int(place)
  }
}
