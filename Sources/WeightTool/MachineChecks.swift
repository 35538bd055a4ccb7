import Formats
import Foundation
import Numerics
import Support
import Surgery
import Verification

/// One thing that was looked at, and what was found.
struct MachineCheck {
  enum Status: String {
    case fine = "ok"
    /// Works, but not as well as it could.
    case warning = "warn"
    case failed = "FAIL"
  }

  var name: String
  var status: Status
  var found: String
  var remedy: String?

  var json: JSON {
    .object([
      ("name", .string(name)), ("status", .string(status.rawValue.lowercased())),
      ("found", .string(found)), ("remedy", remedy.map(JSON.string) ?? .null),
    ])
  }
}

/// What a machine must have and be able to do for wt to work on it.
struct MachineChecks {
  /// What the smallest useful model and its data take.
  private static let leastMemory = 2 << 30
  private static let leastDisk = 4 << 30

  func all() -> [MachineCheck] {
    [processor, memory] + disks + [libraries] + SelfTest.all().map(arithmetic)
      + OutputFormat.Container.allCases.map(container)
  }

  private var processor: MachineCheck {
    let lines = Self.lines(of: "/proc/cpuinfo")
    let flags = Set((Self.value("flags", in: lines) ?? "").split(separator: " ").map(String.init))
    let known = [
      ("avx2", "AVX2"), ("avx512f", "AVX-512"), ("avx512_bf16", "AVX512-BF16"),
      ("amx_bf16", "AMX"),
    ]
    let found = known.filter { flags.contains($0.0) }.map(\.1)
    let name = Self.value("model name", in: lines) ?? "unknown"
    let isSlow = !flags.isEmpty && !flags.contains("avx2")
    return MachineCheck(
      name: "processor", status: isSlow ? .warning : .fine,
      found: "\(name), \(availableProcessors) available, \(Threads.count) used"
        + (found.isEmpty ? "" : ", \(found.joined(separator: ", "))"),
      remedy: isSlow ? "without AVX2 everything takes several times as long" : nil)
  }

  private var memory: MachineCheck {
    let lines = Self.lines(of: "/proc/meminfo")
    let (total, free) = (
      Self.kilobytes("MemTotal", in: lines), Self.kilobytes("MemAvailable", in: lines)
    )
    guard let total, let free else {
      return MachineCheck(name: "memory", status: .warning, found: "not told by the system")
    }
    let isLittle = free < Self.leastMemory
    return MachineCheck(
      name: "memory", status: isLittle ? .warning : .fine,
      found: "\(Console.bytes(total)), \(Console.bytes(free)) available",
      remedy: isLittle ? "'wt plan MODEL' tells what a model takes" : nil)
  }

  /// Where outputs go unless they are named otherwise, and where compressed files are unpacked.
  private var disks: [MachineCheck] {
    [("disk here", "."), ("disk for temporary files", Self.scratch)].map { name, path in
      let values = try? FileManager.default.attributesOfFileSystem(forPath: path)
      guard let free = (values?[.systemFreeSize] as? NSNumber)?.intValue else {
        return MachineCheck(
          name: name, status: .failed, found: "\(path.escapedForDisplay) cannot be looked at",
          remedy: "make the folder, or name another with TMPDIR")
      }
      let isLittle = free < Self.leastDisk
      return MachineCheck(
        name: name, status: isLittle ? .warning : .fine,
        found: "\(Console.bytes(free)) free in \(path.escapedForDisplay)",
        remedy: isLittle ? "a ViT-H takes 2.6 GB" : nil)
    }
  }

  private var libraries: MachineCheck {
    MachineCheck(
      name: "libraries", status: .fine,
      found: (Formats.libraryVersions + Numerics.libraryVersions)
        .map { "\($0.name) \($0.version)" }.joined(separator: ", "))
  }

  private func arithmetic(_ test: SelfTest) -> MachineCheck {
    MachineCheck(
      name: test.name, status: test.passes ? .fine : .failed,
      found: test.passes
        ? "as calculated by hand"
        : "differ by \(Console.rounded(test.difference)), at most \(test.limit) is allowed",
      remedy: test.passes ? nil : "do not use this machine for it; update oneDNN (libdnnl)")
  }

  /// Writing reads back and compares, so that a container that works says so itself.
  private func container(_ container: OutputFormat.Container) -> MachineCheck {
    let path = "\(Self.scratch)/wt-doctor-\(getpid()).\(container.rawValue)"
    defer { try? FileManager.default.removeItem(atPath: path) }
    do {
      let chunks: HDF5Compression = container == .hdf5 ? .zstd(level: 3) : .none
      let summary = try SAMForm.small.random(seed: 1, toolVersion: toolVersion).write(
        to: path, format: OutputFormat(container, chunkCompression: chunks), overwrite: false)
      return MachineCheck(
        name: "\(container.rawValue) files", status: .fine,
        found: "\(Console.grouped(summary.tensorCount)) tensors written and read back")
    } catch {
      return MachineCheck(
        name: "\(container.rawValue) files", status: .failed, found: "\(error)",
        remedy: "see that \(Self.scratch.escapedForDisplay) can be written, or set TMPDIR")
    }
  }

  private static var scratch: String { Environment["TMPDIR"] ?? "/tmp" }

  private static func lines(of path: String) -> [Substring] {
    ((try? String(contentsOfFile: path, encoding: .utf8)) ?? "").split(separator: "\n")
  }

  private static func value(_ key: String, in lines: [Substring]) -> String? {
    lines.lazy.compactMap { line in
      let parts = line.split(separator: ":", maxSplits: 1)
      guard parts.count == 2, parts[0].trimmingCharacters(in: .whitespaces) == key else {
        return nil
      }
      return parts[1].trimmingCharacters(in: .whitespaces)
    }.first
  }

  private static func kilobytes(_ key: String, in lines: [Substring]) -> Int? {
    value(key, in: lines).flatMap { $0.split(separator: " ").first }.flatMap { Int($0) }
      .map { $0 * 1024 }
  }
}
