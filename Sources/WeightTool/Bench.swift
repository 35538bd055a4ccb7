import ArgumentParser
import Benchmarking
import Formats
import Numerics
import Planning
import Support
import Surgery

struct Bench: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench",
    abstract: "Time the kernels that models are calculated with, on this machine.",
    discussion: """
      Each kernel runs by itself on all threads, but for the smallest products, which say on how many. The
      extents are those of MODEL's encoder or of MA-SAM's ViT-B on five slices of 512 pixels; the shortest
      run counts. Neck, decoder and loss have the extents that SAM's and MA-SAM's have. A product in bf16
      rounds its input first, as it does in a model.

      Examples:
        wt bench
        wt bench masam.safetensors --threads 1 --json
      """)

  @Argument(help: "A model whose extents to use.", completion: .file()) var model: String?
  @Option(help: ArgumentHelp("How long each kernel is repeated.", valueName: "seconds"))
  var seconds = 0.25
  @OptionGroup(title: "Reading") var reading: ReadingOptions
  @OptionGroup(title: "Everywhere") var global: GlobalOptions

  func validate() throws {
    guard seconds >= 0, seconds <= 3600 else {
      throw ValidationError("--seconds must be from 0 to 3600.")
    }
  }

  func run() throws {
    let stopwatch = Stopwatch()
    let benchmark = try benchmark()
    let counter = ProgressCounter("timing", total: 3, unit: .pieces, global.progress)
    var timings: [KernelTiming] = []
    var rates: [(precision: Precision, rate: Double)] = []
    for precision in Precision.allCases {
      let products = benchmark.products(precision)
      rates.append((precision, products.compactMap(\.operationsPerSecond).max() ?? 0))
      timings += products
      counter.add(1)
    }
    timings += benchmark.savings() + benchmark.others() + benchmark.backward()
    counter.add(1)
    try Console.result(
      global.json
        ? json(timings, rates, stopwatch.seconds).encoded() : text(timings, rates))
  }

  private func benchmark() throws -> KernelBenchmark {
    guard let model else { return try .viTB(seconds: seconds) }
    let checkpoint = try reading.open(model, progress: global.progress)
    let plan = try Blueprint(importing: checkpoint, toolVersion: toolVersion)
    let architecture = try Architecture(plan)
    guard let encoder = architecture.encoder else {
      throw RuntimeError(
        .unsupportedModel, file: model, expected: "a model with an image encoder",
        found: "a delta", remedy: "combine it with its base: wt apply DELTA --base BASE -o MODEL")
    }
    let slices = architecture.slices ?? 5
    try checkMemory(plan, slices)
    return KernelBenchmark(architecture, encoder: encoder, slices: slices, seconds: seconds)
  }

  /// Kernels take what a model takes, numbers and gradients; a file may claim any extents.
  private func checkMemory(_ plan: Blueprint, _ slices: Int) throws {
    let workload = try Workload(
      plan, slices: slices, precision: .float32, path: model)
    let needed = try MemoryEstimate(
      plan, slices: workload.slices, trains: true, precision: .float32
    ).total
    guard needed > physicalMemory else { return }
    throw RuntimeError(
      .unsupportedModel, file: model,
      expected: "kernels that fit into the \(Console.bytes(physicalMemory)) of this machine",
      found: "about \(Console.bytes(needed)) for \(slices) slices",
      remedy: "give a model of a smaller image size: wt adapt --image-size")
  }

  private func text(
    _ timings: [KernelTiming], _ rates: [(precision: Precision, rate: Double)]
  ) -> String {
    let rows = timings.map { timing in
      [
        timing.name, timing.extents, "\(Console.rounded(timing.seconds * 1000)) ms",
        timing.operationsPerSecond.map { "\(Console.rounded($0 / 1e9)) GFLOP/s" } ?? "",
        timing.bytesPerSecond.map { "\(Console.rounded($0 / 1e9)) GB/s" } ?? "",
      ]
    }
    let fastest = rates.map { rate in
      "\(rate.precision.rawValue) \(Console.rounded(rate.rate / 1e9)) GFLOP/s"
    }
    return
      (Table(rows).lines + [
        "fastest products on \(Threads.count) threads: \(fastest.joined(separator: ", "))"
      ]).joined(separator: "\n")
  }

  private func json(
    _ timings: [KernelTiming], _ rates: [(precision: Precision, rate: Double)], _ total: Double
  ) -> JSON {
    .object([
      ("threads", .int(Threads.count)),
      (
        "products_flops_per_second",
        .object(rates.map { ($0.precision.rawValue, .double($0.rate)) })
      ),
      (
        "kernels",
        .array(
          timings.map { timing in
            .object([
              ("name", .string(timing.name)), ("extents", .string(timing.extents)),
              ("seconds", .double(timing.seconds)),
              ("flops_per_second", timing.operationsPerSecond.map(JSON.double) ?? .null),
              ("bytes_per_second", timing.bytesPerSecond.map(JSON.double) ?? .null),
            ])
          })
      ), ("seconds", .double(total)), ("peak_rss_bytes", .int(peakResidentBytes)),
    ])
  }
}
