#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// The processors that this process may run on; where the system does not tell, those that are online.
public var availableProcessors: Int {
  // A mask in hexadecimal digits.
  let allowed = processStatus("Cpus_allowed:")?.reduce(0) {
    $0 + ($1.hexDigitValue?.nonzeroBitCount ?? 0)
  }
  // Those that are not there are allowed, too.
  let online = Int(sysconf(Int32(_SC_NPROCESSORS_ONLN)))
  return max(1, min(allowed ?? online, online))
}

/// The machine's memory in bytes; where the system does not tell, 8 GiB.
public var physicalMemory: Int {
  let pages = Int(sysconf(Int32(_SC_PHYS_PAGES)))
  let pageSize = Int(sysconf(Int32(_SC_PAGESIZE)))
  return pages > 0 && pageSize > 0 ? pages * pageSize : 1 << 33
}

/// Half of the machine's memory in bytes: the most that one file may make us hold.
public var halfOfPhysicalMemory: Int { physicalMemory / 2 }

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

private var ownPeakResidentBytes: Int? {
  guard let words = processStatus("VmHWM:")?.split(separator: " "), words.count == 2 else {
    return nil
  }
  return Int(words[0]).map { $0 * 1024 }
}

/// What stands behind a name in `/proc/self/status`, nil where there is no such file or name.
private func processStatus(_ name: String) -> String? {
  guard let file = fopen("/proc/self/status", "r") else { return nil }
  defer { fclose(file) }
  // Of the longest line, a mask of thousands of processors.
  var line = [CChar](repeating: 0, count: 4096)
  while fgets(&line, Int32(line.count), file) != nil {
    let text = String(decoding: line.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    if text.hasPrefix(name) {
      return text.dropFirst(name.count).split(whereSeparator: \.isWhitespace)
        .joined(separator: " ")
    }
  }
  return nil
}
