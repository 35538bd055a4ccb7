import Support

/// Why a file could not be read or written.
///
/// One code per cause; the place, the expectation and the finding ride along, and the sentence is
/// made in `FormatError+Text.swift` alone.
public struct FormatError: Failure, Equatable {
  public enum Code: String, Sendable, CaseIterable {
    // Bytes
    case truncated, trailingBytes, unknownFormat, unsupportedContainer, overflow
    // Pickle
    case stackUnderflow, markMismatch, markLimit, unknownOpcode, forbiddenOpcode, badProtocol
    case unsupportedProtocol0, lengthBeyondInput, badLength, integerTooLarge, memoLimit
    case memoMissing, nodeLimit, depthLimit, stackLimit, opcodeLimit, sizeLimit, badDictKey
    case oddItemCount, badTarget, uninitialisedObject, forbiddenGlobal, badOperand, badGlobalName
    case lineTooLong, badPersistentId, badFrame, invalidUTF8
    // Torch objects
    case duplicateName, storageSizeMismatch, storageConflict, viewOutOfBounds, negativeDimension
    case rankMismatch, rankLimit, expansionLimit, missingRecord, badStorageKey, unsupportedDtype
    case badByteorder, unsupportedVersion, noTensorData, badSparseIndex, badQuantParams
    case unsupportedTensor, badArity, badArgument, ambiguousRoot, keyNotFound, noTensors
    case tensorInOpaqueObject, nameCollision, nameLimit, tensorLimit
    // Zip
    case zipNoDirectory, zipAmbiguous, zip64Mismatch, zipCountMismatch, zipNameMismatch
    case zipUnsupportedFlag, crcMismatch, zipDuplicate, zipBadName, zipOverlap, inflateSizeMismatch
    case inflateCorrupt, zipDescriptorMismatch, zipUnsupportedMethod, zipBadOffset, zipBadExtra
    case zipMixedRoot, entryLimit, zipMultiDisk, zipNotRegular, zipHeaderMismatch
    case zipBadHeader
    // Safetensors
    case headerTooSmall, headerTooLarge, headerBeyondFile, badJSON, jsonDepth, offsetHole
    case offsetOverlap, sizeMismatch, badShape, misalignedBits, duplicateKey, badMetadata, badHeader
    // Legacy torch streams, numpy, HDF5, compression, shards
    case badMagic, badNpyHeader, badArrayState, hdf5Error, forbiddenHDF5Feature, unsupportedType
    case zstdCorrupt, zstdWindow, gzipCorrupt, checksumMismatch, frameLimit
    case badShardPath, missingShard, missingTensor, duplicateTensor
    // Volumes
    case badNiftiHeader, badLabel, badPNG
    // Files
    case notFound, notReadable, notRegularFile, fileChanged, ioError, outputExists,
      outputUnavailable
    case readBackMismatch
  }

  public var code: Code
  /// The file's path, filled in by whoever opened it.
  public var file: String?
  /// Bytes from the start of the file or, when `subject` names a record, of that record.
  public var offset: Int?
  /// The tensor, record or name that is at fault, escaped for printing.
  public var subject: String?
  public var expected: String?
  public var found: String?
  /// What to do, where the general advice of the code is not enough.
  public var remedy: String?

  public init(
    _ code: Code, file: String? = nil, offset: Int? = nil, subject: String? = nil,
    expected: String? = nil, found: String? = nil, remedy: String? = nil
  ) {
    self.code = code
    self.file = file
    self.offset = offset
    self.subject = subject?.escapedForDisplay.shortened()
    self.expected = expected
    self.found = found?.escapedForDisplay.shortened()
    self.remedy = remedy
  }

  public init(
    _ code: Code, subject name: TensorName, expected: String? = nil, found: String? = nil,
    remedy: String? = nil
  ) {
    self.init(code, subject: name.text, expected: expected, found: found, remedy: remedy)
  }

  public var codeName: String { code.rawValue }

  public var category: FailureCategory {
    switch code {
    case .notFound, .notReadable: .inputUnavailable
    case .outputExists, .outputUnavailable: .outputUnavailable
    case .ioError, .readBackMismatch: .inputOutput
    default: .badData
    }
  }
}

/// Runs `body` and completes the errors it throws with the file they concern.
func naming<Result>(file: String, _ body: () throws -> Result) throws -> Result {
  do {
    return try body()
  } catch var error as FormatError where error.file == nil {
    error.file = file
    throw error
  }
}
