/// A NIfTI file whose header was read and checked; the voxels are read when they are asked for.
///
/// Single files and pairs of both versions, either byte order, plain or gzip.
public struct NIfTIFile: Sendable {
  /// The file as the user named it.
  public let path: String
  public let header: NIfTIHeader
  /// Extents, x first: three, and more only when they are larger than one.
  public let shape: [Int]
  public let type: NIfTIDatatype
  public let scaling: VoxelScaling?
  public let affine: Affine
  /// Millimetres along x, y and z.
  public let spacing: [Double]
  /// What stands between header and voxels: extension flag, extensions and padding.
  let extensions: [UInt8]
  /// Bytes of the voxels.
  let byteCount: Int
  private let file: InputFile
  private let voxelOffset: Int
  private let isPair: Bool
  private let fileSystem: any FileSystem

  /// Reads the header and the extensions.
  ///
  /// - Parameter path: of the file; of a pair, either of its two.
  /// - Throws: `FormatError` with code `badNiftiHeader`, `truncated`, `overflow`,
  ///   `expansionLimit` or one of the file's.
  public init(_ path: String, fileSystem: any FileSystem = POSIXFileSystem()) throws {
    self.path = path
    self.fileSystem = fileSystem
    let file = try InputFile(Self.headerPath(path), fileSystem: fileSystem)
    self.file = file
    let stream = try naming(file: file.path) { try VolumeStream(file) }
    (header, isPair, voxelOffset, extensions) = try naming(file: file.path) {
      try Self.readHeader(stream)
    }
    let header = header
    (shape, type, scaling, affine) = try naming(file: file.path) {
      (
        try header.shape(), try header.elementType(), try header.scaling(), try header.affine()
      )
    }
    let (shape, type, affine) = (shape, type, affine)
    (spacing, byteCount) = try naming(file: file.path) {
      (try header.spacing(affine), try Self.byteCount(shape, type))
    }
  }

  /// Of a pair the header is read first, whichever of the two was named.
  private static func headerPath(_ path: String) -> String {
    for (image, header) in [(".img", ".hdr"), (".img.gz", ".hdr.gz")] where path.hasSuffix(image) {
      return path.dropLast(image.utf8.count) + header
    }
    return path
  }

  private static func byteCount(_ shape: [Int], _ type: NIfTIDatatype) throws -> Int {
    let info = try TensorInfo(
      name: "voxels", dtype: type.dtype, shape: shape + [type.channels])
    return info.byteCount
  }

  private static func readHeader(
    _ stream: VolumeStream
  ) throws -> (NIfTIHeader, isPair: Bool, offset: Int, extensions: [UInt8]) {
    var bytes = try stream.bytes(upTo: NIfTIVersion.one.headerBytes)
    if bytes.starts(with: [0x1C, 2, 0, 0]) || bytes.starts(with: [0, 0, 2, 0x1C]) {
      bytes += try stream.bytes(upTo: NIfTIVersion.two.headerBytes - bytes.count)
    }
    let header = try NIfTIHeader(bytes)
    let isPair = try header.isPair()
    let offset = try header.voxelOffset(isPair: isPair)
    let limit = Budgets.niftiExtensionBytes
    let extensions: [UInt8]
    if isPair {
      extensions = try stream.bytes(upTo: limit)
      try stream.finish()
    } else {
      guard offset - header.version.headerBytes <= limit else {
        throw header.bad(.dataOffset, expected: "at most \(limit) bytes of extensions")
      }
      let count = offset - header.version.headerBytes
      extensions = try stream.bytes(count)
    }
    try NIfTIExtensions.check(extensions, of: header)
    return (header, isPair, offset, extensions)
  }

  /// Reads all voxels.
  ///
  /// - Throws: `FormatError` with code `truncated`, `expansionLimit`, `trailingBytes`,
  ///   `gzipCorrupt`, `fileChanged` or one of the file's.
  public func volume() throws -> Volume {
    let source = isPair ? try InputFile(imagePath, fileSystem: fileSystem) : file
    let voxels = try naming(file: source.path) {
      let stream = try VolumeStream(source)
      try stream.checkRoom(for: byteCount, after: voxelOffset)
      try stream.skip(voxelOffset)
      var bytes = try stream.bytes(byteCount)
      try stream.finish()
      try source.checkUnchanged()
      if header.isBigEndian {
        let swap = ElementTransform(type.dtype, swapsBytes: true)
        bytes.withUnsafeMutableBytes { swap.apply(to: $0) }
      }
      return bytes
    }
    return Volume(
      path: path, shape: shape, channels: type.channels, dtype: type.dtype, scaling: scaling,
      affine: affine, spacing: spacing, template: NIfTITemplate(header, extensions),
      voxels: voxels)
  }

  private var imagePath: String { Self.imagePath(of: file.path) }

  private static func imagePath(of path: String) -> String {
    for (header, image) in [(".hdr", ".img"), (".hdr.gz", ".img.gz")]
    where path.hasSuffix(header) {
      return path.dropLast(header.utf8.count) + image
    }
    return path + ".img"
  }

  /// The files that a volume of this name may be read from: itself, or both of a pair.
  public static func paths(of path: String) -> [String] {
    let header = headerPath(path)
    return [header, imagePath(of: header)]
  }

  /// Whether a path, followed through links, leads to a file that this volume is read from.
  public func isStored(at path: String) -> Bool {
    if file.isSameFile(as: path) { return true }
    guard isPair, let image = try? InputFile(imagePath, fileSystem: fileSystem) else {
      return false
    }
    return image.isSameFile(as: path)
  }
}
