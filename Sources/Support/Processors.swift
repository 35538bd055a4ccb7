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
public var peakResidentBytes: Int {
  var usage = rusage()
  getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
  return Int(usage.ru_maxrss) * 1024
}
