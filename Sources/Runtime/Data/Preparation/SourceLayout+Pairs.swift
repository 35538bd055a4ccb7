import Formats

extension SourceLayout {
  typealias NamedFile = (file: String, name: SourceName)

  /// A folder's path and those of its files that are named like data.
  struct Folder {
    var path: String
    var files: [NamedFile]

    init(_ path: String, _ files: [String]) {
      (self.path, self.files) = (path, SourceLayout.named(files))
    }

    func whole(_ file: String) -> String { path + "/" + file }

    func has(_ kinds: SourceName.Kind...) -> Bool {
      files.contains { kinds.contains($0.name.kind) }
    }
  }

  /// Images in one folder with labels in another.
  mutating func addPairs(_ images: Folder, _ labels: Folder?, _ path: [String]) {
    if images.has(.volume, .array) { return addVolumes(images, labels, path) }
    if images.has(.picture) { return addSlices(.picture, images, labels, path) }
    if images.has(.stack) { return addSlices(.stack, images, labels, path) }
    orphans += labels.map { labels in labels.files.map { labels.whole($0.file) } } ?? []
  }

  private mutating func addVolumes(_ images: Folder, _ labels: Folder?, _ path: [String]) {
    var rest = labels?.files ?? []
    let volumes = images.files.filter { [.volume, .array].contains($0.name.kind) }
    let (files, hasChannel) = Self.channels(volumes, labels: rest)
    for (file, name) in files {
      let match = rest.firstIndex { TensorName($0.name.key) == TensorName(name.key) }
      let found = match.map { rest.remove(at: $0) }
      add(
        SourceCase(
          path: path + [Self.stem(file, hasChannel: hasChannel)],
          image: Self.data(images.whole(file), name, "image"),
          labels: found.flatMap { found in
            labels.map { Self.data($0.whole(found.file), found.name, "label") }
          }), isLabelled: labels != nil)
    }
    orphans += rest.compactMap { found in labels.map { $0.whole(found.file) } }
    leaveOut(images, but: .volume, .array)
  }

  private mutating func add(_ item: SourceCase, isLabelled: Bool) {
    if isLabelled { cases.append(item) } else { unlabelled.append(item) }
  }

  private mutating func leaveOut(_ folder: Folder, but kinds: SourceName.Kind...) {
    leftOut += folder.files.filter { !kinds.contains($0.name.kind) }.map { folder.whole($0.file) }
  }

  /// A case of which every slice is a file.
  private mutating func addSlices(
    _ kind: SourceName.Kind, _ images: Folder, _ labels: Folder?, _ path: [String]
  ) {
    let frames = Self.ordered(images.files.filter { $0.name.kind == kind })
    var byKey: [TensorName: String] = [:]
    for (file, name) in labels?.files ?? [] {
      let earlier = byKey.updateValue(file, forKey: TensorName(name.key))
      orphans += earlier.flatMap { file in labels.map { [$0.whole(file)] } } ?? []
    }
    let found = frames.compactMap { byKey.removeValue(forKey: TensorName($0.name.key)) }
    let make = { (folder: Folder, files: [String]) -> SourceData in
      let paths = files.map(folder.whole)
      return kind == .stack ? .stacks(folder.path, paths) : .frames(folder.path, paths)
    }
    add(
      SourceCase(
        path: ownPath(path), image: make(images, frames.map(\.file)),
        labels: labels.map { make($0, found) }), isLabelled: labels != nil)
    if let labels { orphans += byKey.values.sorted().map(labels.whole) }
    leaveOut(images, but: kind)
  }

  /// A folder of nothing but pictures: a video, unless it is something beside one.
  mutating func addFrames(
    _ folder: String, _ files: [NamedFile], _ path: [String], _ isBesideImages: Bool
  ) {
    guard !isBesideImages else { return leftOut.append(folder) }
    let paths = Self.ordered(files).map { folder + "/" + $0.file }
    unlabelled.append(SourceCase(path: ownPath(path), image: .frames(folder, paths)))
  }

  /// The root's own name where no folder leads to a case.
  private func ownPath(_ path: [String]) -> [String] {
    let trimmed = root.count > 1 && root.hasSuffix("/") ? String(root.dropLast()) : root
    return path.isEmpty ? [lastComponent(of: trimmed)] : path
  }

  /// Volumes beside their labels.
  mutating func addFlat(_ folder: String, _ files: [NamedFile], _ path: [String]) {
    let volumes = files.filter { [.volume, .array].contains($0.name.kind) }
    var labels = volumes.filter(\.name.saysLabels)
    let (images, hasChannel) = Self.channels(
      volumes.filter { !$0.name.saysLabels }, labels: labels)
    for (file, name) in images {
      let whole = folder + "/" + file
      let match = labels.firstIndex { TensorName($0.name.key) == TensorName(name.key) }
      let found = match.map { labels.remove(at: $0) }
      let own: SourceData? =
        name.kind == .array && !file.lowercased().hasSuffix(".npy")
        ? .array(whole, name: "label") : nil
      cases.append(
        SourceCase(
          path: path + [Self.stem(file, hasChannel: hasChannel)],
          image: Self.data(whole, name, "image"),
          labels: found.map { Self.data(folder + "/" + $0.file, $0.name, "label") } ?? own))
    }
    strays += labels.map { file, name in
      SourceCase(
        path: path + [Self.stem(file)], image: Self.data(folder + "/" + file, name, "image"))
    }
    let others = files.filter { ![.volume, .array].contains($0.name.kind) }
    leftOut += others.map { folder + "/" + $0.file }
  }
}
