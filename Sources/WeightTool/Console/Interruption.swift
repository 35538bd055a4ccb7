import Dispatch
import Formats
import Synchronization

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// Takes temporary files along when the process is told to stop.
enum Interruption {
  private static let asked = Atomic<Int32>(0)
  private static let finishes = Atomic<Bool>(false)

  /// The signal that asked a command to come to an end: SIGINT, or SIGTERM for any other.
  static var signal: Int32? {
    let number = asked.load(ordering: .relaxed)
    return number == 0 ? nil : number
  }

  /// From now on the first signal only asks, as the command saves its work; the second one ends it.
  static func letFinish() { finishes.store(true, ordering: .relaxed) }

  /// From now on the first signal ends the process, as it does before `letFinish`.
  static func endAtOnce() { finishes.store(false, ordering: .relaxed) }

  nonisolated(unsafe) private static var sources: [any DispatchSourceSignal] = []

  /// Called once, before anything else runs.
  static func install() {
    ignore(SIGPIPE)
    // Beyond a limit on the size of files writing then fails like on a full disk.
    ignore(SIGXFSZ)
    for number in [SIGINT, SIGTERM, SIGHUP] {
      ignore(number)
      let source = DispatchSource.makeSignalSource(
        signal: number, queue: .global(qos: .userInteractive))
      source.setEventHandler {
        let number = number == SIGINT ? SIGINT : SIGTERM
        if finishes.load(ordering: .relaxed),
          asked.exchange(number, ordering: .relaxed) == 0
        {
          Console.clearProgress()
          Console.write("finishing the step and saving; once more to stop at once\n", to: .talk)
          return
        }
        TemporaryFiles.removeAll {
          Console.clearProgress()
          Console.write("interrupted; what is complete stays\n", to: .talk)
          _exit(128 + number)
        }
      }
      source.resume()
      sources.append(source)
    }
  }
}

/// The function `signal`, which the property of the same name would hide.
private func ignore(_ number: Int32) { signal(number, SIG_IGN) }
