/// Where a zip archive's directory lies, as its last records tell.
///
/// Source: APPNOTE.TXT 6.3.10, §4.3.14–4.3.16. Every number is held against the file's size and
/// against its second copy in the zip64 record before it is used.
struct ZipDirectoryEnd: Equatable {
  var entryCount: Int
  var offset: Int
  var size: Int

  static let recordSize = 22
  private static let locatorSize = 20
  private static let signature: [UInt8] = [0x50, 0x4B, 5, 6]
  private static let longestComment = 65_535

  /// Finds and cross-checks the end records.
  ///
  /// - Throws: `FormatError` with code `zipNoDirectory`, `zipAmbiguous`, `trailingBytes`,
  ///   `zipMultiDisk`, `zip64Mismatch`, `zipCountMismatch`, `zipBadOffset` or `entryLimit`.
  static func find(in file: InputFile) throws -> ZipDirectoryEnd {
    let tailStart = max(0, file.size - recordSize - longestComment)
    let tail = try file.bytes(tailStart..<file.size)
    let position = try locate(in: tail, tailStart)
    var cursor = ByteCursor(Array(tail[position...]), base: tailStart + position)
    let short = try ShortRecord(&cursor)
    let recordStart = tailStart + position
    var end = try short.resolved(with: LongRecord.find(before: recordStart, in: file))
    let directoryLimit = end.limit ?? recordStart
    try end.value.check(
      limit: directoryLimit, otherRecords: signatures(in: tail).count > 1)
    end.value.entryCount = try end.value.checkedCount()
    return end.value
  }

  /// The place of the one record whose comment ends with the file.
  private static func locate(in tail: [UInt8], _ base: Int) throws -> Int {
    let places = signatures(in: tail)
    guard !places.isEmpty else {
      throw FormatError(
        .zipNoDirectory, offset: base + tail.count, expected: "an end-of-directory record")
    }
    let complete = places.filter { place in
      let comment = Int(tail[place + 20]) | Int(tail[place + 21]) << 8
      return place + recordSize + comment == tail.count
    }
    guard let place = complete.last else {
      throw FormatError(
        .trailingBytes, offset: base + (places.last ?? 0) + recordSize,
        expected: "the end of the zip archive")
    }
    guard complete.count == 1 else {
      throw FormatError(
        .zipAmbiguous, offset: base + place, expected: "one end-of-directory record",
        found: "\(complete.count)")
    }
    return place
  }

  private static func signatures(in tail: [UInt8]) -> [Int] {
    guard tail.count >= recordSize else { return [] }
    return (0...tail.count - recordSize).filter { place in
      tail[place] == 0x50 && tail[place..<place + 4].elementsEqual(signature)
    }
  }

  private func check(limit: Int, otherRecords: Bool) throws {
    let (end, overflow) = offset.addingReportingOverflow(size)
    guard !overflow, end == limit else {
      throw FormatError(
        otherRecords ? .zipAmbiguous : .zipBadOffset, offset: limit,
        expected: "the directory to end here", found: overflow ? "an overflow" : "its end at \(end)"
      )
    }
  }

  private func checkedCount() throws -> Int {
    guard entryCount <= size / ZipEntry.centralHeaderSize else {
      throw FormatError(
        .zipCountMismatch, offset: offset, expected: "at most \(size / ZipEntry.centralHeaderSize)",
        found: "\(entryCount)")
    }
    guard entryCount <= Budgets.zipEntries, size <= Budgets.zipDirectoryBytes else {
      throw FormatError(
        .entryLimit, offset: offset, expected: "at most \(Budgets.zipEntries)",
        found: "\(entryCount)")
    }
    return entryCount
  }

  /// The 32-bit record that every archive has.
  private struct ShortRecord {
    var diskNumbers: [UInt16]
    var counts: [UInt16]
    var size: UInt32
    var offset: UInt32

