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
      CommandGroup(
        name: "Run",
        subcommands: [
          Forward.self, Verify.self, PlanCommand.self, Prepare.self, Train.self, Predict.self,
          Eval.self, Bench.self,
        ]),
      CommandGroup(name: "Begin", subcommands: [Doctor.self, Demo.self]),
    ])
}

@main
enum Entry {
  static func main() {
    Interruption.install()
    MappedFileLoss.install()
    do {
      var command = try WT.parseAsRoot()
      try command.run()
    } catch let failure as any Failure {
      Console.fail("\(failure) [\(failure.codeName)]", failure.codeName, failure.category)
    } catch let status as ExitCode {
      exit(status.rawValue)
    } catch {
      let code = WT.exitCode(for: error).rawValue
      let message = WT.fullMessage(for: error)
      guard code != 0 else {
        Console.write(message + "\n", to: .result)
        exit(code)
      }
      // Whatever is neither usage nor a typed failure is a bug of ours.
      let category = FailureCategory(rawValue: code) ?? .internalBug
      Console.fail(
        message, category == .usage ? "usage" : "internalBug", category, prefix: "")
    }
  }
}
