import Support
import Synchronization

/// The zip archive that `torch.save` writes, its small records read and its layout understood.
///
/// Source: torch/serialization.py and caffe2/serialize/inline_container.cc.
final class TorchArchive: TorchStorages {
  let zip: ZipArchive
  /// The folder that holds every record.
  let root: String
  let isBigEndian: Bool
  /// Records whose checksum has been compared, by the place of their header.
  private let verified = Mutex<Set<Int>>([])
  /// Records that were inflated because a view takes a part of them.
  private let inflated: InflatedRecords

  private static let versions = 1...10

  /// - Throws: `FormatError` with code `zipMixedRoot`, `unsupportedContainer`,
  ///   `unsupportedVersion`, `badByteorder` or a zip code.
  init(
    _ zip: ZipArchive, scratchDirectory: String = CheckpointOptions().scratchDirectory
  ) throws {
    self.zip = zip
    inflated = InflatedRecords(zip, in: scratchDirectory)
    root = try Self.root(of: zip)
    try Self.refuseRelatives(zip, root)
    isBigEndian = try Self.byteorder(zip, root)
    try Self.checkVersion(zip, root)
  }

  /// The bytes of the object pickle.
  func pickle() throws -> [UInt8] {
    try zip.contents(of: record("data.pkl"), limit: Budgets.pickleBytes)
  }

  func check(_ storage: PickleDocument.Storage) throws { _ = try entry(of: storage) }

  func inflatedByteCount(_ storages: [PickleDocument.Storage]) throws -> Int {
    var seen: Set<Int> = []
    return try storages.map(entry).reduce(0) { sum, entry in
      let isNew = entry.method != .stored && seen.insert(entry.headerOffset).inserted
      return isNew ? sum.addingClamped(entry.uncompressedSize) : sum
    }
  }

