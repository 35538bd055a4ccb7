import Dispatch
import Formats

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// Takes temporary files along when the process is told to stop.
enum Interruption {
  nonisolated(unsafe) private static var sources: [any DispatchSourceSignal] = []

  /// Called once, before anything else runs.
  static func install() {
    signal(SIGPIPE, SIG_IGN)
    for number in [SIGINT, SIGTERM, SIGHUP] {
      signal(number, SIG_IGN)
      let source = DispatchSource.makeSignalSource(
        signal: number, queue: .global(qos: .userInteractive))
      source.setEventHandler {
        TemporaryFiles.removeAll()
        Console.clearProgress()
        Console.write("interrupted; nothing was changed\n", to: .talk)
        _exit(128 + (number == SIGINT ? SIGINT : SIGTERM))
      }
      source.resume()
      sources.append(source)
    }
  }
}
