import Foundation
import TestSupport
import Testing

@testable import Formats

/// The rows of the bad-input table about safetensors.
@Suite("Hostile safetensors")
struct SafeTensorsRowTests {
  struct Row: CustomTestStringConvertible, Sendable {
    var testDescription: String
    var bytes: [UInt8]
    var code: FormatError.Code

    init(_ json: String, data: Int = 0, _ code: FormatError.Code) {
      testDescription = String(json.prefix(80))
      bytes = SafeTensorsRowTests.file(Array(json.utf8), data: data)
      self.code = code
    }

    init(_ name: String, bytes: [UInt8], _ code: FormatError.Code) {
      testDescription = name
      self.bytes = bytes
      self.code = code
    }
  }

  static func file(_ json: [UInt8], data: Int, length: UInt64? = nil) -> [UInt8] {
    withUnsafeBytes(of: (length ?? UInt64(json.count)).littleEndian, Array.init) + json
      + [UInt8](repeating: 0, count: data)
  }

  static func tensor(
    _ name: String = "a", dtype: String = "\"F32\"", shape: String = "[1]",
    offsets: String = "[0,4]"
  ) -> String {
    "\"\(name)\":{\"dtype\":\(dtype),\"shape\":\(shape),\"data_offsets\":\(offsets)}"
  }

  static let empty = Array("{}".utf8)

  private static let millionTensors: [UInt8] = {
    var json = "{"
    for index in 0...1_000_000 {
      json += "\(index == 0 ? "" : ",")\"\(index)\":"
      json += "{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}"
    }
    return file(Array((json + "}").utf8), data: 0)
  }()

  private static let onePlace: [UInt8] = {
    let tensors = (0..<10).map { tensor("t\($0)") }.joined(separator: ",")
    return file(Array("{\(tensors)}".utf8), data: 4)
  }()

