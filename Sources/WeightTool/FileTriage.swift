import Datasets
import Formats
import Support
import Surgery

/// What a file or folder is, and what to do with it.
struct FileFinding {
  var path: String
  /// What it is, in a few lines; why it cannot be read if it cannot.
  var description: [String]
  /// The command that comes next.
  var suggestion: String?
  /// Of the failure, if there was one.
  var category: FailureCategory?
  var code: String?

  var lines: [String] {
    description + (suggestion.map { ["  next: \($0)"] } ?? [])
  }

  var json: JSON {
    .object([
      ("path", .string(path)), ("description", .array(description.map(JSON.string))),
      ("suggestion", suggestion.map(JSON.string) ?? .null),
      ("code", code.map(JSON.string) ?? .null),
    ])
  }
}

/// Finds out what files are by opening them as what they could be.
struct FileTriage {
  private let reading: ReadingOptions

  init(_ reading: ReadingOptions) { self.reading = reading }

  func finding(_ path: String) -> FileFinding {
    do {
      if FolderListing.isFolder(path) { return folder(path) }
      return try scan(path) ?? dataset(path) ?? checkpoint(path)
    } catch {
      let failure = error as? any Failure
      return FileFinding(
        path: path, description: ["\(failure.map { "\($0) [\($0.codeName)]" } ?? "\(error)")"],
        category: failure?.category ?? .internalBug, code: failure?.codeName)
    }
  }

  /// NIfTI has a mark of its own that no checkpoint has, behind gzip as well.
  private func scan(_ path: String) throws -> FileFinding? {
    let names = [".nii", ".nii.gz", ".hdr", ".img"]
    let isNamed = names.contains(where: path.lowercased().hasSuffix)
    do {
      let file = try NIfTIFile(path)
      let shape = file.shape.map(String.init).joined(separator: " × ")
      let spacing = file.spacing.map(Console.rounded).joined(separator: " × ")
      return FileFinding(
        path: path,
        description: [
          "\(path.escapedForDisplay): NIfTI, \(shape) voxels of \(spacing) mm, \(file.type)"
        ],
        suggestion: "wt predict MODEL \(quoted(path)) -o labels.nii.gz")
    } catch {
      // A file that is named as a scan is to be judged as one.
      if isNamed { throw error }
      return nil
    }
  }

  /// What `wt prepare` wrote is HDF5, which a checkpoint can be as well.
  private func dataset(_ path: String) -> FileFinding? {
    guard let file = try? DatasetFile(path: path) else { return nil }
    let counts = DatasetSplit.allCases.map { split in
      "\(file.cases.count { $0.split == split }) \(split.rawValue)"
    }
    return FileFinding(
      path: path,
      description: [
        "\(path.escapedForDisplay): training data, \(file.cases.count) cases "
          + "(\(counts.joined(separator: ", "))), \(file.classNames.count) classes"
      ],
      suggestion: "wt train MODEL \(quoted(path)) -o run")
  }

  private func checkpoint(_ path: String) throws -> FileFinding {
    let checkpoint = try reading.open(path)
    let recognition = try Recogniser().recognise(checkpoint)
    let official = try OfficialFile.identify(path)
    return FileFinding(
      path: path,
      description: Description(checkpoint, recognition, official: official).lines,
      suggestion: suggestion(recognition, checkpoint, quoted(path)))
  }

  private func suggestion(
    _ recognition: Recognition, _ checkpoint: any Checkpoint, _ path: String
  ) -> String {
    guard recognition.manifest != nil, recognition.report.isComplete,
      let model = try? Architecture(recognition, of: checkpoint.tensors, checkpoint.metadata)
    else { return "wt import \(path)" }
    if model.isDelta { return "wt merge-fact \(path) --base SAM -o merged.safetensors" }
    let isCanonical = recognition.dialect?.identifier == recognition.manifest?.family
    guard isCanonical, checkpoint.container == .safeTensors else { return "wt import \(path)" }
    let isAdapted = model.factors != nil || model.adapters != nil || model.decoder.kind != .sam
    if !isAdapted { return "wt adapt \(path) -o masam.safetensors --classes N" }
    return model.merged == nil
      ? "wt train \(path) DATA.h5 -o run" : "wt predict \(path) SCAN -o labels.nii.gz"
  }

  private func folder(_ path: String) -> FileFinding {
    guard let layout = try? SourceLayout(path), !layout.cases.isEmpty else {
      return FileFinding(
        path: path, description: ["\(path.escapedForDisplay): a folder without scans and labels"],
        suggestion: "wt predict MODEL \(quoted(path)) -o predictions")
    }
    return FileFinding(
      path: path,
      description: [
        "\(path.escapedForDisplay): a folder of \(layout.cases.count) cases with labels"
      ],
      suggestion: "wt prepare \(quoted(path)) -o data.h5 --profile NAME")
  }

  /// As a shell takes it.
  private func quoted(_ path: String) -> String { ShellWord(path).text }
}
