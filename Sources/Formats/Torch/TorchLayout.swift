import CKernels
import Support

/// Where everything of a torch archive to be written will lie.
///
/// Storages are numbered in the order of the given list, which is the order of the state dict.
struct TorchLayout: FileLayout {
  let offsets: [Int]
  let order: [Int]
  let needsChecksums = true
  let sharedRanges: [Int: Range<Int>]
  private let plan: TorchStoragePlan
  private let zip: StoredZipLayout
  /// The records around the storages by their place; the serialization id comes later.
  private let small: [Int: [UInt8]]
  private let firstStorage: Int

  /// The folder of all records, as `torch.save` calls it when it writes to a stream.
  private static let root = "archive"
  /// Where our own metadata lie: PyTorch keeps extra files in this folder and loads past them.
  static let metadataRecord = "extra/wt.json"
  private static let idRecord = ".data/serialization_id"
  private static let idSize = 40

  var fileSize: Int { zip.fileSize }

  /// - Throws: `FormatError` with code `unsupportedDtype`, `nameLimit`, `duplicateName`,
  ///   `sizeLimit` or `overflow`.
  init(
    _ tensors: [TensorInfo], metadata: CheckpointMetadata, shared: [StoragePlace?]
  ) throws {
    try checkWritableNames(tensors)
    plan = TorchStoragePlan(tensors, shared)
    let pickle = try TorchPickleWriter.stateDict(tensors, plan)
    guard pickle.count <= Budgets.pickleBytes else {
      throw FormatError(
        .sizeLimit, subject: "data.pkl", expected: "at most \(Budgets.pickleBytes) bytes",
        found: "\(pickle.count)")
    }
    let head: [(String, [UInt8])] = [
      ("data.pkl", pickle), (".format_version", Array("1".utf8)),
      (".storage_alignment", Array("64".utf8)), ("byteorder", Array("little".utf8)),
    ]
    var tail: [(String, [UInt8])] = [
      ("version", Array("3\n".utf8)), (Self.idRecord, [UInt8](repeating: 0, count: Self.idSize)),
    ]
    if !metadata.entries.isEmpty {
      tail.insert((Self.metadataRecord, Array(metadata.json.utf8)), at: 0)
    }
    let storages = plan.storages.enumerated().map { ("data/\($0.offset)", $0.element.byteCount) }
    let records = head.map { ($0.0, $0.1.count) } + storages + tail.map { ($0.0, $0.1.count) }
    zip = try StoredZipLayout(records.map { (Self.root + "/" + $0.0, $0.1) })
    firstStorage = head.count
    var small: [Int: [UInt8]] = [:]
    for (place, record) in head.enumerated() { small[place] = record.1 }
    for (place, record) in tail.enumerated() {
      small[head.count + storages.count + place] = record.1
    }
    self.small = small
    let starts = zip.records[head.count..<head.count + storages.count].map(\.dataOffset)
    offsets = plan.places.map { starts[$0.storage] + $0.offset }
    var sharedRanges: [Int: Range<Int>] = [:]
    for (storage, start) in Swift.zip(plan.storages, starts) where storage.tensors.count > 1 {
      sharedRanges[storage.tensors[0]] = start..<start + storage.byteCount
    }
    self.sharedRanges = sharedRanges
    order = Array(tensors.indices)
  }

  func framing(_ checksums: [UInt32]) -> [FramingPiece] {
    var contents = small
    var all = zip.records.indices.map { place -> UInt32 in
      if let content = contents[place] { return checksum(content) }
      return checksums[plan.storages[place - firstStorage].tensors[0]]
    }
    let id = serializationID(all.dropLast())
    contents[zip.records.count - 1] = id
    all[zip.records.count - 1] = checksum(id)
    let records = contents.sorted { $0.key < $1.key }.map { place, content in
      FramingPiece(offset: zip.records[place].dataOffset, bytes: content)
    }
    return records + zip.framing(all)
  }

  /// Twenty digits from the names, twenty from the checksums, so that equal files are known by it.
  private func serializationID(_ checksums: ArraySlice<UInt32>) -> [UInt8] {
    let names = fingerprint(zip.records.flatMap { Array($0.name.utf8) + [0] })
    let content = fingerprint(
      checksums.flatMap { value in (0..<4).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) } })
    return [names, content].flatMap { number in
      let digits = Array("\(number)".utf8)
      return [UInt8](repeating: UInt8(ascii: "0"), count: 20 - digits.count) + digits
    }
  }

  /// FNV-1a of 64 bits.
  private func fingerprint(_ bytes: [UInt8]) -> UInt64 {
    bytes.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
  }

  private func checksum(_ bytes: [UInt8]) -> UInt32 {
    bytes.withUnsafeBytes { wt_crc32(0, $0.baseAddress, $0.count) }
  }
}

/// Checks what every container that we write demands of names.
///
/// - Throws: `FormatError` with code `nameLimit` or `duplicateName`.
func checkWritableNames(_ tensors: [TensorInfo]) throws {
  var seen: Set<TensorName> = []
  for tensor in tensors {
    guard tensor.name.text.utf8.count <= Budgets.tensorNameBytes, !tensor.name.text.utf8.contains(0)
    else {
      throw FormatError(
        .nameLimit, subject: tensor.name,
        expected: "at most \(Budgets.tensorNameBytes) bytes without a zero")
    }
    guard seen.insert(tensor.name).inserted else {
      throw FormatError(.duplicateName, subject: tensor.name)
    }
  }
}
