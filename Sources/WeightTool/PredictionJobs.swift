import Datasets
import Formats
import Inference

/// What is done for one scan.
struct PredictionJob {
  var item: PredictionSource.Item
  var target: PredictionTarget
  /// Files beside the labels.
  var preview: String?
  var probabilities: String?
  var isDone = false

  /// Everything that is written.
  var outputs: [String] { target.files + others }
  var others: [String] { [probabilities, preview].compactMap { $0 } }
}

extension Predict {
  /// All jobs, whose outputs are refused before any work is done.
  func jobs(_ source: PredictionSource, _ labels: BoxLabels?) throws -> [PredictionJob] {
    let inputs =
      source.items.flatMap(\.data.files) + [model] + (labels?.files ?? [])
      + [profile.flatMap(ProfileLibrary.path)].compactMap { $0 }
    var check = OutputCheck(inputs: inputs)
    return try source.items.map { item in
      let target = PredictionTarget(item, output: output, isSingle: source.isSingle)
      var job = PredictionJob(item: item, target: target)
      job.preview = preview.map { source.isSingle ? $0 : named($0, item.name) }
      job.probabilities = saveProbabilities ? target.companion("probabilities.h5") : nil
      let finished = `continue` ? target.finished(for: item.data) : []
      job.isDone =
        `continue` && finished.count == target.files.count
        && !target.files.contains(where: check.isInput)
        && job.others.allSatisfy { (try? InputFile($0)) != nil }
      if !job.isDone, !dryRun { try add(job, finished, to: &check) }
      return job
    }
  }

  /// What an interrupted run has left is made anew, but nothing else that has the name.
  private func add(
    _ job: PredictionJob, _ finished: Set<String>, to check: inout OutputCheck
  ) throws {
    for file in job.target.files {
      if `continue`, !check.isInput(file) { try checkUnfinished(file, finished) }
      try check.add(file, overwrites: force || finished.contains(file))
    }
    for file in job.others { try check.add(file, overwrites: force || `continue`) }
  }

  /// With `--continue` a file that is there is labels of the scan, or nobody knows what.
  private func checkUnfinished(_ file: String, _ finished: Set<String>) throws {
    guard !finished.contains(file), (try? InputFile(file)) != nil else { return }
    throw FormatError(
      .outputExists, file: file, found: "it is no map of labels in the scan's extents",
      remedy: "move it away, or leave --continue out and pass --force")
  }

  /// Of a model in several files, all are inputs.
  func check(_ jobs: [PredictionJob], against model: any Checkpoint) throws {
    for file in jobs.filter({ !$0.isDone }).flatMap(\.outputs) {
      try AtomicFile.refuseInput(file, isInput: model.isStored(at: file))
    }
  }

  /// `labels.png` of the case `a` is `labels-a.png`.
  private func named(_ path: String, _ name: String) -> String {
    path.hasSuffix(".png") ? "\(path.dropLast(4))-\(name).png" : "\(path)-\(name).png"
  }
}
