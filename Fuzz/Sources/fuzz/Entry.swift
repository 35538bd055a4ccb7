import Foundation

/// The target that `WT_FUZZ_TARGET` names.
private let target: FuzzTarget = {
  let name = ProcessInfo.processInfo.environment["WT_FUZZ_TARGET"] ?? ""
  guard let target = FuzzTarget(rawValue: name) else {
    fatalError(
      "WT_FUZZ_TARGET must be one of "
        + FuzzTarget.allCases.map(\.rawValue).joined(separator: ", "))
  }
  return target
}()

/// Called once by libFuzzer: writes the seeds when `WT_FUZZ_SEEDS` names a folder for them.
@_cdecl("LLVMFuzzerInitialize")
public func initialize(
  _ count: UnsafeMutablePointer<CInt>?,
  _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?>?
) -> CInt {
  let environment = ProcessInfo.processInfo.environment
  if let folder = environment["WT_FUZZ_SEEDS"], let fixtures = environment["WT_FUZZ_FIXTURES"] {
    do {
      try Seeds(fixtures: fixtures).write(for: target, to: folder)
    } catch {
      fatalError("the seeds cannot be written: \(error)")
    }
  }
  return 0
}

/// Called by libFuzzer with every input.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOne(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  target.run(Array(UnsafeBufferPointer(start: data, count: count)))
  return 0
}
