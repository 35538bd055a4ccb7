// swift-tools-version: 6.2
import PackageDescription

// A package of its own, so that nobody who builds wt builds it: `make fuzz` does, with libFuzzer and
// the address sanitiser.
let package = Package(
  name: "fuzz",
  dependencies: [.package(name: "wt", path: "..")],
  targets: [
    .executableTarget(
      name: "fuzz",
      dependencies: [
        .product(name: "Formats", package: "wt")
      ],
      swiftSettings: [
        .swiftLanguageMode(.v6),
        // libFuzzer brings the main function.
        .unsafeFlags(["-parse-as-library"]),
      ])
  ]
)
