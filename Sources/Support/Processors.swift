#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// The processors that are online now.
public var availableProcessors: Int {
  max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))))
}

/// Half of the machine's memory in bytes: the most that one file may make us hold.
public var halfOfPhysicalMemory: Int {
  let pages = Int(sysconf(Int32(_SC_PHYS_PAGES)))
  let pageSize = Int(sysconf(Int32(_SC_PAGESIZE)))
  return pages > 0 && pageSize > 0 ? pages / 2 * pageSize : 1 << 32
}

/// The largest resident size this process has had, in bytes.
///
/// Linux counts what the starting process had held into the usual figure, so the kernel's own line is
/// asked for first.
public var peakResidentBytes: Int {
  if let own = ownPeakResidentBytes { return own }
  var usage = rusage()
  getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
  return Int(usage.ru_maxrss) * 1024
}

/// `VmHWM` of `/proc/self/status`, nil where there is no such file.
private var ownPeakResidentBytes: Int? {
  guard let file = fopen("/proc/self/status", "r") else { return nil }
  defer { fclose(file) }
  var line = [CChar](repeating: 0, count: 256)
  while fgets(&line, Int32(line.count), file) != nil {
    let words = String(
      decoding: line.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self
    )
    .split(whereSeparator: \.isWhitespace)
    if words.count == 3, words[0] == "VmHWM:" { return Int(words[1]).map { $0 * 1024 } }
  }
  return nil
}
