import Formats
import Foundation
import Support

/// What a checkpoint of a run consists of, with a hash of every file and of itself.
struct CheckpointManifest: Sendable, Equatable {
  struct File: Sendable, Equatable {
    var name: String
    var byteCount: Int
    /// SHA-256, 64 hexadecimal digits.
    var digest: String
  }

  static let name = "manifest.json"

  /// Steps done.
  var step: Int
  /// What validation gave, if there was any; more is better.
  var score: Double?
  var files: [File]

  /// The text, which ends with the hash of what it would be without it.
  var text: String {
    let body = JSON.object([
      ("step", .int(step)), ("score", score.map(JSON.double) ?? .null),
      (
        "files",
        .array(
          files.map {
            .object([
              ("name", .string($0.name)), ("bytes", .int($0.byteCount)),
              ("sha256", .string($0.digest)),
            ])
          })
      ),
    ]).encoded()
    return body.dropLast() + Self.ending(of: body)
  }

  private static func ending(of body: String) -> String {
    var hash = ContentHash()
    hash.update(body)
    return ", \"sha256\": \"\(hash.hexDigest())\"}\n"
  }

  /// Reads what `text` wrote; nil when a single bit is not as it was.
  init?(_ text: String) {
    let length = Self.ending(of: "").utf8.count
    guard text.utf8.count > length else { return nil }
    let body = String(decoding: text.utf8.dropLast(length), as: UTF8.self) + "}"
    guard text == body.dropLast() + Self.ending(of: body),
      let fields = try? JSONDecoder().decode(Fields.self, from: Data(body.utf8))
    else { return nil }
    step = fields.step
    score = fields.score
    files = fields.files.map { File(name: $0.name, byteCount: $0.bytes, digest: $0.sha256) }
  }

  init(step: Int, score: Double?, files: [File]) {
    (self.step, self.score, self.files) = (step, score, files)
  }

  private struct Fields: Decodable {
    struct File: Decodable {
      var name: String
      var bytes: Int
      var sha256: String
    }

    var step: Int
    var score: Double?
    var files: [File]
  }
}

extension CheckpointManifest.File {
  /// Hashes a file of a directory.
  ///
  /// - Throws: `FormatError` when it cannot be read.
  init(_ name: String, in directory: String, _ fileSystem: any FileSystem) throws {
    let file = try InputFile("\(directory)/\(name)", fileSystem: fileSystem)
    self.init(name: name, byteCount: file.size, digest: try file.contentDigest())
  }
}