  /// The record of one storage, whose size has been held against its description.
  private func entry(of storage: PickleDocument.Storage) throws -> ZipEntry {
    let key = storage.key.utf8
    guard (1...255).contains(key.count), key.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != 0x2F }),
      storage.key != ".", storage.key != ".."
    else {
      throw FormatError(.badStorageKey, subject: storage.key, expected: "digits")
    }
    let expected = try TorchView.byteCount(of: storage)
    let entry = try record("data/" + storage.key)
    guard entry.uncompressedSize == expected else {
      throw FormatError(
        .storageSizeMismatch, subject: entry.name,
        expected: "\(expected) bytes (\(storage.elementCount) of \(storage.className))",
        found: "\(entry.uncompressedSize)")
    }
    return entry
  }

  /// The metadata that wt keeps in a record of its own.
  ///
  /// - Throws: `FormatError` with code `badMetadata`, `badJSON` or a zip code.
  func metadata() throws -> CheckpointMetadata {
    guard let entry = try zip.entry(root + "/" + TorchLayout.metadataRecord) else {
      return CheckpointMetadata()
    }
    let json = try zip.contents(of: entry, limit: Budgets.safeTensorsHeaderBytes)
    var scanner = JSONScanner(json, base: 0)
    return try naming(entry.name) {
      let metadata = try CheckpointMetadata(&scanner)
      try scanner.expectEnd()
      return metadata
    }
  }

  func notes(_ storages: [PickleDocument.Storage]) -> [String] {
    var notes: [String] = []
    if isBigEndian {
      notes.append("the file says it was written on a big-endian machine; its bytes are swapped")
    }
    let hidden = unreferencedRecords(storages)
    if hidden > 0 {
      notes.append("\(hidden) storage record(s) belong to no value and were left out")
    }
    return notes
  }

  /// How many storage records no storage of the pickle names.
  private func unreferencedRecords(_ storages: [PickleDocument.Storage]) -> Int {
    let keys = Set(storages.map { TensorName(root + "/data/" + $0.key) })
    return zip.entries.filter { entry in
      entry.name.hasPrefix(root + "/data/") && !entry.isDirectory
        && !keys.contains(TensorName(entry.name))
    }.count
  }

  /// The cheapest way to a view's bytes that its record allows.
  func reader(of view: TorchView) throws -> any TensorReader {
    let entry = try entry(of: view.storage)
    let range = view.byteRange
    if view.layout.isContiguous, range == 0..<entry.uncompressedSize {
      return try RecordReader(zip, entry)
    }
    let (file, start) = try place(of: entry)
    let place = start + range.lowerBound..<start + range.upperBound
    if view.layout.isContiguous { return FileRangeReader(file, place) }
    return StridedReader(try file.bytes(place), view.layout)
  }

  /// A file in which the record lies uncompressed, and where.
  private func place(of entry: ZipEntry) throws -> (file: InputFile, start: Int) {
    guard entry.method == .stored else { return try inflated.place(of: entry) }
    try verifyOnce(entry)
    return (zip.file, entry.dataOffset)
  }

  /// A part of a record has no checksum of its own, so the whole is checked the first time.
  private func verifyOnce(_ entry: ZipEntry) throws {
    guard !verified.withLock({ $0.contains(entry.headerOffset) }) else { return }
    try zip.verifyStored(entry)
    verified.withLock { _ = $0.insert(entry.headerOffset) }
  }

  private func record(_ name: String) throws -> ZipEntry {
    guard let entry = try zip.entry(root + "/" + name) else {
      throw FormatError(.missingRecord, subject: root + "/" + name)
    }
    return entry
  }

  private static func root(of zip: ZipArchive) throws -> String {
    guard let first = zip.entries.first else {
      throw FormatError(.missingRecord, subject: "data.pkl", found: "an empty zip archive")
    }
    guard let slash = first.name.firstIndex(of: "/"), slash > first.name.startIndex else {
      throw FormatError(.zipMixedRoot, subject: first.name, expected: "a name in a folder")
    }
    let root = first.name[..<slash]
    for entry in zip.entries where !entry.name.utf8.starts(with: "\(root)/".utf8) {
      throw FormatError(
        .zipMixedRoot, subject: entry.name, expected: "a name in folder '\(root)'")
    }
    return String(root)
  }

  /// Names the archives that look alike but hold programs.
  private static func refuseRelatives(_ zip: ZipArchive, _ root: String) throws {
    for entry in zip.entries {
      let name = entry.name.dropFirst(root.count + 1)
      if name == "constants.pkl" || name.hasPrefix("code/") {
        throw FormatError(
          .unsupportedContainer, found: "a TorchScript archive",
          remedy: "load it with torch.jit.load and save its state_dict()")
      }
      if name == ".data/extern_modules" || name == ".data/python_version" {
        throw FormatError(
          .unsupportedContainer, found: "a torch.package archive",
          remedy: "load it with torch.package and save the model's state_dict()")
      }
    }
  }

  private static func byteorder(_ zip: ZipArchive, _ root: String) throws -> Bool {
    guard let entry = try zip.entry(root + "/byteorder") else { return false }
    switch String(decoding: try zip.contents(of: entry, limit: 64), as: UTF8.self) {
    case "little": return false
    case "big": return true
    case let other:
      throw FormatError(
        .badByteorder, subject: entry.name, expected: "'little' or 'big'", found: "'\(other)'")
    }
  }

  private static func checkVersion(_ zip: ZipArchive, _ root: String) throws {
    let names = ["version", ".data/version"]
    let entry = try names.compactMap { try zip.entry(root + "/" + $0) }.first
    guard let entry else {
      throw FormatError(.unsupportedVersion, expected: "a record 'version'", found: "none")
    }
    let text = String(decoding: try zip.contents(of: entry, limit: 64), as: UTF8.self)
    let digits = text.hasSuffix("\n") ? String(text.dropLast()) : text
    guard digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let version = Int(digits),
      versions.contains(version)
    else {
      throw FormatError(
        .unsupportedVersion, subject: entry.name, expected: "1 to 10", found: "'\(digits)'")
    }
  }
}
