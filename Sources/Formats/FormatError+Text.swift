import Support

/// The one place where format errors are worded.
extension FormatError: CustomStringConvertible {
  public var description: String {
    Self.text(
      file: file, subject: subject, sentence: sentence, offset: offset, expected: expected,
      found: found, remedy: remedy ?? generalRemedy)
  }

  private var sentence: String { Self.sentences[code] ?? code.rawValue }

  private var generalRemedy: String? { Self.remedies[code] }

  private static let sentences: [Code: String] =
    bytesSentences
    .merging(pickleSentences) { first, _ in first }
    .merging(torchSentences) { first, _ in first }
    .merging(zipSentences) { first, _ in first }
    .merging(safeTensorsSentences) { first, _ in first }
    .merging(otherContainerSentences) { first, _ in first }
    .merging(volumeSentences) { first, _ in first }
    .merging(fileSentences) { first, _ in first }

  private static let bytesSentences: [Code: String] = [
    .truncated: "the data ends too early",
    .trailingBytes: "there are bytes where the data should have ended",
    .unknownFormat: "this is no checkpoint format that wt knows",
    .unsupportedContainer: "this kind of file is not supported",
    .overflow: "a size is too large to be true",
  ]

  private static let pickleSentences: [Code: String] = [
    .stackUnderflow: "the pickle takes a value from an empty stack",
    .markMismatch: "the pickle misuses a mark",
    .markLimit: "the pickle sets too many marks",
    .unknownOpcode: "the pickle holds an unknown opcode",
    .forbiddenOpcode: "the pickle holds an opcode that no checkpoint needs",
    .badProtocol: "the pickle names a protocol that does not exist or names it twice",
    .unsupportedProtocol0: "the pickle is in the text protocol of Python 1",
    .lengthBeyondInput: "the pickle announces more bytes than there are",
    .badLength: "the pickle holds an impossible length",
    .integerTooLarge: "an integer does not fit where it is used",
    .memoLimit: "the pickle remembers too many values",
    .memoMissing: "the pickle recalls a value it never stored",
    .nodeLimit: "the pickle describes too many values",
    .depthLimit: "values are nested too deeply",
    .stackLimit: "the pickle stacks too many values",
    .opcodeLimit: "the pickle has too many opcodes",
    .sizeLimit: "the pickle is too large",
    .badDictKey: "a container is used as a dictionary key",
    .oddItemCount: "a dictionary is given a key without a value",
    .badTarget: "the pickle changes a value that cannot be changed",
    .uninitialisedObject: "an object is created without its contents",
    .forbiddenGlobal: "the pickle wants to call something that wt refuses to call",
    .badOperand: "an opcode is given a value of the wrong kind",
    .badGlobalName: "the pickle names a global in an impossible way",
    .lineTooLong: "a name in the pickle is too long",
    .badPersistentId: "a storage is described in an impossible way",
    .badFrame: "a frame of the pickle is wrong",
    .invalidUTF8: "a name is not valid UTF-8",
  ]

  private static let torchSentences: [Code: String] = [
    .duplicateName: "two tensors have the same name",
    .storageSizeMismatch: "a storage's size is not what its description says",
    .storageConflict: "one storage is described in two ways",
    .viewOutOfBounds: "a tensor reaches past the end of its storage",
    .negativeDimension: "a size, stride or offset is negative",
    .rankMismatch: "a tensor has not as many strides as sizes",
    .rankLimit: "a tensor has too many dimensions",
    .expansionLimit: "the tensors are out of all proportion to the file",
    .missingRecord: "the archive lacks a record",
    .badStorageKey: "a storage key is not a plain name",
    .unsupportedDtype: "an element type is not supported",
    .badByteorder: "the record 'byteorder' is wrong",
    .unsupportedVersion: "the archive's version is not supported",
    .noTensorData: "a tensor has no data in this file",
    .badSparseIndex: "a sparse tensor has an index out of range",
    .badQuantParams: "a quantised tensor has impossible parameters",
    .unsupportedTensor: "this kind of tensor is not supported",
    .badArity: "a rebuild function is given the wrong number of arguments",
    .badArgument: "a rebuild function is given a value of the wrong kind",
    .ambiguousRoot: "more than one part of the file could be the model",
    .keyNotFound: "the file has no such part",
    .noTensors: "no tensors were found",
    .tensorInOpaqueObject: "a tensor is hidden in an object that wt cannot look into",
    .nameCollision: "stripping the prefix would give two tensors one name",
    .nameLimit: "a tensor's name is too long or impossible",
    .tensorLimit: "there are too many tensors",
  ]