    init(_ cursor: inout ByteCursor) throws {
      _ = try cursor.take(4)
      diskNumbers = [try cursor.u16(), try cursor.u16()]
      counts = [try cursor.u16(), try cursor.u16()]
      size = try cursor.u32()
      offset = try cursor.u32()
    }

    /// The directory's place, and where a zip64 record limits it.
    func resolved(
      with long: LongRecord?
    ) throws -> (value: ZipDirectoryEnd, limit: Int?) {
      guard diskNumbers.allSatisfy({ $0 == 0 || (long != nil && $0 == .max) }) else {
        throw FormatError(.zipMultiDisk, expected: "disk 0", found: "disk \(diskNumbers)")
      }
      guard counts[0] == counts[1] else {
        throw FormatError(.zipCountMismatch, expected: "\(counts[0])", found: "\(counts[1])")
      }
      guard let long else {
        guard size != .max, offset != .max else {
          throw FormatError(.zip64Mismatch, expected: "a zip64 record for a full 32-bit field")
        }
        return (
          ZipDirectoryEnd(entryCount: Int(counts[0]), offset: Int(offset), size: Int(size)), nil
        )
      }
      try agree(counts[0] == .max, Int(counts[0]), long.entryCount, "entry count")
      try agree(size == .max, Int(size), long.size, "directory size")
      try agree(offset == .max, Int(offset), long.offset, "directory offset")
      return (
        ZipDirectoryEnd(entryCount: long.entryCount, offset: long.offset, size: long.size),
        long.start
      )
    }

    private func agree(_ isFull: Bool, _ short: Int, _ long: Int, _ field: String) throws {
      guard isFull || short == long else {
        throw FormatError(.zip64Mismatch, subject: field, expected: "\(short)", found: "\(long)")
      }
    }
  }

  /// The 64-bit record that large archives, and all of torch's, add.
  private struct LongRecord {
    var start: Int
    var entryCount: Int
    var size: Int
    var offset: Int

    static func find(before shortRecord: Int, in file: InputFile) throws -> LongRecord? {
      let locatorStart = shortRecord - locatorSize
      guard locatorStart >= 0 else { return nil }
      var locator = ByteCursor(
        try file.bytes(locatorStart..<shortRecord), base: locatorStart)
      guard try locator.u32() == 0x0706_4B50 else { return nil }
      guard try locator.u32() == 0 else {
        throw FormatError(.zipMultiDisk, offset: locatorStart)
      }
      let start = try locator.length64(.zip64Mismatch)
      guard start <= locatorStart - 56 else {
        throw FormatError(
          .zip64Mismatch, offset: locatorStart, expected: "a record before the locator",
          found: "offset \(start)")
      }
      return try LongRecord(start: start, end: locatorStart, file)
    }

    private init(start: Int, end: Int, _ file: InputFile) throws {
      // Its extensible part is not needed, so only the fixed 56 bytes are read.
      var cursor = ByteCursor(try file.bytes(start..<start + 56), base: start)
      guard try cursor.u32() == 0x0606_4B50 else {
        throw FormatError(
          .zip64Mismatch, offset: start, expected: "the zip64 record that the locator names")
      }
      let length = try cursor.length64(.zip64Mismatch)
      guard length == end - start - 12 else {
        throw FormatError(
          .zip64Mismatch, offset: start + 4, expected: "\(end - start - 12)", found: "\(length)")
      }
      _ = try cursor.take(4)
      guard try cursor.u32() == 0, try cursor.u32() == 0 else {
        throw FormatError(.zipMultiDisk, offset: start)
      }
      let counts = [
        try cursor.length64(.zipCountMismatch), try cursor.length64(.zipCountMismatch),
      ]
      guard counts[0] == counts[1] else {
        throw FormatError(
          .zipCountMismatch, offset: start, expected: "\(counts[0])", found: "\(counts[1])")
      }
      self.start = start
      entryCount = counts[0]
      size = try cursor.length64(.zip64Mismatch)
      offset = try cursor.length64(.zip64Mismatch)
    }
  }
}
