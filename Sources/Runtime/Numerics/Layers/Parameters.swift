import Formats
import Support

/// Reads a model's parameters by name and keeps account of what was there and what was not.
///
/// Layers ask for their tensors; `finish` throws if any was missing, had another shape, or was
/// left over.
public final class ParameterLoader {
  /// How numbers come into memory.
  public enum Reading: Sendable {
    case read
    /// Floats that lie so in a file are looked at where they lie, which takes no memory but the file's;
    /// those that are trained are read.
    case mapped
    /// Not at all: shapes alone matter, and what is calculated means nothing.
    case none
  }

  private let checkpoint: any Checkpoint
  private let reading: Reading
  private let places: [TensorName: Int]
  private var used: Set<TensorName> = []
  private var missing: [TensorName] = []
  private var mismatched: [String] = []
  private let trains: (TensorName) -> Bool
  /// What layers are to do with their weights.
  let purpose: MatrixWeight.Purpose
  /// The tensors that are used where they lie, in the order in which layers asked for them.
  public private(set) var mapped: [Tensor] = []
  /// The parameters that are trained, in the order in which layers asked for them.
  public private(set) var trained: [(name: TensorName, variable: Variable)] = []

  /// - Parameters:
  ///   - purpose: what layers are to do with their weights.
  ///   - trains: which parameters are trained; none unless said.
  public init(
    _ checkpoint: any Checkpoint, _ reading: Reading = .read,
    for purpose: MatrixWeight.Purpose = .training,
    trains: @escaping (TensorName) -> Bool = { _ in false }
  ) {
    self.purpose = purpose
    self.checkpoint = checkpoint
    self.reading = reading
    self.trains = trains
    places = Dictionary(checkpoint.tensors.enumerated().map { ($1.name, $0) }) { first, _ in first }
  }

  /// What lies below a part of the names, such as `mask_decoder`.
  public subscript(_ component: String) -> Parameters {
    Parameters(loader: self, path: component)
  }

  /// The tensor of a whole name; zeros when it is not there or has another shape.
  ///
  /// - Throws: what reading it throws, and `RuntimeError` for a type that is no number.
  func tensor(_ name: TensorName, _ shape: [Int]) throws -> Tensor {
    try tensor(name, shape, reading)
  }

  private func tensor(
    _ name: TensorName, _ shape: [Int], _ reading: Reading
  ) throws -> Tensor {
    guard let place = places[name] else {
      missing.append(name)
      return Tensor(repeating: 0, shape: shape)
    }
    used.insert(name)
    let info = checkpoint.tensors[place]
    guard info.shape == shape else {
      mismatched.append("'\(name)' \(info.shape) instead of \(shape)")
      return Tensor(repeating: 0, shape: shape)
    }
    switch reading {
    case .none:
      _ = try checkpoint.realDecoder(of: place)
      // Memory that nobody touches takes none.
      return Tensor(uninitialised: shape)
    case .mapped:
      if let tensor = try Tensor(mapping: checkpoint, place) {
        mapped.append(tensor)
        return tensor
      }
      fallthrough
    case .read: return try Tensor(reading: checkpoint, place)
    }
  }

  /// The parameter of a whole name, as `tensor` reads it.
  func variable(_ name: TensorName, _ shape: [Int]) throws -> Variable {
    // Layers bring what is fixed into an order of their own at once, which would write all of it.
    if case .none = reading { return .trained(try tensor(name, shape)) }
    guard trains(name) else { return Variable(try tensor(name, shape)) }
    // What is trained is written to, so it cannot lie in the file.
    let variable = Variable.trained(try tensor(name, shape, .read))
    trained.append((name, variable))
    return variable
  }

  var file: String { checkpoint.path }

  func shape(of name: TensorName) -> [Int]? { places[name].map { checkpoint.tensors[$0].shape } }

  /// Checks that all tensors were there and used, but for those that may be left.
  ///
  /// - Throws: `RuntimeError` with code `incompleteModel`.
  public func finish(unused isAllowed: (TensorName) -> Bool = { _ in false }) throws {
    let unused = checkpoint.tensors.map(\.name).filter { !used.contains($0) && !isAllowed($0) }
    guard missing.isEmpty, mismatched.isEmpty, unused.isEmpty else {
      var parts: [String] = []
      if !missing.isEmpty { parts.append("without \(list(missing))") }
      if !mismatched.isEmpty {
        parts.append("with \(mismatched.prefix(10).joined(separator: ", "))")
      }
      if !unused.isEmpty { parts.append("with \(list(unused)) that nothing uses") }
      throw RuntimeError(
        .incompleteModel, file: checkpoint.path,
        expected: "all tensors of the model, and no others",
        found: "a file " + parts.joined(separator: "; "))
    }
  }

  private func list(_ names: [TensorName]) -> String {
    names.lazy.map { "'\($0)'" }.firstTen
  }
}

/// The parameters below one part of the names; written as the checkpoint spells them.
public struct Parameters {
  let loader: ParameterLoader
  public let path: String

  public subscript(_ component: String) -> Parameters {
    Parameters(loader: loader, path: path + "." + component)
  }

  public subscript(_ index: Int) -> Parameters { self["\(index)"] }

  /// The tensors below this path and any other that have been used where they lie so far.
  public var mapped: [Tensor] { loader.mapped }

  var purpose: MatrixWeight.Purpose { loader.purpose }

  /// How many parameters, below this path and elsewhere, are trained so far.
  public var trainedCount: Int { loader.trained.count }

  /// The file that they come from, as errors name it.
  public var file: String { loader.file }

  /// The tensor of this name below the path.
  public func tensor(_ name: String, _ shape: [Int]) throws -> Tensor {
    try loader.tensor(TensorName(path + "." + name), shape)
  }

  /// The parameter of this name below the path, trained if the loader's owner wants that.
  public func variable(_ name: String, _ shape: [Int]) throws -> Variable {
    try loader.variable(TensorName(path + "." + name), shape)
  }

  /// The shape that the file has for it, nil when it has none.
  public func shape(of name: String) -> [Int]? { loader.shape(of: TensorName(path + "." + name)) }
}
