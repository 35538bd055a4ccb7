#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// Runs one command under an address-space limit and says what it took.
///
///     measure REPORT LIMIT COMMAND [ARGUMENT…]
///
/// The report is one line: exit status, signal, peak resident KiB, milliseconds, milliseconds of
/// processor time. This is a process of its own because Linux counts the peak of whoever starts a
/// child as the child's.
@main
enum Measure {
  static func main() {
    let words = CommandLine.arguments
    guard words.count >= 4, let limit = UInt(words[2]) else { exit(64) }
    var bounds = rlimit(rlim_cur: rlim_t(limit), rlim_max: rlim_t(limit))
    guard setrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &bounds) == 0 else { exit(71) }
    let start = ContinuousClock.now
    guard let child = spawn(Array(words[3...])) else { exit(71) }
    var (status, usage) = (Int32(0), rusage())
    while wait4(child, &status, 0, &usage) < 0 { guard errno == EINTR else { exit(71) } }
    let elapsed = (ContinuousClock.now - start) / .milliseconds(1)
    let signal = status & 0x7F
    let code = signal == 0 ? (status >> 8) & 0xFF : 0
    let used = milliseconds(usage.ru_utime) + milliseconds(usage.ru_stime)
    let line = "\(code) \(signal) \(usage.ru_maxrss) \(Int(elapsed)) \(used)\n"
    guard let report = fopen(words[1], "w") else { exit(73) }
    fputs(line, report)
    fclose(report)
  }

  private static func milliseconds(_ time: timeval) -> Int {
    Int(time.tv_sec) * 1000 + Int(time.tv_usec) / 1000
  }

  private static func spawn(_ words: [String]) -> pid_t? {
    var arguments = words.map { strdup($0) } + [nil]
    defer { arguments.forEach { free($0) } }
    var child = pid_t(0)
    return posix_spawn(&child, words[0], nil, nil, &arguments, environ) == 0 ? child : nil
  }
}