  static let rows: [Row] =
    (1...7).map { Row("103 \($0) bytes", bytes: Array(repeating: 0, count: $0), .headerTooSmall) }
    + ([100_000_001, 1 << 63, .max] as [UInt64]).map {
      Row("104 length \($0)", bytes: file(empty, data: 0, length: $0), .headerTooLarge)
    } + [
      Row("105 beyond file", bytes: file(empty, data: 0, length: 1000), .headerBeyondFile),
      Row("106 not UTF-8", bytes: file([0x7B, 0x22, 0xFF, 0x22], data: 0), .badJSON),
      Row("106 mark", bytes: file([0xEF, 0xBB, 0xBF, 0x7B, 0x7D], data: 0), .badJSON),
      Row("{", .badJSON), Row("[]", .badJSON), Row("null", .badJSON), Row("{}x", .badJSON),
      Row("{\(tensor()),}", data: 4, .badJSON), Row("{/**/}", .badJSON), Row("{'a':1}", .badJSON),
      Row("{\(tensor(shape: "[NaN]"))}", data: 4, .badShape),
      Row("{\"a\":{\"x\":tru}}", .badJSON), Row("{\"a\":{\"x\":01}}", .badJSON),
      Row("{\"a\":{\"x\":\"\\q\"}}", .badJSON), Row("{\"a\u{1}\":1}", .badJSON),
      Row(String(repeating: "[", count: 1_000_000), .jsonDepth),
      Row("{\"a\":{\"x\":" + String(repeating: "[", count: 40), .jsonDepth),
      Row("{\(tensor()),\(tensor("b"))}", data: 4, .offsetOverlap),
      Row("{\(tensor()),\(tensor("b", offsets: "[8,12]"))}", data: 12, .offsetHole),
      Row("{\(tensor(offsets: "[4,8]"))}", data: 8, .offsetHole),
      Row("{\(tensor(offsets: "[4,0]"))}", data: 4, .offsetOverlap),
      Row("{\(tensor())}", data: 5, .sizeMismatch), Row("{\(tensor())}", data: 2, .sizeMismatch),
      Row("{\(tensor(shape: "[2,9223372036854775807]"))}", data: 4, .overflow),
      Row("{\(tensor(shape: "[2,18446744073709551614]"))}", data: 4, .badShape),
      Row("{\(tensor(shape: "[-1]"))}", data: 4, .badShape),
      Row("{\(tensor(shape: "[1.5]"))}", data: 4, .badShape),
      Row("{\(tensor(shape: "[1.0]"))}", data: 4, .badShape),
      Row("{\(tensor(shape: "[1e3]"))}", data: 4, .badShape),
      Row("{\(tensor(shape: "[\"2\"]"))}", data: 4, .badShape),
      Row("{\(tensor(shape: "[true]"))}", data: 4, .badShape),
      Row("{\(tensor(shape: "[01]"))}", data: 4, .badShape),
      Row("{\(tensor(shape: "[\(String(repeating: "9", count: 40))]"))}", data: 4, .badShape),
      Row(
        "{\(tensor(shape: "[" + Array(repeating: "1", count: 1000).joined(separator: ",") + "]"))}",
        data: 4, .badShape),
      Row("{\(tensor(shape: "[2]"))}", data: 4, .sizeMismatch),
      Row("{\(tensor(dtype: "\"F128\""))}", data: 4, .unsupportedDtype),
      Row("{\(tensor(dtype: "\"f32\""))}", data: 4, .unsupportedDtype),
      Row("{\(tensor(dtype: "3"))}", data: 4, .unsupportedDtype),
      Row("{\"a\":{\"shape\":[1],\"data_offsets\":[0,4]}}", data: 4, .unsupportedDtype),
      Row("{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", data: 4, .badHeader),
      Row(
        "{\(tensor(dtype: "\"F4\"", shape: "[1,3]", offsets: "[0,1]"))}", data: 1, .misalignedBits),
      Row("{\(tensor()),\(tensor(offsets: "[4,8]"))}", data: 8, .duplicateKey),
      Row("{\"__metadata__\":{},\"__metadata__\":{}}", .duplicateKey),
      Row("{\"__metadata__\":{\"a\":\"1\",\"a\":\"2\"}}", .duplicateKey),
      Row("{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\"}}", .duplicateKey),
      Row("{\"__metadata__\":{\"a\":1}}", .badMetadata),
      Row("{\"__metadata__\":{\"a\":{}}}", .badMetadata),
      Row("{\"__metadata__\":[]}", .badMetadata),
      Row("{\(tensor("__metadata__"))}", data: 4, .badMetadata),
      Row("108 a million tensors without bytes", bytes: millionTensors, .tensorLimit),
      Row("108 ten tensors in one place", bytes: onePlace, .offsetOverlap),
      Row("{\(tensor("\\u0000"))}", data: 4, .nameLimit),
      Row("{\(tensor(String(repeating: "n", count: 70_000)))}", data: 4, .nameLimit),
      Row("{\(tensor("\\ud800"))}", data: 4, .badJSON),
    ]

  @Test(arguments: rows) func `a hostile file is refused by name`(row: Row) throws {
    let directory = try TemporaryDirectory()
    let path = try directory.write(row.bytes, as: "hostile")
    let error = #expect(throws: FormatError.self) { try openCheckpoint(path) }
    #expect(error?.code == row.code)
    #expect(error?.file == path)
  }

  @Test(arguments: [
    ("{}", 0), ("  {} \n", 0), ("{\(tensor(""))}", 4), ("{\(tensor("\\u00e9\\ud83d\\ude00"))}", 4),
    ("{\(tensor("b", offsets: "[4,8]")),\(tensor())}", 8), ("{\"__metadata__\":null}", 0),
    (
      "{\(tensor(shape: "[0]", offsets: "[0,0]")),\(tensor("b", shape: "[0,3]", offsets: "[0,0]"))}",
      0
    ),
    (
      "{\"a\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4],\"more\":[{\"x\":[-1.5e3,null]}]}}",
      4
    ),
  ])
  func `what the format allows is read`(json: String, data: Int) throws {
    let directory = try TemporaryDirectory()
    let path = try directory.write(Self.file(Array(json.utf8), data: data), as: "good")
    let checkpoint = try openCheckpoint(path)
    #expect(checkpoint.totalByteCount == data)
  }

  /// Row 117 at size: the largest text that a header can hold, and one that it cannot.
  @Test func `a text as long as a header may be is read within the bounds of memory`() throws {
    let directory = try TemporaryDirectory()
    let frame = (Array("{\"__metadata__\":{\"a\":\"".utf8), Array("\"}}".utf8))
    let length = Budgets.safeTensorsHeaderBytes - frame.0.count - frame.1.count
    let text = [UInt8](repeating: UInt8(ascii: "x"), count: length)
    let path = try directory.write(Self.file(frame.0 + text + frame.1, data: 0), as: "long")
    #expect(try openCheckpoint(path).metadata["a"]?.utf8.count == length)
    let outcome = try Tool.run(["hash", path], in: directory)
    #expect(outcome.status == 0 && outcome.signal == 0, "\(outcome.errors)")
    #expect(outcome.peakResidentBytes <= (64 << 20) + 2 * Budgets.safeTensorsHeaderBytes)
    let vast = try directory.write(Self.file(frame.0, data: 0, length: 1 << 30), as: "vast")
    try #require(truncate(vast, 8 + (1 << 30)) == 0)
    let error = #expect(throws: FormatError.self) { try openCheckpoint(vast) }
    #expect(error?.code == .headerTooLarge)
  }

  @Test func `a zip archive behind safetensors is refused`() throws {
    let directory = try TemporaryDirectory()
    let zip = ZipBuilder.torch(TorchRowTests.good).build()
    let path = try directory.write(Self.file(Self.empty, data: 0) + zip, as: "both")
    let error = #expect(throws: FormatError.self) { try openCheckpoint(path) }
    #expect(error?.code == .trailingBytes)
  }

  @Test(arguments: [
    ("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "Git LFS"),
    ("<!DOCTYPE html><html>", "web page"), ("PYTORCH1 and more", "preview"),
  ])
  func `what a failed download leaves is named`(text: String, word: String) throws {
    let directory = try TemporaryDirectory()
    let path = try directory.write(Array(text.utf8), as: "a.pth")
    let error = #expect(throws: FormatError.self) { try openCheckpoint(path) }
    #expect("\(error as Any)".contains(word))
  }
}
