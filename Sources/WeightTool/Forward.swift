import ArgumentParser
import Formats
import Networks
import Numerics
import Support
import Surgery

extension Precision: ExpressibleByArgument {}

struct MappingOptions: ParsableArguments {
  @Flag(
    inversion: .prefixedNo,
    help: "Use weights where they lie in a safetensors file, which must not be cut meanwhile.")
  var map = true
}

struct Forward: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "forward",
    abstract: "Run a model on an input and write what it computes.",
    discussion: """
      INPUT holds 'input' [stacks, slices, 3, height, width], normalised, with 'boxes' for each
      slice if wanted; or 'image' [3, height, width] of bytes, with 'points' and 'labels', 'box',
      'mask_input', in pixels of the image; then 'masks' and 'best_masks', of SAM's multimask choice,
      are written at the image's own size, 1 inside. Factors are folded into the weights first.

      Examples:
        wt forward masam.safetensors stack.safetensors -o logits.safetensors
        wt forward sam_vit_b.safetensors photo.safetensors -o masks.safetensors --trace
        wt forward masam.safetensors stack.safetensors -o out.safetensors --repeat 3 --json
      """)

  @Argument(help: "The model.", completion: .file()) var model: String
  @Argument(help: "What to run it on.", completion: .file()) var input: String
  @Option(
    name: .shortAndLong, help: ArgumentHelp("Where to write.", valueName: "file"),
    completion: .file(extensions: ["safetensors"]))
  var output: String
  @Option(help: "What matrix products are calculated in.") var precision = Precision.float32
  @Flag(help: "Write every block's output too.") var trace = false
  @Option(help: ArgumentHelp("Run as often, for the times.", valueName: "k")) var `repeat` = 1
  @OptionGroup var mapping: MappingOptions
  @OptionGroup(title: "Output") var writing: OutputOptions
  @OptionGroup(title: "Reading") var reading: ReadingOptions
  @OptionGroup(title: "Everywhere") var global: GlobalOptions

  func validate() throws {
    guard `repeat` > 0 else { throw ValidationError("--repeat must be at least 1.") }
    _ = try writing.format(.safeTensors, for: output)
  }

  func run() throws {
    let stopwatch = Stopwatch()
    for path in [model, input] { try writing.check(output, against: path) }
    writing.noteExisting([output], global)
    let (segmenter, input, files) = try load()
    let loaded = stopwatch.seconds
    guard !writing.dryRun else {
      return try plan(segmenter.architecture)
    }
    var outputs: [NamedTensor] = []
    let times = (0..<`repeat`).map { _ in
      let start = Stopwatch()
      outputs = segmenter.forward(input, traced: trace, progress: global.progress)
      return start.seconds
    }
    let computed = stopwatch.seconds
    warn(outputs)
    let masks = MaskOutputs(
      outputs, of: input, modelSize: segmenter.architecture.imageSize ?? 0)
    try outputs.write(
      with: masks, to: output, format: writing.format(.safeTensors, for: output),
      overwrite: writing.force, isInput: { path in files.contains { $0.isStored(at: path) } })
    let seconds = JSON.seconds(load: loaded, compute: times, save: stopwatch.seconds - computed)
    let shapes =
      outputs.map { ($0.name, $0.tensor.shape) }
      + (try masks?.tensors() ?? []).map { ($0.info.name.text, $0.info.shape) }
    try report(shapes, times, seconds)
  }

  /// What a dry run says.
  private func plan(_ architecture: Architecture) throws {
    try Console.result(
      global.json
        ? JSON.object([
          ("output", .string(output)), ("dry_run", .bool(true)),
          ("precision", .string(precision.rawValue)),
          ("model", .array(architecture.lines.map(JSON.string))),
        ]).encoded() : architecture.lines.joined(separator: "\n"))
  }

  private func load() throws -> (SegmentAnything, ForwardInput, [any Checkpoint]) {
    let checkpoint = try reading.open(model, progress: global.progress)
    try writing.check(output, against: checkpoint)
    let plan = try Blueprint(importing: checkpoint, toolVersion: toolVersion)
    let segmenter = try SegmentAnything(plan, path: model, precision: precision, maps: mapping.map)
    let file = try reading.open(input, progress: global.progress)
    try writing.check(output, against: file)
    let input = try ForwardInput(file, for: segmenter.architecture)
    let unused = ForwardInput.unused(in: file)
    if !unused.isEmpty {
      let names = unused.lazy.map { "'\($0.text.escapedForDisplay.shortened())'" }.firstTen
      global.warn("nothing reads \(names) of the input")
    }
    if case .stacks(let stacks, _) = input, let slices = segmenter.architecture.slices,
      slices != stacks.shape[1]
    {
      global.note(
        "the input has \(stacks.shape[1]) slices a stack; the model was made for \(slices)")
    }
    return (segmenter, input, [checkpoint, file])
  }

  /// Says where numbers are no numbers.
  private func warn(_ outputs: [NamedTensor]) {
    for output in outputs {
      let bad = output.tensor.values.count { !$0.isFinite }
      if bad > 0 { global.warn("\(bad) numbers of '\(output.name)' are not finite") }
    }
  }

  private func report(
    _ outputs: [(name: String, shape: [Int])], _ times: [Double], _ seconds: JSON
  ) throws {
    guard !global.json else {
      return try Console.result(
        JSON.object([
          ("output", .string(output)), ("precision", .string(precision.rawValue)),
          (
            "tensors",
            .object(outputs.map { ($0.name, .array($0.shape.map(JSON.int))) })
          ),
          ("seconds", seconds), ("peak_rss_bytes", .int(peakResidentBytes)),
        ]).encoded())
    }
    let best = times.min() ?? 0
    let lines = outputs.map { "\($0.name) \($0.shape)" }
    try Console.result(
      lines.joined(separator: "\n") + "\n\(output.escapedForDisplay): computed in "
        + "\((best * 1000).rounded() / 1000) s")
  }
}
