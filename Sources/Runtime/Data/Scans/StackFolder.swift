import Formats

/// A case as MA-SAM's own preprocessing leaves it: a file for every slice that holds the stack
/// around it, of shape [height, width, slices], in pickled numpy arrays.
///
/// The volume is put together from the middles of the stacks. That is the volume that they were cut
/// from only if neighbouring stacks say the same of the slices they share, which is checked.
struct StackFolder: Sendable {
  let path: String
  let files: [String]
  let width: Int
  let height: Int

  /// - Throws: `FormatError`, or `DatasetError` with code `faultySource`.
  init(_ path: String, files: [String]) throws {
    self.path = path
    self.files = files
    guard let first = files.first else {
      throw DatasetError(.noCases, file: path, expected: "pickled stacks of slices")
    }
    let shape = try Self.open(first).shape
    (height, width) = (shape[0], shape[1])
    try PlaneLimit.check(width: width, height: height, first)
    var last: [Double]?
    for (place, file) in files.enumerated() {
      let (found, numbers) = try Self.read(file)
      guard found == shape else {
        throw Self.fault(file, "shape \(shape) as the first stack", "\(found)")
      }
      let depth = shape[2]
      // The slice before the middle is the middle of the stack before.
      if let last, depth > 1 {
        let before = stride(from: depth / 2 - 1, to: numbers.count, by: depth).map { numbers[$0] }
        guard before == last else {
          throw Self.fault(
            file, "the slices that the stack before it has",
            "others: stacks \(place - 1) and \(place) were changed each by itself",
            remedy: "prepare the data from the scans themselves")
        }
      }
      last = Self.middle(numbers, depth)
    }
  }

  /// The middle of one stack, of shape [y, x].
  func plane(_ slice: Int) throws -> [Double] {
    let (shape, numbers) = try Self.read(files[slice])
    guard shape[0] == height, shape[1] == width else {
      throw FormatError(.fileChanged, file: files[slice])
    }
    return Self.middle(numbers, shape[2])
  }

  private static func middle(_ numbers: [Double], _ depth: Int) -> [Double] {
    stride(from: depth / 2, to: numbers.count, by: depth).map { numbers[$0] }
  }

  private static func open(_ file: String) throws -> (checkpoint: any Checkpoint, shape: [Int]) {
    let checkpoint = try openCheckpoint(file)
    guard checkpoint.tensors.count == 1, let info = checkpoint.tensors.first,
      info.shape.count == 3, info.shape.allSatisfy({ $0 > 0 }), !info.dtype.isComplex
    else {
      throw fault(
        file, "one array of shape [height, width, slices]",
        checkpoint.tensors.map { "\($0.shape)" }.joined(separator: ", "))
    }
    return (checkpoint, info.shape)
  }

  private static func read(_ file: String) throws -> (shape: [Int], numbers: [Double]) {
    let (checkpoint, shape) = try open(file)
    guard let decoder = ElementDecoder(checkpoint.tensors[0].dtype) else {
      throw fault(file, "real numbers", checkpoint.tensors[0].dtype.rawValue)
    }
    var numbers: [Double] = []
    try checkpoint.bytes(of: 0).withUnsafeBytes { bytes in
      decoder.forEach(bytes) { numbers.append($0) }
    }
    return (shape, numbers)
  }

  private static func fault(
    _ file: String, _ expected: String, _ found: String, remedy: String? = nil
  ) -> DatasetError {
    DatasetError(.faultySource, file: file, expected: expected, found: found, remedy: remedy)
  }
}

/// Pickled stacks as a scan.
struct StackScan: Scan {
  private let stacks: StackFolder

  var path: String { stacks.path }
  var width: Int { stacks.width }
  var height: Int { stacks.height }
  var slices: Int { stacks.files.count }
  let channels = 1
  let affine = Affine.identity
  let spacing = [1.0, 1, 1]

  init(_ stacks: StackFolder) { self.stacks = stacks }

  func plane(_ slice: Int) throws -> [Float] { try stacks.plane(slice).map { Float($0) } }
}

/// Pickled stacks of labels.
struct StackLabels: LabelScan {
  private let stacks: StackFolder

  var path: String { stacks.path }
  var width: Int { stacks.width }
  var height: Int { stacks.height }
  var slices: Int { stacks.files.count }
  let affine = Affine.identity

  init(_ stacks: StackFolder) { self.stacks = stacks }

  func plane(_ slice: Int) throws -> [Int] {
    try stacks.plane(slice).map { number in
      guard let label = Int(exactly: number) else {
        throw FormatError(
          .badLabel, file: stacks.files[slice], expected: "a whole number", found: "\(number)")
      }
      return label
    }
  }
}
