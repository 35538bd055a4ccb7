import ArgumentParser
import Formats
import Support

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// The version that `--version` prints and outputs carry.
let toolVersion = "0.1.0"

struct WT: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "wt",
    abstract: "Converts, inspects and compares the weights of segmentation models.",
    discussion: """
      Examples:
        wt import sam_vit_h_4b8939.pth
        wt inspect sam_vit_h_4b8939.safetensors
        wt diff before.safetensors after.pth
      """,
    version: toolVersion,
    groupedSubcommands: [
      CommandGroup(name: "Look", subcommands: [Inspect.self, Diff.self, Hash.self]),
      CommandGroup(
        name: "Change",
        subcommands: [
          ImportCommand.self, Adapt.self, MergeFact.self, UnmergeFact.self, Apply.self,
          Extract.self, SetClassesCommand.self, CastCommand.self, AverageCommand.self, Export.self,
          SurgeryCommand.self,
        ]),
      CommandGroup(name: "Run", subcommands: [Forward.self, Verify.self, Prepare.self]),
    ])
}

@main
enum Entry {
  static func main() {
    Interruption.install()
    do {
      var command = try WT.parseAsRoot()
      try command.run()
    } catch let failure as any Failure {
      fail("\(failure) [\(failure.codeName)]", failure.category.rawValue)
    } catch let status as ExitCode {
      exit(status.rawValue)
    } catch {
      let code = WT.exitCode(for: error).rawValue
      let message = WT.fullMessage(for: error)
      Console.write(code == 0 ? message + "\n" : "", to: .result)
      Console.write(code == 0 ? "" : message + "\n", to: .talk)
      // Whatever is neither usage nor a typed failure is a bug of ours.
      exit(code == 1 ? FailureCategory.internalBug.rawValue : code)
    }
  }

  private static func fail(_ message: String, _ code: Int32) -> Never {
    Console.clearProgress()
    Console.write("error: " + message + "\n", to: .talk)
    exit(code)
  }
}