  private static let zipSentences: [Code: String] = [
    .zipNoDirectory: "the zip archive has no directory at its end",
    .zipAmbiguous: "the zip archive can be read in two ways",
    .zip64Mismatch: "the zip64 fields contradict the archive",
    .zipCountMismatch: "the zip directory miscounts its entries",
    .zipNameMismatch: "an entry has two different names",
    .zipHeaderMismatch: "an entry's two headers differ",
    .zipUnsupportedFlag: "an entry uses a zip feature that is not supported",
    .crcMismatch: "a record does not match its checksum",
    .zipDuplicate: "two entries have the same name",
    .zipBadName: "an entry has a name that is not allowed",
    .zipOverlap: "entries overlap",
    .inflateSizeMismatch: "a compressed record has not the size it claims",
    .inflateCorrupt: "a compressed record is corrupt",
    .zipDescriptorMismatch: "an entry's data descriptor contradicts the directory",
    .zipUnsupportedMethod: "an entry is compressed in a way that is not supported",
    .zipBadOffset: "an entry points outside the archive's data",
    .zipBadExtra: "an entry's extra field is malformed",
    .zipMixedRoot: "the records are not all in one folder",
    .entryLimit: "the archive has too many entries",
    .zipMultiDisk: "the archive is one part of several",
    .zipBadHeader: "the zip directory holds something that is no entry",
    .zipNotRegular: "an entry is not a regular file",
  ]

  private static let safeTensorsSentences: [Code: String] = [
    .headerTooSmall: "the file is too short for a safetensors header",
    .headerTooLarge: "the safetensors header is too large",
    .headerBeyondFile: "the safetensors header reaches past the end of the file",
    .badJSON: "the header is not valid JSON",
    .jsonDepth: "the JSON is nested too deeply",
    .offsetHole: "there are bytes that belong to no tensor",
    .offsetOverlap: "two tensors share bytes",
    .sizeMismatch: "a size is not what the header says",
    .badShape: "a shape is malformed",
    .misalignedBits: "a tensor does not fill whole bytes",
    .duplicateKey: "a key occurs twice",
    .badMetadata: "the metadata are not a flat table of strings",
    .badHeader: "the header is malformed",
  ]

  private static let otherContainerSentences: [Code: String] = [
    .badMagic: "the file does not begin as its format demands",
    .badNpyHeader: "the numpy header is malformed",
    .badArrayState: "a numpy array is described in an impossible way",
    .hdf5Error: "the HDF5 file is damaged",
    .forbiddenHDF5Feature: "the HDF5 file uses a feature that wt refuses",
    .unsupportedType: "an element type of the HDF5 file is not supported",
    .zstdCorrupt: "the zstd frame is corrupt",
    .zstdWindow: "the zstd frame wants more memory than wt grants",
    .gzipCorrupt: "the gzip data are corrupt",
    .checksumMismatch: "the data do not match their checksum",
    .frameLimit: "the file has too many compressed frames",
    .badShardPath: "a shard's name is not a plain file name",
    .missingShard: "a shard is missing",
    .missingTensor: "the index names a tensor that its shard lacks",
    .duplicateTensor: "a tensor lies in two shards",
  ]

  private static let volumeSentences: [Code: String] = [
    .badNiftiHeader: "the NIfTI header is malformed",
    .badLabel: "this is no number of a class",
    .badPNG: "the PNG file is damaged",
  ]

  private static let fileSentences: [Code: String] = [
    .notFound: "there is no such file",
    .notReadable: "the file cannot be read",
    .notRegularFile: "this is not a regular file",
    .fileChanged: "the file changed while it was read",
    .ioError: "input or output failed",
    .outputExists: "the output exists already",
    .outputUnavailable: "the output cannot be created",
    .readBackMismatch: "what was written reads back differently",
  ]

  private static let remedies: [Code: String] = [
    .truncated: "the file is damaged or incomplete: fetch it again",
    .zipNoDirectory: "the download is incomplete: fetch it again",
    .crcMismatch:
      "the file is damaged, or was written without checksums: pass --no-crc to read it all the same",
    .ambiguousRoot: "choose one with --key",
    .forbiddenGlobal: "do not load this file with Python unless you trust its author",
    .unsupportedProtocol0: "save it again with protocol 2 or newer",
    .outputExists: "pass --force to replace it",
    .fileChanged: "wait until it is complete and try again",
    .readBackMismatch: "the disk or memory of this machine may be failing; the target is unchanged",
    .expansionLimit: "pass --allow-expand if that is what you want",
    .notFound: "check the path",
  ]
}
