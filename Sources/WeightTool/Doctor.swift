import ArgumentParser
import Formats
import Support

struct Doctor: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "doctor",
    abstract: "Check this machine, and say what files are and what to do with them.",
    discussion: """
      Tells processor, memory, disk and libraries, calculates what is known beforehand, and writes and
      reads back a small model in every container. For each FILE or folder: what it is, what is wrong
      with it, and the command that comes next. Ends with 2 when a check of the machine fails, with
      the code of the first file that cannot be read otherwise.

      Examples:
        wt doctor
        wt doctor download.pth scan.nii.gz
      """)

  @Argument(help: "Files or folders to look at.", completion: .file()) var files: [String] = []
  @OptionGroup(title: "Reading") var reading: ReadingOptions
  @OptionGroup(title: "Everywhere") var global: GlobalOptions

  func run() throws {
    let checks = MachineChecks().all()
    let findings = files.map { FileTriage(reading).finding($0) }
    let isSound = !checks.contains { $0.status == .failed }
    try Console.result(
      global.json ? json(checks, findings, isSound).encoded() : text(checks, findings))
    if !isSound { throw ExitCode(2) }
    if let category = findings.lazy.compactMap(\.category).first {
      throw ExitCode(category.rawValue)
    }
  }

  private func text(_ checks: [MachineCheck], _ findings: [FileFinding]) -> String {
    let rows = checks.map {
      [$0.status.rawValue, $0.name, $0.found + ($0.remedy.map { "; \($0)" } ?? "")]
    }
    return (Table(rows).lines + findings.flatMap(\.lines)).joined(separator: "\n")
  }

  private func json(
    _ checks: [MachineCheck], _ findings: [FileFinding], _ isSound: Bool
  ) -> JSON {
    .object([
      ("version", .string(toolVersion)), ("ok", .bool(isSound)),
      ("checks", .array(checks.map(\.json))), ("files", .array(findings.map(\.json))),
      ("peak_rss_bytes", .int(peakResidentBytes)),
    ])
  }
}
